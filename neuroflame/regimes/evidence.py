"""Columns as evidence, and comparisons that say by how much they hold.

A comparison is a margin in [−1, 1]: how far evidence lies beyond a threshold, above 0 where the comparison holds.
"And" is the smaller margin, "or" the larger, "not" the negative.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Columns = Any  # a mapping of names to arrays; a pandas data frame is one, but not by its type


_USED = (
    "rate",
    "bump",
    "osc",
    "sync",
    "spikes",
    "residual",
    "noisy",
    "growth",
    "elapsed",
    "lyapunov",
    "alpha",
)


def is_evidence(name: str) -> bool:
    """Whether labels of end states may depend on a column."""
    return name == "status" or name.partition(".")[0] in _USED


class Evidence:
    """The columns of some rows, as numbers.

    Parameters
    ----------
    columns : mapping of str to array_like, (P,)
        The table's columns, or some of them; a pandas data frame will do.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self.rows = len(columns[next(iter(columns))]) if len(columns) else 0
        names = [str(name) for name in columns]
        self.populations = [n[5:-5] for n in names if n.startswith("rate.") and n.endswith(".mean")]
        self.spiking = [n[7:-5] for n in names if n.startswith("spikes.") and n.endswith(".sync")]

    def number(self, name: str) -> Array:
        """Return a column as floats, NaN where it is missing or holds none."""
        if name not in self._columns:
            return np.full(self.rows, np.nan)
        values = np.asarray(self._columns[name])
        if values.dtype.kind in "fiub":
            return values.astype(float)
        return np.array([_number(value) for value in values.tolist()], dtype=float)

    def first(self, *names: str) -> Array:
        """Return the first of some columns that holds a number, row by row."""
        found = np.full(self.rows, np.nan)
        for name in names:
            found = np.where(np.isnan(found), self.number(name), found)
        return found

    def text(self, name: str) -> Array:
        """Return a column as texts, None where it is missing or holds none."""
        if name not in self._columns:
            return np.full(self.rows, None, dtype=object)
        values = np.asarray(self._columns[name], dtype=object).tolist()
        found = np.empty(self.rows, dtype=object)
        found[:] = [value if isinstance(value, str) else None for value in values]
        return found


def _number(value: Any) -> float:
    """Return a cell as a float; a cell that holds none (None, pandas' NA) as NaN."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def above(value: Array, threshold: Array | float | None, undefined: float = -1.0) -> Array:
    """Return by how much values exceed a threshold: (v − t) / (|v| + |t|).

    Parameters
    ----------
    value : ndarray, (P,)
    threshold : ndarray, (P,), or float
    undefined : float
        The margin where either is undefined.
    """
    limit = np.asarray(threshold, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        size = np.abs(value) + np.abs(limit)
        margin = np.where(size == 0, 0.0, (value - limit) / size)
    margin = np.where(np.isinf(value) & np.isfinite(limit), np.sign(value), margin)
    return np.where(np.isnan(margin), undefined, margin)


def both(*margins: Array) -> Array:
    """Return the margin of a conjunction."""
    return reduce(np.minimum, margins)


def either(*margins: Array) -> Array:
    """Return the margin of a disjunction."""
    return reduce(np.maximum, margins)


def told(truth: Array) -> Array:
    """Return the margin of what is known to be true or false, 1 or −1."""
    return np.where(truth, 1.0, -1.0)
