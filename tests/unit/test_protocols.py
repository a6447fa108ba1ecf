"""Ramps and kicks after the runs of a sweep: columns, tiles, executors, what is refused, what it costs."""

import numpy as np
import pytest
import torch

from neuroflame import Network, run_sweep
from neuroflame.core.measure import measure_points
from neuroflame.core.protocols import loops
from neuroflame.core.protocols.kicks import kicked, turned
from neuroflame.core.reference import initial_state
from neuroflame.errors import SpecError
from neuroflame.report import build_report, hysteresis
from neuroflame.spec import NetworkSpec
from neuroflame.spec.kicks import parse_kick
from neuroflame.spec.ramps import Ramp
from neuroflame.spec.sweep import SweepSpec
from neuroflame.sweep.cost import guessed_seconds_of, point_bytes
from neuroflame.sweep.planner import make_plan
from neuroflame.sweep.repro import reproduce

NETWORK = {
    "dt": 0.002,
    "duration": 0.2,
    "populations": {
        "E": {"size": 16, "tau": 0.02, "tau_syn": 0.004, "threshold": 0.2},
        "I": {"size": 8, "tau": 0.01},
    },
    "transfer": "erf",
    "connectivity": {"profile": {"kind": "cosine", "kappa": 0.4}},
    "J": {"EE": 8.0, "EI": -1.0, "IE": 1.0},
    "J0": {"E": -3.5, "I": 0.2},
    "stp": {"EE": {"U": 0.9, "tau_fac": 0.0, "tau_rec": 0.01}},
    "noise": {"kind": "ou", "sigma": {"E": 0.01}, "tau": 0.02},
    "initial": {"kind": "uniform", "low": 0.0, "high": 0.1},
}
RAMP = {"path": "J0.E", "from": -6.0, "to": 0.0, "num": 7, "hold": 0.1}
KICKS = [
    {"kind": "rates", "add": 0.2, "fraction": 0.5, "name": "some", "duration": 0.1, "samples": 12},
    {"kind": "rotation", "angle": 30.0, "name": "turn", "duration": 0.1, "samples": 12},
    {"kind": "stp", "x": 0.2, "name": "empty", "duration": 0.1, "samples": 12, "fraction": 0.7},
    {"kind": "random", "size": 0.3, "name": "noise", "duration": 0.1, "samples": 12},
]
EXECUTORS = ["reference", "trajectory"]


def measured(couplings=(8.0,), seeds=None, ramp=None, kicks=(), network=NETWORK, **options):
    options = {"executor": "reference", "precision": "double", "measure": ["rates"]} | options
    return measure_points(
        NetworkSpec.parse(network),
        {"J.EE": np.array(couplings)},
        seeds=np.arange(len(couplings)) if seeds is None else np.array(seeds),
        initial=["network"] * len(couplings),
        ramp=None if ramp is None else Ramp.parse(ramp),
        perturb=[parse_kick(kick) for kick in kicks],
        **options,
    )


def sweep(**changes):
    base = {"network": NETWORK, "space": {"J.EE": [6.0, 8.0, 9.0]}, "compute": {"backend": "inline"}}
    return SweepSpec.parse({**base, **changes})


# --- columns, tiles, executors ----------------------------------------------------------------------------


def test_columns_are_those_that_the_sweep_names():
    spec = sweep(ramp=RAMP, perturb=KICKS)
    found = measured(ramp=RAMP, kicks=KICKS, measure=spec.measure)
    assert {c.name for c in found.columns if c.kind != "series"} - {"status"} == set(spec.measured)
    series = {c.name for c in found.columns if c.kind == "series"}
    ways = {
        f"ramp.{way}.{s}"
        for way in ("up", "down")
        for a in "EI"
        for s in (f"rate.{a}.mean", f"rate.{a}.sd_t", f"bump.{a}.m1")
    }
    assert series == {"ramp.value", *ways}
    assert all(c.doc.endswith(".") for c in found.columns)
    alone = sweep(perturb={"kind": "random", "size": 0.1}).measured
    assert {
        "recovery.time",
        "recovery.peak",
        "recovery.difference",
        "recovery.returned",
        "recovery.phase",
    } <= set(alone)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("way", [{"hold": 0.1}, {"rate": 20.0, "pieces": 3}])
def test_a_point_does_not_depend_on_its_tile(executor, way):
    ramp = {key: value for key, value in RAMP.items() if key != "hold"} | way
    couplings, seeds = [8.0, 6.0, 9.0, *np.linspace(5, 9, 14)], [4, 4, 7, *range(14)]
    together = measured(couplings, seeds, ramp, KICKS, executor=executor).data
    for i in (2, 16):
        alone = measured(couplings[i : i + 1], seeds[i : i + 1], ramp, KICKS, executor=executor).data
        for name, column in together.items():
            here, there = (np.atleast_1d(cells) for cells in (column[i], alone[name][0]))
            assert np.array_equal(here, there, equal_nan=here.dtype.kind == "f"), (name, i)


def test_executors_agree():
    one, other = (measured([6.0, 8.0], None, RAMP, KICKS, executor=e).data for e in EXECUTORS)
    for name, column in one.items():
        for a, b in zip(column, other[name], strict=True):
            if isinstance(a, str | bool | None):
                assert a == b
            else:
                assert np.allclose(a, b, rtol=1e-6, atol=1e-6, equal_nan=True), name


def test_the_run_is_at_the_first_value_of_the_ramp():
    found = measured(ramp=RAMP).data
    plain = measured(network={**NETWORK, "J0": {"E": -6.0, "I": 0.2}}).data
    assert found["rate.E.mean"][0] == plain["rate.E.mean"][0]
    kicked = measured(kicks=KICKS[:1]).data
    assert kicked["rate.E.mean"][0] == measured().data["rate.E.mean"][0]


# --- every field matters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"path": "J0.I"},
        {"from": -5.5},
        {"to": 0.5},
        {"num": 8},
        {"hold": 0.09},
        {"window": 0.02},
        {"on": "bump.E.m1"},
        {"same": 0.9},
        {"hold": None, "rate": 10.0},
        {"hold": None, "rate": 11.0},
        {"hold": None, "rate": 10.0, "pieces": 10},
    ],
)
def test_every_field_of_a_ramp_matters(change):
    base = (
        {**RAMP, "hold": None, "rate": 10.0}
        if len(change) > 1 and change != {"hold": None, "rate": 10.0}
        else RAMP
    )
    one, other = (
        measured(ramp={k: v for k, v in r.items() if v is not None}).data for r in (base, base | change)
    )
    same = all(
        np.array_equal(np.stack(one[name]), np.stack(other[name]), equal_nan=True)
        for name in one
        if name.startswith("ramp.")
    )
    assert not same


@pytest.mark.parametrize(
    ("kick", "change"),
    [
        *((KICKS[0], c) for c in ({"add": 0.1}, {"fraction": 0.8}, {"populations": ["I"]}, {"name": "other"},
                                  {"add": None, "factor": 2.0})),
        *((KICKS[0], c) for c in ({"duration": 0.08}, {"tolerance": 0.5}, {"samples": 20})),
        (KICKS[1], {"angle": 60.0}),
        *((KICKS[2], c) for c in ({"x": 0.5}, {"u": 0.2}, {"fraction": 1.0})),
        (KICKS[3], {"size": 0.2}),
    ],
)  # fmt: skip
def test_every_field_of_a_kick_matters(kick, change):
    def numbers(data):
        found = measured(kicks=[{key: value for key, value in data.items() if value is not None}]).data
        return [found[f"recovery.{data['name']}.{what}"][0] for what in ("time", "peak", "difference")]

    assert numbers(kick) != numbers(kick | change)


@pytest.mark.parametrize(("transfer", "lowest"), [("tanh", -1.0), ("relu", 0.0)])
def test_kicked_rates_stay_where_the_transfer_function_is(transfer, lowest):
    spec = NetworkSpec.parse({"populations": {"E": {"size": 4}}, "transfer": transfer, "J": {"EE": 0.1}})
    model = Network(spec, device="cpu", precision="double")
    program = model.program({}, 1, torch.zeros(1, dtype=torch.int64))
    state = initial_state(program)
    after = kicked(parse_kick({"kind": "rates", "add": -1.0}), program, state)
    assert (after.rates["E"] == lowest).all()


def test_what_counts_as_the_same_state_can_be_chosen():
    wide = {"kind": "rates", "add": 0.2, "duration": 0.04}  # too short to come back
    assert not measured(kicks=[wide]).data["recovery.returned"][0]
    assert measured(kicks=[wide | {"same": 5.0}]).data["recovery.returned"][0]


def test_pairs_can_be_kicked_alone():
    both = {**NETWORK, "stp": {"EE": NETWORK["stp"]["EE"], "IE": NETWORK["stp"]["EE"]}}
    kick = {"kind": "stp", "x": 0.1, "duration": 0.1, "samples": 12}
    peaks = [
        measured(kicks=[kick | more], network=both).data["recovery.peak"][0]
        for more in ({}, {"pairs": ["EE"]}, {"pairs": ["IE"]})
    ]
    assert len(set(peaks)) == 3


# --- loops ------------------------------------------------------------------------------------------------

LEVELS = np.linspace(0.0, 10.0, 11)


def course(up_at, down_at, low=1.0, high=5.0):
    """Ways that jump between two levels."""
    return np.array([[np.where(up_at < LEVELS, high, low), np.where(down_at < LEVELS, high, low)]])


def test_a_loop_is_measured_at_its_jumps():
    found = loops(LEVELS, course(7.3, 2.6), 0.02)
    assert (found.up_jump[0], found.up_error[0]) == (7.5, 0.5)
    assert (found.down_jump[0], found.down_error[0]) == (2.5, 0.5)
    assert (found.width[0], found.width_error[0]) == (5.0, 1.0)
    assert found.area[0] == 5.0 * 4.0
    again = loops(LEVELS[::-1], course(2.6, 7.3)[:, :, ::-1], 0.02)
    assert (again.up_jump[0], again.down_jump[0], again.width[0], again.area[0]) == (2.5, 7.5, 5.0, 20.0)


def test_levels_that_still_move_widen_the_bracket():
    drift = np.zeros((1, 2, 11))
    drift[0, 0, 6:8] = 0.3
    found = loops(LEVELS, course(7.3, 2.6), 0.02, drift)
    assert (found.up_jump[0], found.up_error[0]) == (6.5, 1.5)  # from 5, where it was at rest, to 8
    assert found.down_error[0] == 0.5
    noisy = loops(LEVELS, course(7.3, 2.6), 0.02, np.full((1, 2, 11), 0.3))
    assert noisy.up_error[0] == 0.5  # all levels drift alike


def test_the_larger_of_two_loops_counts():
    both = np.maximum(course(9.3, 8.6), course(4.3, 1.6, high=3.0))
    assert loops(LEVELS, both, 0.02).up_jump[0] == 4.5
    small = np.maximum(course(9.3, 7.6, high=50.0), course(4.3, 1.6, high=3.0))
    assert loops(LEVELS, small, 0.02).up_jump[0] == 9.5


@pytest.mark.parametrize(
    ("ways", "up", "down", "width"),
    [
        (course(20.0, 2.6), np.nan, 2.5, np.nan),
        (course(7.3, -1.0), 7.5, np.nan, np.nan),
        (course(7.3, 7.4), np.nan, np.nan, 0.0),
        (course(7.3, 2.6, high=1.001), np.nan, np.nan, 0.0),
        (course(7.3, 2.6, low=1e-5, high=1e-3), np.nan, np.nan, 0.0),
        (np.where(LEVELS > 8, np.nan, course(7.3, 2.6)), np.nan, np.nan, np.nan),
    ],
    ids=["no jump there", "no jump back", "no loop", "same", "silent", "diverged"],
)
def test_what_is_not_seen_is_undefined(ways, up, down, width):
    found = loops(LEVELS, ways, 0.02)
    assert np.array_equal(
        [found.up_jump[0], found.down_jump[0], found.width[0]], [up, down, width], equal_nan=True
    )


# --- particular cases -------------------------------------------------------------------------------------


def test_a_point_that_diverges_on_its_way_says_where_and_leaves_others_alone():
    linear = {
        **NETWORK,
        "transfer": "relu",
        "stp": {},
        "rate_limit": 500.0,
        "J": {"EE": 0.5},
        "J0": {"E": 1.0},
    }
    del linear["noise"]
    ramp = {"path": "populations.E.gain", "from": 0.5, "to": 3.0, "num": 6, "hold": 0.6}
    found = measured([0.5, 0.1], None, ramp, network=linear)
    assert found.data["status"].tolist() == ["ok", "ok"]
    assert found.data["ramp.diverged"][0] == pytest.approx(2.5)  # the first level above 1/J = 2
    assert np.isnan(found.data["ramp.diverged"][1])
    rates = found.data["ramp.up.rate.E.mean"][0]
    assert np.isfinite(rates[:4]).all()
    assert np.isnan(rates[4:]).all()
    assert np.isnan(found.data["ramp.down.rate.E.mean"][0]).all()
    alone = measured([0.1], [1], ramp, network=linear)
    assert np.array_equal(found.data["ramp.up.rate.E.mean"][1], alone.data["ramp.up.rate.E.mean"][0])


def test_a_point_that_diverged_in_its_run_has_no_recovery():
    wild = {**NETWORK, "transfer": "relu", "stp": {}, "J": {"EE": 3.0}, "J0": {"E": 4.0}, "duration": 2.0}
    found = measured([3.0, 0.5], None, None, [KICKS[3] | {"duration": 1.0}], network=wild).data
    assert found["status"].tolist() == ["diverged", "ok"]
    assert found["recovery.noise.returned"].tolist() == [None, True]
    assert np.isnan(found["recovery.noise.time"][0])
    assert np.isnan(found["recovery.noise.peak"][0])


def test_stimuli_that_are_on_at_the_end_of_the_run_stay_on():
    lasting = {"shape": "cosine", "onset": 0.05, "offset": 0.2, "strength": 1.0}
    brief = lasting | {"name": "cue", "offset": 0.1, "strength": 30.0}
    ramp = {**RAMP, "from": -5.0, "to": -4.0, "num": 3, "on": "rate.E.mean"}
    with_it = measured(ramp=ramp, network={**NETWORK, "stimuli": [lasting, brief]}).data[
        "ramp.down.rate.E.mean"
    ][0]
    shifted = {
        **NETWORK,
        "J0": {"E": -3.5, "I": 0.2},
        "stimuli": [lasting | {"offset": 0.2, "strength": 1.0}],
    }
    drive = measured(ramp=ramp, network=shifted).data["ramp.down.rate.E.mean"][0]
    without = measured(ramp=ramp).data["ramp.down.rate.E.mean"][0]
    assert np.allclose(with_it, drive, rtol=0.05)  # the brief one leaves nothing
    assert (with_it > 1.2 * without).all()


def test_spiking_networks_are_ramped():
    spiking = {
        "dt": 0.001,
        "duration": 0.2,
        "populations": {"E": {"size": 30, "tau": 0.02, "spiking": {}}},
        "J": {"EE": 0.01},
        "J0": {"E": 1.2},
    }
    found = measured(
        [0.01], None, {"path": "J0.E", "from": 0.8, "to": 2.0, "num": 4, "hold": 0.5}, network=spiking
    )
    rates = found.data["ramp.up.rate.E.mean"][0]
    assert rates[0] == 0.0
    assert (np.diff(rates) > 1.0).all()


def test_turning_a_ring():
    ring = torch.arange(8.0)[None].repeat(2, 1)
    assert turned(ring, 45.0)[0].tolist() == [7, 0, 1, 2, 3, 4, 5, 6]
    assert turned(ring, -90.0)[0].tolist() == [2, 3, 4, 5, 6, 7, 0, 1]
    assert turned(ring, 22.5)[0].tolist() == [3.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
    both = turned(ring, torch.tensor([[45.0], [0.0]]))
    assert both.tolist() == [turned(ring, 45.0)[0].tolist(), ring[0].tolist()]


# --- the network's own methods ----------------------------------------------------------------------------


def test_methods_of_a_network_do_what_a_sweep_does():
    model = Network(
        NetworkSpec.parse(NETWORK), device="cpu", precision="double", executor="reference", seed=3
    )
    options = {key: value for key, value in RAMP.items() if key not in {"path", "from", "to"}}
    found = model.ramp("J0.E", -6.0, 0.0, sweep={"J.EE": [6.0, 8.0]}, **options)
    table = measured([6.0, 8.0], [3, 3], RAMP).data
    assert found.sizes == {"point": 2, "direction": 2, "level": 7}
    assert np.array_equal(found["jump"].values[:, 0], table["ramp.up.jump"], equal_nan=True)
    assert np.array_equal(found["width"].values, table["ramp.hysteresis.width"], equal_nan=True)
    there = found["rate.E.mean"].sel(direction="up").values.astype(np.float32)
    assert np.array_equal(there, np.stack(table["ramp.up.rate.E.mean"]))
    assert found["rate.E.mean"].attrs["units"] == "Hz"
    kicks = measured(
        [6.0, 8.0], [3, 3], None, [{"kind": "rates", "add": 0.2, "duration": 0.1, "samples": 12}]
    ).data
    frame = model.perturb("rates", add=0.2, duration=0.1, samples=12, sweep={"J.EE": [6.0, 8.0]})
    assert frame["recovery.time"].tolist() == kicks["recovery.time"].tolist()
    assert frame.attrs["units"]["recovery.time"] == "s"


def test_a_ramp_goes_on_from_a_state():
    model = Network(NetworkSpec.parse(NETWORK), device="cpu", precision="double")
    _, state = model.simulate({"J0.E": [-6.0]}, duration=0.4, every=10, return_state=True)
    later = model.ramp(
        "J0.E", -6.0, -5.0, num=3, hold=0.1, initial=state, sweep={"J.EE": [8.0, 8.0]}, pairwise=True
    )
    assert later.sizes["point"] == 2
    first = later["rate.E.mean"].values
    assert np.array_equal(first[0], first[1])
    with pytest.raises(SpecError, match="must be given, or rate"):
        model.ramp("J0.E", -6.0, -5.0)
    with pytest.raises(SpecError, match=r"is not a kick, got 'rate' \(did you mean 'rates'\?\)"):
        model.perturb("rate", add=1.0)


# --- sweeps -----------------------------------------------------------------------------------------------


def test_a_sweep_keeps_loops_and_recoveries(tmp_path):
    spec = sweep(
        ramp=RAMP | {"from": -8.0, "to": 2.0, "num": 11},
        perturb=KICKS[:1],
        measure=["regime"],
        repeat={"initial_conditions": ["cold", "hot"]},
    )
    table = run_sweep(spec, tmp_path / "out")
    frame = table.to_pandas()
    assert table.columns["ramp.up.jump"].unit == table.columns["point.J.EE"].unit
    assert np.shape(frame["ramp.value"][0]) == (11,)
    assert frame["ramp.hysteresis.width"].between(1.0, 5.0).all()
    again = reproduce(str(tmp_path / "out"), frame["point_id"][2])
    assert again.equal
    assert again.tolerance == 0
    other = table.relabel(ratio=0.9).to_pandas()
    assert other["ramp.hysteresis.area"].tolist() == frame["ramp.hysteresis.area"].tolist()
    assert len(table.regimes()) == 3
    fig = hysteresis(table)
    loops, jumps = fig.axes[:5], fig.axes[5]  # of three points from two starts
    assert all(len(ax.get_lines()) == 2 for ax in loops)
    low, high = loops[0].get_lines()[0].get_xydata()[[0, -1], 0]
    assert (low, high) == (-8.0, 2.0)
    assert {ax.get_xlabel() for ax in loops} == {"$J_{E0}$"}
    assert jumps.get_xlabel() == "$J_{EE}$"
    assert len(jumps.containers) == 2
    assert "hysteresis" in build_report(tmp_path / "out").figures
    named = hysteresis(table, points=[frame["point_id"][0]])
    assert len(named.axes) == 2


def test_a_table_without_a_ramp_has_no_loops_to_draw(tmp_path):
    table = run_sweep(sweep(space={"J.EE": [6.0]}), tmp_path / "out")
    with pytest.raises(SpecError, match=r"the table must hold a ramp to draw \(set ramp in the sweep\)"):
        hysteresis(table)


def test_protocols_are_part_of_what_a_sweep_is():
    plain = sweep()
    assert "ramp" not in plain.identity()
    assert "perturb" not in plain.identity()
    full = sweep(ramp=RAMP, perturb=KICKS)
    assert SweepSpec.parse(full.to_dict()) == full
    assert full.identity() != plain.identity()
    assert full.identity() != sweep(ramp={**RAMP, "hold": 0.2}, perturb=KICKS).identity()


def test_theory_and_the_manifest_are_at_the_first_value_of_a_ramp(tmp_path):
    spec = sweep(ramp=RAMP, theory=["homogeneous"], set={"J.IE": 1.5})
    assert spec.network.get("J0.E") == -6.0
    assert spec.network.get("J.IE") == 1.5
    assert SweepSpec.parse(spec.to_dict()).network == spec.network
    frame = run_sweep(spec, tmp_path / "out").to_pandas()
    at = sweep(set={"J.IE": 1.5, "J0.E": -6.0}, theory=["homogeneous"])
    plain = run_sweep(at, tmp_path / "at").to_pandas()
    assert frame["theory.rate.E"].tolist() == plain["theory.rate.E"].tolist()


def test_a_search_may_seek_a_loop():
    found = sweep(
        space={"J.EE": {"low": 5, "high": 9}},
        ramp=RAMP,
        search={"kind": "tpe", "trials": 4, "maximise": "ramp.hysteresis.width"},
    )
    assert "ramp.hysteresis.width" in found.number_columns
    with pytest.raises(SpecError, match="is not a column of this sweep"):
        sweep(
            space={"J.EE": {"low": 5, "high": 9}},
            search={"kind": "tpe", "trials": 4, "maximise": "ramp.hysteresis.width"},
        )


def test_the_plan_counts_what_comes_afterwards():
    plain, full = sweep(), sweep(ramp=RAMP, perturb=KICKS)
    text = str(make_plan(full, actors=1))
    assert "afterwards  ramp 700, perturb 400 steps a point, beside the 100 of its run" in text
    assert "afterwards" not in str(make_plan(plain, actors=1))
    costs = [guessed_seconds_of(spec, spec.network, cuda=False) for spec in (plain, full)]
    assert costs[1] == pytest.approx(12 * costs[0])
    assert point_bytes(full, full.network) > 1.9 * point_bytes(sweep(ramp=RAMP), full.network) - 2e4
    smooth = sweep(ramp={"path": "J0.E", "from": -6, "to": 0, "num": 7, "rate": 10.0})
    assert "ramp 604 steps" in str(
        make_plan(smooth, actors=1)
    )  # 2 ways of 6 × 0.1 s, and the last small step


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ramp": RAMP | {"path": "J0.X"}}, r"ramp\.path: there is no such value in the network, got 'J0\.X'"),
        ({"ramp": RAMP | {"path": "J.EE"}}, r"ramp\.path: is swept and ramped at once, got 'J\.EE'"),
        ({"ramp": RAMP | {"path": "populations.E.size"}}, r"ramp\.path: must be a batchable number"),
        ({"ramp": RAMP | {"path": "initial.high"}}, r"ramp\.path: counts at the start of a run only"),
        ({"ramp": RAMP | {"path": "populations.E.tau"}}, r"ramp\.from: must be at least 0, got -6"),
        ({"ramp": RAMP, "set": {"J0.E": 1.0}}, r"set\.J0\.E: is set and ramped at once"),
        ({"ramp": RAMP | {"to": -6.0}}, r"ramp\.to: must differ from `from`"),
        ({"ramp": RAMP | {"num": 2}}, r"ramp\.num: must be at least 3, got 2"),
        ({"ramp": RAMP | {"rate": 1.0}}, r"ramp\.hold: must be given, or rate: one of the two"),
        ({"ramp": RAMP | {"pieces": 3}}, r"ramp\.pieces: has no effect without rate"),
        ({"ramp": RAMP | {"hold": 0.002}}, r"ramp\.hold: must leave each value for at least 2 steps of dt, 0\.004 s"),
        ({"ramp": RAMP | {"window": 0.2}}, r"ramp\.window: must be at least 2 steps of dt and at most hold, got 0\.2"),
        ({"ramp": RAMP | {"on": "rate.E.men"}}, r"ramp\.on: is not a statistic .* \(did you mean 'rate\.E\.mean'"),
        ({"ramp": RAMP | {"hld": 1}}, r"ramp\.hld: is not a known key \(did you mean 'hold'\?\)"),
        ({"perturb": {"kind": "rate", "add": 1}}, r"perturb\.kind: must be one of 'rates', 'rotation'"),
        ({"perturb": {"kind": "rates"}}, r"perturb\.add: must be given, or factor: one of the two"),
        ({"perturb": {"kind": "rates", "add": 1, "populations": ["X"]}}, r"perturb\.populations\.0: is not a pop"),
        ({"perturb": {"kind": "stp", "pairs": ["EI"], "x": 0.5}}, r"perturb\.pairs\.0: is not a plastic pair"),
        ({"perturb": {"kind": "stp"}}, r"perturb\.u: must be given, or x"),
        ({"perturb": {"kind": "stp", "x": 1.5}}, r"perturb\.x: must be at most 1, got 1\.5"),
        ({"perturb": {"kind": "random", "size": 1, "duration": 0.01}}, r"perturb\.duration: must be at least 20"),
        ({"perturb": [KICKS[0], {"kind": "random", "size": 1}]}, r"perturb\.1\.name: is required where there are sev"),
        ({"perturb": [KICKS[0], KICKS[0]]}, r"perturb\.1\.name: must differ between kicks, got 'some'"),
        ({"perturb": {"kind": "random", "size": 1, "name": "time"}}, r"perturb\.name: must be letters"),
        (
            {"ramp": RAMP, "space": {"stimuli.0.onset": [0.05, 0.06]}},
            r"ramp: cannot follow runs whose stimuli have times of each point's own",
        ),
    ],
)  # fmt: skip
def test_what_is_refused_in_one_line(changes, message):
    cue = {"shape": "cosine", "onset": 0.05, "offset": 0.1, "strength": 0.1}
    with pytest.raises(SpecError, match=message) as caught:
        sweep(**{"network": {**NETWORK, "stimuli": [cue]}, **changes})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("network", "perturb", "message"),
    [
        ({"populations": {"E": {"size": 5, "spiking": {}}}, "J0": {"E": 1.0}}, {"kind": "random", "size": 1},
         "is for rate units, and E spikes"),
        ({"populations": {"E": {"size": 5}}, "J": {"EE": 0.1}, "hebbian": {"EE": {"rule": "hebb", "eta": 1}}},
         {"kind": "rotation", "angle": 9.0}, "cannot turn weights that learn"),
        ({"populations": {"E": {"size": 5}}}, {"kind": "stp", "x": 0.1}, "needs a pair with short-term plasticity"),
    ],
)  # fmt: skip
def test_networks_that_cannot_be_kicked(network, perturb, message):
    with pytest.raises(SpecError, match=message):
        SweepSpec.parse({"network": network, "perturb": perturb})


def test_what_ends_with_the_run_cannot_go_on():
    values = {"shape": "array", "over": "time", "values": [1.0] * 100, "onset": 0.0, "strength": 1.0}
    with pytest.raises(SpecError, match=r"ramp: cannot go on with the time course of stimuli\.0"):
        sweep(network={**NETWORK, "stimuli": [values]}, ramp=RAMP)
    learned = {**NETWORK, "hebbian": {"EE": {"rule": "hebb", "eta": 0.1}}}
    with pytest.raises(SpecError, match="a ramp of it changes nothing"):
        sweep(network=learned, ramp=RAMP | {"path": "J.EE"}, space={"J0.E": [1, 2]})
