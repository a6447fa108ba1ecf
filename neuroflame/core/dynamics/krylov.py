"""Krylov subspaces of many small linear problems at once; a row's numbers do not depend on the other rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.torch_physics import sum_neurons

if TYPE_CHECKING:
    from collections.abc import Callable

_DEPENDENT = 1e-13
_CHECK_EVERY = 5


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the products summed over the last axis, in the one order of `sum_neurons`."""
    return sum_neurons(a * b)


def norm(a: Tensor) -> Tensor:
    """Return the Euclidean norm over the last axis."""
    return torch.sqrt(dot(a, a))


def combine(basis: Tensor, weights: Tensor) -> Tensor:
    """Return Σ_j w_j v_j, (rows, D), for a basis (rows, m, D) and weights (rows, m)."""
    return sum_neurons((basis * weights[..., None]).transpose(1, 2))


class Arnoldi:
    """Orthonormal bases V of span{b, A b, A² b, …} and the matrices H with A V = V H.

    Arnoldi 1951, Q. Appl. Math. 9:17, with classical Gram–Schmidt done twice (Giraud, Langou, Rozložník & van
    den Eshof 2005, Numer. Math. 101:87).

    Parameters
    ----------
    apply : callable
        A: (rows, D) to (rows, D), linear and row by row.
    start : Tensor, (rows, D)
        b; a row of zeros stays one.
    fresh : callable, optional
        Where the subspace is exhausted, go on with the part of ``fresh(j)``, (rows, D), that is orthogonal to
        it. So eigenvalues are found as often as they occur. By default such a row gets zeros.
    """

    def __init__(
        self,
        apply: Callable[[Tensor], Tensor],
        start: Tensor,
        fresh: Callable[[int], Tensor] | None = None,
    ) -> None:
        self._apply, self._fresh = apply, fresh
        self.length = norm(start)
        self.basis = _unit(start, self.length)[:, None]  # (rows, m + 1, D)
        self._columns: list[Tensor] = []

    @property
    def size(self) -> int:
        """Number of columns of H, m."""
        return len(self._columns)

    def extend(self) -> None:
        """Add one vector to the bases."""
        image = self._apply(self.basis[:, -1])
        before = norm(image)
        rest, inside = _orthogonal(self.basis, image)
        after = norm(rest)
        exhausted = after <= _DEPENDENT * before
        below = torch.where(exhausted, 0.0, after)
        unit = _unit(rest, below)
        if self._fresh is not None and bool(exhausted.any()):
            other, _ = _orthogonal(self.basis, self._fresh(self.size))
            unit = torch.where(exhausted[:, None], _unit(other, norm(other)), unit)
        self.basis = torch.cat([self.basis, unit[:, None]], dim=1)
        self._columns.append(torch.cat([inside, below[:, None]], dim=1))

    def matrix(self) -> np.ndarray:
        """Return H, (rows, m + 1, m)."""
        m = self.size
        padded = [torch.nn.functional.pad(c, (0, m + 1 - c.shape[1])) for c in self._columns]
        found: np.ndarray = torch.stack(padded, dim=2).cpu().numpy()
        return found


def gmres(apply: Callable[[Tensor], Tensor], right: Tensor, *, size: int, tolerance: float) -> Tensor:
    """Return x with A x ≈ b of least residual in the Krylov subspace, (rows, D).

    Saad & Schultz 1986, SIAM J. Sci. Stat. Comput. 7:856. A row stops at its own first check at which its
    relative residual is below the tolerance.

    Parameters
    ----------
    apply : callable
        A.
    right : Tensor, (rows, D)
        b.
    size : int
        Largest dimension of the subspace.
    tolerance : float
        Of ‖A x − b‖ / ‖b‖.
    """
    krylov = Arnoldi(apply, right)
    rows = len(right)
    length = krylov.length.cpu().numpy()
    weights = np.zeros((rows, size))
    open_ = length > 0
    while krylov.size < size and open_.any():
        krylov.extend()
        m = krylov.size
        if m % _CHECK_EVERY and m < size:
            continue
        matrix = krylov.matrix()
        for row in np.flatnonzero(open_):
            target = np.zeros(m + 1)
            target[0] = length[row]
            best, *_ = np.linalg.lstsq(matrix[row], target, rcond=1e-14)
            weights[row, :m] = best
            left = np.linalg.norm(matrix[row] @ best - target)
            open_[row] = left > tolerance * length[row]
    found = torch.zeros_like(right)
    for j in range(krylov.size):  # one after the other: a row's sum ends where its own subspace did
        found = found + torch.as_tensor(weights[:, j : j + 1], device=right.device) * krylov.basis[:, j]
    return found


def _unit(vector: Tensor, length: Tensor) -> Tensor:
    """Return the vectors over their lengths, zeros where the length is 0."""
    safe = torch.where(length > 0, length, 1.0)
    return torch.where(length[:, None] > 0, vector / safe[:, None], 0.0)


def _orthogonal(basis: Tensor, vector: Tensor) -> tuple[Tensor, Tensor]:
    """Return what of the vectors is orthogonal to their bases, and their components in these."""
    inside = torch.zeros(basis.shape[:2], dtype=basis.dtype, device=basis.device)
    for _ in range(2):
        part = dot(basis, vector[:, None])
        vector = vector - combine(basis, part)
        inside = inside + part
    return vector, inside
