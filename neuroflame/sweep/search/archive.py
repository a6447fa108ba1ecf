"""What a search that learns knows: assignments and what was told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroflame.conditions import front

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

    def ranks(self, best: int | None = None) -> Array:
        """Return the rank of each assignment.

        Those that meet all constraints come first: by their loss, or for several goals by how many fronts have to be
        taken off before nothing beats them, and in one front by how lonely they are there (Deb et al. 2002). Then
        come the others by how much they miss the constraints in all, each relative to the worst; last those without
        a value.

        Parameters
        ----------
        best : int, optional
            How many of them have to be in the right order.
        """
        missed = np.maximum(self.violations(), 0.0)
        missed = (missed / np.maximum(missed.max(axis=0, initial=0.0), 1e-300)).sum(axis=1)
        lost = ~np.isfinite(self._told[:, : len(self._signs)]).all(axis=1)
        losses = self.losses()
        first: list[Array] = [losses[:, 0]]
        if losses.shape[1] > 1:
            fair = np.flatnonzero((missed == 0.0) & ~lost)
            layer, lonely = np.zeros(len(losses)), np.zeros(len(losses))
            layer[fair] = layers(losses[fair], len(fair) if best is None else best)
            lonely[fair] = loneliness(losses[fair], layer[fair])
            first = [-lonely, layer]
        order = np.lexsort((*first, missed, lost))
        ranks = np.empty(len(order), dtype=np.int64)
        ranks[order] = np.arange(len(order))
        return ranks

    def window(self, size: int) -> Array:
        """Return the positions of the best quarter and the latest, in order, at most so many."""
        if len(self) <= size:
            return np.arange(len(self))
        best = np.argsort(self.ranks(size // 4), kind="stable")[: size // 4]
        chosen = np.zeros(len(self), dtype=bool)
        chosen[best] = True
        late = np.flatnonzero(~chosen)[-(size - len(best)) :]
        chosen[late] = True
        return np.flatnonzero(chosen)


def layers(losses: Array, least: int) -> Array:
    """Return the number of the front that each assignment is in, from 0, when fronts are taken off one by one.

    Parameters
    ----------
    losses : ndarray, (A, M)
        Finite; small is good.
    least : int
        How many assignments have to be in a front; the others get the number after the last.
    """
    found = np.zeros(len(losses), dtype=np.int64)
    left = np.arange(len(losses))
    number = 0
    while len(left) > len(losses) - least and len(left):
        first = front(losses[left])
        found[left[first]] = number
        left = left[~first]
        number += 1
    found[left] = number
    return found


def loneliness(losses: Array, layer: Array) -> Array:
    """Return the crowding distance of each assignment within its front; infinite at the ends of a front.

    It is the sum over the goals of the distance between both neighbours along that goal, over the front's range.
    """
    found = np.zeros(len(losses))
    for number in np.unique(layer):
        mine = np.flatnonzero(layer == number)
        for column in losses[mine].T:
            order = np.argsort(column, kind="stable")
            sorted_ = column[order]
            gap = np.full(len(mine), np.inf)
            if sorted_[-1] > sorted_[0]:
                gap[1:-1] = (sorted_[2:] - sorted_[:-2]) / (sorted_[-1] - sorted_[0])
            found[mine[order]] += gap
    return found
