import numpy as np
import pandas as pd
import pytest

from neuroflame.conditions import parse_condition
from neuroflame.errors import SpecError

NAN = np.nan
TABLE = {
    "bump.E.ratio": [0.2, 0.05, NAN, 1.4],
    "bump.E.trend": [-0.01, 0.0, 0.0, -0.3],
    "status": ["ok", "ok", "diverged", None],
    "point.J.EE": [1.0, 2.0, 3.0, 4.0],
    "lyapunov.1": [0.5, -0.5, 0.0, 2.0],
    "converged": [True, True, False, False],
    "states": [1, 2, 3, 4],
}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("bump.E.ratio > 0.1", [1, 0, 0, 1]),
        ("bump.E.ratio > 0.1 and abs(bump.E.trend) < 0.05", [1, 0, 0, 0]),
        ("0.1 < bump.E.ratio <= 1.4", [1, 0, 0, 1]),
        ("status == ok", [1, 1, 0, 0]),
        ("status != 'ok'", [0, 0, 1, 0]),
        ("status in [ok, diverged]", [1, 1, 1, 0]),
        ("states not in [1, 4]", [0, 1, 1, 0]),
        ("J.EE >= 3", [0, 0, 1, 1]),
        ("lyapunov.1 > 1e-3 or J.EE == 2", [1, 1, 0, 1]),
        ("not bump.E.ratio > 0.1", [0, 1, 0, 0]),
        ("bump.E.ratio > 0.1 or J.EE == 3", [1, 0, 1, 1]),
        ("converged", [1, 1, 0, 0]),
        ("not converged and J.EE > 3", [0, 0, 0, 1]),
        ("converged == true", [1, 1, 0, 0]),
        ("J.EE * 2 - 1 > states + 1", [0, 0, 1, 1]),
        ("-J.EE < -2", [0, 0, 1, 1]),
        ("1 / (J.EE - 1) > 0.4", [1, 1, 1, 0]),
        ("(J.EE < 2 or J.EE > 3) and lyapunov.1 > 0", [1, 0, 0, 1]),
    ],
)
def test_conditions_hold_where_they_say(text, where):
    assert list(parse_condition(text).holds(TABLE)) == [bool(one) for one in where]
    assert list(parse_condition(text).holds(pd.DataFrame(TABLE))) == [bool(one) for one in where]


def test_what_is_missing_is_neither_true_nor_false():
    truth = parse_condition("bump.E.ratio > 0.1").truth(TABLE)
    assert truth[[0, 1, 3]].tolist() == [1.0, 0.0, 1.0]
    assert np.isnan(truth[2])
    assert parse_condition("bump.E.ratio > 0.1 and J.EE < 0").truth(TABLE).tolist() == [0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true') == 0",
        "bump.E.ratio.__class__() == 1",
        "max(bump.E.ratio) > 1",
        "bump.E.ratio",
        "bump.E.ratio > ",
        "bump.E.ratio > 0.1 status",
        "bump.E.ratio = 1",
        "bump.E.ratio > 0.1 & J.EE > 1",
        "[x for x in y]",
        "lambda: 1",
        "bump.E.rato > 1",
        "foo > 1",
        "status < 3",
        "status == 3",
        "abs(status) > 1",
        "J.EE[0] > 1",
        "1 + 2",
        "1.2.3 > 1",
        "",
        "and > 1",
        "(" * 500 + "1 > 0",
        "not " * 200 + "J.EE > 1",
        "+".join(["1"] * 5000) + " > 1",
        "(J.EE > 1) + 1 > 1",
    ],
)
def test_anything_else_is_one_clear_line(text):
    with pytest.raises(SpecError) as caught:
        parse_condition(text).holds(TABLE)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_the_nearest_column_is_named():
    with pytest.raises(SpecError, match=r"did you mean bump\.E\.ratio"):
        parse_condition("bump.E.rato > 1").holds(TABLE)


def test_conjuncts_can_be_left_out():
    condition = parse_condition("bump.E.ratio > 0.1 and (abs(bump.E.trend) < 0.05 and J.EE > 0)")
    rest = condition.without(lambda name: name.endswith(".trend"))
    assert rest.text == "bump.E.ratio > 0.1 and J.EE > 0"
    assert list(rest.holds(TABLE)) == [True, False, False, True]
    assert condition.without(lambda name: True) is None


@pytest.mark.parametrize(
    "text",
    [
        "a > 1 and (b < 2 or not c == 3)",
        "abs(a - 2 * b) <= 1e-3",
        "0 < a < 1",
        "s == 'two words' or s in [x, y]",
    ],
)
def test_what_is_left_reads_as_it_means(text):
    data = {"a": [0.5, 2.0, 3.0], "b": [1.0, 1.0, 9.0], "c": [3.0, 3.0, 1.0], "s": ["x", "two words", "z"]}
    condition = parse_condition(text)
    shown = condition.without(lambda name: False)
    assert list(parse_condition(shown.text).holds(data)) == list(condition.holds(data))
