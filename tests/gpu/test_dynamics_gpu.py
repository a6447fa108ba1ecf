"""Exponents on a CUDA device, whose step is replayed, against steps launched kernel by kernel, and the CPU's."""

import numpy as np
import pytest
import torch

from neuroflame.core.dynamics.lyapunov import lyapunov
from neuroflame.core.dynamics.map import StepMap
from neuroflame.core.reference import initial_state
from neuroflame.spec.dynamics import LyapunovOptions
from tests.physics.helpers import ensemble_of
from tests.physics.test_dynamics_map import RICH

pytestmark = pytest.mark.gpu
STIMULUS = {"shape": "cosine", "onset": 0.02, "offset": 0.05, "strength": 0.5}


def walked(device, replayed):
    program = ensemble_of(RICH, {"J.EE": [1.0, 2.0]}, stimuli=[STIMULUS], device=device).program()
    state = initial_state(program)
    step_map = StepMap(program, at=0)
    step_map._take = step_map._replayed if replayed else step_map._along
    flat, noise = step_map.flatten(state), state.noise
    direction = torch.ones_like(flat)
    for _ in range(60):
        flat, direction, noise = step_map.walk(flat, direction, noise)
    return flat, direction


def test_a_replayed_walk_is_the_walk():
    for ours, expected in zip(walked("cuda", True), walked("cuda", False), strict=True):
        assert torch.equal(ours, expected)
    for ours, expected in zip(walked("cuda", True), walked("cpu", False), strict=True):
        torch.testing.assert_close(ours.cpu(), expected, rtol=1e-9, atol=1e-9)


def test_exponents_are_those_of_the_cpu():
    found = []
    for device in ("cuda", "cpu"):
        ensemble = ensemble_of(RICH, {"J.EE": [1.0, 2.0]}, device=device)
        state = initial_state(ensemble.program())
        found.append(lyapunov(ensemble, state, LyapunovOptions(k=2, transient=0.05, duration=0.2)).exponents)
    np.testing.assert_allclose(*found, rtol=1e-6)
