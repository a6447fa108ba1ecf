"""The CPU trajectory executor against the reference, on the same connectivity, start and noise."""

import numpy as np
import pytest
import torch

from neuroflame import Network
from neuroflame.core import compiled
from neuroflame.core.executors import choose
from neuroflame.core.measure import measure_points
from neuroflame.core.recorder import RecordPlan, Window
from neuroflame.core.reference import initial_state
from neuroflame.errors import SimulationError
from neuroflame.spec import NetworkSpec

RING = {
    "dt": 0.001,
    "duration": 0.25,
    "populations": {
        "E": {"size": 70, "tau": 0.02, "tau_syn": 0.004, "threshold": 0.5},
        "I": {"size": 37, "tau": 0.01, "tau_syn": 0.002},
    },
    "connectivity": {"profile": {"kind": "cosine", "kappa": {"EE": 1.0, "EI": 0.3, "IE": 0.8, "II": 0.2}}},
    "J": {"EE": 4.0, "EI": -1.5, "IE": 1.0, "II": -1.0},
    "J0": {"E": 2.0, "I": 1.0},
    "stp": {"EE": {"U": 0.1, "tau_fac": 0.5, "tau_rec": 0.1}},
    "stimuli": [
        {"name": "cue", "shape": "cosine", "onset": 0.05, "offset": 0.15, "strength": 0.7, "phase": 70.0}
    ],
}
SPARSE = RING | {"connectivity": {"kind": "sparse", "K": 12, "profile": {"kind": "cosine", "kappa": 0.7}}}
CASES = {
    "ring": (RING, {}),
    "ring, everything on": (
        RING,
        {
            "transfer": {"E": "brunel", "I": "tanh"},
            "connectivity.profile.phase": 20.0,
            "populations.E.adaptation": {"tau": 0.1, "strength": 0.2},
            "populations.E.gain": 1.3,
            "populations.I.rate_max": 2.0,
            "nmda": {"ratio": 0.4, "tau": 0.05},
            "noise": [
                {"kind": "ou", "sigma": 0.3, "tau": 0.02},
                {"kind": "white", "on": "rates", "sigma": {"I": 0.2}},
                {"kind": "ou", "on": "rates", "sigma": 0.1, "tau": 0.01},
            ],
            "stp.IE": {"U": 0.3, "tau_fac": 0.0, "tau_rec": 0.2, "kind": "markram_exp"},
        },
    ),
    "von Mises": (RING, {"connectivity.profile": {"kind": "von_mises", "kappa": 0.1}, "stp": {}}),
    "low rank": (
        RING,
        {
            "connectivity.profile": {
                "kind": "low_rank",
                "kappa": 0.6,
                "rank": 2,
                "overlap": 1.5,
                "variance": 2.0,
            },
            "connectivity.pairs": {"II": {"kind": "all_to_all", "profile": {"kind": "cosine", "kappa": 0.4}}},
            "nmda": {"ratio": 0.4, "tau": 0.05},
        },
    ),
    "sparse": (SPARSE, {"stp.EI": {"U": 0.3, "tau_fac": 0.1, "tau_rec": 0.0}}),
    "mixed": (
        SPARSE,
        {
            "connectivity.pairs": {"EI": {"kind": "all_to_all"}, "EE": {"kind": "all_to_all"}},
            "nmda": {"ratio": 0.4, "tau": 0.05},
            "initial": {"kind": "normal"},
            "transfer": "erf",
            "noise": {"kind": "per_step", "sigma": 0.1},
            "stimuli": [
                {
                    "shape": "gaussian",
                    "onset": 0.05,
                    "offset": 0.15,
                    "strength": 0.7,
                    "populations": ["E", "I"],
                }
            ],
        },
    ),
}
STARTS = ["network", "cold", "hot", "cued"]


def rows(case, index, executor, precision="double"):
    base, change = CASES[case]
    spec = NetworkSpec.parse(base).with_values(change)
    rng = np.random.default_rng(3)
    values = {
        "J.EE": rng.uniform(2, 6, 21),
        "J0.E": rng.uniform(0, 3, 21),
        "populations.E.tau": rng.uniform(0.01, 0.03, 21),
    }
    seeds = rng.integers(0, 2**40, 21)
    return measure_points(
        spec,
        {path: v[index] for path, v in values.items()},
        seeds=seeds[index],
        initial=[STARTS[i % 4] for i in index],
        measure=["rates", "bump"],
        window=0.06,
        traces=True,
        precision=precision,
        executor=executor,
    ).data


def in_hertz(data):
    """Return the columns whose rounding is in proportion to the rates."""
    kept = ("mean", "max", "m0", "m1", "rate", "before", "during", "after")
    return {
        name: np.array(list(column), dtype=float)
        for name, column in data.items()
        if name.rsplit(".", 1)[-1] in kept and ".phase" not in name and ".ratio" not in name
    }


def assert_same_rows(part, whole, index):
    """Assert that a part of the points has the rows that they have in the whole, to the last bit."""
    for name, column in part.items():
        expected = [whole[name][i] for i in index]
        if name == "status":
            assert list(column) == expected
        else:
            assert np.array_equal(np.array(list(column)), np.array(expected), equal_nan=True), name


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("precision", "tolerance"), [("double", 1e-11), ("exact", 2e-5)])
def test_statistics_are_those_of_the_reference(case, precision, tolerance):
    index = np.arange(21)
    ours, reference = (rows(case, index, name, precision) for name in ("trajectory", "reference"))
    assert list(ours["status"]) == list(reference["status"])
    for name, expected in in_hertz(reference).items():
        scale = max(1.0, np.nanmax(np.abs(expected)))
        np.testing.assert_allclose(in_hertz(ours)[name], expected, atol=tolerance * scale, err_msg=name)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("executor", ["trajectory", "reference"])
def test_a_point_does_not_depend_on_its_tile(case, executor):
    whole = rows(case, np.arange(21), executor, "exact")
    order = np.random.default_rng(0).permutation(21)
    for index in (np.array([4]), np.arange(3, 10), order):
        assert_same_rows(rows(case, index, executor, "exact"), whole, index)


@pytest.mark.parametrize("case", ["ring, everything on", "mixed"])
def test_variables_and_final_state_are_those_of_the_reference(case):
    base, change = CASES[case]
    spec = NetworkSpec.parse(base).with_values(change)
    record = ["rates", "currents", "slow", "stp.EE.u", "stp.EE.x"]
    results = []
    for executor in ("trajectory", "reference"):
        model = Network(spec, device="cpu", precision="double", executor=executor)
        results.append(model.simulate({"J.EE": [3.0, 5.0]}, record=record, every=7, return_state=True))
    (ours, state), (expected, reference) = results
    for name in record:
        np.testing.assert_allclose(ours[name], expected[name], atol=1e-11, err_msg=name)
    assert state.step == reference.step
    for name, value in reference.named().items():
        torch.testing.assert_close(state.named()[name], value, atol=1e-11, rtol=1e-11)


def test_windows_traces_and_variables_can_be_asked_for_together():
    """Whole variables cut the run into calls of the kernel: windows and traces must not notice."""
    spec = NetworkSpec.parse(RING)
    plan = RecordPlan(
        windows=(Window("a", 33, 120), Window("b", 100, 190)),
        temporal=frozenset({"b"}),
        trace_every=9,
        variables=("rates.E", "stp.EE.u"),
        variables_every=7,
        final_state=True,
    )
    model = Network(spec, device="cpu", precision="double")
    seeds = torch.zeros(2, dtype=torch.int64)
    program = model.program({"J.EE": np.array([3.0, 5.0])}, 2, seeds)
    with torch.no_grad():
        ours, expected = (
            choose(name, program, plan).run(program, initial_state(program), spec.steps, plan)
            for name in ("trajectory", "reference")
        )
    assert ours.trace_steps == expected.trace_steps
    assert ours.variable_steps == expected.variable_steps
    for name in ("E", "I"):
        torch.testing.assert_close(ours.traces[name], expected.traces[name], rtol=1e-10, atol=1e-11)
        for mine, theirs in zip(ours.sums, expected.sums, strict=True):
            assert mine[name].steps == theirs[name].steps
            torch.testing.assert_close(mine[name].total, theirs[name].total, rtol=1e-9, atol=1e-10)
            if theirs[name].squares is not None:
                torch.testing.assert_close(mine[name].squares, theirs[name].squares, rtol=1e-9, atol=1e-10)
                torch.testing.assert_close(
                    mine[name].mean_squares, theirs[name].mean_squares, rtol=1e-9, atol=1e-10
                )
    for name, values in expected.variables.items():
        torch.testing.assert_close(ours.variables[name], values, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("executor", ["trajectory", "reference"])
@pytest.mark.parametrize("case", CASES)
def test_two_halves_are_the_whole_to_the_last_bit(case, executor):
    base, change = CASES[case]
    model = Network(NetworkSpec.parse(base).with_values(change), device="cpu", executor=executor)
    sweep = {"J.EE": [3.0, 5.0, 4.0]}
    whole, end = model.simulate(sweep, every=1, return_state=True)
    first, middle = model.simulate(sweep, every=1, duration=0.083, return_state=True)
    second, last = model.simulate(sweep, every=1, duration=0.167, initial=middle, return_state=True)
    assert np.array_equal(np.concatenate([first["rates"], second["rates"]], axis=1), whole["rates"])
    assert float(second["time"][0]) == pytest.approx(0.084)
    for name, value in end.named().items():
        assert torch.equal(last.named()[name], value), name


@pytest.mark.parametrize("executor", ["trajectory", "reference"])
def test_a_diverging_lane_is_labelled_and_touches_no_other(executor):
    spec = NetworkSpec.parse(
        {key: value for key, value in RING.items() if key != "stp"} | {"duration": 0.4, "rate_limit": 500.0}
    )
    keys = {
        "seeds": np.zeros(3, dtype=int),
        "initial": ["network"] * 3,
        "measure": ["rates", "bump"],
        "window": 0.1,
    }
    calm = {"J.EE": np.array([0.5, 0.6, 0.7])}
    wild = {"J.EE": np.array([0.5, 60.0, 0.7])}
    quiet = measure_points(spec, calm, executor=executor, **keys).data
    loud = measure_points(spec, wild, executor=executor, **keys).data
    assert list(loud["status"]) == ["ok", "diverged", "ok"]
    assert 0 < loud["t_fail"][1] < 0.4
    assert np.isnan(loud["rate.E.mean"][1])
    for name, column in loud.items():
        for i in (0, 2):
            assert column[i] == quiet[name][i] or (np.isnan(column[i]) and np.isnan(quiet[name][i])), name


@pytest.mark.parametrize("executor", ["trajectory", "reference"])
def test_when_all_lanes_diverge_the_run_still_ends_in_order(executor):
    spec = NetworkSpec.parse({key: value for key, value in RING.items() if key != "stp"})
    data = measure_points(
        spec,
        {"J.EE": np.array([80.0, 90.0])},
        seeds=np.zeros(2, dtype=int),
        initial=["hot", "hot"],
        measure=["rates", "bump"],
        executor=executor,
        traces=True,
    ).data
    assert list(data["status"]) == ["diverged", "diverged"]
    assert np.isnan(data["rate.E.mean"]).all()
    assert len(data["trace.E.rate"][0]) == len(data["trace.time"][0])


def test_gradients_and_unknown_names_choose_another_executor():
    model = Network(NetworkSpec.parse(RING), device="cpu", precision="double")
    coupling = torch.tensor([3.0], dtype=torch.float64, requires_grad=True)
    model({"J.EE": coupling}, steps=5).sum().backward()
    assert float(coupling.grad) != 0
    model.executor = "trajectory"
    with pytest.raises(SimulationError, match="gradients are asked for"):
        model({"J.EE": coupling}, steps=5)
    with pytest.raises(SimulationError, match="did you mean 'trajectory'"):
        choose("trajectorie", None, RecordPlan())


def test_too_many_modes_fall_back_to_the_reference():
    spec = NetworkSpec.parse(RING).with_values({"connectivity.profile": {"kind": "von_mises", "kappa": 50.0}})
    table = Network(spec, device="cpu").measure(window=0.05)
    assert table["status"][0] == "ok"
    with pytest.raises(SimulationError, match="more than 16 Fourier modes"):
        Network(spec, device="cpu", executor="trajectory").measure(window=0.05)


def test_kernels_are_kept_on_disk_and_without_a_place_in_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROFLAME_CACHE", str(tmp_path))
    assert compiled._folder() == tmp_path / "neuroflame" / "kernels"
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("NEUROFLAME_CACHE", str(blocked))
    assert compiled._folder() is None
    module = compiled.load("def kernel():\n    return CACHE\n")
    assert module.kernel() is False
