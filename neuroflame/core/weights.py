"""The effective weights of a network at one point, as an operator: degrees, spectrum, coarse picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.connectivity.make import scaling
from neuroflame.core.random import normals
from neuroflame.errors import SimulationError

if TYPE_CHECKING:
    from neuroflame.core.connectivity import Operator
    from neuroflame.core.program import Program

LARGEST_DENSE = 5000
"""Neurons up to which the matrix is made: 200 MB in float64."""
BEYOND = 1.1
"""How far outside the bulk, in its radii, an eigenvalue counts as an outlier."""
_SMALL = 64  # neurons up to which all eigenvalues are computed


@dataclass(frozen=True)
class Spectrum:
    """Leading eigenvalues of the effective weights.

    Attributes
    ----------
    eigenvalues : ndarray, complex
        By magnitude, largest first.
    radius : float
        Spectral radius: magnitude of the first.
    bulk : float
        Radius of the disc that the circular law predicts for the random part, 0 where nothing is random.
    outliers : ndarray, complex
        Those of the eigenvalues that lie outside 1.1 of that disc.
    """

    eigenvalues: np.ndarray
    radius: float
    bulk: float
    outliers: np.ndarray


@dataclass(frozen=True)
class WeightBlock:
    """The weights of one pair: a coefficient (J and its scaling) times its connectivity."""

    name: str
    post: str
    pre: str
    rows: slice
    columns: slice
    coefficient: float
    operator: Operator


class EffectiveWeights:
    """W = J · scaling · C, all populations side by side, post by pre; short-term plasticity is not in it.

    Parameters
    ----------
    program : Program
        One point.
    slices : mapping of str to slice
        Where each population stands.
    """

    def __init__(self, program: Program, slices: dict[str, slice]) -> None:
        self.size = program.spec.size
        self.dtype, self.device = program.dtype, program.device
        self.slices = slices
        self.blocks = [
            WeightBlock(
                name=pair.name,
                post=pair.post,
                pre=pair.pre,
                rows=slices[pair.post],
                columns=slices[pair.pre],
                coefficient=float(program.number(f"J.{pair.name}").detach()) * scaling(program.spec, pair),
                operator=run.operator,
            )
            for pair, run in zip(program.spec.pairs, program.pairs, strict=True)
        ]

    def apply(self, sources: Tensor) -> Tensor:
        """Return W s for each row of the sources, (P, N)."""
        total = torch.zeros_like(sources)
        for block in self.blocks:
            current = block.operator.apply(sources[:, block.columns].contiguous())
            total[:, block.rows] += block.coefficient * current
        return total

    def dense(self) -> Tensor:
        """Return the matrix, float64, (N, N).

        Raises
        ------
        SimulationError
            If it has more than `LARGEST_DENSE` rows.
        """
        if self.size > LARGEST_DENSE:
            raise SimulationError(
                f"the matrix is made for at most {LARGEST_DENSE:,} neurons",
                got=self.size,
                remedy="use spectrum, in_degrees or coarse_weights, which do not make it",
            )
        dense = torch.zeros(self.size, self.size, dtype=torch.float64, device=self.device)
        for block in self.blocks:
            dense[block.rows, block.columns] = block.coefficient * block.operator.to_dense()
        return dense

    def bulk(self) -> float:
        """Return the radius of the disc that holds the eigenvalues of the random part.

        The square root of the spectral radius of N_B Var(W_AB) over pairs: Girko's circular law with a variance
        for each block (Aljadeff, Stern & Sharpee 2015, Phys. Rev. Lett. 114:088101).
        """
        names = list(self.slices)
        variance = np.zeros((len(names), len(names)))
        for block in self.blocks:
            spread = block.coefficient**2 * block.operator.variance() * block.operator.pre
            variance[names.index(block.post), names.index(block.pre)] = spread
        return float(np.sqrt(np.abs(np.linalg.eigvals(variance)).max()))

    def spectrum(self, k: int) -> Spectrum:
        """Return the k eigenvalues of largest magnitude, by Arnoldi's method on products with W.

        Raises
        ------
        SimulationError
            If k is not below the number of neurons, or the method does not converge.
        """
        from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

        if not 0 < k < self.size:
            raise SimulationError(
                f"must be above 0 and below the number of neurons, {self.size}", got=k, path="k"
            )
        if self.size <= max(_SMALL, k + 2):
            found = np.linalg.eigvals(self.dense().cpu().numpy())
        else:
            kind = np.float64 if self.dtype == torch.float64 else np.float32

            def product(vector: np.ndarray) -> np.ndarray:
                source = torch.as_tensor(vector.reshape(1, -1), dtype=self.dtype, device=self.device)
                with torch.no_grad():
                    return self.apply(source)[0].cpu().numpy()

            start = normals(torch.zeros(1, dtype=torch.int64), "spectrum", 0, 0, self.size, torch.float64)
            operator = LinearOperator((self.size, self.size), matvec=product, dtype=kind)
            room = min(self.size - 1, max(4 * k + 1, 40))
            try:
                found = eigs(
                    operator, k=k, ncv=room, v0=start[0].numpy().astype(kind), return_eigenvectors=False
                )
            except ArpackNoConvergence as error:
                raise SimulationError(
                    "the leading eigenvalues do not converge",
                    got=f"{len(error.eigenvalues)} of {k}",
                    remedy="ask for fewer or more, or use precision='double'",
                ) from None
        found = found[np.argsort(-np.abs(found), kind="stable")][:k].astype(np.complex128)
        bulk = self.bulk()
        scale = max(bulk * BEYOND, 1e-6 * float(np.abs(found[0])))
        return Spectrum(found, float(np.abs(found[0])), bulk, found[np.abs(found) > scale])

    def coarse(self, bins: int) -> dict[str, np.ndarray]:
        """Return the mean weight between bins of neighbouring neurons for each pair, (bins, bins) or less.

        Costs a product with each bin of each population; the matrix is never made.
        """
        found = {}
        for block in self.blocks:
            post, pre = block.operator.post, block.operator.pre
            count = min(bins, post, pre)
            here, there = (torch.arange(n, device=self.device) * count // n for n in (pre, post))
            with torch.no_grad():
                sources = torch.nn.functional.one_hot(here, count).T.to(self.dtype)
                sums = block.operator.apply(sources.contiguous()).double()  # (bins, N_post)
            total = torch.zeros(count, count, dtype=torch.float64, device=self.device)
            total.index_add_(0, there, sums.T.contiguous())
            size = torch.bincount(there)[:, None] * torch.bincount(here)
            found[block.name] = (block.coefficient * total / size).cpu().numpy()
        return found
