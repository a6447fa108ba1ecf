"""The swept axes of a table, with the table's own levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from neuroflame.columns import Column


@dataclass(frozen=True)
class Axis:
    """One swept path.

    Parameters
    ----------
    column : str
        The table's column, ``point.J.EE``, or one of the repeats, ``graph``.
    unit : str
        SI unit.
    levels : ndarray
        The distinct values of the column in order, with those that the manifest plans and that are not
        computed yet; texts for an axis of names.
    log : bool
        Whether the levels are spaced by factors.
    sampled : bool
        Whether the values were drawn from a range and not from a list of levels.
    """

    column: str
    unit: str
    levels: np.ndarray
    log: bool = False
    sampled: bool = False

    @property
    def path(self) -> str:
        """The dotted path that was swept."""
        return self.column.removeprefix("point.")

    @property
    def named(self) -> bool:
        """Whether the levels are texts."""
        return self.levels.dtype == object

    @cached_property
    def places(self) -> np.ndarray:
        """Where the levels are drawn: their values, or 0, 1, … for names."""
        return np.arange(len(self.levels), dtype=float) if self.named else self.levels.astype(float)

    @cached_property
    def edges(self) -> np.ndarray:
        """Borders of the levels' cells, one more than there are levels."""
        return cell_edges(self.places, log=self.log)

    @property
    def limits(self) -> tuple[float, float]:
        """What a figure shows of it: all cells, or all samples with a margin."""
        if not self.sampled or self.named:
            return float(self.edges[0]), float(self.edges[-1])
        ends = np.log(self.levels[[0, -1]]) if self.log else self.levels[[0, -1]]
        ends = ends + np.array([-0.03, 0.03]) * (ends[1] - ends[0])
        low, high = np.exp(ends) if self.log else ends
        return float(low), float(high)

    def codes(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the index of each row's level, −1 where the value is missing."""
        values = frame[self.column]
        if self.named:
            return pd.Index(self.levels).get_indexer(texts(values))
        return pd.Index(self.levels).get_indexer(pd.Index(values.to_numpy(dtype=float, na_value=np.nan)))


def cell_edges(levels: np.ndarray, *, log: bool = False) -> np.ndarray:
    """Return the borders of cells around levels: midpoints between neighbours.

    Parameters
    ----------
    levels : ndarray, (n,)
        Increasing.
    log : bool
        Take geometric midpoints.

    Returns
    -------
    ndarray, (n + 1,)
        The outermost cells reach as far beyond their level as within.
    """
    places = np.log(levels) if log else np.asarray(levels, dtype=float)
    if len(places) == 1:
        half = 0.5 * np.log(2.0) if log else max(0.5 * abs(places[0]), 0.5)
        edges = np.array([places[0] - half, places[0] + half])
    else:
        middle = (places[1:] + places[:-1]) / 2
        edges = np.concatenate(([2 * places[0] - middle[0]], middle, [2 * places[-1] - middle[-1]]))
    return np.exp(edges) if log else edges


def make_axis(
    column: str,
    frame: pd.DataFrame,
    columns: Mapping[str, Column],
    entry: Mapping[str, Any],
    given: Mapping[str, Any],
    *,
    sampled: bool,
) -> Axis:
    """Return the axis of a column.

    Parameters
    ----------
    column : str
    frame : DataFrame
    columns : mapping of str to Column
    entry, given : mapping
        What the manifest says of it under ``axes`` and under the sweep's ``space``; may be empty.
    sampled : bool
        Whether its values were drawn from a range.
    """
    unit = columns[column].unit if column in columns else ""
    values = frame[column].dropna()
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        planned = [str(value) for value in entry.get("values") or ()]
        levels = np.array(list(dict.fromkeys([*planned, *texts(values)])), dtype=object)
        return Axis(column, unit, levels, sampled=sampled)
    levels = np.unique(values.to_numpy(dtype=float))
    more = entry.get("values")
    if isinstance(more, list | tuple) and len(more) and not sampled:
        levels = _joined(levels, np.asarray(more, dtype=float))
    log = bool(given.get("log") or entry.get("log")) or (not sampled and _geometric(levels))
    return Axis(column, unit, levels, log=log and bool((levels > 0).all()), sampled=sampled)


def _joined(levels: np.ndarray, planned: np.ndarray) -> np.ndarray:
    """Return the table's levels and those planned ones that none of them equals."""
    scale = max(np.ptp(planned) if len(planned) else 0.0, np.finfo(float).tiny)
    missing = [value for value in planned if not (np.abs(levels - value) <= 1e-9 * scale).any()]
    return np.unique(np.concatenate((levels, missing)))


def _geometric(levels: np.ndarray) -> bool:
    """Whether at least four positive levels are spaced by one factor, up to rounding to two digits."""
    if len(levels) < 4 or levels[0] <= 0 or levels[-1] / levels[0] < 4:
        return False
    steps = np.diff(np.log(levels))
    return bool(np.ptp(steps) < 0.12 * steps.mean())


def mapping(owner: Any, key: str) -> Mapping[str, Any]:
    """Return a mapping inside a mapping, an empty one where there is none."""
    found = owner.get(key) if isinstance(owner, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def texts(values: pd.Series) -> np.ndarray:
    """Return a column as an object array of texts, None where missing."""
    found = np.empty(len(values), dtype=object)
    found[:] = ["yes" if v is True else "no" if v is False else str(v) for v in values.tolist()]
    found[values.isna().to_numpy()] = None
    return found
