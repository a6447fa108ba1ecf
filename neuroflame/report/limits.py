"""What is too small to mean something."""

from __future__ import annotations

SILENT = 1e-3
"""Mean rate in Hz below which a population is silent: what is relative to its rate means nothing then."""
FLOORS = {
    "ratio": 0.1,
    "m1": 0.1,
    "m0": 0.01,
    "mean": 0.01,
    "max": 0.01,
    "trend": 0.05,
    "cv": 0.01,
    "sd_t": 0.01,
    "sd_i": 0.01,
}
"""Spans that a figure's scale does not go below, in the statistic's unit; a tenth is not worth a figure."""


def floor_of(name: str) -> float:
    """Return the span below which a statistic's variation is hardly one, 0 where that is not known."""
    parts = name.split(".")
    return FLOORS.get(parts[2], 0.0) if len(parts) > 2 and parts[0] in ("rate", "bump") else 0.0


def rate_behind(name: str) -> str | None:
    """Return the column of the mean rate that a statistic is relative to, None if it is to none."""
    kind, _, rest = name.partition(".")
    population, _, what = rest.partition(".")
    what, _, epoch = what.partition(".")
    if kind == "rate" and what in ("cv", "sd_t", "sd_i") and not epoch:
        return f"rate.{population}.mean"
    if kind == "bump" and what in ("ratio", "phase", "trend", "velocity"):
        return f"bump.{population}.m0.{epoch}".rstrip(".")
    return None
