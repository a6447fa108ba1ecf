"""What a search that learns is told of the points that were simulated: scores, or labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.spec.search import BoundarySearch, Learning
from neuroflame.sweep.told import by_trial, needed, told

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from neuroflame.border import Labelling
    from neuroflame.spec.sweep import SweepSpec
    from neuroflame.sweep.points import Array


class Telling(ABC):
    """From rows to what a search is told of each point, and from points to assignments."""

    @abstractmethod
    def needs(self, known: Container[str]) -> list[str]:
        """Return the columns that it is made of, of those that there are."""

    @abstractmethod
    def of_rows(self, rows: Mapping[str, Any]) -> Array:
        """Return what is told of each row, (P, …)."""

    @abstractmethod
    def nothing(self, count: int) -> Array:
        """Return what is told of points that are not known, (count, …)."""

    @abstractmethod
    def by_trial(self, trial: Array, points: Array) -> Array:
        """Return what is told of each assignment, (A, …).

        Parameters
        ----------
        trial : ndarray of int, (P,)
            Number of each point's assignment, from 0.
        points : ndarray, (P, …)
            What `of_rows` gave.
        """


@dataclass(frozen=True)
class Scores(Telling):
    """Scores and by how much constraints are missed; see `neuroflame.sweep.told`.

    Parameters
    ----------
    search : Learning
        What is sought, and what must hold.
    """

    search: Learning

    def needs(self, known: Container[str]) -> list[str]:
        """Return the columns of goals and constraints."""
        return needed(self.search, known)

    def of_rows(self, rows: Mapping[str, Any]) -> Array:
        """Return (P, goals + constraints)."""
        return told(self.search, rows)

    def nothing(self, count: int) -> Array:
        """Return NaN for each."""
        return np.full((count, len(self.search.goals) + len(self.search.constraints)), np.nan)

    def by_trial(self, trial: Array, points: Array) -> Array:
        """Return mean scores and the worst violations."""
        return by_trial(trial, points, len(self.search.goals))


@dataclass(frozen=True)
class Labels(Telling):
    """Label and margin of each initial condition.

    Parameters
    ----------
    labelling : Labelling
        How a row gets its label.
    """

    labelling: Labelling

    def needs(self, known: Container[str]) -> list[str]:
        """Return the columns of the label; names that are swept stand for ``point.<path>``."""
        names = self.labelling.needs
        return [
            name for name in (*names, *(f"point.{name}" for name in names if "." in name)) if name in known
        ]

    def of_rows(self, rows: Mapping[str, Any]) -> Array:
        """Return `neuroflame.border.LABELLED`, (P,)."""
        return self.labelling.label({name: rows[name] for name in self.needs(rows)})

    def nothing(self, count: int) -> Array:
        """Return no label for each."""
        from neuroflame.border import LABELLED

        found = np.zeros(count, dtype=LABELLED)
        found["margin"] = np.nan
        return found

    def by_trial(self, trial: Array, points: Array) -> Array:
        """Return (A, I): the points of an assignment are its initial conditions, in order."""
        return points[np.argsort(trial, kind="stable")].reshape(int(trial.max()) + 1, -1)


def telling_of(spec: SweepSpec) -> Telling | None:
    """Return what the search of a sweep is told; None if it needs no results."""
    if isinstance(spec.search, Learning):
        return Scores(spec.search)
    if isinstance(spec.search, BoundarySearch):
        from neuroflame.border import Labelling

        return Labels(Labelling(spec.search.on))
    return None
