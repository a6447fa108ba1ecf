"""Synthetic sweeps for the tests of the report, and what the report reads off them."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from neuroflame.columns import Column
from neuroflame.errors import SpecError
from neuroflame.report.axes import cell_edges
from neuroflame.report.views import view
from neuroflame.store import SweepStore, open_table

NETWORK = {
    "dt": 0.001,
    "duration": 12.0,
    "populations": {"E": {"size": 500, "tau": 0.04}, "I": {"size": 500, "tau": 0.02}},
    "J": {"EE": 10.0, "EI": -1.5, "IE": 1.0, "II": -1.0},
    "J0": {"E": 1.58, "I": 1.0},
    "stimuli": [{"name": "cue", "shape": "cosine", "onset": 1.0, "offset": 2.0, "strength": 1.0}],
}
UNITS = {"J.EE": "", "J0.E": "Hz", "populations.E.tau": "s", "J.IE": ""}
STATISTICS = [
    Column("rate.E.mean", "float", "Hz", "Mean rate over neurons and the final window."),
    Column("rate.I.mean", "float", "Hz", "Mean rate over neurons and the final window."),
    Column("rate.E.cv", "float", "", "Standard deviation over neurons of the time-mean rate, over the mean."),
    Column("bump.E.m0", "float", "Hz", "Mean rate in the final window."),
    Column("bump.E.m1", "float", "Hz", "Amplitude 2|⟨r exp(iθ)⟩| of the bump in the final window."),
    Column("bump.E.ratio", "float", "", "Amplitude of the bump over the mean rate in the final window."),
    Column("bump.E.phase", "float", "rad", "Angle of the bump's centre in the final window, in [0, 2π)."),
    Column("bump.E.trend", "float", "1/s", "Growth of the bump's amplitude over the final window."),
    Column("bump.E.ratio.after", "float", "", "Amplitude over the mean rate right after the last stimulus."),
    Column("regime", "str", "", "Label of the end state."),
]
TRACES = [
    Column("trace.time", "series", "s", "Times of the traces' samples."),
    Column("trace.E.rate", "series", "Hz", "Mean rate of the population."),
    Column("trace.E.m1", "series", "Hz", "Amplitude of the bump."),
    Column("trace.I.rate", "series", "Hz", "Mean rate of the population."),
]


def ring_sweep(
    directory,
    space=None,
    *,
    graphs=1,
    seeds=1,
    starts=("network",),
    search=None,
    trials=200,
    traces=True,
    done=1.0,
    failures=2,
    name="ring_attractor",
    answer=None,
    manifest=None,
):
    """Write a made-up sweep in which a ring holds a bump in part of the plane; return its table.

    `space` maps paths to levels, or to (low, high) with a search that samples; `done` is the share of points
    that are on disk.
    """
    space = space or {"J.EE": np.linspace(5, 15, 20), "J0.E": np.linspace(0, 10, 20)}
    search = search or {"kind": "grid"}
    rng = np.random.default_rng(1)
    if search["kind"] == "grid":
        assignments = list(product(*[list(levels) for levels in space.values()]))
        axes = [
            {"path": path, "unit": UNITS.get(path, ""), "values": list(levels)}
            for path, levels in space.items()
        ]
        shown = {path: {"values": list(levels)} for path, levels in space.items()}
    else:
        search = {"trials": trials, **search}
        logs = {path: ends[0] > 0 and ends[1] / ends[0] > 50 for path, ends in space.items()}
        drawn = [
            rng.uniform(*np.log(ends), trials) if logs[path] else rng.uniform(*ends, trials)
            for path, ends in space.items()
        ]
        drawn = [np.exp(v) if log else v for v, log in zip(drawn, logs.values(), strict=True)]
        assignments = list(zip(*[list(map(float, values)) for values in drawn], strict=True))
        shown = {
            path: {"low": ends[0], "high": ends[1], "log": bool(logs[path])} for path, ends in space.items()
        }
        axes = [{"path": path, "unit": UNITS.get(path, ""), **entry} for path, entry in shown.items()]
    about = {
        "sweep": {
            "name": name,
            "space": shown,
            "repeat": {
                "graphs": list(range(graphs)),
                "seeds": list(range(seeds)),
                "initial_conditions": list(starts),
            },
            "measure": ["rates", "bump"],
            "search": search,
            **({"answer": answer} if answer else {}),
        },
        "network": NETWORK,
        "spec_hash": "3f2a90b1c4d5e6f7",
        "version": "0.1.0",
        "git_commit": "0123456789abcdef0123456789abcdef01234567",
        "axes": axes,
        "device": "cpu",
        "executor": "trajectory",
        **(manifest or {}),
    }
    store = SweepStore.create(directory, about)
    rows = [
        {"assignment": a, "graph": g, "seed": s, "initial_condition": start}
        for a in assignments
        for g in range(graphs)
        for s in range(seeds)
        for start in starts
    ]
    for k, row in enumerate(rows):
        row["point_index"] = k
    named = {path: isinstance(next(iter(levels)), str) for path, levels in space.items()}
    columns = [
        Column("point_id", "str", "", "Hash of the point."),
        Column("point_index", "int", "", "Rank of the point in the plan."),
        *(
            Column(
                f"point.{path}", "str" if named[path] else "float", UNITS.get(path, ""), f"Value of {path}."
            )
            for path in space
        ),
        Column("graph", "int", "", "Number of the connectivity draw."),
        Column("seed", "int", "", "Seed of the noise."),
        Column("initial_condition", "str", "", "How the state at time 0 was chosen."),
        Column("status", "str", "", "ok, diverged or failed."),
        Column("t_fail", "float", "s", "Time at which the point was seen to have diverged."),
        Column("error", "str", "", "Why the point failed."),
        *STATISTICS,
        *(TRACES if traces else []),
    ]
    broken = set(rng.choice(len(rows), failures, replace=False).tolist()) if failures else set()
    data = {column.name: [] for column in columns}
    for k, row in enumerate(rows):
        values = _simulate(dict(zip(space, row["assignment"], strict=True)), rng, failed=k in broken)
        values.update({key: row[key] for key in ("graph", "seed", "initial_condition", "point_index")})
        values["point_id"] = f"{k:016x}"
        for path, value in zip(space, row["assignment"], strict=True):
            values[f"point.{path}"] = value if named[path] else float(value)
        for column in columns:
            data[column.name].append(values.get(column.name))
    tile, last = max(1, len(rows) // 8), round(done * len(rows))
    for start in range(0, last, tile):
        part = {key: cells[start : min(start + tile, last)] for key, cells in data.items()}
        store.write_fragment(f"tile-{start:06d}", columns, part, {"device": "cpu"})
    return open_table(directory)


def _simulate(values, rng, *, failed):
    """Return a made-up row: a bump in a wedge that opens with J.EE, ghosts at its lower border."""
    a = float(values.get("J.EE", 10.0))
    b = values.get("J0.E", 2.0)
    b = float(b) if not isinstance(b, str) else 2.0
    scale = float(values.get("J.IE", 1.0)) if not isinstance(values.get("J.IE"), str) else 1.0
    if failed:
        return {
            "status": "failed",
            "error": "RuntimeError: CUDA out of memory <i>while</i> drawing the graph",
        }
    time = np.linspace(0, 12, 200, dtype=np.float32)
    if a > 13.4 and b > 7.0:
        cut = np.where(time < 1.0 + 6 / b, np.exp(time * 3), np.nan).astype(np.float32)
        blown = dict.fromkeys(("trace.E.rate", "trace.E.m1", "trace.I.rate"), cut)
        return {"status": "diverged", "t_fail": 1.0 + 6 / b, "trace.time": time, **blown, "regime": "runaway"}
    inside = min((a - 6.5) / 2.5, (b - 0.8) * 1.2, (0.75 * scale * (a - 5.0) - b + 0.6) * 0.8)
    mean = max(0.0, 2.2 * b * scale * (1 + 0.12 * (a - 5)) + 0.2 * rng.normal())
    ratio = 1.45 * np.tanh(max(inside, 0)) if inside > 0 else 0.004 * abs(rng.normal())
    ghost = -0.4 < inside <= 0.02 and a > 7
    trend = -0.02 * abs(rng.normal()) * (ratio > 0.1)
    if ghost:
        ratio, trend = 0.35 + 0.3 * rng.random(), -0.3 - 0.2 * rng.random()
    if b == 0:
        mean, ratio = 0.0, np.nan
    m1 = mean * ratio if mean else 0.0
    rise = np.clip((time - 1.0) / 0.2, 0, 1)
    late = np.clip(time - 2.0, 0, None)
    hold = (ratio if np.isfinite(ratio) else 0.0) + (0.9 - 0.4 * ratio if ratio == ratio else 0) * np.exp(
        -late / 0.7
    )
    if ghost:
        hold = ratio + 0.8 * np.exp(-late / 4.0)
    wiggle = 1 + 0.01 * rng.normal(size=time.size)
    rate = mean * (1 - np.exp(-time / 0.15)) * (1 + 0.25 * rise * np.exp(-late / 0.6)) * wiggle
    regime = "quiescent" if b == 0 else "slow" if ghost else "bump" if ratio > 0.1 else "homogeneous"
    return {
        "status": "ok",
        "t_fail": np.nan,
        "rate.E.mean": mean,
        "rate.I.mean": 1.6 * mean + 1,
        "rate.E.cv": 0.6 * ratio + 0.02,
        "bump.E.m0": mean,
        "bump.E.m1": m1,
        "bump.E.ratio": ratio,
        "bump.E.phase": (np.pi + 0.4 * rng.normal() * (1 if ratio < 0.1 else 0.1) * 4) % (2 * np.pi),
        "bump.E.trend": trend,
        "bump.E.ratio.after": min(ratio + 0.4 * rise[-1], 1.8),
        "regime": regime,
        "trace.time": time,
        "trace.E.rate": rate.astype(np.float32),
        "trace.E.m1": (rate * hold * rise).astype(np.float32),
        "trace.I.rate": (1.6 * rate + 1).astype(np.float32),
    }


def test_levels_equal_those_of_the_table(tmp_path):
    odd = [5.0, 5.1, 7.3, 7.4, 12.0]
    table = ring_sweep(tmp_path, {"J.EE": odd, "J0.E": [0.3, 1.7, 9.0]}, failures=0)
    x, y = view(table).axes
    frame = table.to_pandas()
    assert list(x.levels) == sorted(frame["point.J.EE"].unique()) == odd
    assert list(y.levels) == sorted(frame["point.J0.E"].unique())
    assert (x.path, x.unit, y.unit) == ("J.EE", "", "Hz")
    assert list(x.levels[x.codes(frame)]) == list(frame["point.J.EE"])


def test_edges_lie_halfway_between_uneven_levels():
    assert cell_edges(np.array([0.0, 1.0, 4.0])) == pytest.approx([-0.5, 0.5, 2.5, 5.5])
    assert cell_edges(np.array([2.0])) == pytest.approx([1.0, 3.0])
    assert cell_edges(np.array([0.0])) == pytest.approx([-0.5, 0.5])


def test_edges_of_a_log_axis_are_geometric_means(tmp_path):
    assert cell_edges(np.array([1.0, 10.0, 1000.0]), log=True) == pytest.approx(
        [10**-0.5, 10**0.5, 10**2, 10**4]
    )
    table = ring_sweep(tmp_path, {"J.EE": [5, 10], "J0.E": [0.1, 0.3, 1.0, 3.0, 10.0]}, failures=0)
    linear, log = view(table).axes
    assert (linear.log, log.log) == (False, True)
    assert log.edges[1] == pytest.approx(np.sqrt(0.1 * 0.3))


def test_evenly_spaced_levels_are_not_taken_for_a_log_axis(tmp_path):
    table = ring_sweep(
        tmp_path, {"J.EE": np.linspace(1, 10, 10), "J0.E": [0.0, 1.0, 10.0, 100.0]}, failures=0
    )
    assert [axis.log for axis in view(table).axes] == [False, False]


def test_planned_levels_without_points_keep_their_place(tmp_path):
    table = ring_sweep(tmp_path, done=0.5, failures=0)
    data = view(table)
    assert len(data.frame) == 200
    assert data.planned == 400
    assert len(data.frame["point.J.EE"].unique()) == 10
    assert len(data.axes[0].levels) == 20


def test_a_swept_path_with_one_value_is_no_axis(tmp_path):
    table = ring_sweep(tmp_path, {"J.EE": [5.0, 9.0], "J.IE": [1.0]}, failures=0)
    assert [axis.path for axis in view(table).axes] == ["J.EE"]


def test_names_are_an_axis_in_the_order_of_the_sweep(tmp_path):
    table = ring_sweep(tmp_path, {"J.EE": [8.0, 9.0, 10.0], "transfer": ["relu", "erf"]}, failures=0)
    axis = view(table).axes[1]
    assert axis.named
    assert list(axis.levels) == ["relu", "erf"]
    assert list(axis.edges) == [-0.5, 0.5, 1.5]


def test_a_sampled_search_is_no_grid(tmp_path):
    space = {"J.EE": (5.0, 15.0), "populations.E.tau": (0.001, 0.1)}
    data = view(ring_sweep(tmp_path, space, search={"kind": "sobol"}, trials=50))
    assert not data.gridded
    assert [axis.log for axis in data.axes] == [False, True]
    assert data.planned == 50


def test_without_a_manifest_the_table_speaks_for_itself():
    space = list(product([1.0, 2.0, 4.0], [0.0, 1.0]))
    frame = pd.DataFrame(space, columns=["point.J.EE", "point.M0"]).assign(
        point_id=list("abcdef"), loss=range(6)
    )
    columns = {name: Column(name, "float") for name in frame}
    fake = SimpleNamespace(
        uri="/runs/x", manifest={}, columns=columns, to_pandas=lambda names: frame[list(names)]
    )
    data = view(fake)
    assert data.gridded
    assert data.name == "x"
    assert data.planned is None
    assert [axis.path for axis in data.axes] == ["J.EE", "M0"]
    assert data.statistics == ("loss",)
    assert data.ok.all()


def test_wrong_names_are_told_with_the_nearest(tmp_path):
    data = view(ring_sweep(tmp_path, {"J.EE": [5.0, 9.0], "J0.E": [1.0, 2.0]}, failures=0))
    with pytest.raises(SpecError, match="did you mean bump.E.ratio"):
        data.need("bump.E.rato")
    with pytest.raises(SpecError, match="swept: J.EE, J0.E"):
        data.axis("J.IE")
