"""Goals: a column to be large, small, or near a value; and the points that no other beats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Goal:
    """What is sought of a column.

    Parameters
    ----------
    column : str
        The column.
    large : bool
        Whether large scores are good.
    value : float or None
        The value that the column should have; None if the column itself is the score.
    tolerance : float
        How far from the value is as good as there.
    """

    column: str
    large: bool
    value: float | None = None
    tolerance: float = 0.0

    def score(self, values: Any) -> np.ndarray:
        """Return what is compared: the column, or max(|column − value| − tolerance, 0)."""
        numbers = np.asarray(values, dtype=float)
        if self.value is None:
            return numbers
        return np.maximum(np.abs(numbers - self.value) - self.tolerance, 0.0)

    def __str__(self) -> str:
        if self.value is None:
            return f"{'largest' if self.large else 'smallest'} {self.column}"
        about = f" ± {self.tolerance:g}" if self.tolerance else ""
        return f"{self.column} near {self.value:g}{about}"


def front(losses: np.ndarray) -> np.ndarray:
    """Return which points no other beats: none is better in one loss and worse in none (Pareto's front).

    Parameters
    ----------
    losses : ndarray of float64, (P, M)
        Small is good; a point with a NaN is not in the front.

    Returns
    -------
    ndarray of bool, (P,)
    """
    found = np.zeros(len(losses), dtype=bool)
    rows = np.flatnonzero(np.isfinite(losses).all(axis=1))
    rows = rows[np.lexsort(losses[rows].T[::-1])]  # whoever beats a point comes before it
    left = losses[rows]
    while len(rows):
        found[rows[0]] = True
        beaten = (left[0] <= left).all(axis=1) & (left[0] < left).any(axis=1)
        beaten[0] = True  # itself is done with
        rows, left = rows[~beaten], left[~beaten]
    return found
