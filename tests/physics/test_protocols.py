"""Ramps and kicks against closed forms: folds, delays at them, relaxation times, separatrices."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from neuroflame import Network
from neuroflame.spec import NetworkSpec
from neuroflame.theory import homogeneous_states, mean_field
from neuroflame.theory.folds import nearest_fold

TAU = 0.01
COUPLING = 8.0
UNIT = {
    "dt": 0.001,
    "duration": 0.3,
    "populations": {"E": {"size": 1, "tau": TAU}},
    "transfer": "erf",
    "J": {"EE": COUPLING},
    "J0": {"E": -4.0},
}
"""τ dr/dt = −r + Φ(J r + I): folds where J Φ′ = 1, at z = ∓√(2 ln(J/√2π)), I = z − J Φ(z)."""
EXECUTORS = ["reference", "trajectory"]


def model(network, executor="reference"):
    return Network(NetworkSpec.parse(network), device="cpu", precision="double", executor=executor)


def folds(coupling=COUPLING):
    """The input at which the low state ends, and that at which the high one does."""
    z = np.sqrt(2.0 * np.log(coupling / np.sqrt(2.0 * np.pi)))
    return tuple(x - coupling * norm.cdf(x) for x in (-z, z))


# --- ramps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_sigmoidal_unit_jumps_at_its_folds(executor):
    found = model(UNIT, executor).ramp(
        "J0.E", -10.5, 0.5, num=56, hold=0.3, sweep={"J.EE": [6.0, COUPLING]}, initial="cold"
    )
    for point, coupling in enumerate([6.0, COUPLING]):
        for jump, error, fold in zip(
            found["jump"].values[point], found["jump.error"].values[point], folds(coupling), strict=True
        ):
            assert error <= 0.3  # half the spacing, or more where the unit still moves at a level
            assert abs(jump - fold) <= error
        width = folds(coupling)[0] - folds(coupling)[1]
        assert abs(found["width"].values[point] - width) <= found["width.error"].values[point]
    assert found["rate.E.mean"].dims == ("point", "direction", "level")
    assert found["J0.E"].values[[0, -1]].tolist() == [-10.5, 0.5]


def test_each_level_is_a_steady_state_of_its_value():
    found = model(UNIT).ramp(
        "J0.E", -7.75, -0.75, num=15, hold=0.3, initial="cold"
    )  # no level is near a fold
    for direction in ("up", "down"):
        for level in range(15):
            rate = float(found["rate.E.mean"].sel(direction=direction)[0, level])
            value = float(found["J0.E"][level])
            assert rate == pytest.approx(norm.cdf(COUPLING * rate + value), abs=1e-3)


def test_the_delay_at_a_fold_grows_as_the_rate_to_two_thirds():
    """At a fold y′ = a r t + b y², which escapes at a δ = 2.338 (a r)^⅔ b^−⅓, −2.338 the first zero of Ai."""
    z = np.sqrt(2.0 * np.log(COUPLING / np.sqrt(2.0 * np.pi)))
    a, b = 1.0 / (COUPLING * TAU), 0.5 * COUPLING**2 * (z / COUPLING) / TAU
    fold = folds()[0]
    delays = {}
    for rate in (0.25, 2.0):
        expected = 2.338 * (a * rate) ** (2 / 3) * b ** (-1 / 3) / a
        span = 4.0 * expected
        found = model(UNIT).ramp(
            "J0.E", fold - 0.5 * span, fold + span, num=25, rate=rate, pieces=3, initial="cold"
        )
        # One way back is not enough for a loop: the jump is read off the way there.
        up = found["rate.E.mean"].sel(direction="up")[0].values
        at = float(np.interp(0.5, up, found["J0.E"].values))
        delays[rate] = at - fold
        assert delays[rate] == pytest.approx(expected, rel=0.2)
    assert delays[2.0] / delays[0.25] == pytest.approx(4.0, rel=0.15)


FACILITATING = {
    "dt": 0.001,
    "duration": 2.0,
    "populations": {"E": {"size": 4, "tau": 0.02, "threshold": 1.0}},
    "J": {"EE": 4.0},
    "stp": {"EE": {"U": 0.05, "tau_fac": 1.0, "tau_rec": 0.1}},
}


@pytest.mark.parametrize("precision", ["exact", "double"])
def test_facilitation_makes_two_states_between_the_folds_that_theory_finds(precision):
    def count(value):
        spec = NetworkSpec.parse(FACILITATING | {"J0": {"E": value}})
        return len(homogeneous_states(mean_field(spec, spec.get)).rates)

    expected = [1.0 + nearest_fold(count, 1.0, 1.0, 3.0), 1.0 + nearest_fold(count, 1.0, -1.0, 1.0)]
    network = NetworkSpec.parse(FACILITATING | {"J0": {"E": 0.0}})
    found = Network(network, device="cpu", executor="trajectory", precision=precision).ramp(
        "J0.E", -1.0, 3.0, num=41, hold=12.0, initial="cold"
    )
    assert (found["jump.error"].values <= 0.2).all()  # the low state slows down as it nears its fold
    assert (np.abs(found["jump"].values[0] - expected) <= found["jump.error"].values[0]).all()


def test_a_linear_network_has_no_loop():
    linear = {**UNIT, "transfer": "relu", "J": {"EE": 0.5}}
    found = model(linear).ramp("J0.E", 1.0, 3.0, num=5, hold=0.3)
    assert found["width"].values.tolist() == [0.0]
    assert found["area"].values.tolist() == [0.0]
    assert np.isnan(found["jump"].values).all()
    assert found["rate.E.mean"].sel(direction="down")[0].values == pytest.approx(
        found["J0.E"].values * 2, rel=1e-4
    )


def test_a_loop_that_does_not_close_has_no_width():
    found = model(UNIT).ramp(
        "J0.E", -5.0, -0.5, num=46, hold=0.3, initial="cold"
    )  # the high state is never left
    up, down = found["jump"].values[0]
    assert abs(up - folds()[0]) <= found["jump.error"].values[0, 0]
    assert np.isnan(down)
    assert np.isnan(found["width"].values[0])
    assert found["area"].values[0] > 2.5


# --- kicks ------------------------------------------------------------------------------------------------


def abscissa(coupling, tau=0.02, dt=0.001):
    """ln μ/dt of the step r ← e r + (1 − e) J r."""
    decay = np.exp(-dt / tau)
    return np.log(decay + (1.0 - decay) * coupling) / dt


LINEAR = {
    "dt": 0.001,
    "duration": 2.0,
    "populations": {"E": {"size": 8, "tau": 0.02}},
    "J": {"EE": 0.5},
    "J0": {"E": 5.0},
}


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("options", [{"add": 1.0}, {"factor": 1.1}])
def test_a_linear_network_recovers_by_its_spectral_abscissa(executor, options):
    couplings = [-1.0, 0.5, 0.8]
    found = model(LINEAR, executor).perturb("rates", sweep={"J.EE": couplings}, **options)
    expected = [-1.0 / abscissa(coupling) for coupling in couplings]
    assert found["recovery.time"].tolist() == pytest.approx(expected, rel=1e-6)
    assert found["recovery.returned"].tolist() == [True] * 3
    half = model(LINEAR, executor).perturb("rates", sweep={"J.EE": couplings}, tolerance=0.5, **options)
    assert half["recovery.time"].tolist() == pytest.approx([t * np.log(2) for t in expected], rel=1e-6)


def test_what_neurons_do_not_share_decays_with_their_own_time_constant():
    found = model(LINEAR | {"populations": {"E": {"size": 400, "tau": 0.02}}}).perturb("random", size=0.1)
    assert found["recovery.time"][0] == pytest.approx(0.02, rel=0.05)
    assert found["recovery.peak"][0] == pytest.approx(0.1 * 10.0, rel=0.1)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_kick_over_the_separatrix_does_not_return(executor):
    def flow(rate):
        return norm.cdf(COUPLING * rate - 4.0) - rate

    low = brentq(flow, 0.0, 0.01)
    saddle = brentq(flow, 0.3, 0.7)
    for above, expected in ((-0.01, True), (0.01, False)):
        found = model(UNIT | {"duration": 1.0}, executor).perturb(
            "rates", add=saddle - low + above, duration=0.6, initial="cold"
        )
        assert found["recovery.returned"].tolist() == [expected]
        assert np.isfinite(found["recovery.time"][0]) == expected
        assert (found["recovery.difference"][0] < 0.02) == expected


RING = {
    "dt": 0.001,
    "duration": 2.0,
    "populations": {"E": {"size": 100, "tau": 0.02}},
    "transfer": "erf",
    "connectivity": {"profile": {"kind": "cosine", "kappa": 4.0}},
    "J": {"EE": 2.0},
    "J0": {"E": -1.0},
    "stimuli": [{"shape": "cosine", "onset": 0.2, "offset": 0.5, "strength": 2.0, "phase": 90.0}],
}


@pytest.mark.parametrize("angle", [36.0, -20.5, 170.0])
def test_a_ring_does_not_take_back_the_displacement_of_its_bump(angle):
    found = model(RING).perturb("rotation", angle=angle, initial="cued")
    assert found["recovery.phase"][0] == pytest.approx(angle, abs=0.02)
    assert found["recovery.returned"].tolist() == [True]
    assert found["recovery.difference"][0] < 1e-3
    if angle == 36.0:  # ten neurons: nothing is interpolated
        assert found["recovery.time"][0] == 0.0
        assert found["recovery.peak"][0] < 1e-9


def test_a_bump_that_is_deformed_comes_back_elsewhere():
    """Neurons at one side are kicked: the bump recovers its shape, displaced."""
    found = model(RING).perturb(
        "rates",
        add=0.5,
        fraction=0.2,
        initial="cued",
        sweep={"J.EE": [2.0] * 3},
        seeds=[0, 1, 2],
        pairwise=True,
    )
    assert found["recovery.returned"].tolist() == [True] * 3
    assert (found["recovery.time"] > 0.005).all()
    assert (found["recovery.phase"].abs() > 0.05).all()
    assert found["recovery.phase"].nunique() == 3  # each seed kicks other neurons


def test_depleted_synapses_recover_by_their_own_time_constant():
    weak = FACILITATING | {
        "J": {"EE": 0.01},
        "J0": {"E": 2.0},
        "stp": {"EE": {"U": 0.2, "tau_fac": 0.0, "tau_rec": 0.4}},
    }
    found = model(weak).perturb("stp", x=0.0, tolerance=0.01)
    # x relaxes with 1/τ = 1/τ_rec + U r; the rate follows what is transmitted, which is all but linear in x
    rate = 1.0 / (1.0 / 0.4 + 0.2 * 1.0)
    assert found["recovery.time"][0] == pytest.approx(rate * np.log(100.0), rel=0.05)


def test_a_noisy_network_is_followed_beside_itself_with_the_same_noise():
    noisy = LINEAR | {"noise": {"kind": "ou", "sigma": 0.5, "tau": 0.1}}
    found = model(noisy).perturb("rates", add=1.0)
    expected = -1.0 / abscissa(0.5)
    assert found["recovery.time"][0] == pytest.approx(expected, rel=1e-6)  # linear: the noise drops out
