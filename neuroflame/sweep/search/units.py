"""From numbers in [0, 1) to the values of axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.sweep.points import Array, Assignments, dtype_of, missing, plain_dtype, without_inactive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.spec.resolved import ResolvedAxis


def from_unit(axis: ResolvedAxis, unit: Array) -> Array:
    """Return the values of an axis at some quantiles.

    Parameters
    ----------
    axis : ResolvedAxis
        An interval is covered uniformly, or uniformly in the logarithm; listed values are equally likely.
    unit : ndarray of float64
        Numbers in [0, 1).
    """
    if axis.levels is not None:
        levels = np.asarray(axis.levels, dtype=plain_dtype(axis))
        return levels[np.minimum((unit * len(levels)).astype(np.int64), len(levels) - 1)]
    low, high = axis.low, axis.high
    if axis.integer:  # each whole number owns the interval half a unit around it
        low, high = low - 0.5, high + 0.5
    if axis.log:
        low, high = np.log(low), np.log(high)
    value = low + unit * (high - low)
    value = np.exp(value) if axis.log else value
    value = np.clip(np.rint(value) if axis.integer else value, axis.low, axis.high)
    return np.asarray(value, dtype=plain_dtype(axis))


def decode(axes: Sequence[ResolvedAxis], units: Array) -> Assignments:
    """Return the assignments at some points of the unit cube.

    Parameters
    ----------
    axes : sequence of ResolvedAxis
        The axes, one for each column.
    units : ndarray of float64, (A, axes)
        Numbers in [0, 1).
    """
    return without_inactive(axes, {axis.path: from_unit(axis, units[:, i]) for i, axis in enumerate(axes)})


def to_unit(axis: ResolvedAxis, column: Array) -> Array:
    """Return where values lie between the ends of their axis, from 0 to 1; 0 where the axis does not count.

    Listed values are evenly spaced, ordered ones by rank.
    """
    counts = ~missing(column)
    unit = np.zeros(len(column))
    if axis.levels is not None:
        place = {level: rank / max(1, len(axis.levels) - 1) for rank, level in enumerate(ranked(axis))}
        unit[counts] = [place[value] for value in column[counts].tolist()]
        return unit
    values, low, high = column[counts].astype(np.float64), axis.low, axis.high
    if axis.log:
        values, low, high = np.log(values), np.log(low), np.log(high)
    unit[counts] = (values - low) / (high - low)
    return unit


def at_place(axis: ResolvedAxis, unit: Array) -> Array:
    """Return the values nearest to places between the ends of an axis, from 0 to 1; the inverse of `to_unit`."""
    if axis.levels is not None:
        levels = np.asarray(ranked(axis), dtype=plain_dtype(axis))
        return np.asarray(levels[np.rint(unit * (len(levels) - 1)).astype(np.int64)])
    low, high = (np.log(axis.low), np.log(axis.high)) if axis.log else (axis.low, axis.high)
    value = low + unit * (high - low)
    value = np.exp(value) if axis.log else value
    value = np.clip(np.rint(value) if axis.integer else value, axis.low, axis.high)
    return np.asarray(value, dtype=plain_dtype(axis))


def ranked(axis: ResolvedAxis) -> list[Any]:
    """Return the listed values of an axis such that neighbours are alike, where they have an order."""
    levels: list[Any] = list(axis.levels or ())
    return sorted(levels) if axis.ordered else levels


def columns_of(axes: Sequence[ResolvedAxis], rows: Sequence[tuple[object, ...]]) -> Assignments:
    """Return assignments from tuples of plain values, in the order of the axes."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(axes)
    return {
        axis.path: np.array(column, dtype=dtype_of(axis)) for axis, column in zip(axes, columns, strict=True)
    }


def first_of_each(rows: Sequence[tuple[object, ...]], seen: set[tuple[object, ...]]) -> list[int]:
    """Return the positions of rows that were not seen before, and remember them."""
    fresh = []
    for position, row in enumerate(rows):
        if row not in seen:
            seen.add(row)
            fresh.append(position)
    return fresh


def rows_of(assignments: Assignments) -> list[tuple[object, ...]]:
    """Return assignments as tuples of plain values, None where an axis does not count."""
    plain = (
        [None if gone else value for value, gone in zip(column.tolist(), missing(column), strict=True)]
        if column.dtype.kind == "f" and np.isnan(column).any()
        else column.tolist()
        for column in assignments.values()
    )
    return list(zip(*plain, strict=True))


def unseen(
    axes: Sequence[ResolvedAxis], seen: set[tuple[object, ...]], count: int, rng: np.random.Generator
) -> Assignments:
    """Return assignments that were not seen, in random order: the last few of an almost full finite space."""
    levels = [
        np.arange(axis.low, axis.high + 1) if axis.levels is None else np.asarray(axis.levels, dtype=object)
        for axis in axes
    ]
    shape = tuple(len(values) for values in levels)
    where = np.unravel_index(np.arange(math.prod(shape)), shape)
    everything = {
        axis.path: values[i].astype(plain_dtype(axis))
        for axis, values, i in zip(axes, levels, where, strict=True)
    }
    everything = dict(without_inactive(axes, everything))
    fresh = np.array(first_of_each(rows_of(everything), set(seen)), dtype=np.int64)
    chosen = rng.permutation(fresh)[:count]
    return {path: column[chosen] for path, column in everything.items()}


def within(axis: ResolvedAxis, values: Sequence[Any]) -> Array:
    """Return which values an axis can take; None is one for an axis that does not always count."""
    return np.array(axis.takes(values), dtype=bool)
