"""What a search that learns knows: assignments and what was told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.conditions import Goal
    from neuroflame.sweep.points import Array

Row = tuple[object, ...]


class Archive:
    """Assignments in the order in which they were told, with losses, of which small ones are good.

    Parameters
    ----------
    goals : sequence of Goal
        What is sought.
    constraints : int
        Number of constraints.
    """

    def __init__(self, goals: Sequence[Goal], constraints: int) -> None:
        self.rows: list[Row] = []
        self._goals, self._constraints = tuple(goals), constraints
        self._signs = np.array([-1.0 if goal.large else 1.0 for goal in goals])
        self._width = len(goals) + constraints
        self._parts: list[Array] = [np.empty((0, self._width))]

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, rows: Sequence[Row], told: Array) -> None:
        """Add assignments with what was told of them, (A, goals + constraints) or (A,) for one goal."""
        told = np.asarray(told, dtype=np.float64)
        told = told[:, None] if told.ndim == 1 else told
        if told.shape[1] != self._width:
            raise ValueError(f"{self._width} numbers are to be told of an assignment, got {told.shape[1]}")
        self.rows += rows
        self._parts.append(told)

    def part(self, chosen: Array) -> Archive:
        """Return an archive of the assignments at some positions alone."""
        part = Archive(self._goals, self._constraints)
        part.add([self.rows[i] for i in chosen.tolist()], self._told[chosen])
        return part

    @property
    def _told(self) -> Array:
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]

    def losses(self) -> Array:
        """Return losses, (A, goals); those without a value have the worst of them."""
        losses = self._told[:, : len(self._signs)] * self._signs
        losses = np.where(np.isfinite(losses), losses, np.nan)
        lost = np.asarray(np.isnan(losses).any(axis=1))
        worst = losses[~lost].max(axis=0) if (~lost).any() else np.zeros(len(self._signs))
        return np.where(lost[:, None], worst, losses)

    def violations(self) -> Array:
        """Return by how much constraints are missed, (A, constraints); where unknown, as much as the worst."""
        missed = self._told[:, len(self._signs) :]
        known = np.where(np.isfinite(missed), missed, -np.inf)
        worst = np.maximum(known.max(axis=0, initial=-np.inf), 1.0)
        return np.where(np.isfinite(missed), missed, worst)

    def ranks(self) -> Array:
        """Return the rank of each assignment by its first loss.

        Those that meet all constraints come first, then the others by how much they miss them in all, each
        constraint relative to the worst; last those without a value.
        """
        missed = np.maximum(self.violations(), 0.0)
        missed = (missed / np.maximum(missed.max(axis=0, initial=0.0), 1e-300)).sum(axis=1)
        lost = ~np.isfinite(self._told[:, : len(self._signs)]).all(axis=1)
        order = np.lexsort((self.losses()[:, 0], missed, lost))
        ranks = np.empty(len(order), dtype=np.int64)
        ranks[order] = np.arange(len(order))
        return ranks

    def window(self, size: int) -> Array:
        """Return the positions of the best quarter and the latest, in order, at most so many."""
        if len(self) <= size:
            return np.arange(len(self))
        best = np.argsort(self.ranks(), kind="stable")[: size // 4]
        chosen = np.zeros(len(self), dtype=bool)
        chosen[best] = True
        late = np.flatnonzero(~chosen)[-(size - len(best)) :]
        chosen[late] = True
        return np.flatnonzero(chosen)
