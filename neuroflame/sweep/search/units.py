"""From numbers in [0, 1) to the values of axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from neuroflame.sweep.points import Array, Assignments, dtype_of

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
        levels = np.asarray(axis.levels, dtype=dtype_of(axis))
        return levels[np.minimum((unit * len(levels)).astype(np.int64), len(levels) - 1)]
    low, high = axis.low, axis.high
    if axis.integer:  # each whole number owns the interval half a unit around it
        low, high = low - 0.5, high + 0.5
    if axis.log:
        low, high = np.log(low), np.log(high)
    value = low + unit * (high - low)
    value = np.exp(value) if axis.log else value
    value = np.clip(np.rint(value) if axis.integer else value, axis.low, axis.high)
    return np.asarray(value, dtype=dtype_of(axis))


def decode(axes: Sequence[ResolvedAxis], units: Array) -> Assignments:
    """Return the assignments at some points of the unit cube.

    Parameters
    ----------
    axes : sequence of ResolvedAxis
        The axes, one for each column.
    units : ndarray of float64, (A, axes)
        Numbers in [0, 1).
    """
    return {axis.path: from_unit(axis, units[:, i]) for i, axis in enumerate(axes)}


def first_of_each(rows: Sequence[tuple[object, ...]], seen: set[tuple[object, ...]]) -> list[int]:
    """Return the positions of rows that were not seen before, and remember them."""
    fresh = []
    for position, row in enumerate(rows):
        if row not in seen:
            seen.add(row)
            fresh.append(position)
    return fresh


def rows_of(assignments: Assignments) -> list[tuple[object, ...]]:
    """Return assignments as tuples of plain values."""
    return list(zip(*(column.tolist() for column in assignments.values()), strict=True))


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
        axis.path: values[i].astype(dtype_of(axis))
        for axis, values, i in zip(axes, levels, where, strict=True)
    }
    fresh = np.array([i for i, row in enumerate(rows_of(everything)) if row not in seen], dtype=np.int64)
    chosen = rng.permutation(fresh)[:count]
    return {path: column[chosen] for path, column in everything.items()}
