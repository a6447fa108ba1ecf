"""The hysteresis loop of a ramp: where each way jumps, how wide the loop is, and its area."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from neuroflame.regimes import SMALLEST

Array = np.ndarray
_STILL = 0.1
"""Share of ``same`` by which a statistic may drift at a level and still be at rest: ghosts creep."""
_UNUSUAL = 5.0
"""Times the median drift of all levels that is no noise: of a noisy network every level drifts."""


@dataclass(frozen=True)
class Loops:
    """The largest loop of each point; arrays are (P,) in the unit of the value, the area in that times Hz.

    Attributes
    ----------
    up_jump, down_jump : ndarray
        Where the way there and the way back leave the loop: the middle of the levels that bracket the jump. NaN where
        that is beyond the ramp, or there is no loop.
    up_error, down_error : ndarray
        Half of the distance of these levels.
    width, width_error : ndarray
        How much farther the way there gets than the way back; 0 without a loop, NaN where one jump is not seen.
    area : ndarray
        ∫ |difference of the two ways| over the loop.
    """

    up_jump: Array
    up_error: Array
    down_jump: Array
    down_error: Array
    width: Array
    width_error: Array
    area: Array


def loops(levels: Array, course: Array, same: float, drift: Array | None = None) -> Loops:
    """Return the loops of P points.

    The ways differ at a level if they do by more than ``same`` of the larger, and of what end states are compared by,
    and by more than noise does. The loop is the stretch of such levels with the largest area. A way leaves it by the
    largest change between two levels; the bracket reaches from the last level before at which the statistic has come
    to rest, to the second of them: near a fold transients are long, and a level at which it still moves may lie on
    either side.

    Parameters
    ----------
    levels : ndarray, (L,)
        Monotonic.
    course : ndarray, (P, 2, L)
        A statistic on the way there and back, Hz or none.
    same : float
    drift : ndarray, (P, 2, L), optional
        Its change within each level's window; without it no level counts as moving.
    """
    rows = [_loop(levels, one, same, None if drift is None else drift[i]) for i, one in enumerate(course)]
    return Loops(*(np.array([row[k] for row in rows], dtype=float) for k in range(len(fields(Loops)))))


def _loop(levels: Array, course: Array, same: float, drift: Array | None) -> tuple[float, ...]:
    nothing = np.nan
    if not np.isfinite(course).all():
        return (nothing,) * 7
    up, down = course
    apart, size = np.abs(up - down), np.maximum(np.abs(course), SMALLEST["mean"])
    usual = 0.0 if drift is None else _UNUSUAL * float(np.median(np.abs(drift)))
    moves = np.zeros(course.shape, dtype=bool)
    if drift is not None:
        moves = np.abs(drift) > np.maximum(_STILL * same * size, usual)
    limit = np.maximum(same * size.max(axis=0), usual)
    stretches = _stretches(apart > limit)
    if not stretches:
        return (nothing, nothing, nothing, nothing, 0.0, 0.0, 0.0)
    areas = [_area(levels, apart, first, last) for first, last in stretches]
    best = int(np.argmax(areas))
    first, last = stretches[best]
    # The way back is the way there on reversed levels.
    up_jump, up_error = _jump(levels, up, moves[0], first, last)
    end = len(levels) - 1
    down_jump, down_error = _jump(levels[::-1], down[::-1], moves[1][::-1], end - last, end - first)
    width = (up_jump - down_jump) * np.sign(levels[-1] - levels[0])
    return up_jump, up_error, down_jump, down_error, width, up_error + down_error, areas[best]


def _stretches(differs: Array) -> list[tuple[int, int]]:
    """Return first and last level of each stretch in which the ways differ."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], differs.astype(int), [0]])))
    return [(int(first), int(last) - 1) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def _area(levels: Array, apart: Array, first: int, last: int) -> float:
    inside = slice(max(first - 1, 0), last + 2)
    kept = np.where((np.arange(len(apart)) >= first) & (np.arange(len(apart)) <= last), apart, 0.0)
    return float(abs(np.trapezoid(kept[inside], levels[inside])))


def _jump(levels: Array, course: Array, moves: Array, first: int, last: int) -> tuple[float, float]:
    """Return where a way leaves the levels from ``first`` to ``last``, and half the width of the bracket."""
    if last + 1 >= len(levels):
        return float("nan"), float("nan")
    left = first + int(np.argmax(np.abs(np.diff(course[first : last + 2]))))
    right = left + 1
    while left > 0 and moves[left]:
        left -= 1
    return 0.5 * float(levels[left] + levels[right]), 0.5 * abs(float(levels[right] - levels[left]))
