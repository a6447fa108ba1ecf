"""The reference executor and the drawn connectivity on a CUDA device against the same on the CPU."""

import numpy as np
import pytest
import torch

from neuroflame.core.connectivity.sparse import draw
from neuroflame.core.measure import measure_points
from neuroflame.spec import NetworkSpec
from tests.unit.test_operators import PROFILES, network
from tests.unit.test_trajectory import CASES, assert_same_rows, in_hertz

pytestmark = pytest.mark.gpu


def rows(case, index, device, precision="double"):
    base, change = CASES[case]
    rng = np.random.default_rng(3)
    values = {"J.EE": rng.uniform(2, 6, 21), "J0.E": rng.uniform(0, 3, 21)}
    return measure_points(
        NetworkSpec.parse(base).with_values(change),
        {path: v[index] for path, v in values.items()},
        seeds=np.arange(21)[index],
        initial=["network"] * len(index),
        measure=["rates", "bump"],
        window=0.06,
        precision=precision,
        executor="reference",
        device=device,
    ).data


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("precision", "tolerance"), [("double", 1e-11), ("exact", 2e-5)])
def test_statistics_are_those_of_the_cpu(case, precision, tolerance):
    here, there = (rows(case, np.arange(21), device, precision) for device in ("cuda", "cpu"))
    assert list(here["status"]) == list(there["status"])
    for name, expected in in_hertz(there).items():
        scale = max(1.0, np.nanmax(np.abs(expected)))
        np.testing.assert_allclose(in_hertz(here)[name], expected, atol=tolerance * scale, err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_a_point_does_not_depend_on_its_tile(case):
    whole = rows(case, np.arange(21), "cuda", "exact")
    for index in (np.array([4]), np.arange(3, 10), np.random.default_rng(0).permutation(21)):
        assert_same_rows(rows(case, index, "cuda", "exact"), whole, index)


@pytest.mark.parametrize("profile", ["uniform", "cosine", "cosine_weak", "von_mises"])
def test_topology_is_that_of_the_cpu(profile):
    pair = network("sparse", PROFILES[profile], K=40.0, post=700, pre=500).pairs[0]
    here, there = (draw(pair, 700, 500, seed=4, graph=2, device=device) for device in ("cuda", "cpu"))
    assert torch.equal(here.offsets.cpu(), there.offsets)
    assert torch.equal(here.indices.cpu(), there.indices)
