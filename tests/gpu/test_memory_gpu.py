"""A tile that does not fit into a GPU's memory, with a real allocator that refuses."""

import numpy as np
import pytest
import torch

from neuroflame.core.measure import EngineCache, measure_points
from neuroflame.sweep.evaluate import evaluate
from tests.unit.test_points import block_of
from tests.unit.test_sweep_controller import plain
from tests.unit.test_sweep_spec import NETWORK, sweep

pytestmark = pytest.mark.gpu

LARGE = {
    **NETWORK,
    "populations": {"E": {"size": 2000, "tau": 0.02}, "I": {"size": 500, "tau": 0.01}},
    "connectivity": {"kind": "all_to_all", "profile": {"kind": "cosine", "kappa": 0.5}},
}
POINTS = 4000


def rows_with(room):
    """Return the rows of a tile where so many bytes of the GPU may be used."""
    spec = sweep(
        network=LARGE,
        space={"J.EE": np.linspace(0.5, 1.5, POINTS).tolist()},
        traces=False,
        compute={"executor": "reference"},
    )
    points = block_of(spec).points(np.arange(POINTS))
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(room)
    try:
        return evaluate(spec, points, measure_points, device="cuda", engines=EngineCache())
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_what_does_not_fit_is_done_in_halves_to_the_last_bit():
    whole = rows_with(1.0)
    total = torch.cuda.get_device_properties(0).total_memory
    small = rows_with(512 * 2**20 / total)
    assert whole.too_many == 0
    assert 0 < small.too_many <= POINTS
    assert small.count("failed") == 0
    for name, cells in whole.data.items():
        assert plain(list(small.data[name])) == plain(list(cells)), name
