"""What the legacy importer needs of every executor: dt/τ weights, thresholds from zero, lagged plasticity."""

import numpy as np
import pytest
import torch

from neuroflame import Network
from neuroflame.core.reference import initial_state
from neuroflame.errors import SpecError
from neuroflame.physics.dynamics import stp_step, stp_step_lagged
from neuroflame.spec import NetworkSpec

NET = {
    "dt": 0.001,
    "duration": 0.1,
    "integrator": "dt_over_tau",
    "populations": {
        "E": {"size": 24, "tau": 0.02, "tau_syn": 0.004, "threshold": 0.3},
        "I": {"size": 16, "tau": 0.01, "tau_syn": 0.002, "gain": 1.2},
    },
    "connectivity": {"profile": {"kind": "cosine", "kappa": {"EE": 0.8, "EI": 0.3, "IE": 0.5, "II": 0.2}}},
    "J": {"EE": 2.0, "EI": -1.0, "IE": 1.5, "II": -0.7},
    "J0": {"E": 1.0, "I": 0.8},
    "stp": {"EE": {"kind": "markram_lagged", "U": 0.2, "tau_fac": 0.3, "tau_rec": 0.1}},
    "nmda": {"ratio": 0.5, "tau": {"E": 0.05, "I": 0.03}},
    "initial": {"kind": "normal"},
}
ADAPTIVE = {"populations.E.adaptation": {"tau": 0.05, "strength": 0.1, "relative_to": "zero"}}
CHANGES = {
    "ring": {},
    "instantaneous rates": {"populations.E.tau": 0.0, "populations.I.tau_syn": 0.0, "nmda.tau": 0.05},
    "adaptive": ADAPTIVE,
    "sparse": {"connectivity.kind": "sparse", "connectivity.K": 6},
}


def dt_over_tau(spec, program):
    """Step the equations in plain NumPy, float64, from the program's connectivity and start."""
    start, names = initial_state(program), list(spec.populations)
    dense = {pair.name: pair.operator.to_dense().numpy() for pair in program.pairs}
    scale = {pair.name: pair.K**0.5 if pair.K else spec.populations[pair.pre].size for pair in spec.pairs}
    weight = {name: spec.J[name] * matrix / scale[name] for name, matrix in dense.items()}
    external = {a: spec.external_scale * spec.M0 * spec.J0[a] for a in names}

    def ratio(tau):
        return spec.dt / tau if tau else 1.0

    def decay(tau):
        return np.exp(-spec.dt / tau) if tau else 0.0

    r, h, g = ({a: group[a][0].numpy() for a in names} for group in (start.rates, start.currents, start.slow))
    u, x = start.u["EE"][0].numpy(), start.x["EE"][0].numpy()
    theta = {a: np.full(p.size, p.threshold) for a, p in spec.populations.items()}
    stp, nmda = spec.stp["EE"], spec.nmda
    found = []
    for _ in range(spec.steps):
        before = u
        x = x + spec.dt * ((1 - x) / stp.tau_rec - u * x * r["E"])
        u = u + spec.dt * ((stp.U - u) / stp.tau_fac + stp.U * (1 - u) * r["E"])
        sent = {"EE": before * x * r["E"]}
        part = {(a, b): weight[a + b] @ sent.get(a + b, r[b]) for a in names for b in names}
        for a in names:
            p = spec.populations[a]
            tau_slow = nmda.tau[a] if isinstance(nmda.tau, dict) else nmda.tau
            h[a] = h[a] * decay(p.tau_syn) + (part[a, "E"] + part[a, "I"]) * ratio(p.tau_syn)
            g[a] = g[a] * decay(tau_slow) + nmda.ratio * part[a, "E"] * ratio(tau_slow)
        for a in names:
            p = spec.populations[a]
            goal = np.maximum(p.gain * (external[a] + h[a] + g[a] - theta[a]), 0)
            r[a] = r[a] * decay(p.tau) + goal * ratio(p.tau)
            if p.adaptation:
                old = decay(p.adaptation.tau)
                theta[a] = theta[a] * old + p.adaptation.strength * r[a] * (1 - old)
        found.append(np.concatenate([r[a] for a in names]))
    return np.array(found)


@pytest.mark.parametrize("executor", ["reference", "trajectory"])
@pytest.mark.parametrize("name", CHANGES)
def test_dt_over_tau_is_what_it_says(name, executor):
    spec = NetworkSpec.parse(NET).with_values(CHANGES[name])
    model = Network(spec, device="cpu", precision="double", executor=executor)
    expected = dt_over_tau(spec, model.program({}, 1, torch.zeros(1, dtype=torch.int64)))
    np.testing.assert_allclose(model()[0].numpy(), expected, rtol=1e-9, atol=1e-9)


def test_the_start_is_not_weighted():
    start = Network(NetworkSpec.parse(NET), device="cpu", precision="double")(steps=1, every=1)
    exact = Network(NetworkSpec.parse(NET | {"integrator": "exponential"}), device="cpu", precision="double")(
        steps=1
    )
    assert abs(start - exact).max() < 0.1 * exact.max()  # one step's weight apart, dt/2τ of the goal


def test_steady_rates_are_too_high_by_the_weights():
    one = {"dt": 0.001, "duration": 1.0, "populations": {"E": {"size": 1, "tau": 0.004}}, "J0": {"E": 1.0}}
    last = [
        float(
            Network(NetworkSpec.parse(one | {"integrator": kind}), device="cpu", precision="double")()[
                0, -1, 0
            ]
        )
        for kind in ("exponential", "dt_over_tau")
    ]
    assert last == pytest.approx([1.0, 0.25 / -np.expm1(-0.25)], abs=1e-12)


def test_a_silent_threshold_relaxes_to_zero_or_to_rest():
    one = {
        "dt": 0.001,
        "duration": 2.0,
        "populations": {"E": {"size": 1, "threshold": 1.0}},
        "J0": {"E": 0.5},
    }
    for relative_to, expected in (("threshold", 0.0), ("zero", 0.5)):
        adaptation = {"tau": 0.05, "strength": 0.0, "relative_to": relative_to}
        spec = NetworkSpec.parse(one).with_values({"populations.E.adaptation": adaptation})
        assert float(Network(spec, device="cpu")()[0, -1, 0]) == pytest.approx(expected, abs=1e-6)


def test_lagged_plasticity_transmits_with_the_utilisation_before_the_step():
    arguments = (0.3, 0.8, 10.0, 0.2, 0.001, 0.001, 0.005, 0.001)
    u, x, _ = stp_step(*arguments)
    assert stp_step_lagged(*arguments) == (u, x, 0.3 * x * 10.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nmda": {"tau": {"E": 0.1}}}, "nmda.tau: must have a value for each population"),
        ({"nmda": {"tau": -0.1}}, "nmda.tau: must be at least 0"),
        ({"nmda": {"tau": {"E": 0.1, "I": 0.1, "X": 1.0}}}, "nmda.tau.X: is not a population"),
        ({"integrator": "euler"}, "integrator: must be one of 'exponential' or 'dt_over_tau'"),
    ],
)
def test_wrong_values_are_refused(change, message):
    with pytest.raises(SpecError, match=message):
        NetworkSpec.parse(NET | change)
