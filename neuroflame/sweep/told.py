"""What a search that learns is told of the rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.conditions import violation

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from neuroflame.spec.search import Learning
    from neuroflame.sweep.points import Array

_TEXTS = ("status", "error", "initial_condition", "point_id")


def told(search: Learning, rows: Mapping[str, Any]) -> Array:
    """Return the scores of each point, and by how much it misses each constraint.

    Parameters
    ----------
    search : Learning
        What is sought, and what must hold.
    rows : mapping of str to sequence
        Columns of the table, ``status`` among them.

    Returns
    -------
    ndarray of float64, (P, goals + constraints)
        Scores are NaN where the point is not ok or has no value. Of a constraint see
        `neuroflame.conditions.violation`.
    """
    size = len(rows["status"])
    good = np.asarray(rows["status"], dtype=object) == "ok"
    found = []
    for goal in search.goals:
        scores = goal.score(_numbers(rows.get(goal.column), size))
        found.append(np.where(good & np.isfinite(scores), scores, np.nan))
    for condition in search.conditions:
        data = {name: _column(rows, name, size) for name in condition.names if _is_column(rows, name)}
        found.append(violation(condition, {"status": good, **data}))
    return np.column_stack(found)


def needed(search: Learning, known: Container[str]) -> list[str]:
    """Return the columns of a table that `told` wants, of those that there are."""
    names = ["status", *(goal.column for goal in search.goals)]
    for condition in search.conditions:
        names += [one for name in condition.names for one in (name, f"point.{name}")]
    return [name for name in dict.fromkeys(names) if name in known]


def by_trial(trial: Array, values: Array, goals: int) -> Array:
    """Return what is told of each assignment: mean scores over its repetitions, and the worst violations.

    Parameters
    ----------
    trial : ndarray of int, (P,)
        Number of each point's assignment, from 0.
    values : ndarray of float64, (P, goals + constraints)
        What `told` returns.
    goals : int
        Number of goals.

    Returns
    -------
    ndarray of float64, (A, goals + constraints)
        Scores are the mean of those that are finite, NaN where none is; a violation that is missing at one
        repetition is missing.
    """
    size = int(trial.max()) + 1 if len(trial) else 0
    found = np.full((size, values.shape[1]), np.nan)
    for i in range(goals):
        found[:, i] = mean_by_trial(trial, values[:, i])
    for i in range(goals, values.shape[1]):
        worst = np.full(size, -np.inf)
        with np.errstate(invalid="ignore"):
            np.maximum.at(worst, trial, values[:, i])
        found[:, i] = worst
    return found


def mean_by_trial(trial: Array, values: Array) -> Array:
    """Return the mean over the repetitions of each assignment that are finite; NaN where none is.

    Parameters
    ----------
    trial : ndarray of int, (P,)
        Number of each point's assignment, from 0.
    values : ndarray of float, (P,)
        Score of each point.
    """
    good = np.isfinite(values)
    count = np.bincount(trial, weights=good)
    total = np.bincount(trial, weights=np.where(good, values, 0.0))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _is_column(rows: Mapping[str, Any], name: str) -> bool:
    return "." in name or name in rows or f"point.{name}" in rows


def _column(rows: Mapping[str, Any], name: str, size: int) -> Array:
    """Return a column as conditions want it; one that no point of a tile has is missing at all of them."""
    cells = rows.get(name, rows.get(f"point.{name}"))
    if cells is not None and (name in _TEXTS or any(isinstance(cell, str) for cell in cells)):
        return np.array([cell if isinstance(cell, str) else None for cell in cells], dtype=object)
    return _numbers(cells, size)


def _numbers(cells: Any, size: int) -> Array:
    if cells is None:
        return np.full(size, np.nan)
    return np.array([np.nan if cell is None else float(cell) for cell in cells])
