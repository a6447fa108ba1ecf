"""What every search is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from neuroflame.sweep.points import Array, Assignments, dtype_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.spec.resolved import ResolvedAxis


class Search(ABC):
    """Chooses assignments of values to axes.

    Contract
    --------
    *Numbering.* Assignments are numbered from 0 in the order in which `ask` returns them. `asked` of them
    have been returned so far; there will be `total` at most.

    *Asking.* ``ask(n)`` returns the next assignments, at most n, as columns that the caller owns; how many is
    told by `asked`. No assignment is returned twice. A search with `needs_results` returns none while an
    assignment that it has returned is untold; another never waits. `done` is true when it will return none
    any more.

    *Telling.* ``tell(objective)`` gives the objective of the untold assignments, all of them, in their order;
    NaN is an assignment that failed. Searches that need no results ignore it.

    *Determinism.* What is returned depends on the axes, the options and what was told: not on time, machine
    or process. For a search that needs no results it does not depend on how the asking is split either.

    *Replay.* ``replay(assignments, objective)``, on a search with nothing untold, has the effect of asking
    for these and telling their objective: what follows is the same. There is no other state; nothing of a
    search needs to be saved.

    *Threads.* A search has one owner and is not safe to share.
    """

    needs_results: ClassVar[bool] = False

    def __init__(self, axes: Sequence[ResolvedAxis], total: int) -> None:
        self.axes = tuple(axes)
        self.total = total
        self.asked = 0

    @property
    def done(self) -> bool:
        """Whether no assignment is left to ask for."""
        return self.asked >= self.total

    @abstractmethod
    def ask(self, count: int) -> Assignments:
        """Return the next assignments, at most so many."""

    @abstractmethod
    def tell(self, objective: Array) -> None:
        """Give the objective of the assignments that are untold."""

    @abstractmethod
    def replay(self, assignments: Assignments, objective: Array) -> None:
        """Take up where a search that asked and was told these had arrived."""

    @abstractmethod
    def reach(self) -> str:
        """Return one line on how the search covers the space and what it costs."""

    def none(self) -> Assignments:
        """Return no assignments."""
        return {axis.path: np.empty(0, dtype=dtype_of(axis)) for axis in self.axes}


class KnownSearch(Search):
    """A search whose assignments are known beforehand: any of them can be computed from its number."""

    @abstractmethod
    def take(self, numbers: Array) -> Assignments:
        """Return the assignments of some numbers."""

    def ask(self, count: int) -> Assignments:
        """Return the next assignments, at most so many."""
        last = min(self.asked + count, self.total)
        numbers = np.arange(self.asked, last)
        self.asked = last
        return self.take(numbers)

    def tell(self, objective: Array) -> None:
        """Ignore what came out: the assignments are known."""

    def replay(self, assignments: Assignments, objective: Array) -> None:
        """Skip what was asked."""
        self.asked += len(objective)
