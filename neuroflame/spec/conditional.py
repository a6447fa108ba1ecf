"""Axes that count at some values of other axes only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.errors import SpecError
from neuroflame.spec.base import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from neuroflame.spec.axes import Level
    from neuroflame.spec.resolved import ResolvedAxis

    Columns = Mapping[str, np.ndarray[Any, Any]]

_MOST_COMBINATIONS = 10**6


def check_conditions(axes: Sequence[ResolvedAxis]) -> None:
    """Raise SpecError if an axis waits for what is no listed value of another axis, or for itself."""
    by_path = {axis.path: axis for axis in axes}
    for axis in axes:
        for path, values in axis.when.items():
            where = f"space.{axis.path}.when.{path}"
            other = by_path.get(path)
            if other is None or other is axis:
                remedy = suggestion(path, [name for name in by_path if name != axis.path])
                raise SpecError("is not another axis of this sweep", path=where, remedy=remedy)
            if other.levels is None and not other.integer:
                raise SpecError(
                    "must be an axis of listed values or of whole numbers",
                    path=where,
                    remedy=f"list the values of {path}",
                )
            for value in values:
                if value not in _levels(other):
                    shown = [
                        f"{level:g}" if not isinstance(level, str) else level for level in _levels(other)
                    ]
                    remedy = suggestion(str(value), shown)
                    raise SpecError("is not a value of that axis", got=value, path=where, remedy=remedy)
    in_order(axes)
    combined = _combined(axes)
    for path, truth in active(axes, combined).items():
        if not truth.any():
            raise SpecError("never holds", path=f"space.{path}.when")


def in_order(axes: Sequence[ResolvedAxis]) -> list[ResolvedAxis]:
    """Return the axes such that each comes after those that it waits for; SpecError if they wait for each other."""
    found: list[ResolvedAxis] = []
    left = list(axes)
    while left:
        known = {axis.path for axis in found}
        ready = [axis for axis in left if axis.when.keys() <= known]
        if not ready:
            raise SpecError("waits for itself", path=f"space.{left[0].path}.when")
        found += ready
        left = [axis for axis in left if axis not in ready]
    return found


def active(axes: Sequence[ResolvedAxis], columns: Columns) -> dict[str, np.ndarray[Any, Any]]:
    """Return where each axis with a condition counts.

    Parameters
    ----------
    axes : sequence of ResolvedAxis
        The axes.
    columns : mapping of str to ndarray, (A,)
        At least the values of axes that others wait for.

    Returns
    -------
    dict of str to ndarray of bool, (A,)
    """
    found: dict[str, np.ndarray[Any, Any]] = {}
    for axis in in_order(axes):
        if not axis.when:
            continue
        size = len(columns[next(iter(axis.when))])
        truth = np.ones(size, dtype=bool)
        for path, values in axis.when.items():
            truth &= np.logical_or.reduce([columns[path] == value for value in values])
            truth &= found.get(path, True)
        found[axis.path] = truth
    return found


def count_assignments(axes: Sequence[ResolvedAxis]) -> float:
    """Return the number of different assignments; infinite if there is an interval of real numbers."""
    if not any(axis.when for axis in axes):
        return math.prod(axis.count for axis in axes)
    combined = _combined(axes)
    counts = active(axes, combined)
    size = len(next(iter(combined.values())))
    each = np.ones(size)
    for axis in axes:
        truth = counts.get(axis.path, np.ones(size, dtype=bool))
        if axis.path in combined:  # a value that does not count is the same assignment as any other
            each = np.where(truth | (combined[axis.path] == _levels(axis)[0]), each, 0.0)
        else:
            each[truth & (each > 0)] *= axis.count
    return float(each.sum())


def _combined(axes: Sequence[ResolvedAxis]) -> dict[str, np.ndarray[Any, Any]]:
    """Return every combination of the values of the axes that others wait for."""
    waited = {path for axis in axes for path in axis.when}
    chosen = [axis for axis in axes if axis.path in waited]
    shape = tuple(len(_levels(axis)) for axis in chosen)
    if math.prod(shape) > _MOST_COMBINATIONS:
        raise SpecError(
            "has conditions on too many values", got=math.prod(shape), path="space", remedy="list fewer"
        )
    where: Any = np.indices(shape).reshape(len(shape), -1) if shape else ()
    return {
        axis.path: np.array(_levels(axis), dtype=object)[i] for axis, i in zip(chosen, where, strict=True)
    }


def _levels(axis: ResolvedAxis) -> tuple[Level, ...]:
    if axis.levels is not None:
        return axis.levels
    return tuple(range(int(axis.low), int(axis.high) + 1))
