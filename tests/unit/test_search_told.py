"""What searches that learn are told of the rows of a table, and how they rank it."""

import numpy as np
import pytest

from neuroflame.conditions import front, parse_condition, violation
from neuroflame.errors import SpecError
from neuroflame.sweep.search.archive import Archive, loneliness
from neuroflame.sweep.told import by_trial, told
from tests.searches import PLANE
from tests.unit.test_sweep_spec import sweep

ROWS = {
    "status": ["ok", "ok", "diverged", "failed", "ok"],
    "rate.E.mean": [5.5, 8.0, 5.0, None, None],
    "bump.E.m1": [1.0, 2.0, np.nan, None, np.inf],
}


def learning(**more):
    return sweep(space=PLANE, search={"kind": "tpe", "trials": 4, **more}).search


def test_targets_and_statuses_are_told():
    search = learning(
        objective=[{"target": {"rate.E.mean": 5, "tolerance": 1}}, {"maximise": "bump.E.m1"}],
        constraints=["status == ok", "rate.E.mean < 6", "J.EE > 1"],
    )
    found = told(search, {**ROWS, "point.J.EE": [2.0, 2.0, 2.0, 2.0, 0.5]})
    nan = np.nan
    np.testing.assert_allclose(
        found,
        [
            [0.0, 1.0, 0.0, -0.5, -1.0],
            [2.0, 2.0, 0.0, 2.0, -1.0],
            [nan, nan, 1.0, -1.0, -1.0],
            [nan, nan, 1.0, nan, -1.0],
            [nan, nan, 0.0, nan, 0.5],
        ],
    )


@pytest.mark.parametrize(
    ("text", "value", "tolerance"),
    [
        ("rate.E.mean = 5 ± 1", 5, 1),
        ("rate.E.mean == 5.5 +- 0.5", 5.5, 0.5),
        ("rate.E.mean=-1e1+/-.5", -10, 0.5),
        ("  rate.E.mean = 5 ", 5, 0),
    ],
)
def test_a_target_as_a_text(text, value, tolerance):
    (goal,) = learning(target=text).goals
    assert (goal.column, goal.value, goal.tolerance) == ("rate.E.mean", value, tolerance)
    (one, other) = learning(objective=[{"target": text}, {"maximise": "bump.E.m1"}]).goals
    assert one == goal
    assert other.large


@pytest.mark.parametrize(
    "given",
    [
        {"maximise": "bump.E.m1 after cue"},
        {"minimise": "bump.E.m1  after the cue"},
        {"target": "bump.E.m1 after cue = 5 ± 1"},
        {"target": {"bump.E.m1 after cue": 5}},
        {"objective": [{"maximise": "bump.E.m1 after cue"}]},
    ],
)
def test_what_is_sought_around_the_cue(given):
    assert learning(**given).goals[0].column == "bump.E.m1.after"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": "rate.E.mean = "}, "search.target: must be a column and its value"),
        ({"target": "rate.E.mean = 5 ± -1"}, "search.target: must be a column and its value"),
        ({"target": "regime == bump"}, "search.target: must be a column and its value"),
        ({"target": "rate.E.maen = 5"}, "(did you mean 'rate.E.mean'?)"),
        ({"target": {"rate.E.mean": 5, "tolerence": 1}}, "did you mean tolerance for tolerence?"),
        ({"maximise": "bump.E.m1 after lunch"}, "(did you mean 'bump.E.m1.after'?)"),
        ({"maximize": "bump.E.m1"}, "search.maximize: is not a known key (did you mean 'maximise'?)"),
        (
            {"maximise": "bump.E.m1", "constraints": ["status == okay"]},
            "is no status, got 'okay' (did you mean 'ok'?)",
        ),
        ({"maximise": "bump.E.m1", "constraints": ["status in [ok, faild]"]}, "(did you mean 'failed'?)"),
        ({"maximise": "bump.E.m1", "constraints": ["statsu == ok"]}, "did you mean status?"),
        (
            {"objective": [{"maximise": "bump.E.m1"}, {"minimse": "rate.E.mean"}]},
            "search.objective.1.minimse",
        ),
    ],
)
def test_what_is_written_wrongly_is_told_in_a_line(given, message):
    with pytest.raises(SpecError) as caught:
        learning(**given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_column_that_a_tile_lacks_is_missing():
    search = learning(maximise="bump.E.m1", constraints=["rate.E.mean < 6"])
    assert np.isnan(told(search, {"status": ["failed"]})).all()


def test_an_assignment_meets_a_constraint_if_all_its_repetitions_do():
    trial = np.array([0, 0, 1, 1, 2, 2])
    values = np.array([[1.0, -1], [3.0, -2], [5.0, -1], [np.nan, 2], [np.nan, -1], [np.nan, np.nan]])
    found = by_trial(trial, values, 1)
    np.testing.assert_array_equal(found, [[2.0, -1.0], [5.0, 2.0], [np.nan, np.nan]])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x < 2", [-1, 1e-12, 3, np.nan]),
        ("x <= 2", [-1, 0, 3, np.nan]),
        ("not x < 2", [1, 0, -3, np.nan]),
        ("x > 1 and x < 4", [1e-12, -1, 1, np.nan]),
        ("x > 4 or x < 2", [-1, 1e-12, -1, np.nan]),
        ("x == 2", [1, 0, 3, np.nan]),
        ("x != 2", [0, 1, 0, np.nan]),
        ("s == ok", [0, 1, 0, np.nan]),
        ("s in [ok, late]", [0, 0, 0, np.nan]),
        ("s not in [ok, late]", [1, 1, 1, np.nan]),
    ],
)
def test_by_how_much_a_condition_is_missed(text, expected):
    data = {
        "x": np.array([1.0, 2.0, 5.0, np.nan]),
        "s": np.array(["ok", "late", "ok", None], dtype=object),
    }
    condition = parse_condition(text)
    found = violation(condition, data)
    np.testing.assert_allclose(found, expected, atol=1e-15)
    np.testing.assert_array_equal(found <= 0, condition.holds(data))


def test_an_archive_ranks_what_is_allowed_first_and_failures_last():
    search = learning(maximise="bump.E.m1", constraints=["rate.E.mean < 6"])
    archive = Archive(search.goals, 1)
    archive.add([(i,) for i in range(5)], np.array([[1, -1], [9, 3], [2, 0], [np.nan, -1], [5, 1.0]]))
    assert archive.ranks().tolist() == [1, 3, 0, 4, 2]
    assert archive.losses()[:, 0].tolist() == [-1, -9, -2, -1, -5]
    archive.add([(i,) for i in range(5, 9)], np.array([[0, -1.0]] * 4))
    assert archive.window(4).tolist() == [2, 6, 7, 8]


def test_the_front_is_what_no_other_beats():
    rng = np.random.default_rng(0)
    losses = np.round(rng.random((200, 3)), 1)
    losses[7] = np.nan
    beaten = [
        any((other <= one).all() and (other < one).any() for other in losses) or np.isnan(one).any()
        for one in losses
    ]
    np.testing.assert_array_equal(front(losses), ~np.array(beaten))


def test_several_goals_are_ranked_by_front_then_by_loneliness():
    """By definition: the front is what nothing beats, the next what nothing of the rest does."""
    search = learning(objective=[{"minimise": "rate.E.mean"}, {"maximise": "bump.E.m1"}])
    rng = np.random.default_rng(4)
    losses = np.round(rng.random((120, 2)), 2)
    archive = Archive(search.goals, 0)
    archive.add([(i,) for i in range(120)], losses * [1, -1])
    ranks, left, expected = archive.ranks(), list(range(120)), []
    while left:
        unbeaten = [
            i
            for i in left
            if not any((losses[j] <= losses[i]).all() and (losses[j] < losses[i]).any() for j in left)
        ]
        expected.append(set(unbeaten))
        left = [i for i in left if i not in unbeaten]
    order, first = np.argsort(ranks).tolist(), 0
    for level in expected:
        mine = order[first : first + len(level)]
        assert set(mine) == level
        ends = {int(np.argmin(losses[mine, k])) for k in (0, 1)}
        assert {losses[mine[k]].tobytes() for k in ends} & {losses[i].tobytes() for i in mine[:4]}
        first += len(level)
    assert archive.ranks(10).argsort()[:10].tolist() == order[:10]


def test_crowding_of_four_on_a_front():
    losses = np.array([[0.0, 1.0], [0.1, 0.8], [0.6, 0.3], [1.0, 0.0]])
    np.testing.assert_allclose(loneliness(losses, np.zeros(4)), [np.inf, 0.6 + 0.7, 0.9 + 0.8, np.inf])
