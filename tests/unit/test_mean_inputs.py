"""Mean inputs that follow from mean rates, against the inputs of every step."""

import numpy as np
import pytest
import torch

from neuroflame import Network
from neuroflame.core.executors import choose
from neuroflame.core.external import External
from neuroflame.core.recorder import RecordPlan
from neuroflame.core.reference import initial_state
from neuroflame.core.statistics import FINAL, View, program_windows, samplings
from neuroflame.core.statistics.inputs import active, mean_inputs, sent
from neuroflame.spec import NetworkSpec, load_network
from neuroflame.spec.base import merge
from tests.unit.test_regime_statistics import OSCILLATOR
from tests.unit.test_trajectory import RING, SPARSE

CHAOS = load_network("conf/chaos.yml", {"populations.E.size": 120, "duration": 2.0, "J.EE": 3.0})
SPIKING = {
    "dt": 0.0005,
    "duration": 1.2,
    "populations": {
        "E": {"size": 60, "tau": 0.02, "tau_syn": 0.003, "spiking": {"tau_ref": 0.002}},
        "I": {"size": 20, "tau": 0.01, "tau_syn": 0.002, "spiking": {"tau_ref": 0.001}},
    },
    "connectivity": {"kind": "sparse", "K": 20, "seed": 0},
    "J": {"EE": 0.02, "EI": -0.05, "IE": 0.03, "II": -0.03},
    "J0": {"E": 0.5, "I": 0.25},
}
SWINGS = {
    "dt": 0.001,
    "duration": 3.0,
    "populations": {"E": {"size": 6, "tau": 0.01}},
    "J": {"EE": 0.6},
    "J0": {"E": 8.0},
    "stimuli": [
        {"shape": "array", "over": "time", "values": [8.0, -8.0] * 6, "sample_dt": 0.25, "onset": 0.0}
    ],
}
"""Driven up and down by turns, a quarter of a second each."""
PLAIN = {key: value for key, value in RING.items() if key != "stp"} | {"J": {**RING["J"], "EE": 1.5}}
CASES = {
    "a limit cycle": (OSCILLATOR, {"duration": 2.0}, 1.0),
    "chaos": (CHAOS, {}, 1.0),
    "noise, slow input, thresholds that adapt": (
        PLAIN,
        {
            "duration": 1.2,
            "stimuli": [],
            "nmda": {"ratio": 0.4, "tau": 0.05},
            "populations.E.adaptation": {"tau": 0.1, "strength": 0.2},
            "noise": {"kind": "ou", "sigma": 1.0, "tau": 0.02},
        },
        1.0,
    ),
    "a cue that ends within the window": (PLAIN, {"duration": 0.4}, 0.37),
    "sparse spikes": (SPIKING, {}, 1.0),
}


def run(spec, window, executor, values=None):
    """Return the view of a run and, for each population, the input of every step of the window, (steps, N)."""
    model = Network(spec, device="cpu", precision="double", executor=executor, seed=3)
    points = len(next(iter(values.values()))) if values else 1
    seeds = torch.full((points,), 3, dtype=torch.int64)
    program = model.program(values or {}, points, seeds)
    plan = RecordPlan(
        windows=program_windows(program, window),
        temporal=frozenset({FINAL}),
        samplings=samplings(spec, window, ["convergence"]),
        evidence=True,
    )
    with torch.no_grad():
        recording = choose(executor, program, plan).run(program, initial_state(program), spec.steps, plan)
    return program, View(spec, recording, program)


def course(spec, window, program):
    """Return each neuron's input without its own noise, and its threshold, at every step of the window."""
    model = Network(spec, device="cpu", precision="double", executor="reference", seed=3)
    thresholds = [f"thresholds.{n}" for n, p in spec.populations.items() if p.adaptation is not None]
    record = ["currents", *(["slow"] if spec.nmda is not None else []), *thresholds]
    found = model.simulate(record=record, every=1)
    schedule, wide = External(program), round(window / spec.dt)
    steps = [schedule.at(n) for n in range(spec.steps)]
    totals = {}
    for name, where in model.slices.items():
        recurrent = sum(found[kind][0].to_numpy()[:, where] for kind in record if "." not in kind)
        external = np.stack([np.broadcast_to(s[name][0], recurrent.shape[1]) for s in steps])
        totals[name] = (recurrent + external)[-wide:]
    limits = {n.partition(".")[2]: found[n][0].to_numpy()[-wide:] for n in thresholds}
    return totals, limits


@pytest.mark.parametrize(
    ("case", "executor"),
    [(case, "reference") for case in CASES] + [(case, "trajectory") for case in CASES if case != "chaos"],
)
def test_without_plasticity_means_are_exact_but_for_the_windows_ends(case, executor):
    base, change, window = CASES[case]
    spec = base if isinstance(base, NetworkSpec) else NetworkSpec.parse(base)
    spec = spec.with_values(change)
    program, view = run(spec, window, executor)
    rates = {name: view.profile(name, FINAL) for name in spec.populations}
    ours, (totals, limits) = mean_inputs(view, rates), course(spec, window, program)
    shares = active(view)
    for name, total in totals.items():
        expected = total.mean(axis=0)
        taus = [spec.populations[name].tau_syn, spec.nmda.tau if spec.nmda is not None else 0.0]
        ends = np.abs(total[-1] - total[0]).max() * (max(taus) + spec.dt) / window
        np.testing.assert_allclose(
            np.broadcast_to(ours[name][0], expected.shape), expected, atol=2 * ends + 1e-9
        )
        if case == "chaos":
            assert np.abs(total[-1] - expected).max() > 20 * ends  # what the last step alone would tell
        population = spec.populations[name]
        threshold = limits[name].mean(axis=0) if name in limits else population.threshold
        if population.spiking is not None:
            clear = np.abs(expected - population.spiking.V_threshold) > 2 * ends
            above = expected > population.spiking.V_threshold
        else:
            moved = (
                np.abs(expected - threshold) if case in ("chaos", "a limit cycle") else expected - threshold
            )
            clear, above = np.abs(moved - 1e-3) > 3 * ends, moved > 1e-3
        assert clear.mean() > 0.5
        assert abs(shares[name][0] - above.mean()) <= 1 - clear.mean() + 1e-9


PLASTIC = {
    "depression": {"U": 0.3, "tau_fac": 0.0, "tau_rec": 0.2},
    "facilitation": {"U": 0.1, "tau_fac": 0.4, "tau_rec": 0.0},
    "both": {"U": 0.1, "tau_fac": 0.4, "tau_rec": 0.2},
    "both, exact": {"U": 0.1, "tau_fac": 0.4, "tau_rec": 0.2, "kind": "markram_exp"},
    "neither": {"U": 0.4, "tau_fac": 0.0, "tau_rec": 0.0},
}


@pytest.mark.parametrize("stp", PLASTIC)
def test_neurons_that_swing_alike_send_what_the_balance_of_their_resources_says(stp):
    """At rest at the mean rate depressed synapses would send 2 % more; the balance is within one."""
    spec = NetworkSpec.parse(SWINGS | {"stp": {"EE": PLASTIC[stp]}})
    program, view = run(spec, 2.0, "reference")
    rates = view.profile("E", FINAL)
    (pair,) = program.pairs
    truth = transmitted(spec, "EE", slice(0, 6), 2.0)
    np.testing.assert_allclose(sent(view, pair, rates)[0], truth, rtol=1e-2)
    if stp == "depression":
        assert (0.3 * rates / (1 + 0.06 * rates))[0, 0] / truth[0] > 1.02


@pytest.mark.parametrize("stp", ["depression", "facilitation", "both", "neither"])
def test_plastic_spikes_send_what_the_balance_says(stp):
    """Within 5 %: what the spikes at the two ends of the window leave open."""
    spec = NetworkSpec.parse(merge(SPIKING, {"stp": {"IE": PLASTIC[stp]}, "J0": {"E": 2.5, "I": 0.8}}))
    program, view = run(spec, 1.0, "reference")
    rates = view.profile("E", FINAL)
    assert rates.mean() > 5.0
    (pair,) = (p for p in program.pairs if p.name == "IE")
    truth = transmitted(spec, "IE", slice(0, 60), 1.0)
    assert sent(view, pair, rates).mean() == pytest.approx(truth.mean(), rel=0.05)


def transmitted(spec, pair, pre, window):
    """Return what each neuron of a pair sends, mean over the window, by u, x and r of every step; Hz."""
    model = Network(spec, device="cpu", precision="double", executor="reference", seed=3)
    found = model.simulate(record=["rates", f"stp.{pair}.u", f"stp.{pair}.x"], every=1)
    rates, u, x = (found[name].to_numpy() for name in found.data_vars)
    rates, u, x = rates.squeeze(0)[:, pre], u.reshape(len(found.time), -1), x.reshape(len(found.time), -1)
    if spec.populations[pair[1]].spiking is not None:
        x = x / (1 - u) if spec.stp[pair].tau_rec else x  # what it was before the spike
    return (u[1:] * x[1:] * rates[:-1])[-round(window / spec.dt) :].mean(axis=0)


def test_sparse_plastic_pairs_at_rest_are_exact():
    spec = NetworkSpec.parse(SPARSE).with_values({"duration": 6.0, "J.EE": 1.0})
    program, view = run(spec, 1.0, "trajectory")
    rates = {name: view.profile(name, FINAL) for name in spec.populations}
    ours, (totals, _) = mean_inputs(view, rates), course(spec, 1.0, program)
    for name, total in totals.items():
        np.testing.assert_allclose(ours[name][0], total.mean(axis=0), rtol=1e-6, atol=1e-6)


def test_points_with_windows_of_their_own_are_those_of_runs_alone():
    spec = NetworkSpec.parse(RING).with_values({"duration": 0.4})
    ends = {"stimuli.cue.offset": np.array([0.1, 0.2, 0.35])}
    _, view = run(spec, 0.37, "reference", ends)
    together = mean_inputs(view, {n: view.profile(n, FINAL) for n in spec.populations})
    for i, end in enumerate(ends["stimuli.cue.offset"]):
        _, alone = run(spec.with_values({"stimuli.cue.offset": float(end)}), 0.37, "reference")
        single = mean_inputs(alone, {n: alone.profile(n, FINAL) for n in spec.populations})
        for name in spec.populations:
            torch.testing.assert_close(together[name][i], single[name].expand_as(together[name][:1])[0])
