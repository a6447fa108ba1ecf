"""What was done, counted."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING

from neuroflame.sweep.causes import Causes
from neuroflame.sweep.progress import Status

if TYPE_CHECKING:
    from neuroflame.sweep.finished import Finished
    from neuroflame.sweep.stopping import Stopping

_WINDOW_S = 60.0
_CAUSES = 5


class Tally:
    """Counts the points of a run and of those before it.

    Parameters
    ----------
    total : int
        Points of the sweep.
    stopping : Stopping
        Watches when it is to stop early, and what is best.
    """

    def __init__(self, total: int, stopping: Stopping) -> None:
        self._total = total
        self.stopping = stopping
        self.done = self.restored = 0
        self._failed = self._diverged = 0
        self._causes = Causes()
        self._gpu: str | None = None
        self._rate, self._speed = Rate(), 0.0
        self._begin = time.monotonic()

    def start(self) -> None:
        """Count time from now."""
        self._begin = time.monotonic()
        self._rate.start(self.done)

    def restore(self, found: Finished) -> None:
        """Count what is on disk, but for the points, which are counted with their blocks."""
        self._failed, self._diverged = found.failed, found.diverged
        self._causes.update(found.causes)

    def restore_points(self, count: int) -> None:
        """Count points that were done before."""
        self.done += count
        self.restored += count
        self.stopping.done(self.done, 0.0)

    def end(self) -> None:
        """Count no points beyond those that are done: a search may end before its points are used up."""
        self._total = self.done

    def add(self, points: int, *, failed: int = 0, diverged: int = 0, gpu: str | None = None) -> None:
        """Count a tile."""
        self.done += points
        self._failed += failed
        self._diverged += diverged
        self._gpu = gpu or self._gpu
        self._speed = self._rate.update(self.done)
        self.stopping.done(self.done, time.monotonic() - self._begin)

    def add_cause(self, text: str, points: int) -> bool:
        """Count why points failed, and return whether no point had failed so before."""
        return self._causes.add(text, points)

    def status(self) -> Status:
        """Return how far the sweep is."""
        return Status(
            total=self._total,
            done=self.done,
            failed=self._failed,
            diverged=self._diverged,
            restored=self.restored,
            rate=self._speed,
            elapsed=time.monotonic() - self._begin,
            best=None if math.isnan(self.stopping.best) else self.stopping.best,
            causes=self._causes.top(_CAUSES),
            gpu=self._gpu,
            stopped=self.stopping.reason,
        )


class Rate:
    """Points per second over the last minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def start(self, done: int) -> None:
        """Begin to count."""
        self._seen.append((time.monotonic(), done))

    def update(self, done: int) -> float:
        """Take note of the points that are done and return the rate."""
        now = time.monotonic()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > _WINDOW_S:
            self._seen.popleft()
        first, count = self._seen[0]
        return (done - count) / max(now - first, 1e-6)
