"""Variance and correlation time of the noise, whatever dt."""

import numpy as np
import pytest

from tests.physics.helpers import single

SIGMA = 0.3


def stationary(dt, noise, tau=0.02):
    model = single(
        dt=dt,
        duration=0.6,
        seed=3,
        **{"populations.E": {"size": 4000, "tau": tau, "threshold": -200.0}, "noise": noise},
    )
    return model(every=max(1, round(0.2 / dt)))[0, -2:].numpy() - 201.0


@pytest.mark.parametrize("dt", [0.0005, 0.001, 0.002])
def test_white_noise_on_the_input_of_a_linear_neuron(dt):
    """Exponential Euler on σ/√dt: variance (1−e)/(1+e) σ²/dt, which is σ²/2τ up to O(dt²)."""
    rates = stationary(dt, {"kind": "white", "sigma": SIGMA})
    assert float(rates.var()) == pytest.approx(SIGMA**2 / (2 * 0.02), rel=0.05)


@pytest.mark.parametrize("dt", [0.0005, 0.001, 0.002])
def test_white_noise_on_the_rates_is_a_diffusion(dt):
    """Variance σ² dt/(1 − e²): σ²τ/2 up to O(dt)."""
    rates = stationary(dt, {"kind": "white", "on": "rates", "sigma": SIGMA})
    assert float(rates.var()) == pytest.approx(SIGMA**2 * dt / (1 - np.exp(-2 * dt / 0.02)), rel=0.05)
    assert float(rates.var()) == pytest.approx(SIGMA**2 * 0.02 / 2, rel=0.15)


@pytest.mark.parametrize("dt", [0.0005, 0.002])
def test_ornstein_uhlenbeck_noise_has_its_variance_and_correlation_time(dt):
    model = single(
        dt=dt,
        duration=0.2,
        **{
            "populations.E": {"size": 4000, "tau": 0.0, "threshold": -200.0},
            "noise": {"kind": "ou", "sigma": SIGMA, "tau": 0.05},
        },
    )
    eta = model(every=round(0.01 / dt))[0].numpy() - 201.0
    assert float(eta.var()) == pytest.approx(SIGMA**2, rel=0.05)
    lag = (eta[2:] * eta[:-2]).mean() / (eta**2).mean()
    assert float(lag) == pytest.approx(np.exp(-0.02 / 0.05), abs=0.03)


@pytest.mark.parametrize("on", ["input", "rates"])
@pytest.mark.parametrize("dt", [0.0005, 0.001, 0.002])
def test_a_linear_neuron_filters_ornstein_uhlenbeck_noise(on, dt):
    """σ² τ_n/(τ_n + τ): the variance of one exponential filter behind another, whatever dt."""
    rates = stationary(dt, {"kind": "ou", "on": on, "sigma": SIGMA, "tau": 0.03})
    assert float(rates.var()) == pytest.approx(SIGMA**2 * 0.03 / (0.03 + 0.02), rel=0.05)


@pytest.mark.parametrize("on", ["input", "rates"])
@pytest.mark.parametrize("dt", [0.0005, 0.002])
def test_rates_forget_white_noise_with_their_own_time_constant(on, dt):
    model = single(
        dt=dt,
        duration=0.4,
        **{
            "populations.E": {"size": 4000, "tau": 0.02, "threshold": -200.0},
            "noise": {"kind": "white", "on": on, "sigma": SIGMA},
        },
    )
    rates = model(every=round(0.01 / dt))[0, 19:].numpy() - 201.0
    for lag in (1, 2):
        found = (rates[lag:] * rates[:-lag]).mean() / (rates**2).mean()
        assert float(found) == pytest.approx(np.exp(-lag * 0.01 / 0.02), abs=0.02)


def test_per_step_noise_depends_on_dt():
    """Its variance on a linear neuron is (1−e)/(1+e) σ², in proportion to dt."""
    fine, coarse = (stationary(dt, {"kind": "per_step", "sigma": SIGMA}).var() for dt in (0.0005, 0.002))
    assert float(coarse / fine) == pytest.approx(4.0, rel=0.1)


def test_noise_is_the_points_own():
    model = single(**{"noise": {"kind": "white", "sigma": SIGMA}, "duration": 0.05})
    rates = model(seeds=[1, 2, 1]).numpy()
    assert np.array_equal(rates[0], rates[2])
    assert not np.array_equal(rates[0], rates[1])
    assert not np.array_equal(rates[0, :, 0], rates[0, :, 1])
    assert np.array_equal(model(seeds=[2]).numpy()[0], rates[1])


def test_populations_get_their_own_intensity():
    model = single(**{"populations.I": {"size": 4}, "noise": {"kind": "white", "sigma": {"E": SIGMA}}})
    rates = model()[0].numpy()
    assert rates[-1, :4].std() > 0.01
    assert rates[-1, 4:].std() == 0.0


def test_random_starts_come_from_the_seed():
    uniform = single(
        **{"initial": {"kind": "uniform", "low": 2.0, "high": 3.0}, "duration": 0.001, "dt": 0.001}
    )
    start = uniform(seeds=[0, 0, 1])[:, 0].numpy()
    assert np.array_equal(start[0], start[1])
    assert not np.array_equal(start[0], start[2])
    decayed = (start - (1 - np.exp(-0.05))) / np.exp(-0.05)
    assert decayed.min() > 2.0
    assert decayed.max() <= 3.0
    normal = single(
        **{
            "initial": {"kind": "normal", "sigma": 2.0},
            "populations.E.tau_syn": 0.01,
            "populations.E.size": 4000,
        }
    )
    currents = normal.simulate(record=["currents.E"], every=1, duration=0.001)["currents.E"].to_numpy()
    assert currents.std() == pytest.approx(2.0 * np.exp(-0.1), rel=0.05)
