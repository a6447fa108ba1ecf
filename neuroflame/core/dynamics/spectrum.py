"""Leading eigenvalues of the step's Jacobian at a state, and what they say of its stability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.dynamics.goldstone import goldstone_modes
from neuroflame.core.dynamics.krylov import Arnoldi, combine, dot, norm
from neuroflame.core.dynamics.map import StepMap
from neuroflame.core.random import START, normals
from neuroflame.spec.dynamics import SPECTRUM_POWERS, SPECTRUM_WIDER

if TYPE_CHECKING:
    from neuroflame.core.dynamics.ensemble import Ensemble
    from neuroflame.spec.dynamics import SpectrumOptions

TOLERANCE = 1e-9
"""‖DF y − μ y‖ at which an eigenvector y of length 1 counts as found."""
REAL = 1e-6
"""|arg μ| below it is rounding."""
_CLOSE = 0.01
"""Error of α, over it, that is small enough for what converges slowly."""


@dataclass(frozen=True)
class Spectrum:
    """The k leading eigenvalues of DF at each row's state, largest modulus first.

    Attributes
    ----------
    dt : float
        Length of a step, seconds.
    eigenvalues : ndarray, (rows, k), complex
        μ; NaN where the state is undefined or has fewer directions.
    errors : ndarray, (rows, k)
        ‖DF y − μ y‖ of the eigenvector y of length 1.
    goldstone : ndarray, (rows, k), bool
        Which one is a bump's Goldstone mode.
    """

    dt: float
    eigenvalues: np.ndarray
    errors: np.ndarray
    goldstone: np.ndarray

    @property
    def growth(self) -> np.ndarray:
        """ln|μ|/dt, 1/s, (rows, k)."""
        with np.errstate(divide="ignore"):
            found: np.ndarray = np.log(np.abs(self.eigenvalues)) / self.dt
        return found

    @property
    def frequency(self) -> np.ndarray:
        """|arg μ|/(2π dt), Hz, (rows, k); 0 where μ is real and positive."""
        turn = np.abs(np.angle(self.eigenvalues))
        found: np.ndarray = np.where(turn < REAL, 0.0, turn / (2.0 * np.pi * self.dt))
        return found

    @property
    def leading(self) -> np.ndarray:
        """Index of the leading eigenvalue beside the Goldstone mode, (rows,)."""
        found: np.ndarray = np.argmin(self.goldstone, axis=1)
        return found

    @property
    def alpha(self) -> np.ndarray:
        """Spectral abscissa apart from the Goldstone mode, 1/s, (rows,)."""
        return self._of_leading(self.growth)

    @property
    def alpha_error(self) -> np.ndarray:
        """Error of ``alpha`` to first order, for a normal matrix, 1/s, (rows,)."""
        with np.errstate(divide="ignore", invalid="ignore"):  # μ = 0, where nothing is left after a step
            relative = self.errors / np.abs(self.eigenvalues)
        return self._of_leading(relative) / self.dt

    @property
    def alpha_frequency(self) -> np.ndarray:
        """Frequency of the leading eigenvalue apart from the Goldstone mode, Hz, (rows,)."""
        return self._of_leading(self.frequency)

    @property
    def alpha_goldstone(self) -> np.ndarray:
        """Growth of the Goldstone mode, 1/s, NaN where there is none, (rows,)."""
        found = np.where(self.goldstone, self.growth, np.nan)
        at = np.argmax(self.goldstone, axis=1)
        return self._of_rows(found, at)

    def unstable(self, kind: str | None = None) -> np.ndarray:
        """Return the number of growing directions among the k, Goldstone mode apart, (rows,).

        Parameters
        ----------
        kind : {"real", "flip", "complex"}, optional
            Only those with μ > 0, with μ < 0, or in complex pairs.
        """
        growing = (self.growth > 0) & ~self.goldstone
        if kind is not None:
            growing &= self.kinds == kind
        found: np.ndarray = growing.sum(axis=1)
        return found

    @property
    def kinds(self) -> np.ndarray:
        """Whether μ is ``real`` (positive), ``flip`` (negative) or ``complex``, (rows, k)."""
        turn = np.abs(np.angle(self.eigenvalues))
        found: np.ndarray = np.where(turn < REAL, "real", np.where(np.pi - turn < REAL, "flip", "complex"))
        return found

    def classify(self) -> list[str]:
        """Return in words what each row's fixed point is.

        ``stable node`` or ``stable focus`` as the leading eigenvalue is real or complex, ``unstable focus`` if
        only complex pairs grow, ``saddle`` if something real grows; ``undefined`` without eigenvalues.
        """
        total, spirals = self.unstable(), self.unstable("complex")
        turns = self.alpha_frequency > 0
        words = []
        for row, alpha in enumerate(self.alpha):
            if np.isnan(alpha):
                words.append("undefined")
            elif total[row]:
                words.append("unstable focus" if spirals[row] == total[row] else "saddle")
            else:
                words.append("stable focus" if turns[row] else "stable node")
        return words

    def _of_leading(self, table: np.ndarray) -> np.ndarray:
        found = self._of_rows(table, self.leading)
        return np.where(self.goldstone.all(axis=1), np.nan, found)

    def _of_rows(self, table: np.ndarray, column: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.take_along_axis(table, column[:, None], axis=1)[:, 0]
        return found


@torch.no_grad()
def spectrum(
    ensemble: Ensemble, owner: Tensor, flat: Tensor, *, at: int, options: SpectrumOptions
) -> Spectrum:
    """Return the leading eigenvalues of the step's Jacobian at the given states.

    Arnoldi's method with Rayleigh–Ritz values; rows whose vectors have not converged begin again from what
    was found, with 8 and then 64 steps of the network between the vectors of the subspace, and at last, where α is
    not known within 1 %, in a subspace of four times the dimension, as slow modes that cluster need. Where the
    subspace is the whole space, or holds all that is there, the values are exact.

    Parameters
    ----------
    ensemble : Ensemble
    owner : Tensor, (rows,), int64
        The point that each row belongs to.
    flat : Tensor, (rows, D)
        States; a row that is not finite gives NaN.
    at : int
        Step whose external input is held.
    options : SpectrumOptions
        Number of eigenvalues, and dimension of the subspace; at least k + 2 is taken.
    """
    (rows, dimension), k = flat.shape, options.k
    found = Spectrum(
        ensemble.spec.dt,
        np.full((rows, k), np.nan + 0j),
        np.full((rows, k), np.nan),
        np.zeros((rows, k), dtype=bool),
    )
    open_ = torch.isfinite(flat).all(dim=1).nonzero()[:, 0]
    start = _random(flat[open_], 0)
    size = min(dimension, max(options.basis, k + 2))
    for power in SPECTRUM_POWERS:
        if not len(open_):
            break
        step_map = StepMap(ensemble.quiet(owner[open_]), at=at)
        start = _note(found, open_, step_map, flat[open_], start, size=size, power=power)
        if size == dimension:
            return found
        again = torch.as_tensor(_unsettled(found, open_), device=flat.device)
        open_, start = open_[again], start[again]
    size = min(dimension, SPECTRUM_WIDER * size)
    power = 1 if size == dimension else SPECTRUM_POWERS[-1]
    if size < dimension:  # which takes long, and is for what labels hang on
        doubtful = ~(found.alpha_error <= _CLOSE * np.abs(found.alpha))[open_.cpu().numpy()]
        open_, start = (some[torch.as_tensor(doubtful, device=flat.device)] for some in (open_, start))
    at_once = max(1, rows // SPECTRUM_WIDER)  # so that no more vectors are held than before
    for chosen, begin in zip(open_.split(at_once), start.split(at_once), strict=True):
        if len(chosen):
            step_map = StepMap(ensemble.quiet(owner[chosen]), at=at)
            _note(found, chosen, step_map, flat[chosen], begin, size=size, power=power)
    return found


def _note(
    found: Spectrum, rows: Tensor, step_map: StepMap, flat: Tensor, start: Tensor, *, size: int, power: int
) -> Tensor:
    """Write down what one search finds for some rows, and return where the next one begins, (rows, D)."""
    values, errors, vectors = _ritz(step_map, flat, start, size=size, power=power)
    kept = min(found.errors.shape[1], size)
    chosen = rows.cpu().numpy()
    found.eigenvalues[chosen, :kept] = values[:, :kept]
    found.errors[chosen, :kept] = errors[:, :kept]
    found.goldstone[chosen, :kept] = goldstone_modes(step_map, flat, values[:, :kept], vectors)
    return torch.stack([v.real for v in vectors[:kept]]).sum(0)


def _unsettled(found: Spectrum, rows: Tensor) -> np.ndarray:
    unsettled: np.ndarray = (found.errors[rows.cpu().numpy()] > TOLERANCE).any(axis=1)
    return unsettled


def _ritz(
    step_map: StepMap, flat: Tensor, start: Tensor, *, size: int, power: int
) -> tuple[np.ndarray, np.ndarray, list[Tensor]]:
    """Return Ritz values (rows, m), their errors (rows, m) and the vectors, complex, m × (rows, D)."""

    def ahead(direction: Tensor) -> Tensor:
        for _ in range(power):
            direction = step_map.derivative(flat, direction)
        return direction

    krylov = Arnoldi(ahead, start, fresh=lambda j: _random(flat, j + 1))
    while krylov.size < size:
        krylov.extend()
    vectors = krylov.basis[:, :size]
    if power == 1:  # A V = V H: the images are known
        inside = torch.as_tensor(krylov.matrix(), device=flat.device)
        projected = inside[:, :size]
        images = torch.stack([combine(krylov.basis, inside[:, :, j]) for j in range(size)], dim=1)
    else:
        images = torch.stack([step_map.derivative(flat, vectors[:, j]) for j in range(size)], dim=1)
        projected = torch.stack([dot(vectors, images[:, j : j + 1]) for j in range(size)], dim=2)
    values, weights = np.linalg.eig(projected.cpu().numpy())
    order = np.lexsort((-values.imag, -np.round(np.abs(values), 13)), axis=1)
    values = np.take_along_axis(values, order, axis=1)
    weights = np.take_along_axis(weights, order[:, None, :], axis=2)
    found, errors = [], np.empty(values.shape)
    for j in range(size):
        mixed, image = _mixed(vectors, weights[:, :, j]), _mixed(images, weights[:, :, j])
        mu = torch.as_tensor(values[:, j], device=flat.device)[:, None]
        errors[:, j] = norm(torch.view_as_real(image - mu * mixed).flatten(1)).cpu().numpy()
        found.append(mixed)
    return values, errors, found


def _mixed(basis: Tensor, weights: np.ndarray) -> Tensor:
    """Return Σ_j w_j v_j of complex weights (rows, m), complex (rows, D)."""
    real, imaginary = (
        combine(basis, torch.as_tensor(part.copy(), device=basis.device))
        for part in (weights.real, weights.imag)
    )
    return torch.complex(real, imaginary)


def _random(like: Tensor, number: int) -> Tensor:
    """Return the same standard normal numbers in every row, (rows, D)."""
    seed = torch.zeros(1, dtype=torch.int64, device=like.device)
    return normals(seed, "spectrum", START, number, like.shape[1], like.dtype).expand_as(like)
