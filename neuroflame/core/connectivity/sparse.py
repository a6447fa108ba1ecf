"""Sparse connectivity: the list of each neuron's inputs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from neuroflame.core.connectivity.base import Operator
from neuroflame.core.connectivity.lanewise import multiply_lanewise
from neuroflame.core.connectivity.probability import connection_probability
from neuroflame.core.random import TOPOLOGY, stream, topology_key
from neuroflame.core.torch_physics import physics
from neuroflame.errors import SimulationError

if TYPE_CHECKING:
    from neuroflame.core.connectivity.probability import Probability
    from neuroflame.spec.network import Pair

ENTRIES_AT_ONCE = 1 << 22
ROWS_AT_LEAST = 2
"""Points that torch's gather-sum is given: for a single one it takes twenty times as long, in float32."""
MOST_CONNECTIONS = 2**31 - 1
"""Connections of a pair that 32-bit offsets can address."""


class ListOperator(Operator):
    """Connectivity stored as the presynaptic indices of each postsynaptic neuron.

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
        if indices.numel() > MOST_CONNECTIONS:
            raise SimulationError(
                f"a pair may have at most {MOST_CONNECTIONS:,} connections",
                got=indices.numel(),
                remedy="lower K or the size, or divide the population",
            )
        self.register_buffer("offsets", offsets)
        self.register_buffer("indices", indices)
        self.kept: dict[tuple[int, ...], Tensor] = {}
        self._turned: tuple[tuple[int, int], Tensor, Tensor] | None = None

    offsets: Tensor
    indices: Tensor

    def gather(self, sources: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the sum of each neuron's inputs, each times its weight, (P, N_post)."""
        if weights is None and sources.requires_grad and torch.is_grad_enabled():
            result: Tensor = _Sum.apply(sources, self, False)
            return result
        return _gathered(sources, self.offsets, self.indices, weights)

    def turned(self) -> tuple[Tensor, Tensor]:
        """Return the lists of what each presynaptic neuron reaches: offsets, int64, and indices, int32."""
        state = (self.indices.data_ptr(), self.indices._version)
        if self._turned is None or self._turned[0] != state:
            offsets = self.offsets.new_zeros(self.pre + 1)
            offsets[1:] = self.out_degrees().cumsum(0)
            order = torch.sort(self.indices, stable=True).indices
            self._turned = state, offsets, self.rows()[order].to(self.indices.dtype)
        return self._turned[1:]

    def rows(self) -> Tensor:
        """Return the postsynaptic neuron of each connection, int64."""
        return torch.repeat_interleave(torch.arange(self.post, device=self.offsets.device), self.in_degrees())

    def in_degrees(self) -> Tensor:
        """Return the number of inputs of each neuron, int64, (N_post,)."""
        return self.offsets[1:] - self.offsets[:-1]

    def out_degrees(self) -> Tensor:
        """Return the number of neurons that each presynaptic one reaches, int64, (N_pre,)."""
        return torch.bincount(self.indices, minlength=self.pre)

    def variance(self) -> float:
        """Return the mean variance of an entry about its row's mean."""
        total, squares = self._row_sums()
        mean = total / self.pre
        return float((squares / self.pre - mean**2).mean())

    def _row_sums(self) -> tuple[Tensor, Tensor]:
        """Return the sums of each row's entries and of their squares, float64, (N_post,)."""
        degrees = self.in_degrees().double()
        return degrees, degrees


def _gathered(sources: Tensor, offsets: Tensor, indices: Tensor, weights: Tensor | None = None) -> Tensor:
    points = sources.shape[0]
    if indices.numel() == 0:
        return sources.new_zeros(points, len(offsets) - 1)
    columns = F.pad(sources, (0, 0, 0, max(0, ROWS_AT_LEAST - points))).T.contiguous()
    if columns.dtype == torch.float64 or columns.requires_grad:
        indices = indices.long()
    else:
        offsets = offsets.to(indices.dtype)
    sums = F.embedding_bag(
        indices, columns, offsets, mode="sum", include_last_offset=True, per_sample_weights=weights
    )
    return sums.T[:points]


class _Sum(torch.autograd.Function):
    """Sums of inputs whose gradients are sums of outputs, gathered too: torch's own sorts the lists at each call."""

    @staticmethod
    def forward(ctx: Any, sources: Tensor, lists: ListOperator, turned: bool) -> Tensor:
        """Return the currents, (P, N_post), or with ``turned`` their transpose's, (P, N_pre)."""
        ctx.lists, ctx.turned = lists, turned
        return _gathered(sources, *(lists.turned() if turned else (lists.offsets, lists.indices)))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of the sources."""
        return _Sum.apply(gradients[0], ctx.lists, not ctx.turned), None, None


class SparseOperator(ListOperator):
    """C_ij in {0, 1}."""

    def apply(self, sources: Tensor) -> Tensor:  # type: ignore[override]
        """Return the currents for the sources."""
        return self.gather(sources)

    def to_dense(self) -> Tensor:
        """Return the matrix, float64, (N_post, N_pre)."""
        dense = torch.zeros(self.post, self.pre, dtype=torch.float64, device=self.indices.device)
        dense[self.rows(), self.indices.long()] = 1.0
        return dense


class WeightedOperator(ListOperator):
    """C_ij is a given number where there is a connection.

    Parameters
    ----------
    post, pre, offsets, indices
        See `ListOperator`; no connection stands twice.
    weights : Tensor, (connections,)
        Of each connection.
    """

    def __init__(self, post: int, pre: int, offsets: Tensor, indices: Tensor, weights: Tensor) -> None:
        super().__init__(post, pre, offsets, indices)
        self.register_buffer("weights", weights)

    weights: Tensor

    def apply(self, sources: Tensor) -> Tensor:  # type: ignore[override]
        """Return the currents for the sources."""
        weights = self.weights.to(sources.dtype)
        if sources.device.type != "cpu":
            return self.gather(sources, weights)
        result: Tensor = _WeightedSum.apply(sources, weights, self)
        return result

    def to_dense(self) -> Tensor:
        """Return the matrix, float64, (N_post, N_pre)."""
        dense = torch.zeros(self.post, self.pre, dtype=torch.float64, device=self.indices.device)
        dense[self.rows(), self.indices.long()] = self.weights.double()
        return dense

    def _row_sums(self) -> tuple[Tensor, Tensor]:
        rows, weights = self.rows(), self.weights.double()
        zero = weights.new_zeros(self.post)
        return zero.index_add(0, rows, weights), zero.index_add(0, rows, weights**2)


class _WeightedSum(torch.autograd.Function):
    """Weighted sums of inputs on a CPU, each row by itself: torch's own depend on how many rows there are."""

    @staticmethod
    def forward(ctx: Any, sources: Tensor, weights: Tensor, lists: ListOperator) -> Tensor:
        """Return the currents, (P, N_post)."""
        from neuroflame.core.connectivity.loops import kernels

        ctx.save_for_backward(sources, weights)
        ctx.lists = lists
        arrays = (part.detach().numpy() for part in (lists.offsets, lists.indices, weights))
        return multiply_lanewise(sources, lists.post, len(weights), partial(kernels().gather, *arrays))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Return the gradients of sources and weights."""
        (sources, weights), lists = ctx.saved_tensors, ctx.lists
        columns, along = lists.indices.long(), gradients[0][:, lists.rows()]  # (P, connections)
        of_sources, of_weights, _ = ctx.needs_input_grad
        return (
            torch.zeros_like(sources).index_add(1, columns, along * weights) if of_sources else None,
            (along * sources[:, columns]).sum(0) if of_weights else None,
            None,
        )


def draw(
    pair: Pair,
    post: int,
    pre: int,
    *,
    seed: int,
    graph: int,
    device: torch.device | str,
    vectors: tuple[Tensor, Tensor] | None = None,
) -> SparseOperator:
    """Draw each connection independently with its probability.

    The entry (i, j) is decided by one 32-bit word of a counter-based generator keyed by seed and graph, at a
    counter of the pair's name, i and j: the topology does not depend on the device or on how much of it is
    drawn at once. No N×N array is held: memory is proportional to the connections.

    Parameters
    ----------
    vectors : tuple of Tensor, optional
        m and n of a low-rank profile.
    """
    probability = connection_probability(pair, post, pre, vectors)
    low, high = topology_key(seed, graph)
    key = (low, high, stream(pair.name))
    if torch.device(device).type == "cpu":
        counts, found = draw_compiled(probability, key)
    else:
        counts, found = draw_torch(probability, key, device)
    offsets = torch.zeros(post + 1, dtype=torch.int64, device=device)
    offsets[1:] = counts.cumsum(0)
    return SparseOperator(post, pre, offsets, found)


def draw_torch(
    probability: Probability, key: tuple[int, int, int], device: torch.device | str
) -> tuple[Tensor, Tensor]:
    """Return the number of inputs of each neuron, int64, and all inputs, int32; on any device."""
    probability = probability.to(device)
    post, pre = probability.left.shape[0], probability.right.shape[1]
    low, high, name, purpose = (torch.tensor(word, device=device) for word in (*key, TOPOLOGY))
    block = torch.arange((pre + 3) // 4, device=device)[None, :]
    chunk = max(1, ENTRIES_AT_ONCE // pre)
    counts, found = [], []
    for first in range(0, post, chunk):
        rows = torch.arange(first, min(first + chunk, post), device=device)
        words = physics.philox(rows[:, None], block, name, purpose, low, high)
        drawn = torch.stack(torch.broadcast_tensors(*words), dim=-1).flatten(1)[:, :pre]
        connected = drawn < (probability.rows(rows) * 4294967296.0).to(torch.int64)
        counts.append(connected.sum(dim=1))
        found.append(connected.nonzero()[:, 1].to(torch.int32))
    return torch.cat(counts), torch.cat(found)


def draw_compiled(probability: Probability, key: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Return the same as `draw_torch`, on a CPU, by compiled loops over rows on as many cores as torch has threads.

    Each entry is compared with the same word; probabilities are the same to the last bit, but for the
    exponential of von Mises profiles, whose last bit decides one entry in 10^15.
    """
    from neuroflame.core.connectivity.loops import kernels

    connect = kernels().connect
    left = probability.left.contiguous().numpy()
    post, (rank, pre) = left.shape[0], probability.right.shape
    groups = -(-pre // 64)
    counters = np.arange(16 * groups, dtype=np.int64)
    padded = F.pad(probability.right, (0, 64 * groups - pre)).reshape(rank, groups, 16, 4)
    right = padded.transpose(2, 3).reshape(rank, 64 * groups).numpy()
    kappa = probability.concentration
    numbers = np.array(
        [
            probability.density,
            probability.background,
            probability.depth,
            float(kappa is not None),
            kappa or 0.0,
            probability.norm,
        ]
    )
    words_key = np.array(key, dtype=np.int64)
    chunk = max(1, min(post, ENTRIES_AT_ONCE // pre))
    counts = np.zeros(post, dtype=np.int64)

    def part(first: int) -> np.ndarray:
        last = min(first + chunk, post)
        room = np.empty((last - first) * pre + 4, dtype=np.int32)
        number = connect(
            counters, numbers, words_key, left, right, pre, first, last, room, counts[first:last]
        )
        return room[:number].copy()

    with ThreadPoolExecutor(max_workers=max(1, torch.get_num_threads())) as pool:
        parts = list(pool.map(part, range(0, post, chunk)))
    found = np.empty(int(counts.sum()), dtype=np.int32)  # in large pages, which torch does not ask for
    place = 0
    for i, piece in enumerate(parts):
        found[place : place + len(piece)] = piece
        place += len(piece)
        parts[i] = piece[:0].copy()  # lets go of it: the list is never held twice
    return torch.from_numpy(counts), torch.from_numpy(found)
