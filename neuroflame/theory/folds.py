"""Folds: where, along a parameter, homogeneous steady states appear or vanish."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Count = Callable[[float], int]

COARSE = 32
"""Intervals that a range is cut into: a pair of folds closer than one can be missed."""
PRECISION = 1e-6
"""Width of the interval that is left of a fold's position, of the range."""


def nearest_fold(count: Count, at: float, low: float, high: float) -> float:
    """Return the distance (signed) from a value of a parameter to the nearest fold in a range.

    A fold is where the number of steady states changes; of a threshold-linear network also where a state crosses a
    threshold without another one.

    Parameters
    ----------
    count : callable
        Number of homogeneous steady states at a value of the parameter.
    at : float
        The value.
    low, high : float
        The range that is searched.

    Returns
    -------
    float
        In the parameter's unit; NaN if there is no fold.
    """
    found = [_cross(count, at, bound, (high - low) / COARSE) - at for bound in (low, high) if bound != at]
    known = [distance for distance in found if not np.isnan(distance)]
    return min(known, key=abs) if known else float("nan")


def _cross(count: Count, at: float, bound: float, stride: float) -> float:
    """Return where the count changes first on the way from ``at`` to ``bound``; NaN if nowhere."""
    start = count(at)
    steps = max(1, int(np.ceil(abs(bound - at) / stride)))
    here = at
    for value in np.linspace(at, bound, steps + 1)[1:]:
        there = float(value)
        if count(there) != start:
            inside, outside = here, there
            while abs(outside - inside) > PRECISION * stride * COARSE:
                middle = 0.5 * (inside + outside)
                inside, outside = (middle, outside) if count(middle) == start else (inside, middle)
            return 0.5 * (inside + outside)
        here = there
    return float("nan")
