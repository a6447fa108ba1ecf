"""What a benchmark measures: figures beside their targets and ceilings."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Row:
    """A figure.

    Attributes
    ----------
    name : str
    measured : float or None
        None where it could not be measured: then ``reason`` says why.
    unit : str
    target : float, optional
        In the same unit; the largest that will do, or with ``at_least`` the smallest.
    at_least : bool
    ceiling : float, optional
        What cannot be surpassed, in the same unit.
    ceiling_of : str
        Where that comes from.
    reason : str
    """

    name: str
    measured: float | None
    unit: str
    target: float | None = None
    at_least: bool = False
    ceiling: float | None = None
    ceiling_of: str = ""
    reason: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the target: met from 1 on."""
        return self._better_than(self.target)

    @property
    def of_ceiling(self) -> float | None:
        """How much of the ceiling is reached: at most 1."""
        return self._better_than(self.ceiling)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none, or nothing was measured."""
        return None if self.ratio is None else self.ratio >= 1

    def _better_than(self, value: float | None) -> float | None:
        if value is None or self.measured is None:
            return None
        good, bad = (self.measured, value) if self.at_least else (value, self.measured)
        return good / bad if bad else float("inf")

    def as_data(self) -> dict[str, Any]:
        """Return the row and its ratios as plain data."""
        return asdict(self) | {
            "ratio_to_target": self.ratio,
            "ratio_to_ceiling": self.of_ceiling,
            "met": self.met,
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Row:
        """Return the row of what `as_data` returned."""
        return cls(**{f.name: data[f.name] for f in fields(cls)})

    def shown(self) -> dict[str, str]:
        """Return the cells of a table."""
        unit = f" {self.unit}" if self.unit else ""
        limit = "≥" if self.at_least else "≤"
        return {
            "what": self.name,
            "measured": f"{short(self.measured)}{unit}" if self.measured is not None else self.reason,
            "target": "–" if self.target is None else f"{limit} {short(self.target)}{unit}",
            "× target": short(self.ratio),
            "of the ceiling": "–"
            if self.of_ceiling is None
            else f"{self.of_ceiling:.0%} ({self.ceiling_of})",
            "met": {True: "yes", False: "no", None: "–"}[self.met],
        }


def short(value: float | None) -> str:
    """Return a number with three digits."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


@dataclass(frozen=True)
class Options:
    """How to measure.

    Attributes
    ----------
    device : {"cpu", "cuda"}
    peer : str or None
        A checkout of the original.
    smoke : bool
        Toy sizes: whether the script works at all. The figures mean nothing.
    repetitions : int
    """

    device: str = "cpu"
    peer: str | None = None
    smoke: bool = False
    repetitions: int = 3


@dataclass(frozen=True)
class Outcome:
    """Figures with a target, and what else was seen."""

    rows: list[Row]
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Benchmark:
    """A row of the table of targets.

    Attributes
    ----------
    name : str
    about : str
    measure : callable
    devices : tuple of str
        Where it has targets.
    """

    name: str
    about: str
    measure: Callable[[Options], Outcome]
    devices: tuple[str, ...] = ("cpu", "cuda")

    def cannot(self, device: str) -> str | None:
        """Return why it cannot be measured here, None if it can."""
        if device not in self.devices:
            return f"has no target on {device}, on {' and '.join(self.devices)} alone"
        if device == "cuda":
            import torch

            if not torch.cuda.is_available():
                return "there is no CUDA device here"
        return None
