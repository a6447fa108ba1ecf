"""Spiking populations in the CPU trajectory executor, held to the reference on the same start and noise."""

import numpy as np
import pytest
import torch

from neuroflame import Network
from neuroflame.core.executors import choose
from neuroflame.core.measure import measure_points
from neuroflame.core.recorder import RecordPlan, Window
from neuroflame.core.reference import initial_state
from neuroflame.spec import NetworkSpec
from tests.unit.test_trajectory import STARTS, assert_same_rows

RING = {
    "dt": 0.0005,
    "duration": 0.15,
    "populations": {
        "E": {"size": 70, "tau": 0.02, "tau_syn": 0.004, "spiking": {"tau_ref": 0.0013}},
        "I": {"size": 37, "tau": 0.01, "tau_syn": 0.002, "spiking": {"V_start": 0.3, "V_rest": -0.1}},
    },
    "connectivity": {"profile": {"kind": "cosine", "kappa": {"EE": 1.0, "EI": 0.3, "IE": 0.8, "II": 0.2}}},
    "J": {"EE": 0.02, "EI": -0.02, "IE": 0.03, "II": -0.01},
    "J0": {"E": 1.6, "I": 1.0},
    "stp": {"EE": {"U": 0.1, "tau_fac": 0.5, "tau_rec": 0.1}},
    "noise": {"kind": "white", "sigma": 0.05},
    "stimuli": [
        {"name": "cue", "shape": "cosine", "onset": 0.05, "offset": 0.1, "strength": 0.7, "phase": 70.0}
    ],
}
SPARSE = RING | {
    "connectivity": {"kind": "sparse", "K": 12, "profile": {"kind": "cosine", "kappa": 0.7}},
    "J0": {"E": 0.6, "I": 0.4},
}
MIXED = SPARSE | {
    "populations": {
        "E": RING["populations"]["E"],
        "I": {"size": 37, "tau": 0.01, "threshold": 0.1},
        "P": {"size": 20, "spiking": {"V_rest": 0.5}},
    }
}
CASES = {
    "ring": (RING, {}),
    "sparse": (SPARSE, {"stp.EI": {"U": 0.3, "tau_fac": 0.1, "tau_rec": 0.0}}),
    "low rank": (
        RING,
        {
            "connectivity.profile": {
                "kind": "low_rank",
                "kappa": 0.6,
                "rank": 2,
                "overlap": 0.5,
                "variance": 1.0,
            }
        },
    ),
    "with rate units and everything on": (
        MIXED,
        {
            "connectivity.pairs": {"EP": {"kind": "all_to_all"}, "IP": {"K": 5}},
            "J.EP": -0.01,
            "J.IP": -0.02,
            "J.PI": 0.1,
            "populations.E.adaptation": {"tau": 0.1, "strength": 0.01},
            "nmda": {"ratio": 0.4, "tau": 0.05},
            "initial": {"kind": "normal"},
            "noise": [
                {"kind": "ou", "sigma": 0.1, "tau": 0.02},
                {"kind": "white", "on": "rates", "sigma": {"I": 0.2}},
            ],
        },
    ),
}


def spec_of(case):
    base, change = CASES[case]
    return NetworkSpec.parse(base).with_values(change)


def rows(case, index, executor, precision="double"):
    rng = np.random.default_rng(3)
    values = {
        "J.EE": rng.uniform(0.0, 0.03, 21),
        "J0.E": rng.uniform(0.5, 2.0, 21),
        "populations.E.tau": rng.uniform(0.01, 0.03, 21),
        "populations.E.spiking.tau_ref": rng.uniform(0.0, 0.004, 21),
    }
    seeds = rng.integers(0, 2**40, 21)
    return measure_points(
        spec_of(case),
        {path: v[index] for path, v in values.items()},
        seeds=seeds[index],
        initial=[STARTS[i % 4] for i in index],
        measure=["rates", "bump", "spikes"],
        window=0.08,
        traces=True,
        precision=precision,
        executor=executor,
    ).data


@pytest.mark.parametrize("case", CASES)
def test_statistics_are_those_of_the_reference(case):
    """In float64: a voltage that is off by a rounding crosses its threshold in the same step."""
    index = np.arange(21)
    ours, reference = (rows(case, index, name) for name in ("trajectory", "reference"))
    assert np.nanmean(reference["spikes.E.active"]) > 0.2
    assert np.isfinite(reference["spikes.E.cv"]).sum() > 3
    for name, expected in reference.items():
        if name != "status" and ".phase" not in name:
            mine, theirs = (np.array(list(column), dtype=float) for column in (ours[name], expected))
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("executor", ["trajectory", "reference"])
def test_a_point_does_not_depend_on_its_tile(case, executor):
    whole = rows(case, np.arange(21), executor, "exact")
    order = np.random.default_rng(0).permutation(21)
    for index in (np.array([4]), np.arange(3, 10), order):
        assert_same_rows(rows(case, index, executor, "exact"), whole, index)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("executor", ["trajectory", "reference"])
def test_two_halves_are_the_whole_to_the_last_bit(case, executor):
    model = Network(spec_of(case), device="cpu", executor=executor)
    record = ["rates", "spikes", "voltage", "refractory.E"]
    drive = {"J0.E": np.array([0.8, 1.5])}
    whole, end = model.simulate(drive, record=record, every=3, return_state=True)
    first, state = model.simulate(drive, record=record, every=3, duration=0.075, return_state=True)
    second, last = model.simulate(
        drive, record=record, every=3, duration=0.075, initial=state, return_state=True
    )
    for name in record:
        joined = np.concatenate([first[name], second[name]], axis=1)
        assert np.array_equal(joined, whole[name]), name
    for name, value in end.named().items():
        assert torch.equal(last.named()[name], value), name


def test_windows_traces_and_variables_can_be_asked_for_together():
    """Samples and windows at steps that divide nothing: counts since the last sample, bins from a window's start."""
    spec = spec_of("with rate units and everything on")
    plan = RecordPlan(
        windows=(Window("a", 33, 120), Window("b", 100, 191)),
        temporal=frozenset({"b"}),
        trace_every=9,
        variables=("rates.E", "rates.I", "spikes.P", "voltage.E", "refractory.P", "stp.EE.x"),
        variables_every=7,
        final_state=True,
        intervals="b",
    )
    model = Network(spec, device="cpu", precision="double")
    program = model.program({"J0.E": np.array([0.8, 2.0])}, 2, torch.zeros(2, dtype=torch.int64))
    with torch.no_grad():
        ours, expected = (
            choose(name, program, plan).run(program, initial_state(program), spec.steps, plan)
            for name in ("trajectory", "reference")
        )
    assert expected.variables["spikes.P"].sum() > 20
    for group in ("traces", "variables"):
        for name, values in getattr(expected, group).items():
            torch.testing.assert_close(getattr(ours, group)[name], values, rtol=1e-10, atol=1e-10)
    for mine, theirs in zip(ours.sums, expected.sums, strict=True):
        for name in ("E", "P"):
            assert mine[name].steps == theirs[name].steps
            torch.testing.assert_close(mine[name].total, theirs[name].total, rtol=1e-10, atol=0)
            if theirs[name].bins is not None:
                assert mine[name].bins.count == theirs[name].bins.count > 0
                torch.testing.assert_close(mine[name].bins.total, theirs[name].bins.total)
                torch.testing.assert_close(mine[name].squares, theirs[name].squares)
                torch.testing.assert_close(mine[name].mean_squares, theirs[name].mean_squares)
    for name in ("E", "P"):
        for field, values in vars(expected.intervals[name]).items():
            torch.testing.assert_close(getattr(ours.intervals[name], field), values, msg=field)
    assert float(expected.intervals["P"].count.sum()) > 5


@pytest.mark.parametrize("executor", ["trajectory", "reference"])
def test_a_voltage_that_is_not_finite_is_divergence_and_spikes_are_not(executor):
    """A spike is 1/dt, above the limit on rates; only a voltage that overflows ends a point."""
    spec = NetworkSpec.parse(RING).with_values({"dt": 0.00005, "duration": 0.02, "stimuli": []})
    model = Network(spec, device="cpu", executor=executor)
    table = model.measure({"J0.E": [5.0, 1e39]}, measure=["rates", "spikes"], window=0.01)
    assert list(table["status"]) == ["ok", "diverged"]
    assert table["rate.E.mean"][0] > 50
    assert np.isnan(table["rate.E.mean"][1])
    assert np.isnan(table["spikes.E.cv"][1])
    assert np.isnan(table["spikes.E.active"][1])
    alone = model.measure({"J0.E": [5.0]}, measure=["rates", "spikes"], window=0.01)
    assert alone["rate.E.mean"][0] == table["rate.E.mean"][0]
