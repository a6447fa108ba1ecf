"""The physics bound to torch, and the one way in which torch sums over neurons here."""

from __future__ import annotations

import importlib.util

import torch
from torch import Tensor

from neuroflame.physics import specialise


def _maximum(a: Tensor, b: Tensor | float) -> Tensor:
    return torch.clamp(a, min=b) if isinstance(b, float) else torch.maximum(a, b)


TRITON = importlib.util.find_spec("triton") is not None

physics = specialise(
    {
        "exp": torch.exp,
        "log": torch.log,
        "sqrt": torch.sqrt,
        "cos": torch.cos,
        "sin": torch.sin,
        "tanh": torch.tanh,
        "erf": torch.erf,
        "maximum": _maximum,
        "where": torch.where,
        "to_float": lambda word: word.to(torch.float64),
    }
)


def sum_neurons(x: Tensor) -> Tensor:
    """Return the sum over the last axis, by pairwise halving; on a CUDA device by one kernel where there is triton.

    Additions in an order that depends on the axis's length alone: the sum of one row does not depend, to the last
    bit, on how many rows are beside it, or on threads. Neither BLAS nor `torch.sum` promises that. The rounding
    error grows as log2 of the length.

    Parameters
    ----------
    x : Tensor, (..., N)

    Returns
    -------
    Tensor, (...)
    """
    n = x.shape[-1]
    if x.is_cuda and x.is_floating_point() and TRITON and not (x.requires_grad and torch.is_grad_enabled()):
        from neuroflame.core.row_sums import row_sums

        return row_sums(x)
    while n > 1:
        top = 1 << (n - 1).bit_length() - 1
        low, high = x[..., : n - top], x[..., top:]
        x = torch.cat([low + high, x[..., n - top : top]], dim=-1) if n < 2 * top else low + high
        n = top
    return x[..., 0]


def mean_neurons(x: Tensor) -> Tensor:
    """Return the mean over the last axis, by `sum_neurons`."""
    return sum_neurons(x) / x.shape[-1]
