"""Statistics over repetitions: mean, standard error and number, over draws of connectivity and of noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.columns import Column
from neuroflame.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Array = np.ndarray[Any, Any]

REPEATS = ("graph", "seed", "initial_condition")
TURN = {"rad": 2.0 * np.pi, "degrees": 360.0}
"""A full turn in the units of angles."""
_NOT_STATISTICS = ("point_id", "point_index", "error", *REPEATS)


def circular_mean(angles: Array, turn: float) -> float:
    """Return the direction of the mean unit vector, in [0, turn) where ``turn`` is 2π, else within half a turn of 0."""
    mean = np.exp(2j * np.pi * angles / turn).mean()
    found = float(np.angle(mean)) * turn / (2.0 * np.pi)
    return found % turn if turn == TURN["rad"] else found


def circular_sd(angles: Array, turn: float) -> float:
    """Return the circular standard deviation √(−2 ln R), R the length of the mean unit vector, of n angles.

    Times √(n/(n − 1)), so that of small spreads it is the usual one (Fisher 1993, Statistical Analysis of Circular
    Data, 2.3). NaN of fewer than two.
    """
    count = len(angles)
    if count < 2:
        return float("nan")
    length = min(1.0, abs(np.exp(2j * np.pi * angles / turn).mean()))
    if length <= 1e-300:
        return float("inf")
    return float(np.sqrt(-2.0 * np.log(length) * count / (count - 1)) * turn / (2.0 * np.pi))


def over_repeats(
    data: Any, columns: Mapping[str, Column], over: Sequence[str] = ("graph", "seed")
) -> tuple[dict[str, Array], dict[str, Column]]:
    """Return one row for all repetitions of an assignment: of each statistic its mean, standard error and number.

    Parameters
    ----------
    data : mapping of array_like, (P,)
        The table's columns; a pandas data frame will do.
    columns : mapping of str to Column
        What they are. Angles, in rad or degrees, have a circular mean and error.
    over : sequence of str
        Among ``graph``, ``seed`` and ``initial_condition``; rows that differ in the others are kept apart.

    Returns
    -------
    data : dict of ndarray, (rows,)
        ``point.*`` and the other repeats; ``repeats``, the number of rows. Of numbers and truth values under their own
        name the mean of those that are defined, with ``.se`` (NaN of fewer than two) and ``.n``; of names the most
        frequent, with ``.share``. A row's own standard errors (``lyapunov.1.se``) are left out: these are of its run.
    columns : dict of Column

    Raises
    ------
    SpecError
        If there is no such repeat.
    """
    for name in over:
        if name not in REPEATS:
            raise SpecError("must be among graph, seed and initial_condition", got=name, path="over")
    keys = [n for n in data if str(n).startswith("point.") or (n in REPEATS and n not in over)]
    statistics = [n for n in columns if n in data and n not in keys and n not in _NOT_STATISTICS]
    statistics = [n for n in statistics if columns[n].kind != "series" and not n.startswith("provenance.")]
    statistics = [n for n in statistics if n.removesuffix(".se") == n or n.removesuffix(".se") not in columns]
    cells = {name: np.asarray(data[name], dtype=object).tolist() for name in (*keys, *statistics)}
    count = len(next(iter(cells.values()), ()))
    groups: dict[tuple[str, ...], list[int]] = {}
    for row in range(count):
        groups.setdefault(tuple(str(cells[name][row]) for name in keys), []).append(row)
    rows = list(groups.values())
    found: dict[str, list[Any]] = {name: [cells[name][some[0]] for some in rows] for name in keys}
    about = {name: columns[name] for name in keys if name in columns}
    found["repeats"] = [len(some) for some in rows]
    about["repeats"] = Column("repeats", "int", "", f"Rows over {' and '.join(over)} that this one is of.")
    for name in statistics:
        column = columns[name]
        if column.kind == "str":
            parts: list[tuple[Any, ...]] = [_frequent([cells[name][row] for row in some]) for some in rows]
            made = {
                name: column,
                f"{name}.share": Column(f"{name}.share", "float", "", "Share of the rows with it."),
            }
        else:
            turn = TURN.get(column.unit)
            parts = [_moments([cells[name][row] for row in some], turn) for some in rows]
            what = "Circular mean" if turn else "Mean"
            made = {
                name: Column(name, "float", column.unit, f"{what} over repetitions: {column.doc}"),
                f"{name}.se": Column(f"{name}.se", "float", column.unit, "Its standard error."),
                f"{name}.n": Column(f"{name}.n", "int", "", "Rows that it is of."),
            }
        about |= made
        found |= {key: [part[k] for part in parts] for k, key in enumerate(made)}
    return {name: _array(values, about.get(name)) for name, values in found.items()}, about


def _moments(cells: list[Any], turn: float | None) -> tuple[float, float, int]:
    """Return mean, standard error and number of the cells that hold a number."""
    numbers = np.array([_number(cell) for cell in cells])
    numbers = numbers[np.isfinite(numbers)]
    count = len(numbers)
    if not count:
        return float("nan"), float("nan"), 0
    if turn:
        return circular_mean(numbers, turn), circular_sd(numbers, turn) / float(np.sqrt(count)), count
    spread = float(numbers.std(ddof=1)) if count > 1 else float("nan")
    return float(numbers.mean()), spread / float(np.sqrt(count)), count


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):  # None, pandas' NA
        return float("nan")


def _frequent(cells: list[Any]) -> tuple[str | None, float]:
    """Return the most frequent name, of several the first by the alphabet, and its share of the rows."""
    names = [cell for cell in cells if isinstance(cell, str)]
    if not names:
        return None, float("nan")
    best = min(set(names), key=lambda name: (-names.count(name), name))
    return best, names.count(best) / len(cells)


def _array(values: list[Any], column: Column | None) -> Array:
    kind = {"float": float, "int": int}.get(column.kind if column else "", object)
    if kind is object or any(value is None for value in values):
        found = np.empty(len(values), dtype=object)
        found[:] = values
        return found
    return np.array(values, dtype=kind)
