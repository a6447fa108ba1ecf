"""Searches whose assignments are listed."""

import pytest

from neuroflame.errors import SpecError
from neuroflame.report import build_report
from neuroflame.store import open_table
from neuroflame.sweep.planner import make_plan
from neuroflame.sweep.running import resume, start
from tests.unit.test_sweep_controller import CHEAP, Stop
from tests.unit.test_sweep_spec import sweep

SPACE = {"J.EE": {"low": 0, "high": 4}, "populations.I.size": [10, 12, 14]}
ROWS = {"J.EE": [3.5, 0.25, 3.5, 1.0], "populations.I.size": [12, 10, 14, 12]}


def listed(rows=ROWS, **changes):
    return sweep(**{"space": SPACE, "search": {"kind": "list", "assignments": rows}, **changes})


def run(spec, out, **options):
    return start(spec, str(out), backend="inline", measure=CHEAP, **options)


def test_what_is_listed_is_run_and_nothing_else(tmp_path):
    spec = listed(repeat={"graphs": 2, "initial_conditions": ["cold", "hot"]})
    assert (spec.trials, spec.points) == (4, 16)
    assert "list: the 4 assignments that are given" in str(make_plan(spec))
    run(spec, tmp_path / "out")
    frame = open_table(tmp_path / "out").to_pandas()
    assert len(frame) == 16
    found = frame.groupby(["point.J.EE", "point.populations.I.size"]).size()
    assert found.to_dict() == dict.fromkeys(zip(*ROWS.values(), strict=True), 4)
    assert build_report(tmp_path / "out").page.exists()


def test_a_list_that_was_stopped_goes_on(tmp_path):
    from neuroflame.errors import Interrupted

    with pytest.raises(Interrupted):
        run(listed(compute={"tile": 1}), tmp_path / "out", progress=Stop(1))
    assert 0 < len(open_table(tmp_path / "out")) < 4
    assert resume(str(tmp_path / "out"), backend="inline", measure=CHEAP).status.done == 4


def test_an_axis_that_does_not_count_has_no_value(tmp_path):
    space = {
        "transfer": {"choices": ["relu", "tanh"]},
        "J.EE": {"low": 0, "high": 4, "when": {"transfer": "tanh"}},
    }
    rows = {"transfer": ["relu", "tanh", "tanh"], "J.EE": [None, 1.5, 2.0]}
    run(listed(rows, space=space), tmp_path / "out")
    frame = open_table(tmp_path / "out").to_pandas().sort_values("point.J.EE")
    assert frame["point.transfer"].tolist() == ["tanh", "tanh", "relu"]
    assert frame["point.J.EE"].tolist()[:2] == [1.5, 2.0]
    assert frame["point.J.EE"].isna().tolist() == [False, False, True]
    with pytest.raises(SpecError, match=r"search.assignments.J.EE.1: is required: the axis counts there"):
        listed({**rows, "J.EE": [None, None, 2.0]}, space=space)
    with pytest.raises(SpecError, match=r"search.assignments.J.EE.0: must be null"):
        listed({**rows, "J.EE": [1.0, 1.5, 2.0]}, space=space)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            {"J.EE": [1.0]},
            "search.assignments: must have values for each axis .populations.I.size is missing",
        ),
        ({**ROWS, "J.EI": [1.0]}, "search.assignments.J.EI: is no axis of this sweep"),
        (
            {**ROWS, "J.EE": [1.0]},
            "search.assignments.populations.I.size: must hold as many values as J.EE, 1",
        ),
        (
            {**ROWS, "J.EE": [1.0, 9.0, 1.5, 2.0]},
            "search.assignments.J.EE.1: is not a value of that axis, got 9.0",
        ),
        ({**ROWS, "populations.I.size": [12, 10, 13, 12]}, r"size.2: is not a value of that axis, got 13"),
        ({**ROWS, "J.EE": [1.0, None, 1.5, 2.0]}, "search.assignments.J.EE.1: is not a value of that axis"),
        ({**ROWS, "J.EE": [1.0, "x", 1.5, 2.0]}, "search.assignments.J.EE.1: is not a value of that axis"),
        (
            {"J.EE": [1.0, 1.0], "populations.I.size": [10, 10]},
            "search.assignments.J.EE.1: is assignment 0 again",
        ),
        (
            {"J.EE": [], "populations.I.size": []},
            "search.assignments.J.EE: must hold at least one assignment",
        ),
        ({}, "search.assignments"),
    ],
)
def test_lists_that_are_wrong(rows, told):
    with pytest.raises(SpecError, match=told) as fault:
        listed(rows)
    assert "\n" not in str(fault.value)
