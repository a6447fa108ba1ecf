"""How long a memory lasts, for any thresholds, from a short course that a row keeps.

A memory lasts until the last moment at which the bump is strong enough and near enough to the cue. A moment that a
later one surpasses in both decides for no thresholds. On a coarse grid of thresholds few are left: about ten where a
bump fades, one where it stays, some dozens where it wanders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.columns import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.regimes.evidence import Array
    from neuroflame.regimes.thresholds import Thresholds

LEVELS = 10
"""Levels of the bump's strength between nothing and what it was at the cue's offset."""
DEGREES = 5
"""Step of the angles from the cue."""
_HALF_TURN = 180 // DEGREES

COURSE_COLUMNS = (
    Column(
        "memory.course.time",
        "series",
        "s",
        "Moments after the cue's offset from which `memory.lifetime` follows for all thresholds; the last is the end.",
    ),
    Column(
        "memory.course.ratio",
        "series",
        "",
        "Largest multiple of 0.1, up to 1, that the bump's strength over that at the offset exceeds; −0.1: none.",
    ),
    Column(
        "memory.course.angle",
        "series",
        "degrees",
        "Smallest multiple of 5 degrees from the cue that the bump is within.",
    ),
)
Course = tuple[Any, Any, Any]
"""Cells of `COURSE_COLUMNS` of some rows: arrays, None where a row has none."""


def course(times: Array, strength: Array, angle: Array) -> Course:
    """Return the moments that decide how long memories last, for each of P points.

    Parameters
    ----------
    times : ndarray, (P, S), seconds
        After the cue's offset, ascending; moments before 0 are passed over.
    strength : ndarray, (P, S)
        Of the bump, over that at the offset.
    angle : ndarray, (P, S), degrees
        From the cue, at least 0; undefined where there is no bump.
    """
    points, samples = times.shape
    with np.errstate(invalid="ignore"):
        grid = np.arange(LEVELS + 1) / LEVELS
        level = (
            np.searchsorted(grid, np.nan_to_num(strength, nan=0.0), side="left") - 1
        )  # strength > grid[level]
        within = np.where(np.isnan(angle), _HALF_TURN, np.floor(angle / DEGREES)).astype(int) + 1
    nearest = np.full((points, LEVELS + 1), _HALF_TURN + 2)  # of later moments, at least as strong
    kept = np.zeros(times.shape, dtype=bool)
    everyone, levels = np.arange(points), np.arange(LEVELS + 1)
    for k in range(samples - 1, -1, -1):
        at, angle_at = level[:, k], within[:, k]
        kept[:, k] = (at >= 0) & (times[:, k] >= 0) & (angle_at < nearest[everyone, np.maximum(at, 0)])
        better = kept[:, k, None] & (levels <= at[:, None])
        nearest = np.where(better, np.minimum(nearest, angle_at[:, None]), nearest)
    kept[:, -1:] = True
    cells = [np.empty(points, dtype=object) for _ in COURSE_COLUMNS]
    for row in range(points):
        chosen = np.flatnonzero(kept[row])
        cells[0][row] = times[row, chosen].astype(np.float32)
        cells[1][row] = (level[row, chosen] / LEVELS).astype(np.float32)
        cells[2][row] = (within[row, chosen] * DEGREES).astype(np.float32)
    return cells[0], cells[1], cells[2]


def lifetimes(
    times: Sequence[Any], ratios: Sequence[Any], angles: Sequence[Any], limits: Thresholds
) -> tuple[Array, Array]:
    """Return how long memories last, seconds, and whether to the end of the run; (P,), NaN and None without a course.

    Parameters
    ----------
    times, ratios, angles : sequence of array_like, P
        Cells of `COURSE_COLUMNS`; None where a row has none.
    limits : Thresholds
        ``memory_ratio`` and ``memory_angle``.
    """
    lasted = np.full(len(times), np.nan)
    censored = np.full(len(times), None, dtype=object)
    level = round(limits.memory_ratio * LEVELS)
    for row, (time, ratio, angle) in enumerate(zip(times, ratios, angles, strict=True)):
        if time is None:
            continue
        moments = np.asarray(time, dtype=np.float64)
        strong = np.round(np.asarray(ratio, dtype=np.float64) * LEVELS) >= level
        held = strong & (np.asarray(angle) <= limits.memory_angle) & (moments >= 0)
        lasted[row] = round(float(np.where(held, moments, 0.0).max(initial=0.0)), 6)
        censored[row] = bool(held[-1]) if len(held) else False
    return lasted, censored
