"""Arithmetic on courses, (P, S): each row's numbers are its own, to the last bit.

Sums run along the last, contiguous axis, whose order of summation depends on its length alone.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def detrended(course: Array) -> Array:
    """Return a course less its mean and its linear trend."""
    samples = course.shape[-1]
    time = np.arange(samples) - 0.5 * (samples - 1)
    centred = course - course.mean(axis=-1, keepdims=True)
    tilt = (centred * time).sum(axis=-1, keepdims=True) / max(float((time * time).sum()), 1.0)
    rest: Array = centred - tilt * time
    return rest


def slope(course: Array, every: float) -> tuple[Array, Array]:
    """Return the slope of the least-squares line, a second, and its standard error by the scatter about it."""
    samples = course.shape[-1]
    time = every * (np.arange(samples) - 0.5 * (samples - 1))
    weight = float((time * time).sum())
    centred = course - course.mean(axis=-1, keepdims=True)
    tilt = (centred * time).sum(axis=-1) / weight
    rest = centred - tilt[..., None] * time
    error = np.sqrt((rest * rest).sum(axis=-1) / max(samples - 2, 1) / weight)
    return tilt, error


def blocks(course: Array, count: int) -> Array | None:
    """Return a course's last samples as blocks of equal length, (P, count, L); None if there are not enough."""
    length = course.shape[-1] // count
    if length < 2:
        return None
    return np.ascontiguousarray(course[:, course.shape[-1] - count * length :]).reshape(-1, count, length)


def block_sds(course: Array, count: int) -> Array | None:
    """Return the standard deviation within each of some blocks, (P, count)."""
    parts = blocks(course, count)
    if parts is None:
        return None
    moved = parts - parts.mean(axis=-1, keepdims=True)
    return np.ascontiguousarray(np.sqrt((moved * moved).mean(axis=-1)))


def drift(course: Array, every: float, count: int) -> tuple[Array, Array]:
    """Return a course's slope, a second, and its standard error by the slopes of blocks of it.

    The error is the standard deviation of the blocks' slopes over the root of their number: right for what wanders
    like Brownian motion, whose samples are not independent, and cautious for what is noisy about a line.
    """
    parts = blocks(course, count)
    if parts is None:
        return np.full(len(course), np.nan), np.full(len(course), np.nan)
    tilts = slope(parts, every)[0]
    error = np.ascontiguousarray(tilts).std(axis=-1, ddof=1) / np.sqrt(count)
    return slope(course, every)[0], error


def bend(course: Array, every: float, count: int) -> tuple[Array, Array]:
    """Return how fast the slope of a course changes, a second, from block to block, and its standard error."""
    parts = blocks(course, count)
    if parts is None:
        return np.full(len(course), np.nan), np.full(len(course), np.nan)
    return slope(np.ascontiguousarray(slope(parts, every)[0]), parts.shape[-1] * every)


def crossings(course: Array) -> Array:
    """Return how often a course crosses its own mean."""
    above = course > course.mean(axis=-1, keepdims=True)
    count: Array = (above[:, 1:] != above[:, :-1]).sum(axis=-1)
    return count.astype(float)
