"""The connections of a pair as a list, for weights that each point and each connection has of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.connectivity.base import angles
from neuroflame.core.connectivity.dense import DenseOperator
from neuroflame.core.connectivity.sparse import ListOperator, WeightedOperator
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
    def count(self) -> int:
        """Number of connections."""

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
    """Some of the pairs of neurons.

    Parameters
    ----------
    post, pre : int
        Sizes.
    rows, columns : Tensor, (connections,), int64
        Postsynaptic neurons, ascending, and presynaptic ones.
    values : Tensor, (connections,), optional
        The connectivity; 1 by default.
    """

    def __init__(
        self, post: int, pre: int, rows: Tensor, columns: Tensor, values: Tensor | None = None
    ) -> None:
        super().__init__(post, pre)
        self._rows, self._columns = rows, columns
        self._values = torch.ones_like(columns, dtype=torch.float64) if values is None else values.double()
        self._offsets = torch.zeros(post + 1, dtype=torch.int64, device=rows.device)
        self._offsets[1:] = torch.bincount(rows, minlength=post).cumsum(0)

    @property
    def count(self) -> int:
        """Number of connections."""
        return len(self._columns)

    @property
    def rows(self) -> Tensor:
        """Postsynaptic neuron of each connection."""
        return self._rows

    @property
    def columns(self) -> Tensor:
        """Presynaptic neuron of each connection."""
        return self._columns

    def values(self) -> Tensor:
        """Return the connectivity of each connection, float64, (1, connections)."""
        return self._values[None]

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
    def count(self) -> int:
        """Number of connections."""
        return self.post * self.pre

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
    """Return the connections of an operator on a device.

    An entry of 0 in a list or in a matrix is no connection; where a profile's weight is 0 there is one.
    """
    post, pre = operator.post, operator.pre
    if isinstance(operator, ListOperator):
        weights = operator.weights if isinstance(operator, WeightedOperator) else None
        return ListedEdges(post, pre, operator.rows(), operator.indices.long(), weights)
    if isinstance(operator, DenseOperator) and not bool((operator.matrix != 0).all()):
        rows, columns = operator.matrix.nonzero(as_tuple=True)
        return ListedEdges(post, pre, rows, columns, operator.matrix[rows, columns])
    return AllEdges(operator, device)
