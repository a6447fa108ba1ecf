"""How far a sweep is, told while it runs."""

from __future__ import annotations

import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, TextIO

from neuroflame.sweep.planner import duration

_LINE_EVERY_S = 10.0
_WINDOW_S = 60.0


@dataclass(frozen=True)
class Status:
    """How far a sweep is.

    Parameters
    ----------
    total, done, failed, diverged : int
        Points of the sweep; finished ones, those that failed and diverged included.
    restored : int
        Points that were finished before this run.
    rate : float
        Points per second of late.
    elapsed : float
        Seconds since the start of this run.
    best : float or None
        Best value of what is sought, if one thing is.
    stopped : str or None
        Why it stopped early, if it did.
    """

    total: int
    done: int
    failed: int
    diverged: int
    restored: int
    rate: float
    elapsed: float
    best: float | None = None
    stopped: str | None = None

    @property
    def eta(self) -> float | None:
        """Seconds that are left; None if nothing is known yet."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None

    def __str__(self) -> str:
        parts = [f"{self.done:,}/{self.total:,} points"]
        if self.rate > 0:
            parts.append(
                f"{self.rate:,.{0 if self.rate >= 99.5 else 1 if self.rate >= 9.95 else 2}f} points/s"
            )
        if self.done < self.total and self.eta is not None and not self.stopped:
            parts.append(f"{duration(self.eta)} left")
        if self.diverged:
            parts.append(f"{self.diverged:,} diverged")
        parts.append(f"{self.failed:,} failed")
        if self.best is not None:
            parts.append(f"best {self.best:.4g}")
        if self.stopped:
            parts.append(f"stopped: {self.stopped}")
        return ", ".join(parts)


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


class Progress:
    """Listens to a sweep and tells nobody. The base of those that do."""

    def note(self, text: str) -> None:
        """Tell something in passing."""

    def start(self, status: Status) -> None:
        """Begin."""

    def update(self, status: Status) -> None:
        """Tell how far the sweep is."""

    def stop(self) -> None:
        """End; called once, whatever happened."""


class PlainProgress(Progress):
    """Lines of text, one now and then: for logs and pipes."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._last = 0.0
        self._shown: Status | None = None
        self._latest: Status | None = None

    def note(self, text: str) -> None:
        """Tell something in passing."""
        print(text, file=self._stream, flush=True)

    def start(self, status: Status) -> None:
        """Begin."""
        self._latest = status
        self._last = time.monotonic()

    def update(self, status: Status) -> None:
        """Tell how far the sweep is, if it was not told a moment ago."""
        self._latest = status
        if status.done >= status.total or time.monotonic() - self._last >= _LINE_EVERY_S:
            self._tell(status)

    def stop(self) -> None:
        """Tell where it ended."""
        if self._latest is not None and self._latest is not self._shown:
            self._tell(self._latest)

    def _tell(self, status: Status) -> None:
        self._last, self._shown = time.monotonic(), status
        self.note(str(status))


class LiveProgress(Progress):
    """One line that is rewritten in place: for terminals."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._bar: Any = None
        self._task: Any = None

    def note(self, text: str) -> None:
        """Tell something in passing, above the line."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def start(self, status: Status) -> None:
        """Begin."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.table import Column

        self._bar = Progress(
            BarColumn(bar_width=16),
            TimeElapsedColumn(),
            TextColumn("{task.fields[status]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=self._console,
            refresh_per_second=4,
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=status.total, completed=status.done, status=str(status))

    def update(self, status: Status) -> None:
        """Rewrite the line."""
        if self._bar is not None:
            self._bar.update(self._task, completed=status.done, total=status.total, status=str(status))

    def stop(self) -> None:
        """Leave the line as it is."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
