"""The published ring point: with exact exponential steps a ghost, with the older weights dt/τ an attractor."""

from pathlib import Path

import numpy as np
import pytest

from neuroflame.core.measure import measure_points
from neuroflame.spec import load_network

ROOT = Path(__file__).parents[2]
POINT = {"J.EE": 10.0, "J0.E": 1.58, "populations.E.size": 64, "populations.I.size": 64}


@pytest.mark.parametrize(
    ("integrator", "duration", "label"),
    [("exponential", 8.0, "slow"), ("exponential", 30.0, "homogeneous"), ("dt_over_tau", 30.0, "bump")],
)
def test_the_published_bump_is_a_ghost_with_exact_steps_and_an_attractor_without(integrator, duration, label):
    spec = load_network(
        ROOT / "conf" / "ring_EI.yml", POINT | {"integrator": integrator, "duration": duration}
    )
    found = measure_points(
        spec, {}, seeds=np.zeros(1, int), initial=["cued"], measure=["regime"], window=5.0
    ).data
    assert found["regime"].tolist() == [label]
    assert found["regime.confidence"][0] > 0.1
    if label != "slow":
        assert bool(found["memory.lifetime"][0] < 12.0) == (label == "homogeneous")
