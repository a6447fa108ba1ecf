"""Sums over neurons on a CUDA device."""

import pytest
import torch

from neuroflame.core.torch_physics import sum_neurons

pytestmark = pytest.mark.gpu
pytest.importorskip("triton")


@pytest.mark.parametrize("size", [1, 2, 500, 1024, 1025, 30001])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_are_right_and_a_row_does_not_depend_on_the_others(size, dtype):
    values = torch.randn(2, 7, size, dtype=dtype, device="cuda")
    sums = sum_neurons(values)
    tolerance = {torch.float32: 1e-5, torch.float64: 1e-13}[dtype] * size**0.5
    torch.testing.assert_close(sums, values.double().sum(-1).to(dtype), atol=tolerance, rtol=0)
    for i in range(2):
        for j in range(7):
            assert torch.equal(sum_neurons(values[i, j]), sums[i, j])


def test_rows_that_are_not_contiguous_and_none_at_all():
    values = torch.randn(500, 3, device="cuda")
    assert torch.equal(sum_neurons(values.T), sum_neurons(values.T.contiguous()))
    assert sum_neurons(values[:, :0].T).shape == (0,)


def test_gradients_pass():
    values = torch.randn(3, 70, device="cuda", requires_grad=True)
    sum_neurons(values).sum().backward()
    assert torch.equal(values.grad, torch.ones_like(values))
