"""States that only their symmetry holds: their growth by the full Jacobian, and runs that are made again."""

import numpy as np
import pytest
import torch

from neuroflame.core.dynamics import StepMap, solve, symmetric_growth
from neuroflame.core.measure import measure_points
from neuroflame.core.reference import initial_state
from neuroflame.spec import NetworkSpec
from neuroflame.spec.base import merge
from neuroflame.spec.measures import statistics
from tests.physics.helpers import ensemble_of

NETWORK = {
    "dt": 0.002,
    "duration": 1.0,
    "populations": {
        "E": {"size": 24, "tau": 0.02, "tau_syn": 0.004, "adaptation": {"tau": 0.2, "strength": 0.1}},
        "I": {"size": 20, "tau": 0.01, "tau_syn": 0.003},
    },
    "J": {"EE": 3.0, "EI": -2.0, "IE": 1.5, "II": -1.0},
    "J0": {"E": 2.0, "I": 0.5},
    "stp": {"EE": {"U": 0.2, "tau_fac": 0.3, "tau_rec": 0.1}},
    "connectivity": {
        "profile": {"kind": "cosine", "kappa": {"EE": 6.0, "EI": 0.4, "IE": 0.8, "II": 0.0}, "phase": 20.0}
    },
    "nmda": {"ratio": 0.3, "tau": 0.08, "sources": ["E"]},
}
CASES = {
    "cosine": {},
    "von Mises": {
        "connectivity": {
            "profile": {"kind": "von_mises", "kappa": {"EE": 6.0, "EI": 0.5, "IE": 1.0, "II": 1.0}}
        }
    },
    "uniform": {"connectivity": {"profile": {"kind": "uniform"}}},
}


def case(name):
    base = {key: value for key, value in NETWORK.items() if key != "connectivity"}
    return merge(base, CASES[name] or {"connectivity": NETWORK["connectivity"]})


@pytest.mark.parametrize("name", CASES)
def test_growth_is_that_of_all_eigenvalues_of_the_step(name):
    couplings = np.array([0.5, 2.0, 4.0, 6.0])
    sizes = {"populations": {"E": {"size": 72}, "I": {"size": 64}}} if name == "von Mises" else {}
    ensemble = ensemble_of(case(name), {"J.EE": couplings}, **sizes)
    start = StepMap(ensemble.quiet(), at=1).flatten(initial_state(ensemble.program()))
    found = solve(ensemble, torch.arange(4), start, at=1)
    assert found.converged.all()
    step_map = StepMap(ensemble.quiet(), at=1)
    rest = step_map.state(found.flat)
    exact = [
        np.log(np.abs(np.linalg.eigvals(one.numpy())).max()) / 0.002 for one in step_map.jacobian(found.flat)
    ]
    np.testing.assert_allclose(symmetric_growth(ensemble, rest), exact, rtol=1e-6, atol=1e-6)
    assert len({growth > 0 for growth in exact}) == 2 or name == "uniform"


def test_it_is_undefined_where_neurons_differ_or_are_too_few():
    ensemble = ensemble_of(case("cosine"), {"J.EE": np.array([1.0, 1.0])})
    state = initial_state(ensemble.program())
    state.rates["E"] = torch.stack([torch.ones(24), torch.linspace(0.0, 1.0, 24)]).double()
    growth = symmetric_growth(ensemble, state)
    assert np.isfinite(growth[0])
    assert np.isnan(growth[1])
    few = ensemble_of(case("cosine"), populations={"I": {"size": 5}})
    assert np.isnan(symmetric_growth(few, initial_state(few.program()))).all()


RING = {
    "dt": 0.001,
    "duration": 2.0,
    "populations": {"E": {"size": 32, "tau": 0.02}},
    "J": {"EE": 0.5},
    "J0": {"E": 1.0},
    "connectivity": {"profile": {"kind": "cosine", "kappa": 1.0}},
}


def measured(longest, kappa, *, network=RING, seeds=None, **keys):
    count = len(kappa)
    return measure_points(
        NetworkSpec.parse(network),
        {"connectivity.profile.kappa": np.asarray(kappa, dtype=float)},
        seeds=np.arange(count) if seeds is None else np.asarray(seeds),
        initial=["cold"] * count,
        measure=["regime"],
        longest=longest,
        **keys,
    ).data


def test_what_would_not_stay_starts_apart_and_ends_in_what_it_grows_into():
    """Bumps form at J κ = 2; a run rests at equal rates beyond, since nothing tells its neurons apart."""
    short = measured(None, [3.0, 4.2])
    assert short["regime"].tolist() == ["homogeneous", "slow"]
    assert short["alpha.symmetric"][0] < 0 < short["alpha.symmetric"][1]
    assert not short["apart"].any()
    found = measured(16.0, [3.0, 4.2])
    assert found["regime"].tolist() == ["homogeneous", "bump"]
    assert found["apart"].tolist() == [False, True]
    assert found["elapsed"].tolist() == [2.0, 8.0]
    for name, values in found.items():
        assert values[0] == short[name][0] or (values[0] != values[0] and short[name][0] != short[name][0])


@pytest.mark.parametrize("kind", ["white", "ou"])
def test_noise_of_no_amplitude_is_none(kind):
    """Beside points that are noisy: one that is not is looked at as if there were no noise at all."""
    noise = {"kind": kind, "sigma": 0.0} | ({"tau": 0.1} if kind == "ou" else {})
    sigma, kappa = np.array([0.0, 0.0, 0.01]), [3.0, 4.2, 4.2]
    spec = NetworkSpec.parse(dict(RING, noise=[noise]))
    assert "alpha.symmetric" in statistics(spec, ["regime"])
    found = measure_points(
        spec,
        {"connectivity.profile.kappa": np.array(kappa), "noise.0.sigma": sigma},
        seeds=np.arange(3),
        initial=["cold"] * 3,
        measure=["regime"],
        longest=8.0,
    ).data
    without = measured(8.0, kappa[:2])
    assert found["regime"].tolist() == ["homogeneous", "bump", "bump"]
    assert found["apart"].tolist() == [False, True, False]
    assert found["noisy"].tolist() == [False, False, True]
    assert np.isnan(found["alpha.symmetric"][2])
    for name in ("regime", "apart", "elapsed", "converged"):
        np.testing.assert_array_equal(found[name][:2], without[name], err_msg=name)


def test_a_run_goes_on_until_it_has_settled_or_time_is_up():
    """Near the border it takes 1/growth: 20 s at 0.05/s."""
    slow = dict(RING, populations={"E": {"size": 32, "tau": 1.0}}, duration=4.0)
    for longest, elapsed in ((6.0, 6.0), (8.0, 8.0), (12.0, 12.0), (16.0, 16.0), (64.0, 16.0)):
        found = measured(longest, [1.0], network=slow, window=0.5)
        assert found["elapsed"].tolist() == [elapsed]
        assert found["regime"].tolist() == ["homogeneous" if elapsed == 16.0 else "slow"]


def test_a_point_that_goes_on_does_not_depend_on_its_tile():
    kappa, seeds = [3.0, 5.0, 4.2, 6.0, 4.05], [3, 1, 4, 1, 5]
    whole = measured(16.0, kappa, seeds=seeds)
    for row in (1, 2, 4):
        alone = measured(16.0, kappa[row : row + 1], seeds=seeds[row : row + 1])
        for name, values in alone.items():
            assert values[0] == whole[name][row] or values[0] != values[0], name


def test_a_run_whose_stimulus_lasts_is_not_made_longer():
    lasting = dict(RING, stimuli=[{"shape": "cosine", "onset": 0.5, "offset": 2.0, "strength": 0.1}])
    assert "alpha.symmetric" not in statistics(NetworkSpec.parse(lasting), ["regime"])
    assert measured(16.0, [5.0], network=lasting)["elapsed"].tolist() == [2.0]


def test_traces_have_as_many_samples_whatever_the_run_took():
    found = measured(16.0, [3.0, 5.0], traces=True)
    assert [len(times) for times in found["trace.time"]] == [200, 200]
    assert [times[-1] for times in found["trace.time"]] == pytest.approx([2.0, 4.0])
