"""Stationary bumps on a ring: order parameters, and stability on a ring of a few neurons."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq

from neuroflame.theory import transfer
from neuroflame.theory.meanfield import NotCovered
from neuroflame.theory.step import Growth, growth, step_matrix

if TYPE_CHECKING:
    from neuroflame.theory.meanfield import MeanField, PairField

Array = np.ndarray[Any, Any]

PLACES = 64
"""Neurons of the ring on which bumps are solved and their stability is found."""
MODES = 12
"""Fourier modes of the coupling that bumps are solved with, at most."""
CUT = 1e-3
"""Coefficients of higher modes are left out where they are below this part of the largest."""
RATIO = 0.1
"""m1/m0 of a bump, at least: as in docs/dynamics.md."""
_ITERATIONS = 40
_TOLERANCE = 1e-9
_NEUTRAL = 5.0


@dataclass(frozen=True)
class Bump:
    """One stationary bump.

    Parameters
    ----------
    rates : ndarray, (n, PLACES), Hz
        At θ = 2πj/PLACES, its centre at 0.
    ratio : float
        m1/m0 of the population where it is largest.
    growth : Growth
        Leading eigenvalue of the step, the rotation's apart.
    """

    rates: Array
    ratio: float
    growth: Growth


@dataclass(frozen=True)
class LinearBump:
    """Bump of one threshold-linear population with profile 1 + κ cos; see `linear_bump`.

    Parameters
    ----------
    half_width : float, radians
        θ_c.
    amplitude : float, Hz
        A in r(θ) = A [cos θ − cos θ_c]₊.
    mean, first : float, Hz
        m0 = ⟨r⟩ and m1 = 2⟨r cos θ⟩.
    """

    half_width: float
    amplitude: float
    mean: float
    first: float


def _zeroth(half_width: float) -> float:
    return float(np.sin(half_width) - half_width * np.cos(half_width)) / np.pi


def _first(half_width: float) -> float:
    return float(half_width - 0.5 * np.sin(2.0 * half_width)) / (2.0 * np.pi)


def linear_bump(coupling: float, kappa: float, drive: float) -> LinearBump | None:
    """Return the bump of r = [I + (J/2π) ∫ (1 + κ cos(θ − θ')) r(θ') dθ']₊ with marginal phase.

    Ben-Yishai, Bar-Or & Sompolinsky 1995, PNAS 92:3844; Hansel & Sompolinsky 1998. With f0 = (sin θ_c − θ_c cos θ_c)/π
    and f1 = (θ_c − ½ sin 2θ_c)/2π: J κ f1(θ_c) = 1 gives the half-width, A = I/(−cos θ_c − J f0(θ_c)).

    Parameters
    ----------
    coupling : float
        J: slope of the transfer function included; of several populations the effective one.
    kappa : float
        κ: J κ is the coefficient of the cosine.
    drive : float
        I, external input above threshold.

    Returns
    -------
    LinearBump or None
        None where J κ ≤ 2 (no pattern forms) or the amplitude has no bound.
    """
    cosine = coupling * kappa
    if cosine <= 2.0 or drive <= 0.0:
        return None
    half_width = float(brentq(lambda t: cosine * _first(t) - 1.0, 1e-9, np.pi, xtol=1e-15))
    room = -np.cos(half_width) - coupling * _zeroth(half_width)
    if room <= 0.0:
        return None
    amplitude = drive / float(room)
    return LinearBump(
        half_width, amplitude, amplitude * _zeroth(half_width), 2.0 * amplitude * _first(half_width)
    )


def bumps(field: MeanField) -> list[Bump]:
    """Return the stationary bumps that Newton's method finds from bumps of many widths and heights.

    The steady input of population A is Σ_k a_Ak cos kθ with a_Ak = I_A δ_k0 + Σ_B c_k W_AB^(k) ⟨s_AB cos kθ⟩, c_0 = 1
    and c_k = 2, where s_AB is u* x* r of each place: equations for n (M + 1) numbers, short-term plasticity and slow
    currents included.

    Raises
    ------
    NotCovered
        If profiles are turned, or populations adapt whose transfer function is not threshold-linear.
    """
    ring = _Ring(field)
    found: list[Array] = []
    for order in ring.solve():
        if all(np.abs(order - one).max() > 1e-5 * (1.0 + np.abs(one).max()) for one in found):
            found.append(order)
    made = [ring.bump(order) for order in found]
    return [bump for bump in made if bump is not None]


class _Ring:
    """The equations of the order parameters, rows of n (M + 1) numbers."""

    def __init__(self, field: MeanField) -> None:
        self.field = field
        for pair in field.pairs:
            if np.abs(pair.modes.imag).max() > 1e-9 * np.abs(pair.modes).max(initial=1e-300):
                raise NotCovered("bumps were not sought: profiles are turned")
        for a, name in enumerate(field.transfer):
            if field.adapts[a] and name != "relu":
                raise NotCovered("bumps were not sought: adaptation is not threshold-linear")
        for pair in field.pairs:
            large = np.abs(pair.modes) > CUT * np.abs(pair.modes).max(initial=0.0)
            if large[MODES + 1 :].any():
                raise NotCovered(f"bumps were not sought: profiles have more than {MODES} Fourier modes")
        self.modes = min(field.modes, MODES)
        self.angles = 2.0 * np.pi * np.arange(PLACES) / PLACES
        self.waves = np.cos(np.arange(self.modes + 1)[:, None] * self.angles)  # (M + 1, places)
        self.twice = np.where(np.arange(self.modes + 1) > 0, 2.0, 1.0)
        self.weights = {
            pair.name: np.array([field.total(pair, k).real for k in range(self.modes + 1)])
            for pair in field.pairs
        }

    def rates(self, order: Array) -> tuple[Array, Array]:
        """Return rates and their slopes in the input, (rows, n, places), of inputs (rows, n, M + 1)."""
        field = self.field
        x = field.gain[:, None] * (order @ self.waves - field.rest[:, None])
        rates, slopes = np.empty_like(x), np.empty_like(x)
        for a, name in enumerate(field.transfer):
            factor = field.scale[a] / (1.0 + field.scale[a] * field.gain[a] * field.strength[a])
            rates[:, a] = factor * transfer.value(name, x[:, a])
            slopes[:, a] = factor * field.gain[a] * transfer.slope(name, x[:, a])
        return rates, slopes

    def inputs(self, rates: Array) -> Array:
        """Return the steady inputs (rows, n, M + 1) that rates (rows, n, places) give rise to."""
        found = np.zeros((*rates.shape[:2], self.modes + 1))
        found[:, :, 0] = self.field.drive
        for pair in self.field.pairs:
            r = rates[:, pair.pre]
            sent = r if pair.plastic is None else pair.plastic.transmitted(r)
            found[:, pair.post] += self.scale(pair) * (sent @ self.waves.T)
        return found

    def scale(self, pair: PairField) -> Array:
        """Return what takes a sum over places, times cos kθ, to the input's order parameters, (M + 1,)."""
        found: Array = self.twice * self.weights[pair.name] / PLACES
        return found

    def excess(self, order: Array) -> Array:
        """Return what the equations leave, for orders (rows, n, M + 1)."""
        return self.inputs(self.rates(order)[0]) - order

    def derivative(self, order: Array) -> Array:
        """Return the derivative of `excess`, (rows, n (M + 1), n (M + 1))."""
        rows, count, waves = order.shape
        rates, slopes = self.rates(order)
        change = np.zeros((rows, count, waves, count, waves))
        for pair in self.field.pairs:
            passed = slopes[:, pair.pre]
            if pair.plastic is not None:
                passed = passed * pair.plastic.slope(rates[:, pair.pre])
            inner = (passed[:, None, :] * self.waves) @ self.waves.T
            change[:, pair.post, :, pair.pre, :] += self.scale(pair)[:, None] * inner
        size = count * waves
        found: Array = change.reshape(rows, size, size) - np.eye(size)
        return found

    def starts(self) -> Array:
        """Return inputs that bumps of many widths and heights, in all populations, give rise to."""
        field = self.field
        top = np.where([name in transfer.BOUNDED for name in field.transfer], field.scale, 100.0)
        shapes = []
        grid = itertools.product(np.geomspace(0.003, 1.0, 8), (0.25, 0.45, 0.65, 0.85), (0.5, 1.0))
        for height, width, others in grid:
            shape = np.maximum(np.cos(self.angles) - np.cos(width * np.pi), 0.0)
            shape = shape / shape.max()
            shapes.append([top[a] * height * (1.0 if a == 0 else others) * shape for a in range(len(top))])
        return self.inputs(np.array(shapes))

    def solve(self) -> Array:
        """Return the solutions that are bumps, (S, n, M + 1), centred at 0."""
        orders = self.starts()
        _count, waves = orders.shape[1:]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            left = self.excess(orders)
            size = _size(left, orders)
            done = [orders[:0]]
            for _ in range(_ITERATIONS):
                change = self.derivative(orders)
                known = np.isfinite(change).all(axis=(1, 2)) & np.isfinite(left).all(axis=(1, 2))
                change = np.where(np.reshape(known, (-1, 1, 1)), change, 0.0)
                usable = np.abs(np.linalg.det(change)) > 1e-12
                orders, left, size, change = orders[usable], left[usable], size[usable], change[usable]
                step = np.linalg.solve(change, -left.reshape(len(left), -1, 1)).reshape(orders.shape)
                before = size
                orders, left, size = self._along(orders, step)
                ended = size < _TOLERANCE
                done.append(orders[ended])
                # A start whose distance no longer falls is at a minimum that is no solution.
                go_on = ~ended & (size < 0.999 * before)
                orders, left, size = orders[go_on], left[go_on], size[go_on]
                if not len(orders):
                    break
        found = np.concatenate(done)
        if waves == 1:
            return found[:0]
        turned = found * np.where(np.arange(waves) % 2, -1.0, 1.0)  # by half a turn
        centred: Array = np.where((found[:, :1, 1:2] < 0.0), turned, found)
        return centred

    def _along(self, orders: Array, step: Array) -> tuple[Array, Array, Array]:
        """Return the best of some fractions of each row's step, what it leaves, and the size of that."""
        best, best_left = orders, np.zeros_like(orders)
        best_size = np.full(len(orders), np.inf)
        for fraction in (1.0, 0.5, 0.2, 0.05):
            tried = orders + fraction * step
            left = self.excess(tried)
            off = _size(left, tried)
            better = off < best_size
            best = np.where(better[:, None, None], tried, best)
            best_left = np.where(better[:, None, None], left, best_left)
            best_size = np.where(better, off, best_size)
        return best, best_left, best_size

    def bump(self, order: Array) -> Bump | None:
        """Return the bump of a solution; None where it is flat, or beyond the limit of rates."""
        field = self.field
        rates, _slopes = (value[0] for value in self.rates(order[None]))
        mean = rates.mean(axis=1)
        first = 2.0 * np.abs((rates * np.exp(1j * self.angles)).mean(axis=1))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(np.abs(mean) > 1e-9, first / np.abs(mean), 0.0)
        if ratio.max() < RATIO or np.abs(rates).max() > field.rate_limit:
            return None
        return Bump(rates, float(ratio.max()), self.growth(rates, int(ratio.argmax())))

    def growth(self, rates: Array, population: int) -> Growth:
        """Return the leading eigenvalue: even and odd perturbations of an even state do not mix."""
        field, half = self.field, PLACES // 2
        x = field.gain[:, None] * (
            self.inputs(rates[None])[0] @ self.waves - field.rest[:, None] - field.strength[:, None] * rates
        )
        slopes = np.stack(
            [
                field.scale[a] * field.gain[a] * transfer.slope(name, x[a])
                for a, name in enumerate(field.transfer)
            ]
        )
        even, odd = np.arange(half + 1), np.arange(1, half)
        share = np.where((even == 0) | (even == half), 1.0, 2.0) / PLACES
        order = np.arange(self.modes + 1)[:, None]
        cosines, sines = np.cos(order * self.angles[even]), np.sin(order * self.angles[odd])

        def modes(pair: PairField) -> Array:
            found: Array = self.twice * np.array([pair.mode(k).real for k in range(self.modes + 1)])
            return found

        along = step_matrix(
            field,
            rates[:, even],
            slopes[:, even],
            lambda p: (modes(p)[:, None] * cosines).T @ (cosines * share),
        )
        across = step_matrix(
            field,
            rates[:, odd],
            slopes[:, odd],
            lambda p: (modes(p)[:, None] * sines).T @ (sines * 2.0 / PLACES),
        )
        turning = np.linalg.eigvals(across.real)
        tau = field.tau[population] or field.tau.max()
        alpha = np.log(np.maximum(np.abs(turning), 1e-300)) / field.dt
        rotation = (turning.imag == 0.0) & (turning.real > 0.0) & (np.abs(alpha) < _NEUTRAL / (PLACES * tau))
        if rotation.any():
            turning = np.delete(turning, np.flatnonzero(rotation)[np.argmin(np.abs(alpha[rotation]))])
        return growth(np.concatenate([np.linalg.eigvals(along.real), turning]), field.dt)


def _size(left: Array, orders: Array) -> Array:
    found: Array = (np.abs(left) / (1.0 + np.abs(orders))).max(axis=(1, 2))
    finite: Array = np.where(np.isfinite(found), found, np.inf)
    return finite
