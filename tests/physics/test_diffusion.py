"""Diffusion of a bump against the projection of its noise on the mode by which it turns.

Of a threshold-linear ring with weights (A + 2 B cos Δ)/N a bump g [cos θ − cos θ_c]₊ turns, to first order, by the
part of a perturbation of the rates along v = sin(θ − φ), the left eigenvector that belongs to its rotation:
v · δr/(v · ∂r/∂φ). White noise of σ√dt a step on every neuron's rate then makes it diffuse with
D = σ² Σ v²/(g Σ_active v²)²: with sums as integrals 2 B² σ²/(N g²) (as in Burak & Fiete 2012, PNAS 109:17645).
"""

import numpy as np
import pytest

from neuroflame.core.dynamics.diffusion import _moved
from neuroflame.core.measure import measure_points
from neuroflame.errors import SpecError
from neuroflame.spec import NetworkSpec
from neuroflame.spec.base import merge
from neuroflame.spec.dynamics import DiffusionOptions, DynamicsOptions
from neuroflame.spec.measures import check_applicable, statistics
from tests.physics.test_ring_phases import filling, half_width

N, A, INPUT = 256, -3.0, 1.5
RING = {
    "dt": 0.001,
    "duration": 1.5,
    "populations": {"E": {"size": N, "tau": 0.02}},
    "J0": {"E": INPUT},
    "J": {"EE": A},
    "connectivity": {"profile": {"kind": "cosine", "kappa": 1.0}},
    "noise": {"kind": "white", "sigma": 0.3, "on": "rates"},
    "stimuli": [{"shape": "cosine", "onset": 0.0, "offset": 0.3, "strength": 0.5, "phase": 70.0}],
}


def height(mode):
    width = half_width(mode)
    return INPUT / (-np.cos(width) - A * filling(width))


def measured(
    values, *, options=None, seeds=None, initial="cued", network=RING, measure=("bump", "diffusion")
):
    count = len(next(iter(values.values())))
    return measure_points(
        NetworkSpec.parse(network),
        values,
        seeds=np.arange(count) if seeds is None else np.asarray(seeds),
        initial=[initial] * count,
        measure=list(measure),
        dynamics=DynamicsOptions.parse({"diffusion": options or {}}),
        window=0.1,
    )


def test_it_is_that_of_the_noise_along_the_mode_of_rotation():
    modes, sigmas = np.array([1.4, 1.8, 1.4, 1.8]), np.array([0.2, 0.2, 0.4, 0.4])
    values = {"connectivity.profile.kappa": 2 * modes / A, "noise.0.sigma": sigmas}
    found = measured(values, options={"trials": 128, "duration": 3.0}).data
    theory = np.array([2 * b**2 * s**2 / (N * height(b) ** 2) for b, s in zip(modes, sigmas, strict=True)])
    error = found["bump.E.diffusion.se"]
    assert (error < 0.15 * theory).all()
    assert (np.abs(found["bump.E.diffusion"] - theory) < 3 * error).all()
    pulls = (found["bump.E.diffusion"] - theory) / error
    assert np.sqrt(np.mean(pulls**2)) < 2.0
    assert (np.abs(found["bump.E.drift"]) < 3.5 * found["bump.E.drift.se"]).all()


def test_a_point_does_not_depend_on_its_tile_and_trials_not_on_each_other():
    values = {"noise.0.sigma": np.array([0.2, 0.3, 0.4]), "connectivity.profile.kappa": np.full(3, 3.0 / A)}
    options = {"trials": 12, "duration": 0.3}
    whole = measured(values, options=options).data
    alone = measured({k: v[1:2] for k, v in values.items()}, options=options, seeds=[1]).data
    for name in ("bump.E.diffusion", "bump.E.diffusion.se", "bump.E.drift", "bump.E.drift.se"):
        assert alone[name][0] == whole[name][1]
        assert len(set(whole[name])) == 3


def test_without_a_bump_there_is_none():
    flat = {"connectivity.profile.kappa": np.array([1.0 / A]), "noise.0.sigma": np.array([0.05])}
    assert np.isnan(measured(flat, options={"trials": 4, "duration": 0.2}).data["bump.E.diffusion"]).all()


def test_lags_and_the_least_ratio_are_options():
    """Of Brownian phases that are seen with jitter; lags that are close together leave more to chance."""
    rng = np.random.default_rng(0)
    phase = np.cumsum(np.sqrt(0.003) * rng.standard_normal((1, 400, 400)), axis=-1)
    seen = phase + 0.2 * rng.standard_normal(phase.shape)
    modes = np.stack([np.full_like(seen, 10.0), 3 * np.cos(seen), 3 * np.sin(seen)], axis=-1)
    usual = _moved(modes, 0.01, DiffusionOptions())
    short = _moved(modes, 0.01, DiffusionOptions(lags=(0.2, 0.25)))
    assert short.error[0] > 1.1 * usual.error[0]
    assert np.isnan(_moved(modes, 0.01, DiffusionOptions(ratio=0.7)).constant).all()
    assert np.isfinite(_moved(modes, 0.01, DiffusionOptions(ratio=0.5)).constant).all()
    with pytest.raises(SpecError, match="lags: must be two shares that ascend"):
        DiffusionOptions.parse({"lags": [0.3, 0.1]})


def test_drift_is_taken_out_and_jitter_does_not_count():
    """Brownian phases that all drift, seen with noise of their own at each sample: slope of the variance alone."""
    rng = np.random.default_rng(0)
    every, constant, drift = 0.01, 0.3, 1.7
    steps = np.sqrt(constant * every) * rng.standard_normal((6, 400, 400))
    phase = np.cumsum(steps, axis=-1) + drift * every * np.arange(400)
    seen = phase + 0.05 * rng.standard_normal(phase.shape)
    found = _moved(
        np.stack([np.full_like(seen, 10.0), 3 * np.cos(seen), 3 * np.sin(seen)], axis=-1),
        every,
        DiffusionOptions(),
    )
    assert np.abs((found.constant - constant) / found.error).max() < 3.5
    assert np.sqrt(np.mean((found.constant - constant) ** 2)) < 0.1 * constant
    assert found.drift == pytest.approx(drift, abs=4 * np.sqrt(constant / 4 / 400))
    # errors are those of the spread over repetitions
    assert found.error.mean() == pytest.approx(found.constant.std(ddof=1), rel=0.7)


def test_its_columns_are_known_before_and_noise_is_needed():
    spec = NetworkSpec.parse(RING)
    found = measured({"noise.0.sigma": np.array([0.2])}, options={"trials": 4, "duration": 0.05})
    names = [column.name for column in found.columns if column.name.startswith(("bump.E.di", "bump.E.dr"))]
    assert set(names) <= set(statistics(spec, ["diffusion"]))
    assert len(names) == 4
    with pytest.raises(SpecError, match="diffusion.*needs noise|needs noise"):
        check_applicable(NetworkSpec.parse(merge(RING, {"noise": []})), ["diffusion"])
