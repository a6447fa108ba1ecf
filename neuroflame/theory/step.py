"""The derivative of one step of the network, for perturbations that the coupling maps among each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuroflame.theory.meanfield import MeanField, PairField

Array = np.ndarray[Any, Any]

ROUNDING = 1e-9
"""An eigenvalue whose argument is below it is real."""


@dataclass(frozen=True)
class Growth:
    """Leading eigenvalue of a step.

    Parameters
    ----------
    alpha : float
        ln|μ|/dt, 1/s.
    frequency : float
        |arg μ|/(2π dt), Hz.
    """

    alpha: float
    frequency: float


def step_matrix(
    field: MeanField, rates: Array, slope: Array, coupling: Callable[[PairField], Array]
) -> Array:
    """Return the derivative of a step at a steady state, in the order of docs/model.md.

    Parameters
    ----------
    field : MeanField
    rates, slope : ndarray, (n, m)
        Steady rates, and the slope dΦ/dI of each population there, at m places (m = 1 for a Fourier mode).
    coupling : callable
        From a pair to the matrix (m, m) that takes what is sent, at the places of the presynaptic population, to
        the input of the postsynaptic one.

    Returns
    -------
    ndarray, (D, D)
        Over the variables that a step moves, m numbers each: rates, fast currents, slow currents and adaptive
        thresholds of the populations, utilisation and resources of the plastic pairs.
    """
    count, places = rates.shape
    names: list[tuple[str, int | str]] = [
        *(("r", a) for a in range(count)),
        *(("h", a) for a in range(count)),
    ]
    if field.slow_ratio is not None:
        names += [("g", a) for a in range(count)]
    names += [("theta", a) for a in range(count) if field.adapts[a]]
    for pair in field.pairs:
        if pair.plastic is not None:
            names += [("u", pair.name)] if pair.plastic.relax_fac > 0 else []
            names += [("x", pair.name)] if pair.plastic.relax_rec > 0 else []
    width = len(names) * places
    zero = np.zeros((places, width), dtype=complex)
    before = {}
    for i, name in enumerate(names):
        row = zero.copy()
        row[:, i * places : (i + 1) * places] = np.eye(places)
        before[name] = row
    after = {}
    fast, slow = [zero.copy() for _ in range(count)], [zero.copy() for _ in range(count)]
    for pair in field.pairs:
        sent = before["r", pair.pre]
        if pair.plastic is not None:
            sent, moved = _transmitted(pair, rates[pair.pre], before, zero)
            after.update(moved)
        arrives = coupling(pair) @ sent
        fast[pair.post] += arrives
        if pair.slow:
            slow[pair.post] += arrives
    for a in range(count):
        e = field.decay_syn[a]
        after["h", a] = e * before["h", a] + (1.0 - e) * fast[a]
        total = after["h", a]
        if field.slow_ratio is not None:
            e = field.decay_slow[a]
            after["g", a] = e * before["g", a] + (1.0 - e) * field.slow_ratio[a] * slow[a]
            total = total + after["g", a]
        if field.adapts[a]:
            total = total - before["theta", a]
        e = field.decay[a]
        after["r", a] = e * before["r", a] + (1.0 - e) * slope[a][:, None] * total
        if field.adapts[a]:
            e = field.decay_adapt[a]
            after["theta", a] = e * before["theta", a] + (1.0 - e) * field.strength[a] * after["r", a]
    return np.concatenate([after[name] for name in names])


def _transmitted(
    pair: PairField, rate: Array, before: dict[Any, Array], zero: Array
) -> tuple[Array, dict[Any, Array]]:
    """Return the derivative of u x r of a plastic pair after the step, and those of u and x."""
    p = pair.plastic
    assert p is not None
    u, x = (value[:, None] for value in p.steady(rate))
    r, dr = rate[:, None], before["r", pair.pre]
    du, dx = before.get(("u", pair.name), zero), before.get(("x", pair.name), zero)
    moved = {}
    later_u, later_x = du, dx
    if p.relax_rec > 0:
        later_x = dx - p.relax_rec * dx - p.dt * (x * r * du + u * r * dx + u * x * dr)
        moved["x", pair.name] = later_x
    if p.relax_fac > 0:
        later_u = du - p.relax_fac * du + p.dt * p.U * ((1.0 - u) * dr - r * du)
        moved["u", pair.name] = later_u
    used = du if p.lagged else later_u
    return x * r * used + u * r * later_x + u * x * dr, moved


def growth(values: Array, dt: float) -> Growth:
    """Return the growth and the frequency of the largest of some eigenvalues μ."""
    leading = values[np.argmax(np.abs(values))]
    size = max(float(np.abs(leading)), 1e-300)
    turn = float(np.abs(np.angle(leading)))
    return Growth(float(np.log(size)) / dt, turn / (2.0 * np.pi * dt) if turn > ROUNDING else 0.0)
