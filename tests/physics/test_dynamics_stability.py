"""Fixed points, eigenvalues and branches of networks that can be solved on paper."""

import numpy as np
import pytest
import torch
from scipy import special
from scipy.optimize import brentq, minimize_scalar

from neuroflame import Network
from neuroflame.core.connectivity.ring import RingOperator
from neuroflame.core.dynamics import StepMap, solve, spectrum
from neuroflame.errors import SimulationError, SpecError
from neuroflame.spec import NetworkSpec
from neuroflame.spec.dynamics import SpectrumOptions
from tests.networks import FACILITATING, PAIR, RING, coupling
from tests.physics.helpers import build, ensemble_of

W = np.array([[1.5, -2.0], [1.2, -0.5]])
DRIVE = np.array([2.0, 0.4])  # less the threshold


def pair_map():
    """The matrix of one step of PAIR's population means: rates E, I, then currents E, I."""
    e = np.diag(np.exp(-0.001 / np.array([0.02, 0.01])))
    s = np.diag(np.exp(-0.001 / np.array([0.005, 0.008])))
    one = np.eye(2)
    currents = np.hstack([(one - s) @ W, s])
    rates = np.hstack([e, np.zeros((2, 2))]) + (one - e) @ currents
    return np.vstack([rates, currents])


def test_fixed_point_of_a_linear_pair():
    found = build(PAIR).fixed_points()
    assert len(found.table) == 1
    rates = np.linalg.solve(np.eye(2) - W, DRIVE)
    assert found.table.loc[0, ["rate.E.mean", "rate.I.mean"]].to_list() == pytest.approx(rates, rel=1e-9)
    assert found.table["residual"][0] < 1e-9
    assert found.table.attrs["units"]["rate.E.mean"] == "Hz"
    later = build(PAIR)(initial=found.state(0), steps=50)
    torch.testing.assert_close(later[0, -1], later[0, 0], rtol=1e-9, atol=0)


def test_eigenvalues_of_a_linear_pair():
    found = build(PAIR).spectrum(k=14)
    means = np.linalg.eigvals(pair_map())
    free = [
        np.exp(-0.001 / tau) for tau, n in ((0.02, 3), (0.01, 2), (0.005, 3), (0.008, 2)) for _ in range(n)
    ]
    expected = np.sort_complex(np.concatenate([means, free]))
    np.testing.assert_allclose(np.sort_complex(found.eigenvalues[0]), expected, atol=1e-9)
    assert found.alpha[0] == pytest.approx(np.log(np.abs(expected).max()) / 0.001, rel=1e-8)


def test_a_pair_of_complex_eigenvalues_is_a_focus():
    found = build(PAIR).spectrum({"J.EI": [-3.0, -4.0]})
    assert found.classify() == ["stable focus", "unstable focus"]
    assert found.unstable("complex").tolist() == [0, 2]
    turn = found.eigenvalues[0, 0]
    assert found.alpha_frequency[0] == pytest.approx(abs(np.angle(turn)) / (2 * np.pi * 0.001))


def oscillator(**overrides):
    base = {**PAIR, "dt": 0.0001, "J0": {"E": 2.0, "I": 1.0}}
    populations = {
        "E": {"size": 4, "tau": 0.02, "tau_syn": 0.01},
        "I": {"size": 3, "tau": 0.02, "tau_syn": 0.01},
    }
    return build(
        {**base, "populations": populations, "J": {"EE": 1.5, "EI": -0.5, "IE": 4.0, "II": -0.5}}, **overrides
    )


def hopf(low, high):
    """J.EI of the Hopf of `oscillator` in continuous time, and its frequency: det((1 + λτ)(1 + λτ_syn) − W) = 0."""

    def growth(strength):
        roots = []
        for w in np.linalg.eigvals(np.array([[1.5, strength], [4.0, -0.5]])):
            roots += list(np.roots([0.02 * 0.01, 0.03, 1.0 - w]))
        return max(roots, key=lambda root: root.real)

    strength = brentq(lambda s: growth(s).real, low, high)
    return strength, abs(growth(strength).imag) / (2 * np.pi)


def test_hopf_of_a_pair_with_synaptic_delays():
    strength, frequency = hopf(-1.5, -0.5)
    model = oscillator()
    branch = model.continue_state("J.EI", -1.5, start=model.fixed_points().state(0), longest=0.2).table
    (event,) = branch[branch["event"] == "hopf"].to_dict("records")
    assert event["J.EI"] == pytest.approx(strength, rel=0.01)
    assert event["frequency"] == pytest.approx(frequency, rel=0.02)
    assert event["error"] < 1e-4
    before, after = (branch[(branch["J.EI"] > event["J.EI"]) == side].iloc[-1] for side in (True, False))
    assert (before["kind"], after["kind"]) == ("stable focus", "unstable focus")
    assert branch["event"].iloc[-1] == "end"
    assert branch["J.EI"].iloc[-1] == -1.5


@pytest.mark.parametrize("step", [0.02, 1.0])
def test_a_growing_pair_that_becomes_two_real_eigenvalues_is_no_event(step):
    """A saturating pair whose unstable focus is a node before it folds, met in steps that are short or long."""
    populations = {"E": {"size": 1, "tau": 0.02}, "I": {"size": 1, "tau": 0.01}}
    model = build(
        {
            "dt": 0.001,
            "duration": 1.0,
            "transfer": "erf",
            "populations": {name: {**given, "rate_max": 10.0} for name, given in populations.items()},
            "J": {"EE": 0.45, "EI": -0.5, "IE": 0.6},
            "J0": {"E": -1.25, "I": -3.0},
        }
    )
    branch = model.continue_state(
        "J.EE", 1.0, start=model.fixed_points().state(0), step=step, longest=max(step, 0.1)
    ).table
    events = branch[branch["event"] != ""]
    assert events["event"].tolist() == ["start", "hopf", "fold"]
    assert (branch["kind"] == "saddle").sum() <= 1  # the fold itself
    assert events["J.EE"].tolist()[1:] == pytest.approx([0.676526, 0.885624], abs=2e-6)


def test_beyond_the_hopf_the_network_oscillates_at_its_frequency():
    strength, frequency = hopf(-1.5, -0.5)
    model = oscillator(duration=1.0, executor="reference", **{"J.EI": strength * 1.02})
    rates = model.simulate(every=1)["rates"][0, 3000:, 0].to_numpy()
    swing = rates - rates.mean()
    ups = np.flatnonzero((swing[:-1] < 0) & (swing[1:] >= 0))
    assert 1e4 / np.diff(ups).mean() == pytest.approx(frequency, rel=0.02)


def test_three_states_of_a_facilitating_population():
    """Two stable states and the saddle between them: r = [J u x r + I]+."""
    found = build(FACILITATING).fixed_points().table
    border = minimize_scalar(lambda r: coupling(r, -1.0), bounds=(1.0, 100.0), method="bounded").x
    low, high = (
        brentq(lambda r: coupling(r, -1.0) - 5.0, *ends) for ends in ((1e-3, border), (border, 200.0))
    )
    assert found["rate.E.mean"].to_list() == pytest.approx([0.0, low, high], abs=1e-9)
    assert found["kind"].to_list() == ["stable node", "saddle", "stable node"]
    assert found["unstable"].to_list() == [0, 1, 0]
    assert (found["residual"] < 1e-9).all()


def test_fold_of_the_active_state():
    model = build(FACILITATING)
    start = model.fixed_points().state(-1)
    border = minimize_scalar(lambda r: coupling(r, -1.0), bounds=(1.0, 100.0), method="bounded")
    branch = model.continue_state("J.EE", 2.0, start=start)
    last = branch.table.iloc[-1]
    assert last["event"] == "fold"
    assert last["J.EE"] == pytest.approx(border.fun, rel=1e-5)
    assert last["rate.E.mean"] == pytest.approx(border.x, rel=0.01)
    assert last["alpha"] == pytest.approx(0.0, abs=0.02)
    assert last["error"] < 1e-5


def test_both_folds_of_a_driven_population():
    """With a little drive the silent state has a fold too, and the branch is an S."""
    drive = 0.05
    model = build(FACILITATING, **{"J0.E": drive, "J.EE": 2.0})
    rate = np.logspace(np.log10(1.0001 * drive), 2, 4000)
    curve = coupling(rate, drive)
    turns = np.flatnonzero(np.diff(np.sign(np.diff(curve)))) + 1
    assert len(turns) == 2
    start = model.fixed_points().state(0)
    branch = model.continue_state("J.EE", 14.0, start=start, folds=2).table
    folds = branch[branch["event"] == "fold"]
    assert folds["J.EE"].to_list() == pytest.approx(list(curve[turns]), rel=0.01)
    assert branch["event"].iloc[-1] == "end"
    between = branch.iloc[folds.index[0] + 1 : folds.index[1]]
    assert len(between) > 3
    assert (between["unstable"] == 1).all()
    outside = branch.drop(index=[*between.index, *folds.index])
    assert (outside["unstable"] == 0).all()


def test_a_linear_population_diverges_where_its_gain_is_one():
    model = build({**FACILITATING, "stp": {}, "J0": {"E": 1.0}, "J": {"EE": 0.5}}, rate_limit=200.0)
    branch = model.continue_state("J.EE", 2.0, start=model.fixed_points().state(0), longest=0.5).table
    assert branch["event"].iloc[-1] == "diverged"
    assert branch["J.EE"].iloc[-1] == pytest.approx(1.0 - 1.0 / 200.0, abs=0.003)


def test_homogeneous_state_and_bump_of_the_ring():
    """Mode 1 of the homogeneous state grows as (J κ/2 − 1)/τ, twice (Ben-Yishai et al. 1995)."""
    found = build(RING).fixed_points().table
    assert found["kind"].to_list() == ["saddle", "stable node"]
    flat, bump = found.to_dict("records")
    assert flat["unstable"] == 2
    step = 1 + (1 - np.exp(-0.05)) * (0.6 * 4.0 / 2 - 1)
    assert flat["alpha"] == pytest.approx(np.log(step) / 0.001, rel=1e-6)
    assert np.isnan(flat["alpha.goldstone"])
    assert abs(bump["alpha.goldstone"]) < 5 / (64 * 0.02)
    assert bump["alpha"] < -1.0
    assert bump["bump.E.m1"] > 1.0


def test_the_bump_has_its_alpha_from_the_explicit_jacobian():
    ensemble = ensemble_of(RING)
    step_map = StepMap(ensemble.quiet(), at=1000)
    theta = 2 * np.pi * np.arange(64) / 64
    rates = torch.as_tensor(np.maximum(4.0 + 5.0 * np.cos(theta), 0.0))[None]
    begin = torch.cat([rates, torch.zeros_like(rates)], dim=1)
    found = solve(ensemble, torch.zeros(1, dtype=torch.int64), begin, at=1000)
    assert bool(found.converged[0])
    modes = spectrum(
        ensemble, torch.zeros(1, dtype=torch.int64), found.flat, at=1000, options=SpectrumOptions(k=4)
    )
    exact = np.linalg.eigvals(step_map.jacobian(found.flat)[0].numpy())
    exact = exact[np.argsort(-np.abs(exact))][:4]
    np.testing.assert_allclose(np.abs(modes.eigenvalues[0]), np.abs(exact), atol=1e-9)
    assert modes.goldstone[0].tolist() == [True, False, False, False]
    assert modes.alpha[0] == pytest.approx(np.log(abs(exact[1])) / 0.001, rel=1e-6)


def test_the_branch_of_bumps_ends_where_mode_one_grows_no_more():
    """Threshold-linear bumps with a cosine profile exist above J = 2/κ only."""
    model = build(RING, **{"populations.E.size": 32})
    branch = model.continue_state("J.EE", 0.3, start=model.fixed_points().state(-1), longest=0.3).table
    assert branch["event"].iloc[-1] in {"fold", "lost"}
    assert branch["J.EE"].iloc[-1] == pytest.approx(0.5, rel=0.01)


def test_large_networks_without_a_full_basis():
    """900 neurons, sparse and disordered: leading eigenvalues against the explicit Jacobian."""
    base = {
        "dt": 0.001,
        "duration": 0.1,
        "populations": {"E": {"size": 300, "tau": 0.02}},
        "connectivity": {"kind": "sparse", "K": 20},
        "J": {"EE": 0.15},
        "J0": {"E": 1.0},
        "transfer": "tanh",
    }
    ensemble = ensemble_of(base)
    owner = torch.zeros(1, dtype=torch.int64)
    begin = torch.zeros(1, 600, dtype=torch.float64)
    found = solve(ensemble, owner, begin, at=100)
    assert bool(found.converged[0])
    modes = spectrum(ensemble, owner, found.flat, at=100, options=SpectrumOptions(k=3, basis=30))
    exact = np.linalg.eigvals(StepMap(ensemble.quiet(), at=100).jacobian(found.flat)[0].numpy())
    exact = exact[np.argsort(-np.abs(exact))][:3]
    np.testing.assert_allclose(np.abs(modes.eigenvalues[0]), np.abs(exact), atol=1e-6)
    assert (modes.errors[0] < 1e-5).all()


def test_input_is_held_at_the_time_asked_for():
    stimulus = {"shape": "cosine", "onset": 0.1, "offset": 0.2, "strength": 1.0, "width": 0.0}
    model = build(PAIR, stimuli=[stimulus])
    rates = [model.fixed_points(time=time).table["rate.E.mean"][0] for time in (0.05, 0.15)]
    expected = [np.linalg.solve(np.eye(2) - W, DRIVE + np.array([extra, 0.0]))[0] for extra in (0.0, 1.0)]
    assert rates == pytest.approx(expected, rel=1e-9)


def test_what_cannot_be_continued_is_refused():
    model = build(FACILITATING)
    start = model.fixed_points().state(-1)
    with pytest.raises(SpecError, match=r"populations.E.size: is structural"):
        model.continue_state("populations.E.size", 8, start=start)
    with pytest.raises(SimulationError, match="must differ from the value to begin with"):
        model.continue_state("J.EE", 5.0, start=start)
    with pytest.raises(SimulationError, match="must be one state of one point"):
        model.continue_state("J.EE", 4.0, start=model.fixed_points().states)
    with pytest.raises(SimulationError, match="is not a row, got 7"):
        model.fixed_points().state(7)
    with pytest.raises(SpecError, match=r"randon: is not a known key \(did you mean 'random'"):
        model.fixed_points(randon=3)
    growing = build({**FACILITATING, "stp": {}, "J": {"EE": 2.0}, "J0": {"E": 1.0}}, executor="reference")
    with pytest.raises(SimulationError, match="no fixed point near the state"):
        growing.continue_state("J.EE", 3.0, start=growing.simulate(duration=0.01, return_state=True)[1])


def test_operators_of_ones_own():
    """A rank-one operator with a known eigenvalue."""
    base = {**PAIR, "populations": {"E": {"size": 6, "tau": 0.02}}, "J": {"EE": 0.3}, "J0": {"E": 1.0}}
    ensemble = ensemble_of(base, operators={"EE": RingOperator(6, 6)})
    owner = torch.zeros(1, dtype=torch.int64)
    found = solve(ensemble, owner, torch.ones(1, 12, dtype=torch.float64), at=0)
    modes = spectrum(ensemble, owner, found.flat, at=0, options=SpectrumOptions(k=1))
    step = np.exp(-0.05) + 0.3 * (1 - np.exp(-0.05))
    assert modes.alpha[0] == pytest.approx(np.log(step) / 0.001, rel=1e-9)


@pytest.mark.parametrize(("size", "rtol"), [(40, 1e-9), (90, 1e-5)])
def test_slow_modes_that_cluster(size, rtol):
    """Strong adaptation and slow synapses: many eigenvalues of almost one modulus, more than the subspace holds."""
    dt, tau, slow, adapt = 0.001, 0.02, 0.1, 0.3
    weights = np.random.default_rng(1).normal(size=(size, size)) * 0.6 / np.sqrt(size)
    weights -= weights.mean(axis=1, keepdims=True)
    spec = {
        "dt": dt,
        "duration": 0.2,
        "populations": {
            "E": {
                "size": size,
                "tau": tau,
                "threshold": -1000.0,
                "tau_syn": 0.005,
                "adaptation": {"tau": adapt, "strength": 0.5},
            }
        },
        "J": {"EE": 1.0},
        "J0": {"E": 1.0},
        "nmda": {"ratio": 0.3, "tau": slow},
    }
    model = Network(NetworkSpec.parse(spec), device="cpu", precision="double", connectivity={"EE": weights})
    found = model.spectrum(start="network")
    r, s, n, a = (np.exp(-dt / t) for t in (tau, 0.005, slow, adapt))
    one, none = np.eye(size), np.zeros((size, size))
    fast, lasting = (1 - s) * weights, (1 - n) * 0.3 * weights
    rates = [r * one + (1 - r) * (fast + lasting), (1 - r) * s * one, (1 - r) * n * one, -(1 - r) * one]
    theta = [(1 - a) * 0.5 * part for part in rates]
    theta[3] = theta[3] + a * one
    step = np.block([rates, [fast, s * one, none, none], [lasting, none, n * one, none], theta])
    expected = np.log(np.abs(np.linalg.eigvals(step)).max()) / dt
    assert found.alpha[0] == pytest.approx(expected, rel=rtol)
    assert found.alpha_error[0] < 1e-3


def test_more_eigenvalues_than_directions_are_undefined():
    """A neuron without synapses: one slow direction, and the recurrent input that is 0 after a step."""
    base = {"duration": 0.1, "populations": {"E": {"size": 1, "tau": 0.02}}, "J0": {"E": 1.0}}
    found = build(base).spectrum(k=4, newton=False, start="cold")
    assert found.growth[0, 0] == pytest.approx(-50.0)
    assert found.growth[0, 1] < -30000.0  # 0 but for rounding
    assert np.isnan(found.growth[0, 2:]).all()
    assert found.alpha_error[0] < 1e-9


SIGNED = {
    "dt": 0.005,
    "duration": 1.0,
    "populations": {"E": {"size": 1, "tau": 0.1}},
    "transfer": "tanh",
    "J": {"EE": 2.0},
    "J0": {"E": 0.0},
}


@pytest.mark.parametrize(
    ("transfer", "shape"), [("tanh", np.tanh), ("erf_odd", lambda x: special.erf(x * np.sqrt(np.pi) / 2))]
)
def test_fixed_points_of_both_signs(transfer, shape):
    """r = f(2r + I) has three solutions at I = 0 and I = 0.1: both nodes are found, and the saddle between them."""
    drives = [0.0, 0.1]
    found = build(SIGNED, transfer=transfer).fixed_points({"J0.E": drives}).table
    for point, drive in enumerate(drives):
        own = found[found["point"] == point]
        expected = [
            brentq(lambda r, i=drive: shape(2 * r + i) - r, *ends)
            for ends in ((-1.1, -0.6), (-0.4, 0.3), (0.6, 1.1))
        ]
        assert own["rate.E.mean"].to_list() == pytest.approx(expected, abs=1e-7)
        assert own["kind"].to_list() == ["stable node", "saddle", "stable node"]


def test_bumps_of_both_signs_are_no_turned_copies():
    """A bump around a mean and its negative around minus the mean have the same Fourier amplitudes."""
    base = {
        **SIGNED,
        "populations": {"E": {"size": 32, "tau": 0.1}},
        "connectivity": {"profile": {"kind": "cosine", "kappa": 2.4}},
    }
    found = build(base).fixed_points().table
    means = found["rate.E.mean"].to_numpy()
    assert len(means) == 5
    np.testing.assert_allclose(means, -means[::-1], atol=1e-6)
    assert (found["bump.E.m1"] > 0.1).to_list() == [False, True, False, True, False]
