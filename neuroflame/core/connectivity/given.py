"""Operators of blocks that are given instead of drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neuroflame.core.connectivity.dense import DenseOperator
from neuroflame.core.connectivity.sparse import ListOperator, SparseOperator, WeightedOperator
from neuroflame.errors import SpecError
from neuroflame.spec.base import suggestion
from neuroflame.spec.blocks import make_block
from neuroflame.spec.connectivity import Connectivity

if TYPE_CHECKING:
    from neuroflame.spec.blocks import Block
    from neuroflame.spec.network import NetworkSpec

SPARSE_BELOW = 0.2
"""Share of a matrix's entries that are not 0 below which a list of them is faster; see docs/decisions.md."""


def blocks_of(overrides: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return overrides of a network without the blocks among them, and the blocks by pair."""
    own = overrides.get("connectivity")
    if not isinstance(own, Mapping):
        return dict(overrides), {}
    blocks = {name: value for name, value in own.items() if name not in Connectivity.model_fields}
    rest = {name: value for name, value in own.items() if name not in blocks}
    kept = {name: value for name, value in overrides.items() if name != "connectivity"}
    return kept | ({"connectivity": rest} if rest else {}), blocks


def with_blocks(spec: NetworkSpec, blocks: Mapping[str, Any]) -> tuple[NetworkSpec, dict[str, Block]]:
    """Return a network in which pairs have the given blocks, and those by pair.

    The specification keeps their shapes and digests, not the blocks.

    Raises
    ------
    SpecError
        If there is no such pair, or a block is not one for it.
    """
    found = {}
    sides = {pair.name: (pair.post, pair.pre) for pair in spec.pairs}
    for name, value in blocks.items():
        path = f"connectivity.{name}"
        if name not in sides:
            known = [*sides, *Connectivity.model_fields]
            raise SpecError("is not a pair that J connects", path=path, remedy=suggestion(name, known))
        post, pre = (spec.populations[side].size for side in sides[name])
        try:
            found[name] = make_block(value, (post, pre))
        except SpecError as error:
            raise error.located(path=path) from None
    changes = {
        f"connectivity.pairs.{name}": {
            "kind": "given",
            "file": None,
            "K": None,
            "content": block.digest(),
            "shape": list(block.shape),
        }
        for name, block in found.items()
    }
    return (spec.with_values(changes) if changes else spec), found


def operator_of(
    block: Block, *, device: torch.device | str, dtype: torch.dtype
) -> ListOperator | DenseOperator:
    """Return the operator of a block: lists of inputs, or the matrix where few of its entries are 0."""
    post, pre, weight = block.post, block.pre, block.weight
    if block.dense is not None:
        connected = block.dense != 0
        if connected.mean() >= SPARSE_BELOW:
            return DenseOperator(torch.tensor(block.dense, dtype=dtype, device=device))
        post, pre = connected.nonzero()
        weight = block.dense[post, pre]
        weight = None if bool((weight == 1).all()) else weight
    assert post is not None
    assert pre is not None
    counts = torch.from_numpy(np.bincount(post, minlength=block.shape[0]))
    offsets = torch.zeros(block.shape[0] + 1, dtype=torch.int64, device=device)
    offsets[1:] = counts.cumsum(0)
    indices = torch.tensor(pre, dtype=torch.int32, device=device)
    if weight is None:
        return SparseOperator(*block.shape, offsets, indices)
    weights = torch.tensor(weight, dtype=dtype, device=device)
    return WeightedOperator(*block.shape, offsets, indices, weights)
