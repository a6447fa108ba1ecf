"""The axes of a border as the unit cube: intervals by value or logarithm, listed numbers by rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Scale:
    """Where the values of one axis lie in [0, 1].

    Parameters
    ----------
    path : str
        Dotted path of the axis.
    unit : str
        SI unit of its values.
    low, high : float
        Values at 0 and 1.
    log : bool
        Whether the place is linear in the logarithm.
    levels : ndarray, (L,), or None
        The only values that there are, ascending; None where all between the ends are.
    ranked : bool
        Whether levels lie evenly, by rank; otherwise (whole numbers of an interval) by value.
    """

    path: str
    unit: str
    low: float
    high: float
    log: bool = False
    levels: Array | None = None
    ranked: bool = False

    def place(self, values: Any) -> Array:
        """Return the places in [0, 1] of some values."""
        values = np.asarray(values, dtype=float)
        if self.ranked and self.levels is not None:
            return np.interp(values, self.levels, np.linspace(0.0, 1.0, len(self.levels)))
        low, high = self._ends
        return ((np.log(values) if self.log else values) - low) / (high - low)

    def value(self, places: Any) -> Array:
        """Return the values at some places, between levels as well."""
        places = np.asarray(places, dtype=float)
        if self.ranked and self.levels is not None:
            return np.interp(places, np.linspace(0.0, 1.0, len(self.levels)), self.levels)
        low, high = self._ends
        inner = low + places * (high - low)
        return np.clip(np.exp(inner) if self.log else inner, self.low, self.high)

    def nearest(self, places: Any) -> Array:
        """Return the values that there are nearest to some places."""
        places = np.clip(np.asarray(places, dtype=float), 0.0, 1.0)
        if self.levels is None:
            return self.value(places)
        there = self.place(self.levels)
        right = np.clip(np.searchsorted(there, places), 1, len(there) - 1)
        left = right - 1
        return self.levels[np.where(places - there[left] <= there[right] - places, left, right)]

    @property
    def _ends(self) -> tuple[float, float]:
        if self.log:
            return float(np.log(self.low)), float(np.log(self.high))
        return self.low, self.high


class AxisLike(Protocol):
    """What `scale_of` needs of an axis; `neuroflame.spec.resolved.ResolvedAxis` is one."""

    @property
    def path(self) -> str:
        """Dotted path."""

    @property
    def unit(self) -> str:
        """SI unit."""

    @property
    def integer(self) -> bool:
        """Whether its values are whole numbers."""

    @property
    def levels(self) -> Any:
        """The values in order; None for an interval."""

    @property
    def low(self) -> float:
        """Lower end of the interval."""

    @property
    def high(self) -> float:
        """Upper end of the interval."""

    @property
    def log(self) -> bool:
        """Whether the interval is logarithmic."""


def scale_of(axis: AxisLike) -> Scale:
    """Return the scale of an axis of a sweep."""
    return _scale(axis.path, axis.unit, axis.levels, axis.low, axis.high, log=axis.log, integer=axis.integer)


def scales_of(entries: Iterable[Mapping[str, Any]]) -> tuple[Scale, ...]:
    """Return the scales of the axes that a sweep's manifest lists."""
    return tuple(
        _scale(
            str(entry["path"]),
            str(entry.get("unit") or ""),
            entry.get("values"),
            entry.get("low", np.nan),
            entry.get("high", np.nan),
            log=bool(entry.get("log")),
            integer=bool(entry.get("integer")),
        )
        for entry in entries
    )


def _scale(path: str, unit: str, levels: Any, low: float, high: float, *, log: bool, integer: bool) -> Scale:
    if levels is not None:
        ordered = np.unique(np.asarray(levels, dtype=float))
        return Scale(path, unit, float(ordered[0]), float(ordered[-1]), levels=ordered, ranked=True)
    whole = np.arange(low, high + 1) if integer else None
    return Scale(path, unit, float(low), float(high), log=log, levels=whole)
