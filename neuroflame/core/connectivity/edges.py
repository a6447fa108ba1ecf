"""The connections of a pair as a list, for weights that each point and each connection has of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.connectivity.base import angles
from neuroflame.core.connectivity.sparse import SparseOperator
from neuroflame.core.torch_physics import sum_neurons

if TYPE_CHECKING:
    from neuroflame.core.connectivity.base import Operator


class Edges(ABC):
    """Connections from one population onto another, those onto the first neuron first.

    Row p of every result depends on row p of the arguments alone, to the last bit, however many rows there are.

    Parameters
    ----------
    post, pre : int
        Number of neurons that listen and that speak.
    """

    def __init__(self, post: int, pre: int) -> None:
        self.post, self.pre = post, pre

    @property
    @abstractmethod
    def rows(self) -> Tensor:
        """Postsynaptic neuron of each connection, int64, (connections,)."""

    @property
    @abstractmethod
    def columns(self) -> Tensor:
        """Presynaptic neuron of each connection, int64, (connections,)."""

    @abstractmethod
    def values(self) -> Tensor:
        """Return the connectivity C_ij of each connection, float64, (P, connections) or (1, connections)."""

    @abstractmethod
    def receive(self, weights: Tensor, sources: Tensor) -> Tensor:
        """Return Σ_j w_ij s_j, (P, N_post), of weights (P, connections) and sources (P, N_pre)."""

    @abstractmethod
    def at_post(self, values: Tensor) -> Tensor:
        """Return the postsynaptic neuron's value, (P, N_post), at each connection."""

    @abstractmethod
    def at_pre(self, values: Tensor) -> Tensor:
        """Return the presynaptic neuron's value, (P, N_pre), at each connection."""

    def first_mode(self) -> Tensor:
        """Return cos(θ_post − θ_pre) of each connection, float64, (connections,)."""
        device = self.rows.device
        return torch.cos(angles(self.post, device)[self.rows] - angles(self.pre, device)[self.columns])


class ListedEdges(Edges):
    """The connections of a sparse operator."""

    def __init__(self, operator: SparseOperator) -> None:
        super().__init__(operator.post, operator.pre)
        self._rows, self._columns = operator.rows(), operator.indices.long()
        self._offsets = operator.offsets

    @property
    def rows(self) -> Tensor:
        """Postsynaptic neuron of each connection."""
        return self._rows

    @property
    def columns(self) -> Tensor:
        """Presynaptic neuron of each connection."""
        return self._columns

    def values(self) -> Tensor:
        """Return 1 for each connection."""
        return torch.ones(1, len(self._columns), dtype=torch.float64, device=self._columns.device)

    def receive(self, weights: Tensor, sources: Tensor) -> Tensor:
        """Return Σ_j w_ij s_j, each neuron's inputs added one after the other."""
        points, count = weights.shape
        if not count:
            return sources.new_zeros(points, self.post)
        first = count * torch.arange(points, device=weights.device)
        offsets = torch.cat([(first[:, None] + self._offsets[:-1]).flatten(), first[-1:] + count])
        terms = (weights * self.at_pre(sources)).flatten()
        return torch.segment_reduce(terms, "sum", offsets=offsets).view(points, self.post)

    def at_post(self, values: Tensor) -> Tensor:
        """Return the postsynaptic neuron's value at each connection."""
        return values.index_select(1, self._rows)

    def at_pre(self, values: Tensor) -> Tensor:
        """Return the presynaptic neuron's value at each connection."""
        return values.index_select(1, self._columns)


class AllEdges(Edges):
    """Every pair of neurons: a matrix, row by row."""

    def __init__(self, operator: Operator, device: torch.device) -> None:
        super().__init__(operator.post, operator.pre)
        self._operator, self._device = operator, device

    @property
    def rows(self) -> Tensor:
        """Postsynaptic neuron of each connection."""
        return torch.arange(self.post, device=self._device).repeat_interleave(self.pre)

    @property
    def columns(self) -> Tensor:
        """Presynaptic neuron of each connection."""
        return torch.arange(self.pre, device=self._device).repeat(self.post)

    def values(self) -> Tensor:
        """Return the connectivity C_ij, float64, (P, connections) or (1, connections)."""
        return self._operator.to_dense().reshape(-1, self.post * self.pre)

    def receive(self, weights: Tensor, sources: Tensor) -> Tensor:
        """Return Σ_j w_ij s_j, summed by pairwise halving."""
        return sum_neurons(weights.unflatten(1, (self.post, self.pre)) * sources[:, None, :])

    def at_post(self, values: Tensor) -> Tensor:
        """Return the postsynaptic neuron's value at each connection."""
        return values[:, :, None].expand(-1, -1, self.pre).flatten(1)

    def at_pre(self, values: Tensor) -> Tensor:
        """Return the presynaptic neuron's value at each connection."""
        return values.repeat(1, self.post)


def edges_of(operator: Operator, device: torch.device) -> Edges:
    """Return the connections of an operator on a device."""
    return ListedEdges(operator) if isinstance(operator, SparseOperator) else AllEdges(operator, device)
