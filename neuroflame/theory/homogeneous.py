"""Homogeneous steady states: all neurons of a population at one rate."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq

from neuroflame.theory import transfer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.theory.meanfield import MeanField, PlasticField

Array = np.ndarray[Any, Any]

TOLERANCE = 1e-9
"""Largest |F(r) − r|/(1 + |r|) of a steady state."""
SAME = 1e-6
"""States that differ by less, relative to 1 + |r|, are one."""
_STARTS = 4096
_ITERATIONS = 60
_LINE = 4096


@dataclass(frozen=True)
class States:
    """Homogeneous steady states of one point.

    Parameters
    ----------
    rates : ndarray, (S, n), Hz
        Ascending in the mean over populations.
    exhaustive : bool
        Whether these are all: they are the roots of polynomials, or were bracketed.
    """

    rates: Array
    exhaustive: bool


def inputs(field: MeanField, rates: Array) -> Array:
    """Return gain · (I − θ) at steady state for rates (…, n)."""
    total: Array = np.broadcast_to(field.drive - field.rest, rates.shape) - field.strength * rates
    for pair in field.pairs:
        source = rates[..., pair.pre]
        sent = source if pair.plastic is None else pair.plastic.transmitted(source)
        total[..., pair.post] += field.total(pair).real * sent
    found: Array = field.gain * total
    return found


def targets(field: MeanField, rates: Array) -> Array:
    """Return the rates that the steady inputs of rates (…, n) lead to; equal to them at a steady state."""
    x = inputs(field, rates)
    return np.stack(
        [field.scale[a] * transfer.value(name, x[..., a]) for a, name in enumerate(field.transfer)], axis=-1
    )


def homogeneous_states(field: MeanField) -> States:
    """Return the homogeneous steady states.

    Threshold-linear networks whose plastic pairs have one presynaptic population are solved exactly: for each set
    of active populations the rates are linear in what that population transmits, which leaves one polynomial in its
    rate. One population of any kind is bracketed along its rate. Others are searched by Newton's method from a
    lattice of starts. States above ``rate_limit`` are left out.
    """
    relu = all(name == "relu" for name in field.transfer)
    if relu and len({pair.pre for pair in field.pairs if pair.plastic is not None}) <= 1:
        slopes = field.scale * field.gain
        with np.errstate(divide="ignore"):
            leak = np.where(
                slopes != 0.0, 1.0 / np.where(slopes != 0.0, slopes, 1.0) + field.strength, np.inf
            )
        found = list(piecewise_states(field, leak, field.drive - field.rest))
        return States(_distinct(field, found), exhaustive=True)
    if len(field.names) == 1:
        return States(_distinct(field, list(_bracketed(field))), exhaustive=True)
    return States(_distinct(field, list(_searched(field))), exhaustive=False)


def piecewise_states(field: MeanField, leak: Array, drive: Array) -> Iterator[Array]:
    """Yield what is not negative and solves, for each set of active populations, the equations of those.

    They are leak_A r_A = drive_A + Σ_B W_AB s_AB(r_B) with the other rates 0. Whether those others stay silent is
    not looked at.

    Parameters
    ----------
    field : MeanField
        Its plastic pairs have one presynaptic population at most.
    leak : ndarray, (n,)
        1/slope of the transfer function plus adaptation; infinite where a population cannot fire; 0 for balance.
    drive : ndarray, (n,)
    """
    count = len(field.names)
    static = np.zeros((count, count))
    plastic = [pair for pair in field.pairs if pair.plastic is not None]
    sent = np.zeros((count, len(plastic)))
    for pair in field.pairs:
        if pair.plastic is None:
            static[pair.post, pair.pre] += field.total(pair).real
    for p, pair in enumerate(plastic):
        sent[pair.post, p] = field.total(pair).real
    kinds = [pair.plastic for pair in plastic if pair.plastic is not None]
    source = plastic[0].pre if plastic else None
    able = [a for a in range(count) if np.isfinite(leak[a])]
    for size in range(len(able) + 1):
        for chosen in itertools.combinations(able, size):
            active = list(chosen)
            matrix = np.diag(leak[active]) - static[np.ix_(active, active)]
            try:
                base = np.linalg.solve(matrix, drive[active]) if active else np.zeros(0)
                push = np.linalg.solve(matrix, sent[active]) if active else np.zeros((0, len(plastic)))
            except np.linalg.LinAlgError:  # no state, or a line of them: neither is isolated
                continue
            levels: list[float] = [0.0]
            if source in active:
                at = active.index(source)
                levels = _roots(base[at], push[at], kinds)
            for level in levels:
                passed = np.array([float(kind.transmitted(np.array(level))) for kind in kinds])
                rates = np.zeros(count)
                rates[active] = base + push @ passed
                if source in active:
                    rates[source] = level
                if (rates[active] >= 0.0).all():
                    yield rates


def _roots(base: float, push: Array, plastic: list[PlasticField]) -> list[float]:
    """Return the positive roots of r = base + Σ_p push_p u x r of each plastic pair."""
    parts = [p.fraction for p in plastic]
    equation = np.array([1.0, -base])
    for _, below in parts:
        equation = np.convolve(equation, below)
    for p, (above, _) in enumerate(parts):
        term = push[p] * above
        for other, (_, below) in enumerate(parts):
            term = np.convolve(term, below) if other != p else term
        equation = np.polysub(equation, term)
    found = np.roots(equation)
    real = found[np.abs(found.imag) < 1e-6 * (1.0 + np.abs(found))].real

    def excess(r: Any) -> Any:
        return r - base - sum(push[p] * one.transmitted(r) for p, one in enumerate(plastic))

    polished = []
    for start in real[real > 0.0]:
        r = float(start)
        for _ in range(4):
            slope = 1.0 - sum(push[p] * float(one.slope(np.array(r))) for p, one in enumerate(plastic))
            step = excess(r) / slope if slope != 0.0 else 0.0
            if not abs(step) < 1e-3 * (1.0 + abs(r)):
                break
            r -= step
        polished.append(r)
    return [r for r in polished if r > 0.0 and abs(excess(r)) < TOLERANCE * (1.0 + r)]


def reach(field: MeanField) -> tuple[Array, Array]:
    """Return the lowest and the highest rate that a population can have, (n,) each."""
    top = [
        field.scale[a] if n in transfer.BOUNDED else field.rate_limit for a, n in enumerate(field.transfer)
    ]
    low = [-field.scale[a] if n in transfer.ODD_TRANSFERS else 0.0 for a, n in enumerate(field.transfer)]
    return np.array(low), np.array(top)


def _lattice(low: float, top: float, count: int) -> Array:
    """Return levels that are dense near 0, from low to top."""
    up = np.concatenate([[0.0], np.geomspace(1e-4 * top, top, count - 1)])
    return np.concatenate([-up[:0:-1], up]) if low < 0 else up


def _bracketed(field: MeanField) -> Iterator[Array]:
    """Yield the states of one population: roots between the points of a line, and where it touches."""
    low, top = reach(field)
    line = _lattice(low[0], top[0], _LINE)
    line = np.unique(np.concatenate([line, np.linspace(low[0], top[0], _LINE)]))

    def excess(r: Any) -> Any:
        value = np.atleast_1d(np.asarray(r, dtype=float))[:, None]
        return (targets(field, value) - value)[:, 0]

    values = excess(line)
    yield from line[values == 0.0][:, None]
    for i in np.flatnonzero(values[1:] * values[:-1] < 0.0):
        yield np.array([brentq(lambda r: float(excess(r)[0]), line[i], line[i + 1], xtol=1e-14, rtol=1e-14)])
    size = np.abs(values)
    for i in np.flatnonzero((size[1:-1] < size[:-2]) & (size[1:-1] < size[2:])) + 1:
        fine = np.linspace(line[i - 1], line[i + 1], 257)
        inner = excess(fine)
        for j in np.flatnonzero(inner[1:] * inner[:-1] < 0.0):
            yield np.array([brentq(lambda r: float(excess(r)[0]), fine[j], fine[j + 1], xtol=1e-14)])


def slopes(field: MeanField, rates: Array) -> Array:
    """Return dr_A/dI_A of an instantaneous population without adaptation, (…, n)."""
    x = inputs(field, rates)
    return np.stack(
        [
            field.scale[a] * field.gain[a] * transfer.slope(name, x[..., a])
            for a, name in enumerate(field.transfer)
        ],
        axis=-1,
    )


def _searched(field: MeanField) -> Iterator[Array]:
    """Yield states that Newton's method finds from a lattice of starts, all at once."""
    count = len(field.names)
    low, top = reach(field)
    each = max(3, int(_STARTS ** (1.0 / count)) // (2 if low.min() < 0 else 1))
    rates = np.array(list(itertools.product(*(_lattice(a, b, each) for a, b in zip(low, top, strict=True)))))
    eye = np.eye(count)
    for _ in range(_ITERATIONS):
        gap = targets(field, rates) - rates
        size = (np.abs(gap) / (1.0 + np.abs(rates))).max(axis=1)
        slope = slopes(field, rates)
        change = -eye - eye * (slope * field.strength)[:, None, :]
        for pair in field.pairs:
            source = rates[:, pair.pre]
            passed = 1.0 if pair.plastic is None else pair.plastic.slope(source)
            change[:, pair.post, pair.pre] += slope[:, pair.post] * field.total(pair).real * passed
        singular = np.abs(np.linalg.det(change)) < 1e-12
        change[singular] = -eye
        step = np.linalg.solve(change, -gap[..., None])[..., 0]
        best, best_size = rates, np.full(len(rates), np.inf)
        for fraction in (1.0, 0.5, 0.1):
            tried = np.clip(rates + fraction * step, low, top)
            off = (np.abs(targets(field, tried) - tried) / (1.0 + np.abs(tried))).max(axis=1)
            better = off < best_size
            best = np.where(better[:, None], tried, best)
            best_size = np.minimum(best_size, off)
        rates = np.where((size < 1e-13)[:, None], rates, best)
    yield from rates


def _distinct(field: MeanField, found: list[Any]) -> Array:
    """Return the states among some rates, each once, ascending, (S, n)."""
    kept: list[Array] = []
    for rates in sorted((np.asarray(r, dtype=float) for r in found), key=lambda r: float(np.mean(r))):
        off = (np.abs(targets(field, rates) - rates) / (1.0 + np.abs(rates))).max()
        if not off < TOLERANCE or np.abs(rates).max() > field.rate_limit:
            continue
        if all((np.abs(rates - one) / (1.0 + np.abs(one))).max() > SAME for one in kept):
            kept.append(rates)
    return np.array(kept).reshape(-1, len(field.names))
