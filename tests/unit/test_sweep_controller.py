"""Running and resuming, within one process and with a stand-in for the simulator."""

import contextlib
import math
import pickle

import numpy as np
import pandas as pd
import pytest

from neuroflame.errors import BackendError, Interrupted, SpecError, StoreError
from neuroflame.report import build_report
from neuroflame.store import SweepStore, open_table
from neuroflame.sweep.backend import Backend, Resources
from neuroflame.sweep.controller import Controller
from neuroflame.sweep.export import export
from neuroflame.sweep.inline import InlineBackend
from neuroflame.sweep.inspect import best_points, describe
from neuroflame.sweep.manifest import differences, git_commit, make_manifest, spec_of
from neuroflame.sweep.progress import Progress
from neuroflame.sweep.running import resume, run_sweep, start
from neuroflame.sweep.tiles import parse_ref
from neuroflame.sweep.worker import Job, Worker
from tests.unit.test_sweep_spec import sweep

CHEAP = "tests.e2e.simulators:cheap"
GRID = {
    "space": {"J.EE": [1, 2, 3, 4, 5], "populations.I.size": [10, 12]},
    "repeat": {"graphs": 2, "seeds": 2},
}
TPE = {
    "space": {"J.EE": {"low": 0, "high": 9}, "J0.E": [1, 2, 3]},
    "repeat": {"graphs": 2},
    "search": {"kind": "tpe", "trials": 20, "batch": 6, "startup": 6, "maximise": "bump.E.m1"},
}
SEARCHES = {
    "grid": GRID,
    "random": {**TPE, "search": {"kind": "random", "trials": 20}},
    "sobol": {**TPE, "search": {"kind": "sobol", "trials": 20}},
    "tpe": TPE,
    "cmaes": {
        **TPE,
        "space": {"J.EE": {"low": 0, "high": 9}, "J0.E": [1, 2, 3]},
        "search": {"kind": "cmaes", "trials": 20, "batch": 6, "target": {"rate.E.mean": 40, "tolerance": 1}},
    },
    "nsga2": {
        **TPE,
        "search": {
            "kind": "nsga2",
            "trials": 20,
            "batch": 6,
            "population": 6,
            "objective": [{"maximise": "bump.E.m1"}, {"minimise": "rate.E.mean"}],
            "constraints": ["rate.E.mean < 50", "status == ok"],
        },
    },
    "conditional": {
        **TPE,
        "space": {
            "transfer": {"choices": ["relu", "tanh"]},
            "J.EE": {"low": 0, "high": 9, "when": {"transfer": "tanh"}},
            "populations.I.size": {"low": 8, "high": 400, "when": {"transfer": "relu"}},
        },
        "search": {**TPE["search"], "constraints": "J.EE < 6"},
    },
}


def run(spec, out, **options):
    return start(spec, str(out), backend="inline", measure=CHEAP, **options)


def rows(out):
    """Return a table as plain values, missing ones as None, series as lists."""
    return plain(open_table(str(out)).to_pandas().to_numpy(dtype=object).tolist())


def plain(value):
    if isinstance(value, list | np.ndarray):
        return [plain(item) for item in value]
    return None if pd.isna(value) else value


class Stop(Progress):
    """Stops the sweep like Ctrl-C after some tiles."""

    def __init__(self, after):
        self.left = after

    def update(self, status):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("kind", SEARCHES)
def test_every_point_has_a_row(kind, tmp_path):
    spec = sweep(**SEARCHES[kind])
    outcome = run(spec, tmp_path / "out")
    assert outcome.status.done == outcome.status.total == spec.points == 40
    frame = open_table(str(tmp_path / "out")).to_pandas()
    assert len(frame) == 40
    assert frame["point_id"].is_unique
    assert frame["point_index"].tolist() == list(range(40))
    assert (frame["status"] == "ok").all()


@pytest.mark.parametrize("kind", SEARCHES)
@pytest.mark.parametrize("after", [1, 4, 9])
def test_a_resumed_sweep_equals_an_uninterrupted_one(kind, after, tmp_path):
    spec = sweep(**SEARCHES[kind], compute={"tile": 3})
    run(spec, tmp_path / "whole")
    with pytest.raises(Interrupted, match="resume"):
        run(spec, tmp_path / "parts", progress=Stop(after))
    done = len(open_table(str(tmp_path / "parts")))
    assert 0 < done < 40
    outcome = resume(str(tmp_path / "parts"), backend="inline", measure=CHEAP)
    assert outcome.resumed
    assert outcome.status.restored == done
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


@pytest.mark.parametrize("kind", SEARCHES)
@pytest.mark.parametrize("tile", [1, 7, 400])
def test_the_size_of_tiles_does_not_matter(kind, tile, tmp_path):
    run(sweep(**SEARCHES[kind], compute={"tile": tile}), tmp_path / "one")
    run(sweep(**SEARCHES[kind]), tmp_path / "other")
    assert rows(tmp_path / "one") == rows(tmp_path / "other")


def test_an_axis_that_does_not_count_is_empty(tmp_path):
    run(sweep(**SEARCHES["conditional"]), tmp_path / "out")
    frame = open_table(str(tmp_path / "out")).to_pandas()
    relu = frame["point.transfer"] == "relu"
    assert frame["point.J.EE"].isna().tolist() == relu.tolist()
    assert frame["point.populations.I.size"].isna().tolist() == (~relu).tolist()
    assert 0 < relu.sum() < 40


def test_a_point_is_the_same_where_its_axis_does_not_count(tmp_path):
    """Its identity and, bit for bit, its numbers are those in a sweep without that axis."""
    lists = {"transfer": ["relu", "tanh"], "J.II": {"values": [-2, -3], "when": {"transfer": "tanh"}}}
    start(sweep(space=lists), str(tmp_path / "both"), backend="inline")
    start(sweep(space={"transfer": ["relu"]}), str(tmp_path / "one"), backend="inline")
    both, one = (open_table(str(tmp_path / name)).to_pandas() for name in ("both", "one"))
    assert len(both) == 3
    same = both[both["point_id"] == one["point_id"][0]]
    assert same["rate.E.mean"].tolist() == one["rate.E.mean"].tolist()
    assert same["point.J.II"].isna().all()
    own = sweep(space={"transfer": ["tanh"], "J.EE": {"values": [1, 2]}, "J.II": [-2.0]})
    assert own.points == 2
    mixed = {"J0.E": [1, 2], "J.II": {"values": [-2, -3], "when": {"J0.E": 2}}}
    start(sweep(space=mixed), str(tmp_path / "tile"), backend="inline")
    start(sweep(space={"J0.E": [1]}), str(tmp_path / "alone"), backend="inline")
    tile, alone = (open_table(str(tmp_path / name)).to_pandas() for name in ("tile", "alone"))
    same = tile[tile["point_id"] == alone["point_id"][0]]
    assert same["rate.E.mean"].tolist() == alone["rate.E.mean"].tolist()


# --- stopping and starting --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["random", "tpe", "nsga2"])
def test_it_stops_after_some_points_and_goes_on_with_more(kind, tmp_path):
    spec = sweep(**SEARCHES[kind], compute={"tile": 4}, stop={"points": 17})
    status = run(spec, tmp_path / "out").status
    assert status.done == 17
    assert status.stopped == "17 points were computed"
    assert "stopped   17 points were computed" in describe(str(tmp_path / "out"))
    assert run(spec, tmp_path / "out").status.done == 17
    more = {"stop.points": 30}
    outcome = resume(str(tmp_path / "out"), overrides=more, backend="inline", measure=CHEAP)
    assert outcome.status.done == 30
    outcome = resume(str(tmp_path / "out"), overrides={"stop": None}, backend="inline", measure=CHEAP)
    assert outcome.status.done == 40
    assert outcome.status.stopped is None
    run(sweep(**SEARCHES[kind]), tmp_path / "whole")
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")


def test_it_stops_when_the_time_is_up(tmp_path):
    status = run(sweep(**GRID, compute={"tile": 4}, stop={"time": 1e-9}), tmp_path / "out").status
    assert 0 < status.done <= 4
    assert status.stopped.startswith("the time of")


def test_it_stops_at_the_target(tmp_path):
    status = run(sweep(**TPE, stop={"target": -400}), tmp_path / "out").status
    assert status.best >= -400
    assert "reached" in status.stopped
    assert status.done % 12 == 0
    assert status.done < 40


def test_it_stops_where_nothing_improves(tmp_path):
    stop = {"no_improvement": {"points": 12, "by": 1e9}}
    status = run(sweep(**TPE, stop=stop), tmp_path / "out").status
    assert status.stopped == "22 points brought no improvement by 1e+09"
    assert status.done == 24


def test_a_warm_start_is_copied_and_is_no_point(tmp_path):
    known = {**SEARCHES["sobol"], "space": {**TPE["space"], "J.II": [-1, -2]}}
    run(sweep(**known), tmp_path / "known")
    frame = open_table(str(tmp_path / "known")).to_pandas()
    notes = []

    class Listening(Progress):
        def note(self, text):
            notes.append(text)

    search = {
        **TPE["search"],
        "startup": 3,
        "warm_start": str(tmp_path / "known"),
        "constraints": ["J.EE < 8"],
    }
    spec = sweep(**{**TPE, "search": search}, compute={"tile": 4})
    run(spec, tmp_path / "whole", progress=Listening())
    good = int((frame["point.J.II"] == -1).sum())
    assert notes[0].startswith(f"warm start: {good} of 40 rows of ")
    assert f"left out are {40 - good} with another J.II than the network's" in notes[0]
    assert len(open_table(str(tmp_path / "whole"))) == 40
    with pytest.raises(Interrupted):
        run(spec, tmp_path / "parts", progress=Stop(4))
    (tmp_path / "known").rename(tmp_path / "elsewhere")
    resume(str(tmp_path / "parts"), backend="inline", measure=CHEAP)
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")
    run(sweep(**{**TPE, "search": {**search, "warm_start": None}}), tmp_path / "cold")
    assert rows(tmp_path / "cold") != rows(tmp_path / "whole")


def test_a_warm_start_from_a_parquet_file(tmp_path):
    run(sweep(**SEARCHES["sobol"]), tmp_path / "known")
    (path,) = export(str(tmp_path / "known"), "parquet", str(tmp_path / "known.parquet"))
    search = {**TPE["search"], "warm_start": str(path)}
    assert run(sweep(**{**TPE, "search": search}), tmp_path / "out").status.done == 40
    asks = SweepStore.open(tmp_path / "out").read_asks()
    assert len(asks["warm-start"]["score.0"]) == 20


@pytest.mark.parametrize(
    ("known", "fault"),
    [
        ({"space": {"J.EE": [1, 2]}}, r"has no column point\.J0\.E"),
        (
            {"space": {"J.EE": [10, 20], "J0.E": [1]}},
            r"holds no row of this sweep's space.*2 with J\.EE outside of its axis",
        ),
    ],
)
def test_a_warm_start_that_does_not_fit_is_refused(known, fault, tmp_path):
    run(sweep(**known), tmp_path / "known")
    search = {**TPE["search"], "warm_start": str(tmp_path / "known")}
    with pytest.raises(SpecError, match=fault):
        run(sweep(**{**TPE, "search": search}), tmp_path / "out")


def test_the_front_is_printed_and_drawn(tmp_path):
    run(sweep(**SEARCHES["nsga2"], stop={"points": 30}), tmp_path / "out")
    lines = best_points(str(tmp_path / "out"), None, 1).splitlines()
    assert "that no other beats in all of: largest bump.E.m1, smallest rate.E.mean" in lines[0]
    frame = open_table(str(tmp_path / "out")).to_pandas()
    frame = frame[frame["rate.E.mean"] < 50]
    best = [
        one["point_id"]
        for _, one in frame.iterrows()
        if not (
            (frame["bump.E.m1"] >= one["bump.E.m1"])
            & (frame["rate.E.mean"] <= one["rate.E.mean"])
            & ((frame["bump.E.m1"] > one["bump.E.m1"]) | (frame["rate.E.mean"] < one["rate.E.mean"]))
        ).any()
    ]
    assert {line.split()[-1] for line in lines[2:]} == set(best)
    report = build_report(str(tmp_path / "out"))
    assert {"front", "history_bump.E.m1", "history_rate.E.mean"} <= set(report.figures)
    assert f"{len(best)} of 30 points are beaten by none" in report.answer
    assert "it stopped since 30 points were computed" in report.page.read_text()


@pytest.mark.parametrize("kind", ["conditional", "cmaes"])
def test_the_report_of_what_is_new(kind, tmp_path):
    run(sweep(**SEARCHES[kind]), tmp_path / "out")
    assert "history" in build_report(str(tmp_path / "out")).figures
    best_points(str(tmp_path / "out"), None, 3)
    for to in ("csv", "optuna"):
        export(str(tmp_path / "out"), to)


def test_a_lost_fragment_is_computed_again(tmp_path):
    """Also in the middle of a search that learns: what was asked stays asked."""
    spec = sweep(**TPE, compute={"tile": 4})
    run(spec, tmp_path / "out")
    before = rows(tmp_path / "out")
    parts = sorted((tmp_path / "out" / "parts").iterdir())
    for path in (parts[0], parts[3]):
        path.unlink()
    outcome = run(spec, tmp_path / "out")
    assert outcome.status.restored < 40
    assert rows(tmp_path / "out") == before


def test_what_is_complete_is_left_alone(tmp_path):
    spec = sweep(**GRID)
    run(spec, tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out" / "parts").iterdir())

    class Unusable(InlineBackend):
        def open(self):
            raise AssertionError("nothing is to be run")

    assert start(spec, str(tmp_path / "out"), backend=Unusable()).status.done == 40
    assert sorted(path.name for path in (tmp_path / "out" / "parts").iterdir()) == names


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"space": {"J.EE": [1, 2, 3]}}, r"space\.J\.EE\.values is \[1,2\] there and \[1,2,3\] here"),
        ({"set": {"J.II": -9}}, r"network\.J\.II is -1\.0 there and -9\.0 here"),
        ({"window": 0.02}, r"window is nothing there and 0\.02 here"),
        ({"repeat": {"seeds": 2}}, r"repeat\.seeds is \[0\] there and \[0,1\] here"),
        ({"search": {"kind": "random", "trials": 2}}, r"search\.kind is grid there and random here"),
        ({"compute": {"precision": "double"}}, r"precision is exact there and double here"),
    ],
)
def test_a_directory_of_another_sweep_is_refused(changes, path, tmp_path):
    run(sweep(), tmp_path / "out")
    with pytest.raises(StoreError, match=path):
        run(sweep(**changes), tmp_path / "out")


@pytest.mark.parametrize(
    "changes",
    [{"name": "x"}, {"compute": {"tile": 1}}, {"answer": {"label": "x", "where": "rate.E.mean > 1"}}],
)
def test_what_does_not_change_the_table_may_differ(changes, tmp_path):
    run(sweep(), tmp_path / "out")
    assert run(sweep(**changes), tmp_path / "out").resumed


def test_the_manifest_holds_the_sweep(tmp_path):
    spec = sweep(**TPE, set={"J.II": -3})
    manifest = SweepStore.create(tmp_path / "out", make_manifest(spec)).manifest
    assert spec_of(manifest) == spec
    assert manifest["points"] == 40
    assert manifest["network"]["J"]["II"] == -3.0
    assert manifest["axes"][0] == {
        "path": "J.EE",
        "unit": "",
        "doc": spec.axes[0].doc,
        "structural": False,
        "low": 0.0,
        "high": 9.0,
        "log": False,
        "integer": False,
    }
    assert manifest["axes"][1]["values"] == [1.0, 2.0, 3.0]
    assert {"version", "git_commit", "python", "torch", "ray", "seeds", "spec_hash", "created"} <= set(
        manifest
    )


def test_runs_are_recorded(tmp_path):
    run(sweep(), tmp_path / "out")
    events = [record["event"] for record in SweepStore.open(tmp_path / "out").read_records("run")]
    assert events == ["start", "complete"]


def test_bad_points_are_rows_too(tmp_path):
    spec = sweep(space={"J.EE": [1, 100, 2, 150, 3]})
    outcome = run(spec, tmp_path / "out")
    assert outcome.status.failed == 2
    frame = open_table(str(tmp_path / "out")).to_pandas()
    assert frame["status"].tolist() == ["ok", "failed", "ok", "failed", "ok"]
    assert frame["error"].tolist()[1] == "RuntimeError: J.EE is 100"
    assert math.isnan(frame["rate.E.mean"].tolist()[1])
    assert run(spec, tmp_path / "out").status.failed == 2


def test_a_machine_that_cannot_ends_the_sweep(tmp_path):
    with pytest.raises(BackendError, match="no such machine"):
        run(sweep(space={"J.EE": [1, 300]}, compute={"tile": 1}), tmp_path / "out")
    assert len(open_table(str(tmp_path / "out"))) == 1


class Losing(Backend):
    """Loses the tiles that hold certain values, and once each other tile."""

    def __init__(self, kills, rounds=1):
        self.kills, self.rounds, self.closed = kills, rounds, 0

    def check(self):
        pass

    def open(self):
        return Resources(actors=2, cuda=False, about="a bad place")

    def run(self, job, feed):
        worker = Worker(job)
        self.rounds -= 1
        while not feed.done:
            ref = feed.next()
            if ref is None or self.rounds >= 0:  # the first rounds end with a tile in the air
                return
            points = worker._points(parse_ref(ref), *worker.prepare())
            if set(points.values["J.EE"].tolist()) & self.kills:
                feed.lost(ref, "killed")
            else:
                feed.finished(worker.run(ref))

    def close(self):
        self.closed += 1


def test_points_that_kill_their_worker_are_found(tmp_path):
    levels = [float(i) for i in range(40)]
    spec = sweep(space={"J.EE": levels})
    backend = Losing({7.0, 20.0})
    outcome = start(spec, str(tmp_path / "out"), backend=backend, measure=CHEAP)
    assert outcome.status.failed == 2
    frame = open_table(str(tmp_path / "out")).to_pandas()
    assert frame["point.J.EE"][frame["status"] == "failed"].tolist() == [7.0, 20.0]
    assert "killed" in frame["error"].dropna().tolist()[0]
    assert backend.closed == 1


def test_workers_that_always_die_end_the_sweep(tmp_path):
    levels = [float(i) for i in range(4000)]
    backend = Losing(set(levels))
    with pytest.raises(BackendError, match="workers keep dying: its worker died: killed"):
        start(sweep(space={"J.EE": levels}), str(tmp_path / "out"), backend=backend, measure=CHEAP)
    assert backend.closed == 1


def test_a_backend_that_stops_early_is_noticed(tmp_path):
    with pytest.raises(BackendError, match="stopped before"):
        start(sweep(), str(tmp_path / "out"), backend=Losing(set(), rounds=9), measure=CHEAP)


class Told(Progress):
    """Keeps what it is told."""

    def __init__(self):
        self.events = []

    def event(self, kind, data):
        self.events.append({"event": kind, **data})

    def of(self, kind):
        return [event for event in self.events if event["event"] == kind]


class Hanging(Losing):
    """Says of tiles that hold certain values that they began, and waits until they are overdue."""

    def run(self, job, feed):
        worker = Worker(job)
        while not feed.done:
            ref = feed.next()
            feed.began(ref, "")
            points = worker._points(parse_ref(ref), *worker.prepare())
            if set(points.values["J.EE"].tolist()) & self.kills:
                while ref not in feed.overdue():
                    feed.tick()
                feed.lost(ref, "ended")
            else:
                feed.finished(worker.run(ref))


def test_a_point_that_hangs_is_found_and_the_rest_proceeds(tmp_path):
    spec = sweep(space={"J.EE": [float(i) for i in range(8)]}, compute={"deadline": 0.02, "tile": 8})
    run(spec, tmp_path / "whole")
    told = Told()
    outcome = start(spec, str(tmp_path / "out"), backend=Hanging({5.0}), measure=CHEAP, progress=told)
    assert outcome.status.failed == 1
    whole, found = (open_table(str(tmp_path / name)).to_pandas() for name in ("whole", "out"))
    bad = found["point.J.EE"] == 5.0
    assert found["status"][bad].tolist() == ["failed"]
    assert found["error"][bad].tolist() == ["no result within 0.02 s (compute.deadline)"]
    assert found["rate.E.mean"][~bad].tolist() == whole["rate.E.mean"][~bad].tolist()
    assert len(told.of("lost")) == 3 + 3  # the whole thrice, then one half a level
    assert outcome.status.causes == (("no result within 0.02 s (compute.deadline)", 1),)


class Deaf(Losing):
    """Takes errors of the feed for those of tiles, as Tune does."""

    def run(self, job, feed):
        worker = Worker(job)
        while not feed.done:
            with contextlib.suppress(Exception):
                feed.finished(worker.run(feed.next()))


def test_a_disk_that_fills_up_between_two_batches_ends_the_sweep(tmp_path, monkeypatch):
    write_ask = SweepStore.write_ask

    def full(self, name, *rest):
        if not name.endswith("0"):
            raise StoreError("disk is full: cannot write it")
        return write_ask(self, name, *rest)

    monkeypatch.setattr(SweepStore, "write_ask", full)
    with pytest.raises(StoreError, match="disk is full"):
        start(sweep(**TPE), str(tmp_path / "out"), backend=Deaf(set()), measure=CHEAP)
    monkeypatch.undo()
    assert resume(str(tmp_path / "out"), backend="inline", measure=CHEAP).status.restored == 12
    run(sweep(**TPE), tmp_path / "whole")
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")


@pytest.mark.parametrize(("retries", "tries"), [(0, 1), (1, 2), (3, 4)])
def test_how_often_a_point_is_tried(retries, tries, tmp_path):
    told = Told()
    spec = sweep(space={"J.EE": [1.0, 2.0]}, compute={"tile": 1, "retries": retries})
    start(spec, str(tmp_path / "out"), backend=Losing({1.0}), measure=CHEAP, progress=told)
    assert [event["tried_again"] for event in told.of("lost")] == [True] * (tries - 1) + [False]


# --- points that failed, tried again

MENDED = "tests.e2e.simulators:mended"


@pytest.mark.parametrize("tile", [1, 2, 5])
def test_failed_points_are_tried_again_when_asked(tile, tmp_path):
    """The fragments stay; the table shows one row a point, and equals that of a run without the fault."""
    spec = sweep(space={"J.EE": [1, 100, 2, 150, 3]}, compute={"tile": tile})
    run(spec, tmp_path / "out")
    before = sorted(path.name for path in (tmp_path / "out" / "parts").iterdir())
    assert resume(str(tmp_path / "out"), backend="inline", measure=MENDED).status.failed == 2
    told = Told()
    outcome = resume(
        str(tmp_path / "out"), backend="inline", measure=MENDED, retry_failed=True, progress=told
    )
    assert outcome.status.failed == 0
    assert outcome.status.restored == 3
    assert outcome.status.done == 5
    assert sum(event["points"] for event in told.of("tile")) == 2
    assert set(before) < {path.name for path in (tmp_path / "out" / "parts").iterdir()}
    start(spec, str(tmp_path / "whole"), backend="inline", measure=MENDED)
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")


def test_of_two_failures_the_newer_is_shown(tmp_path):
    spec = sweep(space={"J.EE": [1, 100, 150]}, compute={"tile": 1})
    run(spec, tmp_path / "out")
    for words in ("other words", "still other words", "last words"):
        name = f"tests.e2e.simulators:{words.partition(' ')[0]}"
        outcome = resume(str(tmp_path / "out"), backend="inline", measure=name, retry_failed=True)
        assert outcome.status.failed == 2
        frame = open_table(str(tmp_path / "out")).to_pandas()
        assert len(frame) == 3
        assert frame["error"].tolist()[1:] == [f"RuntimeError: {words}"] * 2


def test_failed_points_of_a_search_that_learns_are_tried_again(tmp_path):
    """What was asked stays asked; the search is told what is known now."""
    spec = sweep(**{**TPE, "space": {"J.EE": {"low": 60, "high": 140}, "J0.E": [1, 2, 3]}})
    failed = run(spec, tmp_path / "out").status.failed
    assert 0 < failed < 40
    before = open_table(str(tmp_path / "out")).to_pandas(["point_id", "point.J.EE"]).to_numpy().tolist()
    outcome = resume(str(tmp_path / "out"), backend="inline", measure=MENDED, retry_failed=True)
    assert outcome.status.failed == 0
    assert outcome.status.done == 40
    assert (
        open_table(str(tmp_path / "out")).to_pandas(["point_id", "point.J.EE"]).to_numpy().tolist() == before
    )


# --- what machines are told


def test_events_of_a_run(tmp_path):
    spec = sweep(space={"J.EE": [1, 100, 2, 150, 3]}, compute={"tile": 5})
    told = Told()
    run(spec, tmp_path / "out", progress=told)
    assert [event["event"] for event in told.events] == ["started", "tile", "failure", "finished"]
    (failure,) = told.of("failure")
    assert failure["cause"] == "RuntimeError: J.EE is 100"  # 150 differs in a number only
    assert (failure["points"], failure["new"]) == (2, True)
    (tile,) = told.of("tile")
    assert (tile["points"], tile["failed"], tile["done"]) == (5, 2, 5)
    assert told.events[-1]["done"] == told.events[-1]["total"] == 5


def test_events_of_runs_that_do_not_end_well(tmp_path):
    told = Told()
    with pytest.raises(BackendError):
        run(sweep(space={"J.EE": [1, 300]}, compute={"tile": 1}), tmp_path / "out", progress=told)
    assert told.events[-1]["event"] == "error"
    assert told.events[-1]["text"].startswith("there is no such machine")
    told = Told()
    told.update = Stop(1).update
    with pytest.raises(Interrupted):
        run(sweep(compute={"tile": 1}), tmp_path / "other", progress=told)
    assert told.events[-1]["event"] == "interrupted"
    assert told.events[-1]["done"] == 1


def test_run_sweep_takes_a_mapping_a_file_or_a_spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = sweep()
    overrides = {"space.J.EE": [1, 2, 3]}
    table = run_sweep(spec.to_dict(), overrides=overrides, backend="inline", measure=CHEAP)
    assert len(table) == 3
    assert (tmp_path / "runs" / "sweep" / "manifest.json").exists()
    assert len(run_sweep(spec, tmp_path / "a", backend="inline", measure=CHEAP)) == 2
    assert len(run_sweep(spec, tmp_path / "b", overrides=overrides, backend="inline", measure=CHEAP)) == 3


def test_the_real_simulator(tmp_path):
    table = run_sweep(sweep(), tmp_path / "out", backend="inline")
    frame = table.to_pandas()
    assert (frame["status"] == "ok").all()
    assert np.isfinite(frame["rate.E.mean"]).all()


def test_an_empty_run_tells_nothing_is_left(tmp_path):
    spec = sweep()
    run(spec, tmp_path / "out")
    controller = Controller(spec, SweepStore.open(tmp_path / "out"))
    assert controller.done
    assert controller.next() is None


def test_jobs_are_plain_data():
    job = Job(sweep().to_dict(), "x")
    assert pickle.loads(pickle.dumps(job)) == job


def test_differences_are_named():
    old = {"a": {"b": [1, {"c": 2}]}, "d": 1}
    assert list(differences(old, {"a": {"b": [1, {"c": 3}]}})) == [("a.b.1.c", 2, 3), ("d", 1, "nothing")]
    assert list(differences([1], [1, 2])) == [("", [1], [1, 2])]


def test_git_commit_outside_of_a_repository(tmp_path):
    assert git_commit(tmp_path) is None
