"""Chaos of random networks with independent normal weights: dynamic mean-field theory in the limit of many neurons.

Sompolinsky, Crisanti & Sommers 1988, Phys. Rev. Lett. 61:259, for τ dx/dt = −x + Σ_j J_ij φ(x_j), J_ij of variance
g²/N: the autocovariance Δ(t) of x moves like a particle in a potential, Δ'' = −∂V/∂Δ with
V(Δ) = −Δ²/2 + g² (⟨Φ Φ⟩ − ⟨Φ⟩²), Φ' = φ, at energy V(0); t is in units of τ. Rates r with τ dr/dt = −r + φ(Σ J r) are
the same dynamics seen through J.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.linalg import eigh_tridiagonal
from scipy.optimize import brentq

from neuroflame.theory.transfer import slope

if TYPE_CHECKING:
    from collections.abc import Callable

Array = np.ndarray[Any, Any]

NODES = np.linspace(
    -8.0, 8.0, 201
)  # of normal integrals: the trapezoidal rule converges faster than any power
WEIGHTS = np.exp(-0.5 * NODES**2)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
_GRID = 200  # values of Δ between 0 and its largest
_STEP = 0.02  # of the autocovariance's time, in τ
_MOST = 10.0  # gain above which tanh is too steep for the grid
_FAR = 1e-4  # share of its largest value below which the autocovariance is over


@dataclass(frozen=True)
class Chaos:
    """The state of a large random network of tanh units with gain g.

    Attributes
    ----------
    input_variance : float
        Δ(0), of a neuron's input.
    rate_variance : float
        Of a neuron's rate, over neurons and time: Δ(0)/g², since the input is the sum of the rates. It is less than
        ⟨tanh²⟩, which rates follow with τ.
    exponent : float
        Largest Lyapunov exponent, in units of 1/τ: −1 + √(1 − E), E the lowest energy of a quantum particle in
        1 − g² ⟨φ' φ'⟩(t); NaN above a gain of 10.
    """

    input_variance: float
    rate_variance: float
    exponent: float


def chaos(gain: float) -> Chaos:
    """Return what becomes of a random network of tanh units with independent normal weights of variance g²/N.

    Parameters
    ----------
    gain : float
        g, above 0: up to 1 rest is stable, with the exponent g − 1; above it rest gives way to chaos.
    """
    if gain <= 1.0:
        return Chaos(0.0, 0.0, gain - 1.0)
    variance = float(brentq(lambda d: _potential(gain, d, d), *_bracket(gain)))
    resolved = gain <= _MOST
    exponent = -1.0 + float(np.sqrt(1.0 - _lowest_energy(gain, variance))) if resolved else float("nan")
    return Chaos(variance, variance / gain**2, exponent)


def _bracket(gain: float) -> tuple[float, float]:
    """Return variances of the input at which the potential is below and above that at 0."""
    low = 1e-3 * (gain - 1.0)
    high = gain**2  # rates are at most 1
    return low, high


def _correlate(function: Callable[[Array], Array], variance: float, covariance: float) -> float:
    """Return ⟨f(x) f(y)⟩ for normal x and y of mean 0 with a variance and a covariance."""
    own = np.sqrt(max(variance - abs(covariance), 0.0))
    shared = np.sqrt(abs(covariance)) * NODES
    inner = function(own * NODES[None, :] + shared[:, None]) @ WEIGHTS
    return float(WEIGHTS @ (inner * inner))


def _log_cosh(x: Array) -> Array:
    size = np.abs(x)
    found: Array = size + np.log1p(np.exp(-2.0 * size)) - np.log(2.0)
    return found


def _potential(gain: float, variance: float, covariance: float) -> float:
    """Return V(Δ) − V(0)."""
    correlated = _correlate(_log_cosh, variance, covariance) - _correlate(_log_cosh, variance, 0.0)
    return -0.5 * covariance**2 + gain**2 * correlated


def _lowest_energy(gain: float, variance: float) -> float:
    """Return the lowest energy of −∂²/∂t² + 1 − g² ⟨φ' φ'⟩(Δ(t)), by differences on t ≥ 0 (the state is even)."""
    covariances = variance * np.linspace(0.0, 1.0, _GRID) ** 2
    slopes = np.array([_correlate(partial(slope, "tanh"), variance, c) for c in covariances])
    forces = np.array([gain**2 * _correlate(np.tanh, variance, c) - c for c in covariances])
    well, force = CubicSpline(covariances, slopes), CubicSpline(covariances, forces)
    primitive = force.antiderivative()
    miss = float(primitive(variance)) / variance**2  # V(Δ(0)) is V(0), but for the spline's error
    course = [variance]
    bend = 0.5 * float(force(variance))  # Δ(t) = Δ(0) − |Δ''(0)| t²/2 to begin with
    course.append(variance - abs(bend) * _STEP**2)

    def speed(value: float) -> float:
        return -float(np.sqrt(max(2.0 * (miss * value**2 - float(primitive(value))), 0.0)))

    while course[-1] > _FAR * variance and speed(course[-1]) < 0.0:  # fourth order by Runge and Kutta
        now = course[-1]
        a = speed(now)
        b = speed(now + 0.5 * _STEP * a)
        c = speed(now + 0.5 * _STEP * b)
        d = speed(max(now + _STEP * c, 0.0))
        course.append(now + _STEP * (a + 2.0 * b + 2.0 * c + d) / 6.0)
    depth = 1.0 - gain**2 * well(np.maximum(course, 0.0))
    rest = 1.0 - gain**2 * float(well(0.0))
    depth = np.concatenate([depth, np.full(len(depth), rest)])
    diagonal = 2.0 / _STEP**2 + depth
    across = np.full(len(depth) - 1, -1.0 / _STEP**2)
    across[0] *= np.sqrt(2.0)  # even: the neighbour on the left is that on the right
    return float(eigh_tridiagonal(diagonal, across, select="i", select_range=(0, 0))[0][0])
