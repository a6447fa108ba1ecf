"""The step as a map, and its derivative: against finite differences, torch's own forward mode, and closed forms."""

import numpy as np
import pytest
import torch

from neuroflame.core.dual import Dual
from neuroflame.core.dynamics import StepMap
from neuroflame.core.reference import initial_state
from tests.physics.helpers import ensemble_of

RICH = {
    "dt": 0.001,
    "duration": 0.1,
    "populations": {
        "E": {"size": 7, "tau": 0.02, "tau_syn": 0.004, "adaptation": {"tau": 0.1, "strength": 0.1}},
        "I": {"size": 5, "tau": 0.01, "threshold": 0.2},
    },
    "connectivity": {
        "kind": "sparse",
        "K": 3,
        "pairs": {
            "EI": {"kind": "all_to_all", "profile": {"kind": "von_mises", "kappa": 1.5, "phase": 20.0}}
        },
    },
    "J": {"EE": 1.5, "EI": -1.5, "IE": 1.0, "II": -0.5},
    "J0": {"E": 0.9, "I": 0.8},
    "stp": {
        "EE": {"U": 0.3, "tau_fac": 0.5, "tau_rec": 0.2},
        "EI": {"kind": "markram_exp", "U": 0.2, "tau_fac": 0.0, "tau_rec": 0.3},
        "IE": {"kind": "markram_lagged", "U": 0.4, "tau_fac": 0.3, "tau_rec": 0.0},
    },
    "nmda": {"ratio": 0.5, "tau": 0.08},
    "noise": {"kind": "ou", "sigma": 0.5, "tau": 0.01},
}


def somewhere(step_map, seed=0):
    """A state with all variables in the middle of their range."""
    draw = np.random.default_rng(seed)
    parts = {
        name: draw.uniform(0.2, 0.8, (step_map.program.points, size)) * (1.0 if "stp" in name else 2.0)
        for name, size in step_map.sizes.items()
    }
    flat = torch.as_tensor(np.concatenate(list(parts.values()), axis=1))
    rest = step_map.flatten(initial_state(step_map.program))
    return torch.where(step_map.held, rest, flat)


FEEDFORWARD = {
    "tau": 0.01,
    "stp": {"E": {"U": 0.2, "tau_fac": 0.3, "tau_rec": 0.1, "static": 0.5}},
    "adaptation": {"E": {"tau": 0.1, "strength": 0.3}},
}


def maps(**overrides):
    ensemble = ensemble_of(RICH, {"J.EE": [1.0, 1.5, 3.0]}, **overrides)
    return StepMap(ensemble.quiet(), at=50)


@pytest.mark.parametrize("transfer", ["relu", "erf", "erf_odd", "tanh", "brunel"])
def test_the_derivative_is_that_of_finite_differences(transfer):
    step_map = maps(transfer=transfer)
    flat = somewhere(step_map)
    direction = torch.as_tensor(np.random.default_rng(1).normal(size=flat.shape))
    direction = torch.where(step_map.held, 0.0, direction)
    h = 1e-6
    numeric = (step_map(flat + h * direction) - step_map(flat - h * direction)) / (2 * h)
    moved = step_map.derivative(flat, direction)
    assert float(numeric.abs().max()) > 0.1
    torch.testing.assert_close(moved, numeric, rtol=1e-6, atol=1e-7)


def test_the_derivative_follows_the_dynamics_of_the_input():
    step_map = maps(feedforward=FEEDFORWARD)
    assert {name for name in step_map.sizes if name.startswith("feedforward.E")} == {
        f"feedforward.E.{name}" for name in ("u", "x", "filtered", "level")
    }
    flat = somewhere(step_map)
    direction = torch.where(step_map.held, 0.0, torch.ones_like(flat))
    numeric = (step_map(flat + 1e-6 * direction) - step_map(flat - 1e-6 * direction)) / 2e-6
    torch.testing.assert_close(step_map.derivative(flat, direction), numeric, rtol=1e-6, atol=1e-7)


def test_the_derivative_is_that_of_torch():
    step_map = maps(connectivity={"kind": "all_to_all", "K": None, "pairs": {}})
    flat = somewhere(step_map)
    direction = torch.where(step_map.held, 0.0, torch.ones_like(flat))
    _, expected = torch.func.jvp(step_map, (flat,), (direction,))
    torch.testing.assert_close(step_map.derivative(flat, direction), expected, rtol=1e-13, atol=1e-13)


def test_the_jacobian_multiplies_like_the_derivative():
    step_map = maps()
    flat = somewhere(step_map)
    direction = torch.as_tensor(np.random.default_rng(2).normal(size=flat.shape))
    product = torch.einsum("pij,pj->pi", step_map.jacobian(flat), direction)
    torch.testing.assert_close(step_map.derivative(flat, direction), product, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("replayed", [False, True])
def test_walking_is_running(replayed):
    """With noise and stimuli, step by step the same states as the reference executor's; replayed, as on a GPU, too."""
    stimulus = {"shape": "cosine", "onset": 0.02, "offset": 0.05, "strength": 0.5}
    ensemble = ensemble_of(RICH, {"J.EE": [1.0, 2.0]}, stimuli=[stimulus])
    program = ensemble.program()
    state = initial_state(program)
    step_map = StepMap(program, at=0)
    flat, noise = step_map.flatten(state), state.noise
    direction = torch.ones_like(flat)
    if replayed:
        step_map._take = step_map._replayed
    from neuroflame.core.external import External
    from neuroflame.core.reference import step

    external = External(program)

    for n in range(60):
        state = step(program, state, external.at(n))
        flat, direction, noise = step_map.walk(flat, direction, noise)
    assert torch.equal(flat, step_map.flatten(state))
    assert bool((direction.abs().sum(dim=1) > 0).all())


def test_what_no_step_moves_has_no_direction():
    step_map = maps()
    held = {name: bool(part.all()) for name, part in step_map.parts(step_map.held.expand(3, -1)).items()}
    assert {name for name, yes in held.items() if yes} == {"stp.EI.u", "stp.IE.x"}
    flat = somewhere(step_map)
    moved = step_map.derivative(flat, torch.ones_like(flat))
    assert not step_map.parts(moved)["stp.EI.u"].any()


def test_a_function_without_a_rule_is_refused():
    x = Dual(torch.ones(2), torch.ones(2))
    with pytest.raises(NotImplementedError, match="no derivative is known for torch's floor"):
        torch.floor(x)


def test_arithmetic_of_dual_numbers():
    a, t = torch.tensor([0.5, 2.0]), torch.tensor([1.0, -3.0])
    x, c = Dual(a, t), torch.tensor([3.0, 4.0])
    for found, slope in (
        (c - x, -t),
        (2.0 - x, -t),
        (x - c, t),
        (c * x, c * t),
        (1.0 / x, -t / a**2),
        (c / x, -c * t / a**2),
        (x / c, t / c),
        (x / (1.0 + x), t / (1.0 + a) ** 2),
        (torch.exp(-x), -t * torch.exp(-a)),
        (torch.where(x > 1.0, x * x, -x), torch.where(a > 1.0, 2 * a * t, -t)),
    ):
        torch.testing.assert_close(found.tangent, slope)
