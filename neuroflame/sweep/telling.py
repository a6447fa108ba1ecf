"""What a search that learns is told of the points that were simulated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.sweep.evaluate import objective

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuroflame.border import Labelling
    from neuroflame.spec.sweep import SweepSpec
    from neuroflame.sweep.points import Array


class Telling(ABC):
    """From rows to what a search is told of each point, and from points to assignments."""

    @property
    @abstractmethod
    def needs(self) -> tuple[str, ...]:
        """The columns that it is made of."""

    @abstractmethod
    def of_rows(self, rows: Mapping[str, Any]) -> Array:
        """Return what is told of each row, (P,)."""

    @abstractmethod
    def nothing(self, count: int) -> Array:
        """Return what is told of points that are not known, (count,)."""

    @abstractmethod
    def by_trial(self, trial: Array, told: Array) -> Array:
        """Return what is told of each assignment, (A, …).

        Parameters
        ----------
        trial : ndarray of int, (P,)
            Number of each point's assignment, from 0.
        told : ndarray, (P,)
            What `of_rows` gave.
        """


@dataclass(frozen=True)
class Objective(Telling):
    """The mean of a column over the repetitions of an assignment that have a value.

    Parameters
    ----------
    column : str
        What is sought.
    """

    column: str

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that it is made of."""
        return ("status", self.column)

    def of_rows(self, rows: Mapping[str, Any]) -> Array:
        """Return the column where the point is ok, NaN elsewhere."""
        return objective(rows, self.column)

    def nothing(self, count: int) -> Array:
        """Return NaN for each."""
        return np.full(count, np.nan)

    def by_trial(self, trial: Array, told: Array) -> Array:
        """Return the mean of each assignment."""
        from neuroflame.sweep.finished import mean_by_trial

        return mean_by_trial(trial, told)


@dataclass(frozen=True)
class Labels(Telling):
    """Label and margin of each initial condition.

    Parameters
    ----------
    labelling : Labelling
        How a row gets its label.
    """

    labelling: Labelling

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that it is made of; names that are swept stand for ``point.<path>``."""
        names = self.labelling.needs
        return (*names, *(f"point.{name}" for name in names if "." in name))

    def of_rows(self, rows: Mapping[str, Any]) -> Array:
        """Return `neuroflame.border.LABELLED`."""
        return self.labelling.label({name: rows[name] for name in self.needs if name in rows})

    def nothing(self, count: int) -> Array:
        """Return no label for each."""
        from neuroflame.border import LABELLED

        found = np.zeros(count, dtype=LABELLED)
        found["margin"] = np.nan
        return found

    def by_trial(self, trial: Array, told: Array) -> Array:
        """Return (A, I): the points of an assignment are its initial conditions, in order."""
        return told[np.argsort(trial, kind="stable")].reshape(int(trial.max()) + 1, -1)


def telling_of(spec: SweepSpec) -> Telling | None:
    """Return what the search of a sweep is told; None if it needs no results."""
    on, sought = getattr(spec.search, "on", None), getattr(spec.search, "objective", None)
    if on:
        from neuroflame.border import Labelling

        return Labels(Labelling(on))
    return Objective(sought) if sought else None
