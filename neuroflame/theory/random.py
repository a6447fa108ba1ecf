"""Random connectivity: the disc of its eigenvalues, outliers of low rank, and what they do to the step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.theory.homogeneous import slopes
from neuroflame.theory.step import Growth, growth, step_matrix

if TYPE_CHECKING:
    from neuroflame.theory.meanfield import MeanField

Array = np.ndarray[Any, Any]


def circular_law_radius(variances: Array, slope: Array) -> float:
    """Return the radius of the disc of eigenvalues of a random matrix with blocks of independent entries.

    The root of the spectral radius of N_B Var(W_AB) slope_B² over pairs A, B: Girko 1985 and Sommers, Crisanti,
    Sompolinsky & Stein 1988 for one block, Aljadeff, Stern & Sharpee 2015 for several. For J/√N times standard normal
    entries and tanh at 0 it is J, and rest gives way to chaos at J = 1 (Sompolinsky, Crisanti & Sommers 1988).

    Parameters
    ----------
    variances : ndarray, (n, n)
        N_B Var(W_AB): post, pre.
    slope : ndarray, (n,)
        Slope of each population's transfer function at the fixed point.
    """
    weighed = np.asarray(variances) * np.asarray(slope)[None, :] ** 2
    return float(np.sqrt(np.abs(np.linalg.eigvals(weighed)).max()))


def outliers(means: Array, covariance: Array, kappa: float, background: float = 0.0) -> Array:
    """Return the eigenvalues, for N → ∞, of (background + κ Σ_r m^r n^rᵀ)/N with normal vectors m and n.

    They are those of the matrix of overlaps of what it sends out with what it reads: Mastrogiuseppe & Ostojic 2018,
    Schuessler et al. 2020. Those inside the disc of an added random part are hidden by it.

    Parameters
    ----------
    means : ndarray, (2R,)
        Means of m of every rank, then of n of every rank.
    covariance : ndarray, (2R, 2R)
    kappa : float
    background : float
        Weight of the constant part.
    """
    means = np.asarray(means, dtype=float)
    rank = len(means) // 2
    moments = np.asarray(covariance, dtype=float) + np.outer(means, means)
    overlap = np.empty((rank + 1, rank + 1))
    overlap[0, 0] = background
    overlap[0, 1:] = background * means[:rank]
    overlap[1:, 0] = kappa * means[rank:]
    overlap[1:, 1:] = kappa * moments[rank:, :rank]
    found = np.linalg.eigvals(overlap)
    return found[np.argsort(-np.abs(found))]


def growth_of_eigenvalue(field: MeanField, rates: Array, eigenvalue: complex) -> Growth:
    """Return the growth along an eigenvector of the connectivity of one population, with its eigenvalue.

    Parameters
    ----------
    field : MeanField
        One population; its one pair sets what is plastic and slow.
    rates : ndarray, (1,)
        The homogeneous fixed point.
    eigenvalue : complex
        Of the weight matrix, coupling included.
    """
    if len(field.names) != 1:
        raise ValueError(f"one population is needed, got {len(field.names)}")
    matrix = step_matrix(
        field, rates[:, None], slopes(field, rates)[:, None], lambda _: np.array([[eigenvalue]])
    )
    return growth(np.linalg.eigvals(matrix), field.dt)


def disc_growth(field: MeanField, rates: Array, radius: float, angles: int = 64) -> Growth:
    """Return the fastest growth over eigenvalues on a circle: where it passes 0, the fixed point gives way."""
    ring = radius * np.exp(1j * np.linspace(0.0, np.pi, angles))
    return max((growth_of_eigenvalue(field, rates, z) for z in ring), key=lambda one: one.alpha)
