"""Blocks: assignments times repetitions, in the order of the plan, grouped by what shares a topology."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from neuroflame.sweep.points import DRAW, Array, Assignments, Points, missing, size_of

if TYPE_CHECKING:
    from neuroflame.spec.sweep import SweepSpec


class Block:
    """The points of some consecutive assignments.

    Points are ordered by their structural values, then by graph, then by assignment, initial condition and
    seed, so that points that can share a tile are neighbours. A sweep whose points are known beforehand is
    one block; a search that learns makes a block of each batch.

    Parameters
    ----------
    spec : SweepSpec
        The sweep.
    assignments : mapping of str to ndarray, (A,) each
        Swept path to values.
        With a column `DRAW` each is simulated in that draw of graph and seed alone.
    first : int
        Number of the first assignment.
    """

    def __init__(self, spec: SweepSpec, assignments: Assignments, first: int = 0) -> None:
        self.first = first
        self._repeat = spec.repeat
        self._assignments = {path: column for path, column in assignments.items() if path != DRAW}
        self._trials = size_of(assignments)
        self._draw = assignments.get(DRAW)
        self._each = spec.repeat.count if self._draw is None else len(spec.repeat.initial_conditions)
        self._structural = [axis.path for axis in spec.axes if axis.structural]
        self._order, self.bounds = self._sorted()

    def __len__(self) -> int:
        return self._trials * self._each

    @property
    def offset(self) -> int:
        """Rank in the plan of the block's first point."""
        return self.first * self._each

    @property
    def groups(self) -> int:
        """Number of groups of points that can share a tile."""
        return len(self.bounds) - 1

    def points(self, ranks: Array) -> Points:
        """Return the points at some ranks within the block."""
        position = ranks if self._order is None else self._order[ranks]
        trial, time = self._placed(position)
        graph, initial, seed = self._times
        return Points(
            np.asarray(ranks, dtype=np.int64) + self.offset,
            {path: column[trial] for path, column in self._assignments.items()},
            graph[time],
            seed[time],
            initial[time],
        )

    def trial_of(self, ranks: Array) -> Array:
        """Return the number of each point's assignment, counted from the block's first."""
        position = ranks if self._order is None else self._order[ranks]
        return np.asarray(position // self._each)

    def _placed(self, position: Array) -> tuple[Array, Array]:
        """Return the assignment of each position, and which of all repetitions it is."""
        trial, inner = np.divmod(position, self._each)
        if self._draw is None:
            return trial, inner
        seed, graph = np.divmod(self._draw[trial], len(self._repeat.graphs))
        return trial, (graph * self._each + inner) * len(self._repeat.seeds) + seed

    @cached_property
    def _times(self) -> tuple[Array, Array, Array]:
        """Graph, initial condition and seed of each repetition, graphs slowest."""
        repeat = self._repeat
        shape = (len(repeat.graphs), len(repeat.initial_conditions), len(repeat.seeds))
        g, i, s = (axis.ravel() for axis in np.indices(shape))
        return (
            np.asarray(repeat.graphs, dtype=np.int64)[g],
            np.asarray(repeat.initial_conditions, dtype=object)[i],
            np.asarray(repeat.seeds, dtype=np.int64)[s],
        )

    def _sorted(self) -> tuple[Array | None, Array]:
        """Return the points' positions in the plan's order (None if unchanged), and the groups' bounds."""
        total = len(self)
        code = np.zeros(self._trials, dtype=np.int64)
        for path in self._structural:
            column = self._assignments[path]
            absent = missing(column)  # ranks after all values
            levels, inverse = np.unique(column[~absent], return_inverse=True)
            ranks = np.full(len(column), len(levels))
            ranks[~absent] = inverse.ravel()
            code = np.unique(code * (len(levels) + 1) + ranks, return_inverse=True)[1].ravel()
        graphs = len(self._repeat.graphs)
        if graphs == 1 and not code.any():
            return None, np.array([0, total])
        trial, time = self._placed(np.arange(total))
        full = code[trial] * graphs + time // (self._repeat.count // graphs)
        order = np.argsort(full, kind="stable")
        starts = np.flatnonzero(np.diff(full[order])) + 1
        return order, np.concatenate([[0], starts, [total]])
