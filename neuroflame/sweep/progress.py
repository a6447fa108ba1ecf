"""How far a sweep is, told while it runs."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from neuroflame.sweep.planner import duration

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE_EVERY_S = 10.0


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
        Best value of what is sought, if something is.
    causes : tuple of (str, int)
        Why points failed, with the number of points, the most frequent first.
    gpu : str or None
        What the GPU of the worker that was heard of last is doing.
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
    causes: tuple[tuple[str, int], ...] = ()
    gpu: str | None = None
    stopped: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Status:
        """Return the status of what `to_dict` gave, and what was added to it."""
        known = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        return cls(**{**known, "causes": tuple((str(text), int(count)) for text, count in data["causes"])})

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: the fields, and ``eta``."""
        return {**asdict(self), "eta": self.eta}

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
        if self.done < self.total and self.eta is not None and self.stopped is None:
            parts.append(f"{duration(self.eta)} left")
        if self.diverged:
            parts.append(f"{self.diverged:,} diverged")
        parts.append(f"{self.failed:,} failed")
        if self.best is not None:
            parts.append(f"best {self.best:.4g}")
        if self.gpu is not None:
            parts.append(self.gpu)
        if self.stopped is not None:
            parts.append(f"stopped: {self.stopped}")
        return ", ".join(parts)

    def failures(self) -> list[str]:
        """Return a line for each cause of failure."""
        return [f"{count:,} failed: {text}" for text, count in self.causes]


class Progress:
    """Listens to a sweep and tells nobody. The base of those that do."""

    def note(self, text: str) -> None:
        """Tell something in passing."""

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Tell what happened, as plain data; see docs/events.md."""

    def start(self, status: Status) -> None:
        """Begin."""

    def update(self, status: Status) -> None:
        """Tell how far the sweep is."""

    def stop(self) -> None:
        """End; called once, whatever happened."""


class WordyProgress(Progress):
    """Tells people: the base of lines and of the live view."""

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Tell of warnings, and of each cause of failure once."""
        if kind == "warning":
            self.note(f"warning: {data['text']}")
        elif kind == "failure" and data["new"]:
            self.note(f"failed: {data['cause']}")


class PlainProgress(WordyProgress):
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
        for line in self._latest.failures() if self._latest is not None else ():
            self.note(line)
        self._latest = None

    def _tell(self, status: Status) -> None:
        self._last, self._shown = time.monotonic(), status
        self.note(str(status))


class JsonProgress(Progress):
    """One JSON object a line for each event: for machines. The schema is in docs/events.md."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def note(self, text: str) -> None:
        """Tell something in passing."""
        self.event("note", {"text": text})

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Write the event."""
        line = {"event": kind, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **data}
        print(json.dumps(line, ensure_ascii=False, allow_nan=False), file=self._stream, flush=True)


class LiveProgress(WordyProgress):
    """One line that is rewritten in place: for terminals."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._bar: Any = None
        self._task: Any = None
        self._latest: Status | None = None

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
        self._latest = status
        if self._bar is not None:
            self._bar.update(self._task, completed=status.done, total=status.total, status=str(status))

    def stop(self) -> None:
        """Leave the line as it is."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        for line in self._latest.failures() if self._latest is not None else ():
            self.note(line)
        self._latest = None
