"""All-to-all connectivity with a low-rank structure, and the vectors that it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.connectivity.base import Operator
from neuroflame.core.random import TOPOLOGY, normals, topology_key
from neuroflame.core.torch_physics import sum_neurons
from neuroflame.spec.connectivity import LowRank, cholesky

if TYPE_CHECKING:
    from neuroflame.spec.network import NetworkSpec, Pair


class LowRankOperator(Operator):
    """C_ij = background + κ Σ_r m_i^r n_j^r, in O(N R): the N×N matrix is never made.

    Parameters
    ----------
    m, n : Tensor, (N_post, R) and (N_pre, R)
        Vectors of the neurons that listen and that speak.
    """

    def __init__(self, m: Tensor, n: Tensor) -> None:
        super().__init__(m.shape[0], n.shape[0])
        self.register_buffer("m", m)
        self.register_buffer("n", n)
        one = m.new_ones(1, dtype=torch.float64)
        self._kappa, self._background = one, one

    m: Tensor
    n: Tensor

    def bind(self, kappa: Tensor, background: Tensor, dtype: torch.dtype) -> LowRankOperator:
        """Return an operator with the numbers of a run's points, (P,) or (1,), float64."""
        return self.with_numbers((self.m.to(dtype), self.n.to(dtype), kappa, background))

    def numbers(self) -> tuple[Tensor, ...]:
        """Return the vectors m and n, κ and the background."""
        return self.m, self.n, self._kappa, self._background

    def with_numbers(self, numbers: tuple[Tensor, ...]) -> LowRankOperator:
        """Return an operator with other vectors, κ and background."""
        bound = LowRankOperator(*numbers[:2])
        bound._kappa, bound._background = numbers[2:]
        return bound

    @property
    def kappa(self) -> Tensor:
        """κ of each point, (P,) or (1,), float64."""
        return self._kappa

    @property
    def background(self) -> Tensor:
        """Background of each point, (P,) or (1,), float64."""
        return self._background

    @property
    def rank(self) -> int:
        """Number of outer products."""
        return self.m.shape[1]

    def overlaps(self) -> Tensor:
        """Return n_r · m_s / N for all ranks r and s, float64, (R, R); of a population onto itself.

        Their eigenvalues, times κ J, are those of the low-rank part.
        """
        return self.n.double().T @ self.m.double() / self.pre

    def apply(self, sources: Tensor) -> Tensor:  # type: ignore[override]
        """Return the currents for the sources."""
        kappa, background = (x.to(sources.dtype) for x in (self._kappa, self._background))
        current = (background * sum_neurons(sources))[:, None].expand(-1, self.post)
        for m, n in zip(self.m.T.to(sources.dtype), self.n.T.to(sources.dtype), strict=True):
            current = current + (kappa * sum_neurons(sources * n))[:, None] * m
        return current

    def to_dense(self) -> Tensor:
        """Return the matrices, float64, (P, N_post, N_pre), or (N_post, N_pre) if all points share one."""
        kappa, background = torch.broadcast_tensors(self._kappa, self._background)
        dense = background[:, None, None] + kappa[:, None, None] * (self.m.double() @ self.n.double().T)
        return dense[0] if dense.shape[0] == 1 else dense


def draw_vectors(
    spec: NetworkSpec, pair: Pair, *, graph: int, device: torch.device | str
) -> tuple[Tensor, Tensor]:
    """Return m of the postsynaptic and n of the presynaptic population, float64, (N, R) each.

    Each neuron's standard normal numbers are a function of the seed, the graph, the name of the vectors (by
    default the pair's), its population and its index: pairs that share a name share them.
    """
    profile = pair.profile
    assert isinstance(profile, LowRank)
    seed = spec.connectivity.seed if profile.seed is None else profile.seed
    low, high = topology_key(seed, graph)
    key = torch.tensor([low | (high - (high >> 31 << 32)) << 32], device=device)
    factor = cholesky(profile.covariances)
    assert factor is not None
    found = []
    for population, first in ((pair.post, 0), (pair.pre, 0 if profile.symmetric else profile.rank)):
        name = f"vectors.{profile.vectors or pair.name}.{population}"
        size = spec.populations[population].size
        z = [normals(key, name, TOPOLOGY, r, size, torch.float64)[0] for r in range(profile.drawn)]
        columns = []
        for r in range(first, first + profile.rank):
            column = torch.full_like(z[0], profile.means[r])
            for weight, normal in zip(factor[r], z, strict=True):
                column = column + weight * normal
            columns.append(column)
        found.append(torch.stack(columns, dim=1))
    return found[0], found[1]
