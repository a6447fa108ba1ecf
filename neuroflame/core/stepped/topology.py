"""Sparse connectivity as the stepped kernels read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.stepped.tiling import DENSITY_MIN, Tiling, padded

if TYPE_CHECKING:
    from neuroflame.core.connectivity import SparseOperator

ROWS_AT_ONCE = 4096


def reads_one_by_one(operator: SparseOperator, dtype: torch.dtype) -> bool:
    """Return whether sources are read one by one, rather than multiplied by the whole matrix of 0 and 1."""
    density = operator.indices.numel() / (operator.post * operator.pre)
    return dtype != torch.float32 or density < DENSITY_MIN


def matrix(operator: SparseOperator, tiling: Tiling) -> Tensor:
    """Return the connectivity as float16 0 and 1, its sides rounded up to whole tiles; kept with the operator."""
    shape = (padded(operator.post, tiling.neurons), padded(operator.pre, tiling.depth))
    found = operator.kept.get(shape)
    if found is None:
        found = torch.zeros(shape, dtype=torch.float16, device=operator.indices.device)
        offsets = operator.offsets.tolist()
        for first in range(0, operator.post, ROWS_AT_ONCE):
            last = min(first + ROWS_AT_ONCE, operator.post)
            columns = operator.indices[offsets[first] : offsets[last]].long()
            rows = torch.repeat_interleave(
                torch.arange(first, last, device=columns.device), operator.in_degrees()[first:last]
            )
            found[rows, columns] = 1.0
        operator.kept[shape] = found
    return found
