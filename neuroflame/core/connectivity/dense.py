"""Dense connectivity: a matrix with an entry for every pair of neurons."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from neuroflame.core.connectivity.base import Operator
from neuroflame.core.connectivity.lanewise import multiply_lanewise
from neuroflame.core.random import TOPOLOGY, stream, topology_key
from neuroflame.core.torch_physics import physics

CUDA_BLOCK = 32
"""Points in a product on a GPU: one shape whatever the tile, so that cuBLAS takes the same kernel."""
ENTRIES_AT_ONCE = 1 << 20


class DenseOperator(Operator):
    """C_ij is an entry of a matrix.

    Parameters
    ----------
    matrix : Tensor, (N_post, N_pre), float32 or float64
        In the run's precision.
    """

    def __init__(self, matrix: Tensor) -> None:
        super().__init__(*matrix.shape)
        self.register_buffer("matrix", matrix)

    matrix: Tensor

    def apply(self, sources: Tensor) -> Tensor:  # type: ignore[override]
        """Return the currents for the sources."""
        result: Tensor = _Product.apply(sources, self.matrix.to(sources.dtype))
        return result

    def to_dense(self) -> Tensor:
        """Return the matrix, float64, (N_post, N_pre)."""
        return self.matrix.double()

    def in_degrees(self) -> Tensor:
        """Return the number of inputs of each neuron, int64, (N_post,)."""
        return torch.count_nonzero(self.matrix, dim=1)

    def out_degrees(self) -> Tensor:
        """Return the number of neurons that each presynaptic one reaches, int64, (N_pre,)."""
        return torch.count_nonzero(self.matrix, dim=0)

    def variance(self) -> float:
        """Return the mean variance of an entry about its row's mean."""
        return float(torch.stack([row.double().var(correction=0) for row in self.matrix]).mean())


class _Product(torch.autograd.Function):
    """Sources times the transposed matrix, each row by itself; differentiable in both."""

    @staticmethod
    def forward(ctx: Any, sources: Tensor, matrix: Tensor) -> Tensor:
        """Return the currents, (P, N_post)."""
        ctx.save_for_backward(sources, matrix)
        return product(sources, matrix)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients of sources and matrix."""
        sources, matrix = ctx.saved_tensors
        of_sources, of_matrix = ctx.needs_input_grad
        gradient = gradients[0].contiguous()
        return (
            product(gradient, matrix.T.contiguous()) if of_sources else None,
            gradient.T @ sources if of_matrix else None,
        )


def product(sources: Tensor, matrix: Tensor) -> Tensor:
    """Return sources times the transposed matrix, (P, N_post), each row by itself, to the last bit.

    On a CPU by compiled loops in which points are lanes and sums run in one order; see docs/decisions.md.
    """
    if sources.device.type == "cpu":
        return _product_compiled(sources, matrix)
    points = sources.shape[0]
    padded = F.pad(sources, (0, 0, 0, -points % CUDA_BLOCK))
    return torch.cat([block @ matrix.T for block in padded.split(CUDA_BLOCK)])[:points]


def _product_compiled(sources: Tensor, matrix: Tensor) -> Tensor:
    from neuroflame.core.connectivity.loops import kernels

    rows = partial(kernels().product, matrix.detach().numpy())
    return multiply_lanewise(sources, matrix.shape[0], matrix.numel(), rows)


def draw_gaussian(
    name: str, post: int, pre: int, *, seed: int, graph: int, device: torch.device | str, dtype: torch.dtype
) -> DenseOperator:
    """Draw independent standard normal entries, a chunk of rows at a time.

    The entry (i, j) is a function of seed, graph, the pair's name, i and j.
    """
    low, high = topology_key(seed, graph)
    words = (stream(f"weights.{name}"), TOPOLOGY, low, high)
    key = [torch.tensor(word, device=device) for word in words]
    block = torch.arange((pre + 3) // 4, device=device)[None, :]
    matrix = torch.empty(post, pre, dtype=dtype, device=device)
    chunk = max(1, ENTRIES_AT_ONCE // pre)
    for first in range(0, post, chunk):
        rows = torch.arange(first, min(first + chunk, post), device=device)[:, None]
        a, b, c, d = physics.philox(rows, block, *key)
        columns = [*physics.normal_pair(a, b), *physics.normal_pair(c, d)]
        matrix[first : first + chunk] = torch.stack(columns, dim=-1).flatten(1)[:, :pre].to(dtype)
    return DenseOperator(matrix)
