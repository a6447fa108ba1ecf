"""What the searches share that learn from results: batches, no near-duplicates, a state that is the table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from neuroflame.spec.conditional import count_assignments
from neuroflame.sweep.points import Array, Assignments, size_of, without_inactive
from neuroflame.sweep.search.archive import Archive, Row
from neuroflame.sweep.search.base import Search
from neuroflame.sweep.search.known import Sobol
from neuroflame.sweep.search.units import columns_of, decode, rows_of, to_unit, unseen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.spec.resolved import ResolvedAxis
    from neuroflame.spec.search import Learning

_PATIENCE = 50
_PROPOSAL, _HIDDEN, _OTHER = 0, 1, 2  # what random numbers are for


class Source(ABC):
    """Proposes assignments of one batch; every axis has a value, also where it does not count."""

    @abstractmethod
    def propose(self, count: int) -> list[Row]:
        """Return so many proposals."""

    @abstractmethod
    def refuse(self, rows: Sequence[Row], taken: Sequence[bool]) -> None:
        """Take note of which of the latest proposals were taken, given with no value where an axis does not count."""


class Learner(Search):
    """Proposes batches from what was told, and keeps no other state.

    The first `startup` assignments, less those of a warm start, are a Sobol sequence. Then a `Source` that is
    made from the archive proposes. Proposals that came before, or are closer to another of the batch than
    `near` in the unit cube along every axis, are proposed anew, `retries` times, and then drawn at random. All
    random numbers depend on the seed and the number of assignments asked so far, so that a search rebuilt from
    its table goes on like the one that was lost.

    An axis that does not count at an assignment has no value there; as the objective does not depend on it,
    sources are told a random one.

    Parameters
    ----------
    axes : sequence of ResolvedAxis
        The axes.
    spec : Learning
        Its options.
    startup : int
        Assignments that are spread evenly at first.
    least : int
        Assignments that must be known before a source can propose; a batch is spread evenly before.
    """

    needs_results: ClassVar[bool] = True
    near: ClassVar[float] = 1e-3
    retries: ClassVar[int] = 8

    def __init__(self, axes: Sequence[ResolvedAxis], spec: Learning, startup: int, least: int = 1) -> None:
        super().__init__(axes, spec.trials)
        self.batch, self.seed, self.goals = spec.batch, spec.seed, spec.goals
        self.archive = Archive(spec.goals, len(spec.constraints))
        self.startup, self.least = min(startup, self.total), least
        self._untold: list[Row] = []
        self._seen: set[Row] = set()
        self._finite = np.isfinite(count_assignments(self.axes))

    @abstractmethod
    def source(self, seed: int) -> Source:
        """Return what proposes the next batch."""

    def warm(self, assignments: Assignments, told: Array) -> None:
        """Learn, before anything is asked, from assignments that are not this search's own."""
        if self.asked:
            raise ValueError("a search is warmed up before anything is asked")
        self.archive.add(rows_of(assignments), told)
        self.startup = max(0, self.startup - size_of(assignments))

    def ask(self, count: int) -> Assignments:
        """Return the next batch, at most so many; nothing while the one before is untold."""
        count = min(count, self.batch, self.total - self.asked)
        if self._untold or count <= 0:
            return self.none()
        spread = max(0, min(count, self.startup - self.asked))
        if len(self.archive) < self.least:
            spread = count
        rows = self._spread(spread)
        self._seen.update(rows)
        if count > spread:
            rows += self._proposed(count - spread, rows)
        self.asked += count
        self._untold = rows
        return columns_of(self.axes, rows)

    def tell(self, objective: Array) -> None:
        """Give what is told of the batch, (A, goals + constraints); (A,) for one goal without constraints.

        Scores that are not finite are of assignments that failed, and count as the worst so far.
        """
        if len(objective) != len(self._untold):
            raise ValueError(f"{len(self._untold)} assignments are untold, got {len(objective)} objectives")
        self.archive.add(self._untold, objective)
        self._untold = []

    def replay(self, assignments: Assignments, objective: Array) -> None:
        """Take up where a search that asked and was told these had arrived."""
        rows = rows_of(assignments)
        self.asked += len(rows)
        self._seen.update(rows)
        self._untold = rows
        self.tell(objective)

    def about(self) -> str:
        """Return how many assignments there are, and in what batches."""
        text = f"{self.total:,} assignments in batches of {self.batch}"
        return f"{text}, the first {self.startup} spread evenly, seed {self.seed}" if self.startup else text

    def whole(self, positions: Array, copies: int = 1) -> tuple[list[Row], Array]:
        """Return assignments of the archive with a random value where an axis does not count, and their positions.

        Those of which an axis does not count come `copies` times, spread evenly over its values.
        """
        rows: list[Row] = []
        where: list[int] = []
        for i in positions.tolist():
            found = self._filled(self.archive.rows[i], i, copies)
            rows += found
            where += [i] * len(found)
        return rows, np.array(where, dtype=np.int64)

    def _filled(self, row: Row, number: int, copies: int) -> list[Row]:
        if None not in row:
            return [row]
        first = np.random.default_rng([self.seed, number, _HIDDEN]).random(len(self.axes))
        units = (first + np.arange(copies)[:, None] / copies) % 1.0
        drawn = zip(*(column.tolist() for column in decode(self._plain, units).values()), strict=True)
        return [
            tuple(other if value is None else value for value, other in zip(row, one, strict=True))
            for one in drawn
        ]

    @property
    def _plain(self) -> tuple[ResolvedAxis, ...]:
        """The axes without their conditions."""
        from dataclasses import replace

        return tuple(replace(axis, when={}) if axis.when else axis for axis in self.axes)

    def _spread(self, count: int) -> list[Row]:
        if count == 0:
            return []
        sobol = Sobol(self.axes, min(self.total, self.startup + self.batch), self.seed)
        return rows_of(sobol.take(np.arange(self.asked, self.asked + count)))

    def _proposed(self, count: int, others: list[Row]) -> list[Row]:
        """Return so many assignments that are new and not too close to each other and the others."""
        state = np.random.SeedSequence([self.seed, self.asked, _PROPOSAL]).generate_state(1)
        source = self.source(int(state[0]))
        rows: list[Row] = []
        units = self._units(others)
        for _ in range(self.retries + 1):
            proposed = self._masked(source.propose(count - len(rows)))
            taken, units = self._take(proposed, rows, units)
            if len(rows) == count:
                return rows
            source.refuse(proposed, taken)
        rng = np.random.default_rng([self.seed, self.asked, _OTHER])
        for _ in range(_PATIENCE):
            drawn = rows_of(decode(self.axes, rng.random((count - len(rows), len(self.axes)))))
            _, units = self._take(drawn, rows, units)
            if len(rows) == count:
                return rows
        if self._finite:
            last = rows_of(unseen(self.axes, self._seen, count - len(rows), rng))
            self._seen.update(last)
            return rows + last
        while len(rows) < count:  # a crowded unit cube: new is enough
            for row in rows_of(decode(self.axes, rng.random((count - len(rows), len(self.axes))))):
                if row not in self._seen:
                    self._seen.add(row)
                    rows.append(row)
        return rows

    def _take(self, proposed: list[Row], rows: list[Row], units: Array) -> tuple[list[bool], Array]:
        """Add to the rows what is new and far enough; return what was, and where all of them are."""
        where = self._units(proposed)
        crowded = np.asarray(self._beside(where, units).any(axis=1))
        beside = self._beside(where, where)
        taken: list[bool] = []
        for k, row in enumerate(proposed):
            good = not (crowded[k] or row in self._seen or any(beside[k][:k][taken]))
            taken.append(good)
            if good:
                self._seen.add(row)
                rows.append(row)
        return taken, np.concatenate([units, where[taken]])

    def _beside(self, one: Array, other: Array) -> Array:
        """Return which places are closer than `near` to which others along every axis, (one, other)."""
        return np.asarray((np.abs(one[:, None] - other[None]) < self.near).all(axis=2))

    def _masked(self, rows: list[Row]) -> list[Row]:
        if not any(axis.when for axis in self.axes):
            return rows
        return rows_of(without_inactive(self.axes, columns_of(self._plain, rows)))

    def _units(self, rows: list[Row]) -> Array:
        if not rows:
            return np.empty((0, len(self.axes)))
        columns = columns_of(self.axes, rows)
        return np.column_stack([to_unit(axis, columns[axis.path]) for axis in self.axes])
