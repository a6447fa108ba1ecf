"""A search for borders as a sweep: run, resumed, in the table and in the report; with a stand-in that simulates."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from neuroflame.errors import Interrupted, SpecError, StoreError
from neuroflame.report import build_report, summary
from neuroflame.store import SweepStore, open_table
from neuroflame.sweep.inspect import describe
from neuroflame.sweep.planner import make_plan
from neuroflame.sweep.running import resume, start
from tests.unit.test_sweep_controller import CHEAP, Stop, rows
from tests.unit.test_sweep_spec import sweep

ROOT = Path(__file__).parents[2]
SPACE = {"J.EE": {"low": 0, "high": 4}, "J0.E": {"low": 0, "high": 4}}


BOUNDARY = {
    "space": SPACE,
    "repeat": {"graphs": 2, "initial_conditions": ["cold", "hot"]},
    "search": {"kind": "boundary", "on": "rate.E.mean > 20", "points": 240, "tolerance": 0.05},
}


def boundary(space=SPACE, repeat=None, stop=None, **search):
    """The stand-in's rate is 5 J.EE + 5 J0.E + graph + 0.1 seed."""
    wanted = {"kind": "boundary", "on": "rate.E.mean > 20", "points": 300, "tolerance": 0.02, **search}
    return sweep(space=space, repeat=repeat or {}, stop=stop, search=wanted)


def run(spec, out, **options):
    return start(spec, str(out), backend="inline", measure=CHEAP, **options)


def test_the_border_in_the_table(tmp_path):
    outcome = run(boundary(), tmp_path / "out")
    table = open_table(str(tmp_path / "out"))
    assert outcome.status.done == outcome.status.total == len(table) < 300
    frame = table.to_pandas()
    assert frame["point_id"].is_unique
    assert frame["point_index"].tolist() == list(range(len(table)))
    border = table.border()
    off = np.abs(border["point.J.EE"] + border["point.J0.E"] - 4) / np.sqrt(2) / 4
    assert off.quantile(0.95) < 0.02
    assert border["error"].quantile(0.95) <= 0.02
    assert set(border["between"]) == {"no | yes"}
    assert border.attrs["units"] == {"point.J.EE": "", "point.J0.E": table.columns["point.J0.E"].unit}
    other = table.border("rate.E.mean > 10", tolerance=0.1)
    assert np.abs(other["point.J.EE"] + other["point.J0.E"] - 2).median() < 0.5


@pytest.mark.parametrize("after", [1, 2, 4])
@pytest.mark.parametrize("repeat", [{}, {"graphs": 3, "seeds": 2}], ids=["one draw", "draws"])
def test_a_resumed_search_equals_an_uninterrupted_one(after, repeat, tmp_path):
    spec = boundary(repeat=repeat)
    run(spec, tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(spec, tmp_path / "parts", progress=Stop(after))
    assert 0 < len(open_table(str(tmp_path / "parts"))) < len(open_table(str(tmp_path / "whole")))
    assert resume(str(tmp_path / "parts"), backend="inline", measure=CHEAP).resumed
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


SLOW_RUN = """
import sys
from neuroflame.sweep.running import start
from tests.unit.test_boundary_sweep import boundary

start(boundary(), sys.argv[1], backend="inline", measure="tests.e2e.simulators:slow")
"""


def test_a_search_that_was_killed_goes_on_with_the_same_points(tmp_path):
    run(boundary(), tmp_path / "whole")
    process = subprocess.Popen([sys.executable, "-c", SLOW_RUN, str(tmp_path / "parts")], cwd=ROOT)
    try:
        end = time.monotonic() + 120
        while len(list((tmp_path / "parts" / "parts").glob("*.parquet"))) < 2:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    assert 0 < len(open_table(str(tmp_path / "parts"))) < len(open_table(str(tmp_path / "whole")))
    assert resume(str(tmp_path / "parts"), backend="inline", measure=CHEAP).resumed
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


def test_status_tells_a_search_that_ended_from_one_that_stopped(tmp_path):
    """The former has what it sought, and there is nothing to go on with, unless rows are lost."""
    out = tmp_path / "out"
    run(boundary(stop={"points": 50}), out)
    text = describe(str(out))
    assert "points    50 of 300 done (17 %)" in text
    assert "stopped   50 points were computed" in text
    assert f"go on     neuroflame-sweep resume {out} --set stop=null" in text
    done = resume(str(out), overrides={"stop": None}, backend="inline", measure=CHEAP).status.done
    text = describe(str(out))
    assert f"points    {done} done, of 300 at most: the search has what it sought" in text
    assert "resume" not in text
    next((out / "parts").iterdir()).unlink()
    assert f"go on     neuroflame-sweep resume {out}" in describe(str(out))


def test_a_search_that_stopped_early_goes_on(tmp_path):
    run(boundary(), tmp_path / "whole")
    status = run(boundary(stop={"points": 50}), tmp_path / "parts").status
    assert status.done == len(open_table(str(tmp_path / "parts"))) == 50
    assert status.stopped == "50 points were computed"
    assert status.best is None
    resume(str(tmp_path / "parts"), overrides={"stop": None}, backend="inline", measure=CHEAP)
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


def test_a_complete_search_is_left_alone(tmp_path):
    first = run(boundary(), tmp_path / "out").status
    again = run(boundary(), tmp_path / "out").status
    assert again.done == again.total == again.restored == first.done


def test_the_majority_of_draws(tmp_path):
    """Graph g adds g: the majority of five graphs is that of graph 2, whose border is at 18."""
    spec = boundary(repeat={"graphs": 5}, points=600)
    run(spec, tmp_path / "out")
    table = open_table(str(tmp_path / "out"))
    counts = table.to_pandas()["graph"].value_counts()
    assert counts.min() > 0.5 * counts.max()
    border = table.border()
    assert border["confidence"].max() < 1
    middle = 5 * (border["point.J.EE"] + border["point.J0.E"])
    assert middle.median() == pytest.approx(18, abs=0.7)
    asks = SweepStore.open(str(tmp_path / "out")).read_asks()
    assert set().union(*(ask["draw"] for ask in asks.values())) == set(range(5))
    ids = [identity for ask in asks.values() for identity in ask["point_id"]]
    assert sorted(ids) == sorted(table.to_pandas()["point_id"])


def test_two_initial_conditions_are_one_label(tmp_path):
    spec = boundary(repeat={"initial_conditions": ["cold", "hot"]}, points=301)
    assert spec.points == 300
    run(spec, tmp_path / "out")
    table = open_table(str(tmp_path / "out"))
    assert set(table.border()["between"]) == {"no / no | yes / yes"}
    counts = table.to_pandas()["initial_condition"].value_counts()
    assert counts["cold"] == counts["hot"]


def test_swept_names_and_structural_axes_in_the_condition(tmp_path):
    space = {"J.EE": {"low": 0, "high": 4}, "populations.I.size": {"low": 10, "high": 16}}
    spec = boundary(space=space, on="5 * J.EE > populations.I.size - 5", points=200)
    run(spec, tmp_path / "out")
    frame = open_table(str(tmp_path / "out")).border()
    assert np.abs(5 * frame["point.J.EE"] - frame["point.populations.I.size"] + 5).median() < 0.3


def test_status_as_the_label_and_failures_on_the_way(tmp_path):
    """A coupling of 100 or more raises: those points have no label; the border of what is left is found."""
    space = {"J.EE": {"low": 90, "high": 110}, "J0.E": {"low": 0, "high": 4}}
    outcome = run(boundary(space=space, on="status", points=80), tmp_path / "out")
    assert outcome.status.failed > 10
    assert len(open_table(str(tmp_path / "out")).border()) == 0
    outcome = run(boundary(space=space, on="rate.E.mean > 490", points=200), tmp_path / "more")
    frame = open_table(str(tmp_path / "more")).border()
    assert np.abs(5 * (frame["point.J.EE"] + frame["point.J0.E"]) - 490).median() < 1


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_report(d, tmp_path):
    paths = ("J.EE", "J0.E", "J.EI", "J.IE")[:d]
    lows = {"J.EE": 0, "J0.E": 0, "J.EI": -2, "J.IE": 1}
    space = {path: {"low": lows[path], "high": lows[path] + 4} for path in paths}
    threshold = 5 * sum(lows[path] + 2 for path in paths)
    spec = boundary(space=space, on=f"rate.E.mean > {threshold}", points=200, tolerance=0.1)
    run(spec, tmp_path / "out")
    report = build_report(str(tmp_path / "out"))
    assert next(iter(report.figures)) == "border"
    assert report.figures["border"].stat().st_size > 10_000
    assert f"95 % of the border of rate.E.mean > {threshold} is known within" in report.answer
    assert "points of the sweep are computed so far" not in report.answer


def test_report_without_a_border(tmp_path):
    run(boundary(on="rate.E.mean > 1000", points=64), tmp_path / "out")
    assert summary(str(tmp_path / "out")).startswith("no border of rate.E.mean > 1000 found")
    assert build_report(str(tmp_path / "out")).figures["border"].exists()


def test_border_of_another_sweep(tmp_path):
    levels = {"from": 0, "to": 4, "num": 21}
    run(sweep(space={"J.EE": levels, "J0.E": levels}), tmp_path / "grid")
    table = open_table(str(tmp_path / "grid"))
    frame = table.border("rate.E.mean > 20.5")
    assert np.abs(frame["point.J.EE"] + frame["point.J0.E"] - 4.1).max() < 0.11
    with pytest.raises(StoreError, match="sought no border"):
        table.border()
    with pytest.raises(SpecError, match="no such column"):
        table.border("rate.E.maen > 20")
    run(sweep(space={"J.EE": levels, "transfer": ["relu", "tanh"]}), tmp_path / "names")
    with pytest.raises(StoreError, match="numbers in order"):
        open_table(str(tmp_path / "names")).border("rate.E.mean > 20")


def test_what_was_not_followed_for_want_of_points_is_told(tmp_path):
    """The stand-in's rate is constant where J.EE + J0.E is: a band across the space."""
    thin = {"on": "abs(rate.E.mean - 20) < 0.6", "tolerance": 0.02, "start": 200}
    told = {}
    for points in (300, 2000):
        out = str(tmp_path / str(points))
        run(boundary(points=points, **thin), out)
        told[points] = build_report(out).answer
    assert "not followed to the end: the border may go on there" in told[300]
    assert "not followed" not in told[2000]


def test_plan():
    plan = make_plan(boundary(repeat={"graphs": 3, "initial_conditions": ["cold", "hot"]}), actors=2)
    assert plan.points == 300
    assert "at most 150 assignments in batches of 32 after 32" in plan.reach
    assert not plan.known
    assert "points      300" in str(plan)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"on": "rate.E.maen > 1"}, "search.on: is not a column of this sweep, got 'rate.E.maen'"),
        ({"on": "rate.E.mean"}, "search.on: must be a condition or a column of names"),
        ({"on": "statsu"}, "search.on: is not a column of this sweep, got 'statsu' (did you mean 'status'?)"),
        ({"on": "rate.E.mean >"}, "search.on: a condition must not end here"),
        ({"on": "rate.E.mean + 1"}, "search.on: a condition must compare something"),
        ({"on": "status > 3"}, "search.on: texts can only be compared with == and !="),
        ({"on": "rate.E.mean > 1 and status > 3"}, "got 'status > 3' (compare a column of texts with a text"),
        ({"on": "regime == bump"}, "search.on: the table has no such column, got 'regime'"),
        ({"points": 31}, "search.points: must be at least the 32 points that cover the space at first"),
        (
            {"points": 63, "repeat": {"initial_conditions": ["cold", "hot"]}},
            "search.points: must be at least the 64",
        ),
        ({"tolerance": 0}, "search.tolerance: must be greater than 0"),
        ({"tolerance": 0.3}, "search.tolerance: must be at most 0.25"),
        ({"confidence": 0.5}, "search.confidence: must be greater than 0.5"),
        ({"explore": 2}, "search.explore: must be at most 1"),
        ({"start": "few"}, "search.start: must be auto or a positive whole number"),
        ({"space": {}}, "space: must have 1 to 4 axes in a boundary search, got 0"),
        (
            {"space": {path: {"low": 1, "high": 2} for path in ("J.EE", "J.IE", "J0.E", "J0.I", "M0")}},
            "space: must have 1 to 4 axes in a boundary search, got 5",
        ),
        ({"space": {"transfer": ["relu", "tanh"]}}, "space.transfer: must be numbers in order"),
        ({"space": {"J.EE": {"choices": [1, 2]}}}, "space.J.EE: must be numbers in order"),
        ({"space": {"J.EE": [1]}}, "space.J.EE: must have at least 2 values"),
    ],
)
def test_bad_input(changes, message):
    with pytest.raises(SpecError) as caught:
        boundary(**changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"tolerance": 0.05},
        {"batch": 8},
        {"start": 16},
        {"explore": 0.5},
        {"confidence": 0.99},
        {"seed": 3},
        {"points": 64},
        {"on": "rate.E.mean > 21"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_option_changes_the_points(change, tmp_path):
    for name, changes in (("one", {}), ("other", change)):
        run(boundary(repeat={"graphs": 4}, **{"points": 150, **changes}), tmp_path / name)
    ids = [set(open_table(str(tmp_path / name)).to_pandas()["point_id"]) for name in ("one", "other")]
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    ("on", "message"),
    [
        ("'bump' > regime", "search.on: texts can only be compared with == and !="),
        (
            "regime + 1 > 2",
            "search.on: texts cannot be added or multiplied, got 'regime + 1' (compare a column of",
        ),
        (
            "regime == 3",
            "search.on: a text cannot be compared with a number, got 'regime == 3' (compare a column of",
        ),
        ("regime == bmp", "search.on: is no regime, got 'bmp' (did you mean 'bump'?)"),
        ("rate.E.mean > 1 and not 'bmp' != regime", "is no regime, got 'bmp' (did you mean 'bump'?)"),
        ("regime in [bump, chaotik]", "is no regime, got 'chaotik' (did you mean 'chaotic'?)"),
        ("regime == elsewhere", "is no regime, got 'elsewhere' (valid names: asynchronous irregular,"),
    ],
)
def test_regimes_in_conditions_are_known_before_anything_runs(on, message):
    search = {"kind": "boundary", "on": on, "points": 100}
    with pytest.raises(SpecError) as caught:
        sweep(space=SPACE, measure=["regime"], search=search)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("on", ["regime in [bump, 'asynchronous irregular']", "regime.confidence > 0.5"])
def test_conditions_on_regimes(on):
    search = {"kind": "boundary", "on": on, "points": 100}
    assert sweep(space=SPACE, measure=["regime"], search=search).search.on == on
