"""When a sweep stops early, and why."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from neuroflame.sweep.planner import duration

if TYPE_CHECKING:
    from neuroflame.conditions import Goal
    from neuroflame.spec.sweep import SweepSpec
    from neuroflame.sweep.points import Array


class Stopping:
    """Watches a sweep's criteria. What a search found is judged in the order of its assignments.

    Parameters
    ----------
    spec : SweepSpec
        The sweep.
    """

    def __init__(self, spec: SweepSpec) -> None:
        self._stop = spec.stop
        self._repeats = spec.repeat.count
        goals: tuple[Goal, ...] = getattr(spec.search, "goals", ())
        self._goal = goals[0] if len(goals) == 1 else None
        self.best = math.nan
        self.reason: str | None = None
        self._improved, self._since = math.nan, 0

    def left(self, points: int) -> float:
        """Return how many points may be begun when so many are done or running."""
        limit = self._stop.points if self._stop else None
        return math.inf if limit is None else max(0, limit - points)

    def done(self, points: int, seconds: float) -> None:
        """Take note of how many points are done, after how many seconds of this run."""
        if self._stop is None:
            return
        if self._stop.points is not None and points >= self._stop.points:
            self._because(f"{self._stop.points:,} points were computed")
        if self._stop.time is not None and seconds >= self._stop.time:
            self._because(f"the time of {duration(self._stop.time)} was up")

    def told(self, scores: Array, feasible: Array) -> None:
        """Take note of what a batch of assignments gave.

        Parameters
        ----------
        scores : ndarray of float64, (A, goals)
            NaN where there is none.
        feasible : ndarray of bool, (A,)
            Whether all constraints are met.
        """
        if self._goal is None:
            return
        better = np.fmax if self._goal.large else np.fmin
        sign = 1.0 if self._goal.large else -1.0
        wanted = self._stop.no_improvement if self._stop else None
        least = wanted.by if wanted else 0.0
        for score in np.where(feasible, scores[:, 0], np.nan).tolist():
            self.best = float(better(self.best, score))
            self._since += self._repeats
            gain = sign * (score - self._improved)
            if math.isfinite(score) and (math.isnan(self._improved) or (gain > 0 and gain >= least)):
                self._improved, self._since = score, 0
        if self._stop is None:
            return
        if self._stop.target is not None and sign * (self.best - self._stop.target) >= 0:
            self._because(f"{self._goal} reached {self.best:.4g}, and {self._stop.target:g} was sought")
        if wanted and self._since >= wanted.points:
            by = f" by {wanted.by:g}" if wanted.by else ""
            self._because(f"{self._since:,} points brought no improvement{by}")

    def _because(self, reason: str) -> None:
        self.reason = self.reason or reason
