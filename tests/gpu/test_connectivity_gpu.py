"""Connectivity on a CUDA device: rows that depend on themselves alone, and the same draws as on a CPU."""

import pytest
import torch

from neuroflame.core.connectivity import make_operator
from neuroflame.core.connectivity.make import bind_operator
from tests.unit.test_operators import PROFILES, network, weighted

pytestmark = pytest.mark.gpu
CASES = [
    ("all_to_all", "low_rank"),
    ("all_to_all", "gaussian"),
    ("sparse", "low_rank"),
    ("sparse", "von_mises"),
]


def operator(kind, name, device, dtype=torch.float64):
    spec = network(kind, PROFILES[name], post=371, pre=502)
    pair = spec.pairs[0]
    made = make_operator(spec, pair, graph=0, device=device, dtype=dtype)

    def number(path):
        return torch.tensor([spec.get(path)], dtype=torch.float64, device=device)

    return bind_operator(made, spec, pair, number, dtype)


@pytest.mark.parametrize(("kind", "name"), CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_depends_on_its_own_sources_alone(kind, name, dtype):
    made = operator(kind, name, "cuda", dtype)
    sources = torch.rand(100, 502, dtype=dtype, device="cuda")
    whole = made(sources)
    for first, last in ((3, 4), (0, 2), (0, 33), (31, 64), (5, 100)):
        assert torch.equal(made(sources[first:last]), whole[first:last])
    order = torch.randperm(100, device="cuda")
    assert torch.equal(made(sources[order]), whole[order])


@pytest.mark.parametrize("density", [0.9, 0.05])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_of_a_given_block_does_so_too(density, dtype):
    made = weighted(density)[1].cuda()
    sources = torch.rand(100, 50, dtype=dtype, device="cuda")
    whole = made(sources)
    for first, last in ((3, 4), (0, 33), (31, 64)):
        assert torch.equal(made(sources[first:last]), whole[first:last])
    torch.testing.assert_close(whole.double(), sources.double() @ made.to_dense().T, rtol=5e-6, atol=5e-6)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_draw_is_that_of_the_cpu(kind, name):
    here, there = operator(kind, name, "cpu"), operator(kind, name, "cuda")
    for (part, one), other in zip(here.state_dict().items(), there.state_dict().values(), strict=True):
        if one.is_floating_point():
            torch.testing.assert_close(other.cpu(), one, rtol=1e-12, atol=1e-12, msg=part)
        else:
            assert torch.equal(other.cpu(), one), part
