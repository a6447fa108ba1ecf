"""How much of what is left a worker should have, such that all end at about the same time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LAST_S = 1.0
"""Seconds below which tiles are not made smaller so that workers end together."""
_PART = 2.0  # a tile is its worker's share over this: what is guessed wrong is mended by the tiles after it
_WORTH = 3.0  # times the overhead that a tile should have in points, at least


@dataclass(frozen=True)
class Actor:
    """What is known of a worker's speed.

    Parameters
    ----------
    slowness : float
        Seconds that it takes for a point.
    free_in : float
        Seconds until it is done with the tile that it has; 0 if it has none.
    """

    slowness: float
    free_in: float = 0.0


def last_size(
    pending: float, own: Actor, others: Sequence[Actor], *, overhead: float = 0.0, unit: float = 1.0
) -> float:
    """Return the most points that a free worker's next tile should have, so that nobody waits long at the end.

    That is half of what it would have if all workers ended together; while that takes less than `LAST_S`, or is
    mostly overhead, all of it. Weighted factoring, after Hummel, Schmidt, Uma and Wein (1996): sizes follow
    speeds, and shrink towards the end. Nothing, if the others that are busy now will have done everything
    before it would be done with `unit` points.

    Parameters
    ----------
    pending : float
        Points that are in no tile yet.
    own : Actor
        The one that is free.
    others : sequence of Actor
        All others.
    overhead : float
        What a tile costs beside its points, as a number of points.
    unit : float
        Points of the smallest tile: fewer take as long.

    Returns
    -------
    float
        Points; 0 if it should wait.
    """
    if not others:
        return pending
    unit = min(unit, pending)
    busy = [other for other in others if other.free_in > 0]
    if busy and _end(pending, busy, overhead) <= own.slowness * (unit + overhead):
        return 0.0
    whole = _end(pending, [own, *others], overhead) / own.slowness - overhead
    least = max(LAST_S / own.slowness - overhead, _WORTH * overhead)
    return max(unit, whole / _PART, min(whole, least))


def _end(pending: float, workers: Sequence[Actor], overhead: float) -> float:
    """Return the seconds after which these workers are done, if they end together as far as they can.

    A worker begins to count when it is free and has paid the overhead of a tile.
    """
    ready = sorted((worker.free_in + worker.slowness * overhead, 1.0 / worker.slowness) for worker in workers)
    points, speed, end = pending, 0.0, 0.0
    for start, rate in ready:
        if speed and end <= start:
            break
        points += start * rate
        speed += rate
        end = points / speed
    return end
