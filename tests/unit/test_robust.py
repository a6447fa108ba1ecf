"""Robust labels: checked by sweeps of their own, with networks whose labels at other steps, sizes and times are known.

The network is a linear unit drawn K of N: with K = N all are connected and alike, in twice the neurons half of them are
and in-degrees differ. With dt/τ weights its gain at a step of x τ is x/(1 − e^−x) times the coupling, so that it runs
away above (1 − e^−x)/x. Near that it is slow.
"""

import json
import re
import shutil

import numpy as np
import pyarrow.dataset as ds
import pytest
from pyarrow.fs import LocalFileSystem

from neuroflame.cli import main
from neuroflame.errors import Interrupted, SpecError, StoreError
from neuroflame.regimes.robust import Label, PointLabels, verdicts
from neuroflame.report import build_report, view
from neuroflame.report.robust import robust as listing
from neuroflame.store import SweepStore, below, open_table
from neuroflame.sweep import check_robust
from neuroflame.sweep.inspect import describe
from neuroflame.sweep.robust import plan_checks
from neuroflame.sweep.running import run_sweep
from tests.unit.test_sweep_controller import CHEAP, Stop
from tests.unit.test_sweep_spec import sweep

UNIT = {
    "dt": 0.005,
    "duration": 1.0,
    "integrator": "dt_over_tau",
    "populations": {"E": {"size": 8, "tau": 0.01, "tau_syn": 0.0}},
    "connectivity": {"kind": "sparse", "K": 8},
    "J": {"EE": 0.0},
    "J0": {"E": 1.0},
}
GAINS = [0.0, 0.3, 0.7, 0.97, 1.08, 1.4]  # J √K over what is critical
INLINE = {"backend": "inline", "executor": "reference"}


def critical(x):
    return (1 - np.exp(-x)) / x / np.sqrt(8)


COUPLINGS = [round(float(gain * critical(0.5)), 6) for gain in GAINS]


def unit(network=(), **changes):
    whole = {
        "name": "unit",
        "network": {**UNIT, **dict(network)},
        "space": {"J.EE": COUPLINGS},
        "measure": ["regime"],
        "repeat": {"initial_conditions": ["cold", "hot"]},
        "longest": 2.0,
        "compute": INLINE,
    }
    return {key: value for key, value in {**whole, **changes}.items() if value is not None}


ALIKE_PAIR = {name: {"size": 4, "tau": 0.01, "tau_syn": 0.0} for name in "EI"}
ALIKE = {"connectivity": {}, "J": {"EE": 0.5}, "integrator": "exponential", "duration": 0.4}
"""All to all: the same whatever dt and N are."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("unit") / "out"
    run_sweep(unit(), out)
    return out


@pytest.fixture(scope="module")
def checked(finished, tmp_path_factory):
    out = shutil.copytree(finished, tmp_path_factory.mktemp("checked") / "out")
    check_robust(out)
    return out


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("parts/*.parquet")}


def told(table, *names):
    points = table.regimes().sort_values("point.J.EE")
    return [tuple(row) for row in points[list(names)].to_numpy(dtype=object)]


def test_what_becomes_of_labels_of_a_linear_unit(checked):
    assert critical(0.5) * 1.08 < critical(0.25) < critical(0.5) * 1.4
    table = open_table(checked)
    regimes = [name for (name,) in told(table, "regime")]
    assert regimes == ["homogeneous"] * 3 + ["slow", "runaway", "runaway"]
    at_half = ["yes", "yes", "yes", "homogeneous", "homogeneous", "yes"]
    assert [name for (name,) in told(table, "robust.dt")] == at_half
    assert [name for (name,) in told(table, "robust.t")] == ["yes", "yes", "yes", "homogeneous", "yes", "yes"]
    larger = [name for (name,) in told(table, "robust.n")]
    assert larger[:3] == ["yes", "heterogeneous in 3 of 3", "heterogeneous in 3 of 3"]
    assert larger[5] == "yes"
    whole = [name for (name,) in told(table, "robust")]
    assert whole[:5] == ["yes", "no", "no", "no", "no"]
    assert whole[5] == "yes"


def test_checks_are_sweeps_of_their_own_below_the_sweep(checked):
    records = SweepStore.open(checked).read_records("robust")
    assert sorted(record["check"] for record in records) == ["dt", "n", "t", "t"]
    found = {}
    for record in records:
        table = open_table(checked / record["directory"])
        found[record["check"], table.manifest["network"]["duration"]] = table
        assert table.manifest["sweep"]["search"]["kind"] == "list"
        assert not any(name.startswith("trace.") for name in table.columns)
    half, twice = found["dt", 1.0].manifest, found["n", 1.0].manifest
    assert half["network"]["dt"] == 0.0025
    assert twice["network"]["populations"]["E"]["size"] == 16
    assert twice["network"]["connectivity"]["K"] == 8
    assert twice["sweep"]["repeat"]["graphs"] == [0, 1, 2]
    assert half["sweep"]["repeat"]["graphs"] == [0]
    assert len(found["n", 1.0]) == 3 * len(found["dt", 1.0]) == 3 * 12
    # The run that was slow for 2 s is made for 4 s, with the window of its last run.
    slow = found["t", 4.0]
    assert slow.manifest["sweep"]["window"] == 1.0
    assert slow.manifest["sweep"]["longest"] == 4.0
    assert set(slow.to_pandas()["point.J.EE"]) == {COUPLINGS[3]}
    assert found["t", 2.0].manifest["sweep"].get("window") is None


def test_a_second_run_finds_everything_done(checked, capsys):
    before = files_of(checked)
    plan = plan_checks(str(checked))
    assert plan.left == 0
    assert "half the step: 12 points, done" in str(plan)
    assert main(["robust", str(checked), "--no-report"]) == 0
    text = capsys.readouterr().out
    assert "homogeneous  3 looked at: 1 robust, 2 not" in text
    assert "twice the neurons: 2 heterogeneous in 3 of 3" in text
    assert files_of(checked) == before
    assert len(SweepStore.open(checked).read_records("robust")) == 4
    told = describe(str(checked))
    assert told.count("checked   ") == 4
    assert "go on" not in told


def test_every_reader_sees_it(checked, tmp_path):
    out = shutil.copytree(checked, tmp_path / "moved")  # nothing names where it was
    table = open_table(out)
    frame = table.to_pandas(["robust", "point.J.EE", "robust.n"])
    assert list(frame) == ["robust", "point.J.EE", "robust.n"]
    wanted = dict(told(table, "point.J.EE", "robust"))
    assert frame["robust"].tolist() == [wanted[value] for value in frame["point.J.EE"]]
    lazy = table.dataset().to_table(filter=ds.field("robust") == "no", columns=["point.J.EE"])
    assert sorted(set(lazy["point.J.EE"].to_pylist())) == [
        key for key, value in wanted.items() if value == "no"
    ]
    whole = table.to_pandas(provenance=True)
    one = whole.iloc[3]
    assert table.row(one["point_id"])["robust"] == one["robust"]
    assert one["provenance.executor"] == "reference"
    assert main(["export", str(out), "--to", "parquet", "-o", str(tmp_path / "table.parquet")]) == 0
    import pandas as pd

    assert pd.read_parquet(tmp_path / "table.parquet")["robust"].tolist() == whole["robust"].tolist()
    assert "robust" not in table.as_written().columns
    assert "robust" in open_table(out).relabel().columns
    assert main(["compact", str(out)]) == 0
    assert open_table(out).to_pandas()["robust"].tolist() == whole["robust"].tolist()
    plain = [name for name in whole if not name.startswith(("robust", "provenance"))]
    pd.testing.assert_frame_equal(table.as_written().to_pandas(), table.to_pandas(plain))


def test_other_thresholds_apply_to_the_checks_too(checked):
    loose = open_table(checked).relabel(cv=10.0)  # nothing counts as heterogeneous
    assert told(loose, "robust.n")[:3] == [("yes",)] * 3
    assert told(loose, "robust")[:3] == [("yes",)] * 3
    assert loose.to_pandas(["robust"])["robust"].tolist().count("yes") >= 8
    strict = open_table(checked).relabel(residual=0.0)  # nothing converges
    assert ("slow", "yes", "yes", "yes", "yes") in told(
        strict, "regime", "robust", "robust.dt", "robust.n", "robust.t"
    )


def test_the_report_tells_what_is_robust(checked, finished, tmp_path):
    table = listing(view(open_table(checked)))
    assert table.heads[:5] == ("label", "looked at", "robust", "not", "undecided")
    assert table.rows[0] == (
        "homogeneous", "3", "1", "2", "0", "3 yes", "1 yes; 2 heterogeneous in 3 of 3", "3 yes",
    )  # fmt: skip
    page = build_report(checked, tmp_path / "report")
    assert "Robust labels" in page.page.read_text()
    assert "phase_robust" in page.figures
    assert not any(name.startswith("phase_robust.") for name in page.figures)
    assert listing(view(open_table(finished))) is None


def test_some_points_then_more(finished, tmp_path):
    out = shutil.copytree(finished, tmp_path / "out")
    check_robust(out, points=2, checks=["dt"])
    first = files_of(out)
    table = open_table(out)
    assert table.to_pandas(["robust"])["robust"].isna().sum() == 8
    assert set(table.to_pandas()["robust"].dropna()) <= {"undecided", "no"}
    plan = plan_checks(str(out), checks=["dt"])
    assert plan.left == 8
    check_robust(out, checks=["dt"])
    assert first.items() <= files_of(out).items()
    points = open_table(out).regimes()
    assert points["robust.dt"].notna().all()
    assert points["robust.n"].isna().all()
    assert set(points["robust"]) == {"undecided", "no"}
    assert [r["check"] for r in SweepStore.open(out).read_records("robust")] == ["dt", "dt"]


def test_a_condition_says_where_to_look(finished, tmp_path):
    out = shutil.copytree(finished, tmp_path / "out")
    plan = plan_checks(str(out), checks=["dt"], where="regime == runaway and J.EE > 0.1")
    assert str(plan.choice) == "2 of 6 assignments, all where regime == runaway and J.EE > 0.1"
    assert [row[0] for row in plan.choice.rows] == COUPLINGS[4:]
    assert not (out / "robust").exists()  # a plan writes nothing
    with pytest.raises(SpecError, match="where: holds at no point"):
        plan_checks(str(out), where="J.EE > 99")
    with pytest.raises(SpecError, match="no such column|is not a column|did you mean"):
        plan_checks(str(out), where="rate.E.meen > 1")


def test_stopped_checks_go_on(finished, checked, tmp_path):
    out = shutil.copytree(finished, tmp_path / "out")
    small = {"compute.tile": 4}
    with pytest.raises(
        Interrupted, match=r"check n stopped with .* points done .go on with the same command"
    ):
        check_robust(out, overrides=small, progress=Stop(5))
    table = open_table(out)  # what is there counts, what is not is unknown
    assert table.regimes()["robust.dt"].notna().all()
    assert table.regimes()["robust.n"].isna().any()
    assert table.regimes()["robust.t"].isna().all()
    done = files_of(out)
    plan = plan_checks(str(out))
    assert {run.check: run.left for run in plan.runs if run.check != "t"}["dt"] == 0
    assert 0 < {run.check: run.left for run in plan.runs}["n"] < 36
    lines = describe(str(out)).splitlines()
    assert lines[-3] == "checked   half the step: 12 of 12 points done"
    assert re.fullmatch(r"checked   twice the neurons: \d+ of 36 points done", lines[-2])
    assert lines[-1] == f"go on     neuroflame-sweep robust {out}"
    check_robust(out, overrides=small)
    assert done.items() <= files_of(out).items()
    names = ("point.J.EE", "regime", "robust", "robust.dt", "robust.n", "robust.t")
    assert told(open_table(out), *names) == told(open_table(checked), *names)


def test_swept_steps_sizes_and_times_are_doubled_where_they_are(tmp_path):
    space = {
        "dt": [0.001, 0.002],
        "duration": [0.4, 0.6],
        "populations.E.size": {"low": 4, "high": 8},
        "J.EE": {"values": [0.1, 0.5], "when": {"dt": 0.002}},
        "populations.I.size": {"low": 2, "high": 4, "when": {"duration": 0.6}},
    }
    two = {"populations": {**ALIKE_PAIR}, "J": {"EE": 0.5, "EI": -0.1}}
    search = {"kind": "sobol", "trials": 8}
    out = tmp_path / "out"
    run_sweep(unit(ALIKE | two, space=space, search=search, longest=None), out)
    table = check_robust(out)
    points = table.regimes()
    assert (points[["robust", "robust.dt", "robust.n", "robust.t"]] == "yes").all(axis=None)
    found = {}
    for record in SweepStore.open(out).read_records("robust"):
        frame = open_table(out / record["directory"]).to_pandas()
        found[record["check"]] = frame[
            [name for name in frame if name.startswith("point.")]
        ].drop_duplicates()
    base = points[[name for name in points if name.startswith("point.")]]
    sizes = ("populations.E.size", "populations.I.size")
    for check, paths, factor in (("dt", ("dt",), 0.5), ("n", sizes, 2), ("t", ("duration",), 2)):
        expected = base.assign(**{f"point.{path}": base[f"point.{path}"] * factor for path in paths})
        key = list(expected)
        pairs = [
            sorted(map(str, part[key].astype("Float64").to_numpy().tolist()))
            for part in (expected, found[check])
        ]
        assert pairs[0] == pairs[1]


STIMULATED = {
    **ALIKE,
    "populations": {"E": {"size": 4, "tau": 0.01, "tau_syn": 0.0}, "I": {"size": 6}},
    "J": {"EE": 0.5, "EI": -0.2},
}


def stimulus(**changes):
    return {"shape": "array", "onset": 0.05, "strength": 1.0, **changes}


@pytest.mark.parametrize(
    ("network", "repeat", "path"),
    [
        ({"stimuli": [stimulus(over="neurons", values=[1, 2, 3, 4], offset=0.1)]}, {}, "stimuli.0.values"),
        (
            {"connectivity": {"pairs": {"EI": {"kind": "given", "file": "w.npy"}}}},
            {},
            "connectivity.pairs.EI",
        ),
        ({}, {"initial_conditions": ["cold", {"kind": "state", "file": "up.npz"}]}, "repeat.starts.up"),
    ],
)
def test_what_cannot_be_doubled_is_told_and_the_others_go_on(
    network, repeat, path, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    np.save("w.npy", np.full((4, 6), -0.1))
    np.savez("up.npz", **{"rates.E": np.full((1, 4), 50.0)})
    out = tmp_path / "out"
    run_sweep(unit(STIMULATED | network, repeat=repeat, space={"J.EE": [0.1, 0.5]}, longest=None), out)
    (tmp_path / "up.npz").unlink()  # the sweep has a copy of its own
    capsys.readouterr()
    assert main(["robust", str(out), "--no-report", "--backend", "inline"]) == 1
    text = capsys.readouterr()
    (line,) = [one for one in text.err.splitlines() if "cannot be done" in one]
    assert line.startswith(f"neuroflame-sweep: check n cannot be done: {path}")
    points = open_table(out).regimes()
    assert points["robust"].tolist() == ["undecided"] * 2
    assert (points[["robust.dt", "robust.t"]] == "yes").all(axis=None)
    assert main(["robust", str(out), "--checks", "dt,t", "--quiet", "--backend", "inline"]) == 0
    assert main(["robust", str(out), "--checks", "n", "--quiet", "--backend", "inline"]) == 2
    assert path in capsys.readouterr().err


def test_a_stimulus_that_lasts_to_the_end_cannot_last_longer(tmp_path):
    lasting = {"shape": "cosine", "onset": 0.1, "offset": 0.4, "strength": 0.1}
    run_sweep(
        unit(STIMULATED | {"stimuli": [lasting]}, space={"J.EE": [0.5]}, longest=None), tmp_path / "out"
    )
    told = "check t cannot be done: stimuli.0: lasts to the end of the run"
    with pytest.warns(UserWarning, match=told):
        table = check_robust(tmp_path / "out", checks=["dt", "t"])
    assert table.regimes()["robust.dt"].notna().all()
    assert table.regimes()["robust.t"].isna().all()
    longer = [lasting | {"offset": 99.0}]  # on for twice the time too
    run_sweep(unit(STIMULATED | {"stimuli": longer}, space={"J.EE": [0.5]}, longest=None), tmp_path / "on")
    assert plan_checks(str(tmp_path / "on"), checks=["t"]).left == 2


def test_stimuli_and_measures_of_the_checks(tmp_path):
    course = stimulus(over="time", values=[1.0, 2.0, 3.0])
    out = tmp_path / "out"
    options = {"repeat": {"graphs": [4], "initial_conditions": ["cold", {"cued": 2}]}, "traces": True}
    cue = {"shape": "cosine", "onset": 0.01, "offset": 0.1, "strength": 0.1}
    spec = unit(
        STIMULATED | {"stimuli": [cue, course]},
        measure=["regime", "lyapunov", "fixed_points"],
        ramp={"path": "J0.E", "from": 1.5, "to": 2.0, "num": 3, "hold": 0.02},
        dynamics={"lyapunov": {"duration": 0.1, "transient": 0.05}},
        window=0.1,
        longest=None,
        space={"J.EE": [0.5]},
        **options,
    )
    run_sweep(spec, out)
    plan = plan_checks(str(out))
    made = {run.check: run.spec for run in plan.runs}
    assert made["dt"].network.stimuli[1].sample_dt == 0.005  # each value lasts as long as before
    assert made["t"].network.stimuli == made["n"].network.stimuli
    assert made["t"].network.stimuli[0].offset == 0.1
    assert made["t"].network.duration == 0.8
    for check in made.values():
        assert check.measure == ("regime", "lyapunov")
        assert check.dynamics.lyapunov.duration == 0.1
        assert check.ramp is None
        assert check.network.get("J0.E") == 1.5  # where the ramp begins
        assert check.repeat.initial_conditions == ("cold", "cued", "cued@180")
        assert check.repeat.graphs == (4,)  # nothing is drawn
        assert check.window == 0.1
    run_sweep(
        {**spec, "space": {"dt": [0.005, 0.0025]}, "measure": ["regime"], "dynamics": {}}, tmp_path / "dt"
    )
    with pytest.raises(SpecError, match=r"stimuli.1.sample_dt: is a step by default, and dt is swept"):
        plan_checks(str(tmp_path / "dt"), checks=["dt"])


# --- which points ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """A grid of 16 × 16 that is silent, settles, or runs away."""
    space = {"J.EE": {"from": 0.1, "to": 1.9, "num": 16}, "J0.E": {"from": -1, "to": 1, "num": 16}}
    out = tmp_path_factory.mktemp("plane") / "out"
    run_sweep(unit(ALIKE, space=space, longest=None, repeat=None), out)
    return out


def test_half_lie_beside_borders_and_every_label_is_among_them(plane):
    plan = plan_checks(str(plane), checks=["dt"], points=30)
    choice = plan.choice
    assert len(choice.rows) == len(set(choice.rows)) == 30
    assert "30 of 256 assignments: " in str(choice)
    assert choice.beside >= 15
    table = open_table(plane)
    labels = {
        tuple(row[:2]): row[2] for row in table.regimes()[["point.J.EE", "point.J0.E", "regime"]].to_numpy()
    }
    steps = (1.8 / 15, 2 / 15)

    def neighbours(row):
        return {
            name
            for other, name in labels.items()
            if all(abs(a - b) < 1.5 * step for a, b, step in zip(row, other, steps, strict=True))
        }

    assert sum(len(neighbours(row)) > 1 for row in choice.rows) >= 15
    assert {labels[row] for row in choice.rows} == set(labels.values())
    spread = [row for row in choice.rows if len(neighbours(row)) == 1]
    assert len(spread) >= 10
    gaps = [min(np.hypot(a - c, b - d) for c, d in spread if (a, b) != (c, d)) for a, b in spread]
    assert min(gaps) > 0.2  # 15 places far apart, in a space of 1.8 × 2
    assert plan_checks(str(plane), checks=["dt"], points=30).choice == choice
    assert len(plan_checks(str(plane), checks=["dt"]).choice.rows) == 100


def test_a_condition_and_a_number(plane):
    choice = plan_checks(str(plane), checks=["dt"], points=10, where="J0.E > 0").choice
    assert len(choice.rows) == 10
    assert all(row[1] > 0 for row in choice.rows)
    assert f"of {choice.allowed} where J0.E > 0: " in str(choice)


def test_borders_are_sought_within_each_choice(tmp_path):
    space = {"transfer": {"choices": ["relu", "erf"]}, "J0.E": {"from": -1.9, "to": 2.1, "num": 12}}
    run_sweep(unit(ALIKE, space=space, longest=None, repeat=None), tmp_path / "out")
    choice = plan_checks(str(tmp_path / "out"), checks=["dt"], points=6).choice
    table = open_table(tmp_path / "out").regimes()
    silent = table[(table["point.transfer"] == "relu") & (table["regime"] == "quiescent")]["point.J0.E"].max()
    assert ("relu", silent) in choice.rows
    assert choice.beside >= 2
    assert {row[0] for row in choice.rows} == {"relu", "erf"}


def test_a_sweep_without_axes(tmp_path):
    run_sweep(unit(ALIKE, space=None, longest=None), tmp_path / "out")
    table = check_robust(tmp_path / "out")
    assert table.regimes()["robust"].tolist() == ["yes"]
    assert plan_checks(str(tmp_path / "out")).left == 0


# --- comparing --------------------------------------------------------------------------------------------


def points_of(*rows):
    """Points at x with a graph, a seed, and their label."""
    keys = [(x,) for x, *_ in rows]
    columns = {name: np.array([row[k] for row in rows]) for k, name in ((1, "graph"), (2, "seed"))}
    return PointLabels(columns, keys, [label and Label(label, label) for *_, label in rows])


def test_draws_are_compared_with_the_same_draw_and_in_twice_the_neurons_with_all_graphs():
    base = points_of((1.0, 0, 0, "bump"), (1.0, 1, 0, "slow"), (1.0, 0, 1, "bump"), (2.0, 0, 0, "bump"))
    same = points_of((1.0, 1, 0, "slow"), (1.0, 0, 0, "bump"), (1.0, 0, 1, "slow"), (2.0, 0, 0, None))
    larger = [(x, graph, seed, "bump") for x in (1.0, 2.0) for graph in range(3) for seed in (0, 1)]
    larger[4] = (1.0, 2, 0, "slow")  # at seed 0
    others = {"dt": [same], "t": [same], "n": [points_of(*larger[:7]), points_of(*larger[7:])]}
    found = verdicts(base, others, {"dt": 1, "t": 1, "n": 3})
    assert found["robust.dt"].tolist() == found["robust.t"].tolist() == ["yes", "yes", "slow", None]
    assert found["robust.n"].tolist() == ["slow in 1 of 3", "bump in 2 of 3", "yes", "yes"]
    assert found["robust"].tolist() == ["no", "no", "no", "undecided"]
    few = verdicts(base, {"n": [points_of(*larger[:4])]}, {"n": 3})  # the third graph is not there yet
    assert few["robust.n"].tolist() == [None] * 4
    assert few["robust"].tolist() == [None] * 4


def test_the_same_name_of_other_states_is_another_label():
    base, other = points_of((1.0, 0, 0, None)), points_of((1.0, 0, 0, None))
    base.labels[0] = Label("multistable", "bump, quiescent")
    other.labels[0] = Label("multistable", "bump, homogeneous")
    found = verdicts(base, {"t": [other]}, {"t": 1})
    assert found["robust.t"].tolist() == ["multistable (bump, homogeneous)"]
    base.labels[0] = Label("multistable", "bump, homogeneous")
    assert verdicts(base, {"t": [other]}, {"t": 1})["robust.t"].tolist() == ["yes"]


def test_directories_by_uri_and_by_a_filesystem_of_the_callers(finished, tmp_path):
    out = shutil.copytree(finished, tmp_path / "out")
    table = check_robust(out.as_uri(), checks=["dt"], points=2)
    other = open_table(str(out), filesystem=LocalFileSystem())
    assert table.regimes()["robust.dt"].notna().sum() == 2
    assert other.to_pandas(["robust.dt"]).equals(table.to_pandas(["robust.dt"]))
    assert below("s3://bucket/run?region=x", "robust/dt") == "s3://bucket/run/robust/dt?region=x"
    assert below("/run/", "robust/dt") == "/run/robust/dt"


# --- what is refused ---------------------------------------------------------------------------------------


def test_what_cannot_be_checked(finished, tmp_path, capsys):
    with pytest.raises(SpecError, match=r"checks: is not a check, got 'dt2' .did you mean 'dt'"):
        plan_checks(str(finished), checks=["dt2"])
    with pytest.raises(SpecError, match="must name at least one"):
        plan_checks(str(finished), checks=[])
    run_sweep(sweep(), tmp_path / "plain", backend="inline", measure=CHEAP)
    with pytest.raises(StoreError, match="lacks the statistics that labels are made from"):
        plan_checks(str(tmp_path / "plain"))
    assert main(["robust", str(finished), "--checks", "dt,x"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    out = shutil.copytree(finished, tmp_path / "running")
    hold = SweepStore.open(out).hold()
    with pytest.raises(StoreError, match="is still running"):
        plan_checks(str(out))
    hold.release()
    plan_checks(str(out))


def test_a_directory_that_is_gone_is_told_and_left_out(checked, tmp_path):
    out = shutil.copytree(checked, tmp_path / "out")
    (record,) = (r for r in SweepStore.open(out).read_records("robust") if r["check"] == "n")
    shutil.rmtree(out / record["directory"])
    with pytest.warns(UserWarning, match=f"left out {record['directory']}, which checks its labels"):
        points = open_table(out).regimes()
    assert points["robust.n"].isna().all()
    assert set(points["robust"]) == {"undecided", "no"}
    assert f"checked   twice the neurons: {out}/" in describe(str(out))
    with pytest.warns(UserWarning, match="left out"):
        plan = plan_checks(str(out))  # it is done anew
    assert {run.check: run.left for run in plan.runs}["n"] == 36


def test_a_record_that_is_damaged_is_told_and_left_out(checked, tmp_path):
    out = shutil.copytree(checked, tmp_path / "out")
    record = next((out / "records").glob("robust-*.json"))
    record.write_text(json.dumps({**json.loads(record.read_text()), "check": "x"}))
    with pytest.warns(UserWarning, match="there is no check x"):
        assert "robust" in open_table(out).columns
