"""Sparse connectivity as the stepped kernels read it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.stepped.tiling import Tiling, padded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.core.connectivity import SparseOperator

ROWS_AT_ONCE = 4096


def reads_one_by_one(operator: SparseOperator, dtype: torch.dtype, least: float) -> bool:
    """Return whether sources are read one by one, rather than multiplied by the whole matrix of 0 and 1.

    Parameters
    ----------
    least : float
        Density from which the product is taken, in float32.
    """
    density = operator.indices.numel() / (operator.post * operator.pre)
    return dtype != torch.float32 or density < least


def matrix(operators: Sequence[SparseOperator], tiling: Tiling) -> Tensor:
    """Return connectivities onto one population side by side, as float16 0 and 1; kept with the first of them.

    The rows and each one's columns are rounded up to whole tiles.
    """
    kept = operators[0].kept
    key = (tiling.neurons, tiling.depth, *(id(operator) for operator in operators))
    if key not in kept:
        widths = [padded(operator.pre, tiling.depth) for operator in operators]
        shape = (padded(operators[0].post, tiling.neurons), sum(widths))
        found = torch.zeros(shape, dtype=torch.float16, device=operators[0].indices.device)
        for operator, end in zip(operators, itertools.accumulate(widths), strict=True):
            _fill(found[:, end - padded(operator.pre, tiling.depth) :], operator)
        kept[key] = found
    return kept[key]


def _fill(part: Tensor, operator: SparseOperator) -> None:
    offsets = operator.offsets.tolist()
    for first in range(0, operator.post, ROWS_AT_ONCE):
        last = min(first + ROWS_AT_ONCE, operator.post)
        columns = operator.indices[offsets[first] : offsets[last]].long()
        rows = torch.arange(first, last, device=columns.device)
        part[torch.repeat_interleave(rows, operator.in_degrees()[first:last]), columns] = 1.0
