"""How long a tile takes on each worker, from the tiles that it had."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

_KEPT = 8  # tiles of a worker
_TOLD_BY = 16  # workers, those heard of last, whose tiles tell the overhead
_TELLING = 1.5  # ratio of a worker's largest to its smallest tile from which they tell the overhead
_NEARLY = 1.5  # times the least variance that a smaller overhead may leave
_EXACT = 1e-6  # variance of the logarithm of a time that is none
_OVERHEADS = np.concatenate([[0.0], np.geomspace(0.01, 10.0, 40)])  # of the largest tile


class Pace:
    """Seconds of tiles: a worker takes slowness · (points + overhead), the overhead being the same for all.

    The overhead, in points, is what each step of a program costs whether there are few points or many. It is
    told from tiles of different sizes of one worker, so that workers of different speeds do not pass for it:
    the smallest under which a worker's slowness varies hardly more from tile to tile than under the best.
    """

    def __init__(self) -> None:
        self._first: dict[str, tuple[float, float]] = {}
        self._seen: dict[str, deque[tuple[float, float]]] = {}
        self._overhead: float | None = None

    @property
    def tiles(self) -> list[tuple[float, float]]:
        """Points and seconds of the last tiles; of first ones, which compile too, until there are others."""
        return [tile for seen in self._seen.values() for tile in seen] or list(self._first.values())

    @property
    def knows(self) -> bool:
        """Whether any tile was seen."""
        return bool(self._seen or self._first)

    @property
    def overhead(self) -> float | None:
        """What a tile costs beside its points, as a number of points; None while nothing tells."""
        return self._overhead

    def observe(self, worker: str, count: float, seconds: float, *, first: bool) -> None:
        """Learn from a finished tile; first is whether it was the worker's first."""
        if first:
            self._first[worker] = (count, seconds)
            return
        seen = self._seen.pop(worker, deque(maxlen=_KEPT))
        self._seen[worker] = seen  # the last to be heard of stands last
        seen.append((count, seconds))
        self._tell_overhead()

    def forget(self, worker: str) -> None:
        """Leave a worker out that is gone."""
        self._first.pop(worker, None)
        self._seen.pop(worker, None)

    def slowness(self, worker: str | None = None) -> float:
        """Return the seconds of a point on a worker beside the overhead, on a usual one if it is not known.

        A worker whose first tile alone was seen may be slow, or have compiled for long: it counts as slow.
        ValueError if no tile was seen.
        """
        if worker in self._seen:
            return self._slowness(self._seen[worker])
        known = self._seen.values() or [[tile] for tile in self._first.values()]
        if not self.knows:
            raise ValueError("no tile was seen")
        usual = float(np.mean([self._slowness(seen) for seen in known]))
        return max(usual, self._slowness([self._first[worker]])) if worker in self._first else usual

    def _slowness(self, tiles: Collection[tuple[float, float]]) -> float:
        seconds = sum(time for _, time in tiles)
        return seconds / (sum(count for count, _ in tiles) + len(tiles) * (self._overhead or 0.0))

    def _tell_overhead(self) -> None:
        """Find the overhead anew if some worker had tiles of sizes that differ enough to tell."""
        varied = [seen for seen in list(self._seen.values())[-_TOLD_BY:] if _ratio(seen) >= _TELLING]
        if not varied:
            return
        tried = _OVERHEADS * max(count for seen in varied for count, _ in seen)
        left: NDArray[np.float64] = np.zeros(len(tried))
        for seen in varied:
            count, seconds = np.array(seen).T
            slowness = np.log(seconds) - np.log(count + tried[:, None])
            left += slowness.var(axis=1)
        best = float(left.min())
        self._overhead = float(tried[np.argmax(left <= _NEARLY * best + _EXACT * len(varied))])


def _ratio(tiles: Collection[tuple[float, float]]) -> float:
    counts = [count for count, _ in tiles]
    return max(counts) / min(counts)
