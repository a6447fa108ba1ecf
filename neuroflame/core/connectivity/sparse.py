"""Sparse 0/1 connectivity: the list of each neuron's inputs, drawn entry by entry from a counter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from scipy.special import ive
from torch import Tensor

from neuroflame.core.connectivity.base import Operator, angles
from neuroflame.core.random import TOPOLOGY, stream
from neuroflame.core.torch_physics import physics

if TYPE_CHECKING:
    from neuroflame.spec.network import Pair

ENTRIES_AT_ONCE = 1 << 22


class SparseOperator(Operator):
    """C_ij in {0, 1}, stored as the presynaptic indices of each postsynaptic neuron.

    Parameters
    ----------
    post, pre : int
        Sizes.
    offsets : Tensor, (N_post + 1,), int64
        Where each neuron's inputs begin in ``indices``; the last entry is their number.
    indices : Tensor, (connections,), int32
        Presynaptic neurons, ascending for each postsynaptic one.
    """

    def __init__(self, post: int, pre: int, offsets: Tensor, indices: Tensor) -> None:
        super().__init__(post, pre)
        self.register_buffer("offsets", offsets)
        self.register_buffer("indices", indices)
        self.kept: dict[tuple[int, ...], Tensor] = {}

    offsets: Tensor
    indices: Tensor

    def apply(self, sources: Tensor) -> Tensor:  # type: ignore[override]
        """Return the currents for the sources."""
        columns = sources.T.contiguous()
        indices, offsets = self.indices, self.offsets
        if self.indices.numel() == 0:
            return sources.new_zeros(sources.shape[0], self.post)
        if columns.dtype == torch.float64 or columns.requires_grad:
            indices = indices.long()
        else:
            offsets = offsets.to(indices.dtype)
        sums = F.embedding_bag(indices, columns, offsets, mode="sum", include_last_offset=True)
        return sums.T

    def to_dense(self) -> Tensor:
        """Return the matrix, float64, (N_post, N_pre)."""
        dense = torch.zeros(self.post, self.pre, dtype=torch.float64, device=self.indices.device)
        dense[self.rows(), self.indices.long()] = 1.0
        return dense

    def rows(self) -> Tensor:
        """Return the postsynaptic neuron of each connection, int64."""
        return torch.repeat_interleave(torch.arange(self.post, device=self.offsets.device), self.in_degrees())

    def in_degrees(self) -> Tensor:
        """Return the number of inputs of each neuron, int64, (N_post,)."""
        return self.offsets[1:] - self.offsets[:-1]


def connection_probability(pair: Pair, post: int, pre: int, rows: Tensor) -> Tensor:
    """Return clip(K/N P_ij, 0, 1) for some rows, float64, (rows, N_pre).

    Parameters
    ----------
    pair : Pair
        Kind, in-degree and profile, with the numbers that apply to this pair.
    post, pre : int
        Sizes.
    rows : Tensor, (rows,), int64
        Postsynaptic neurons.
    """
    assert pair.K is not None
    profile = pair.profile
    density = pair.K / pre
    if profile.kind == "uniform":
        return torch.full((len(rows), pre), density, dtype=torch.float64, device=rows.device).clamp(0.0, 1.0)
    kappa = profile.kappa[pair.name] if isinstance(profile.kappa, dict) else profile.kappa
    phase = torch.tensor(profile.phase, dtype=torch.float64).deg2rad()
    there = angles(post).to(rows.device)[rows]
    here = angles(pre).to(rows.device) + phase.to(rows.device)
    cosine = torch.cos(there)[:, None] * torch.cos(here) + torch.sin(there)[:, None] * torch.sin(here)
    if profile.kind == "von_mises":
        shape = torch.exp(kappa * (cosine - 1.0)) / float(ive(0, kappa))
    else:
        depth = kappa / pair.K**0.5 if profile.kind == "cosine_weak" else kappa
        shape = 1.0 + depth * cosine
    return (density * shape).clamp(0.0, 1.0)


def draw(
    pair: Pair, post: int, pre: int, *, seed: int, graph: int, device: torch.device | str
) -> SparseOperator:
    """Draw each connection independently with its probability.

    The entry (i, j) is decided by one 32-bit word of a counter-based generator keyed by seed and graph, at a
    counter of the pair's name, i and j: the topology does not depend on the device or on how much of it is
    drawn at once.
    """
    low = torch.tensor(seed & 0xFFFFFFFF, device=device)
    key = torch.tensor((graph ^ (seed >> 32)) & 0xFFFFFFFF, device=device)
    name = torch.tensor(stream(pair.name), device=device)
    purpose = torch.tensor(TOPOLOGY, device=device)
    block = torch.arange((pre + 3) // 4, device=device)[None, :]
    chunk = max(1, ENTRIES_AT_ONCE // pre)
    counts, found = [], []
    for first in range(0, post, chunk):
        rows = torch.arange(first, min(first + chunk, post), device=device)
        words = physics.philox(rows[:, None], block, name, purpose, low, key)
        drawn = torch.stack(torch.broadcast_tensors(*words), dim=-1).flatten(1)[:, :pre]
        threshold = (connection_probability(pair, post, pre, rows) * 4294967296.0).to(torch.int64)
        connected = drawn < threshold
        counts.append(connected.sum(dim=1))
        found.append(connected.nonzero()[:, 1].to(torch.int32))
    offsets = torch.zeros(post + 1, dtype=torch.int64, device=device)
    offsets[1:] = torch.cat(counts).cumsum(0)
    return SparseOperator(post, pre, offsets, torch.cat(found))
