"""Weights that learn on a CUDA device: as on the CPU, and to the last bit whatever the tile."""

import numpy as np
import pytest

from tests.unit.test_hebbian import every_kind, every_rule, learning

pytestmark = pytest.mark.gpu
RECORD = ["weights.EE", "weights.EI", "rates"]


def run(rule, kind, index, device, precision):
    rng = np.random.default_rng(0)
    values = {"J.EE": rng.uniform(0.5, 1.5, 33), "hebbian.EI.onset": rng.uniform(0.0, 0.05, 33)}
    model = learning(rule, kind, device=device, precision=precision)
    part = {path: v[index] for path, v in values.items()}
    return model.simulate(part, record=RECORD, every=20, seeds=index.tolist(), pairwise=True)


@every_rule
@every_kind
@pytest.mark.parametrize(("precision", "tolerance"), [("double", 1e-10), ("exact", 1e-3)])
def test_learning_is_that_of_the_cpu(rule, kind, precision, tolerance):
    here, there = (run(rule, kind, np.arange(5), device, precision) for device in ("cuda", "cpu"))
    for name in RECORD:
        scale = float(np.abs(there[name]).max())
        np.testing.assert_allclose(here[name], there[name], atol=tolerance * scale, rtol=0, err_msg=name)


@every_rule
@every_kind
def test_a_point_does_not_depend_on_its_tile(rule, kind):
    whole = run(rule, kind, np.arange(33), "cuda", "exact")
    for index in (np.array([4]), np.arange(3, 10), np.random.default_rng(0).permutation(33)):
        part = run(rule, kind, index, "cuda", "exact")
        for name in RECORD:
            np.testing.assert_array_equal(part[name].to_numpy(), whole[name].to_numpy()[index])
