"""The non-dominated sorting genetic algorithm NSGA-II, in batches, on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroflame.sweep.search.learner import Learner, Source
from neuroflame.sweep.search.units import at_place, columns_of, from_unit, rows_of, to_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.spec.resolved import ResolvedAxis
    from neuroflame.spec.search import Nsga2Search
    from neuroflame.sweep.points import Array
    from neuroflame.sweep.search.archive import Row

_CROSSED = 0.9
"""Share of children that have two parents (Deb et al. 2002)."""
_SPREAD = {True: 20.0, False: 2.0}
"""Index of the crossover's distribution, for several objectives and for one: children of one objective's parents
lie further from them, since there is no front along which the population must keep its place."""
_MUTATED = 20.0
"""Index of the mutation's distribution (Deb et al. 2002)."""


class Nsga2(Learner):
    """Crosses and mutates parents, which are the best that there were at the end of each generation.

    A generation is `population` assignments in the order of their numbers, those of a warm start first. Its
    parents are chosen from it and the parents before by rank and crowding (Deb et al. 2002, IEEE Trans. Evol.
    Comput. 6:182), those that miss a constraint by how much. Besides the archive nothing is kept but which
    assignments are parents, so that a proposal costs the same however long the search has been.
    """

    def __init__(self, axes: Sequence[ResolvedAxis], spec: Nsga2Search) -> None:
        super().__init__(axes, spec, startup=spec.population, least=spec.population)
        self._population = spec.population
        self._parents: Array = np.empty(0, dtype=np.int64)  # best first
        self._generations = 0

    def source(self, seed: int) -> Source:
        """Return what proposes the next batch."""
        while (self._generations + 1) * self._population <= len(self.archive):
            self._select()
        columns = columns_of(self._plain, self.whole(self._parents)[0])
        places = np.column_stack([to_unit(axis, columns[axis.path]) for axis in self._plain])
        return Children(self._plain, places, np.random.default_rng(seed), several=len(self.goals) > 1)

    def reach(self) -> str:
        """Return one line on how the search covers the space and what it costs."""
        return f"nsga2: {self.about()}, generations of {self._population}"

    def _select(self) -> None:
        """Choose the parents at the end of the next generation, knowing nothing of what came later."""
        first = self._generations * self._population
        self._generations += 1
        both = np.concatenate([self._parents, np.arange(first, first + self._population)])
        ranks = self.archive.part(both).ranks(self._population)
        self._parents = both[np.argsort(ranks)[: self._population]]


class Children(Source):
    """Children of parents, which are listed best first.

    Each of a child's two parents is the better of two drawn at random. Numbers and ordered levels are crossed by
    simulated binary crossover within the bounds, half of them, the others taken from either parent (Deb & Agrawal
    1995, Complex Systems 9:115); categories are taken from either. Then each value is mutated with probability one
    over the number of axes: by Deb's polynomial, or drawn anew where the polynomial would seldom reach the next
    level.

    Parameters
    ----------
    axes : sequence of ResolvedAxis
        The axes, without conditions.
    places : ndarray, (parents, axes)
        Where the parents lie between the ends of each axis, from 0 to 1; see `to_unit`.
    rng : numpy.random.Generator
        Source of all random numbers.
    several : bool
        Whether there are several objectives.
    """

    def __init__(
        self, axes: Sequence[ResolvedAxis], places: Array, rng: np.random.Generator, *, several: bool
    ) -> None:
        self._axes, self._places, self._rng = axes, places, rng
        self._index = _SPREAD[several]
        self._ordered = np.array([axis.ordered for axis in axes])
        self._coarse = np.array(
            [axis.levels is not None or (axis.integer and axis.count <= _MUTATED) for axis in axes]
        )

    def propose(self, count: int) -> list[Row]:
        """Return so many proposals."""
        places = self._crossed(count)
        places, drawn = self._mutated(places)
        fresh = np.asarray(self._rng.random(places.shape))
        columns = {}
        for i, axis in enumerate(self._axes):
            kept, anew = at_place(axis, places[:, i]), from_unit(axis, fresh[:, i])
            columns[axis.path] = np.where(drawn[:, i], anew, kept)
        return rows_of(columns)

    def refuse(self, rows: Sequence[Row], taken: Sequence[bool]) -> None:
        """Do nothing: children do not depend on each other."""

    def _crossed(self, count: int) -> Array:
        rng, several = self._rng, len(self._places) > 1
        first, second = (rng.integers(len(self._places), size=(2, count)).min(axis=0) for _ in range(2))
        if several:  # the second parent is another
            shift = rng.integers(1, len(self._places), size=count)
            second = np.where(first == second, (second + shift) % len(self._places), second)
        one, other = self._places[first], self._places[second]
        either = np.where(rng.random(one.shape) < 0.5, one, other)
        mixed = crossed(one, other, rng.random(one.shape), rng.random(one.shape) < 0.5, self._index)
        mixed = np.where(self._ordered & (rng.random(one.shape) < 0.5), mixed, either)
        return np.where(rng.random((count, 1)) < _CROSSED, mixed, one)

    def _mutated(self, places: Array) -> tuple[Array, Array]:
        """Return places, mutated where the axis is fine, and which are to be drawn anew."""
        chosen = self._rng.random(places.shape) < 1.0 / places.shape[1]
        quantile = np.asarray(self._rng.random(places.shape))
        moved = mutated(places, quantile, _MUTATED)
        return np.where(chosen & ~self._coarse, moved, places), chosen & self._coarse


def crossed(one: Array, other: Array, quantile: Array, upper: Array, index: float) -> Array:
    """Return children in the unit cube by simulated binary crossover.

    The child lies β times the parents' half distance from their middle, on the lower or the upper side, where β has
    the density (η + 1) β^η / 2 up to 1 and (η + 1) / (2 β^(η + 2)) above, cut off at the bound of its side.

    Parameters
    ----------
    one, other : ndarray
        Places of the parents, from 0 to 1.
    quantile : ndarray
        Quantiles of β, in [0, 1).
    upper : ndarray of bool
        On which side the child is.
    index : float
        η: the larger it is, the nearer are children to a parent.
    """
    low, high = np.minimum(one, other), np.maximum(one, other)
    gap = np.maximum(high - low, 1e-12)
    bound = 1.0 + 2.0 * np.where(upper, 1.0 - high, low) / gap
    power = 1.0 / (index + 1.0)
    whole = quantile * (2.0 - bound ** -(index + 1.0))
    spread = np.where(whole <= 1.0, whole**power, (1.0 / (2.0 - np.maximum(whole, 1.0))) ** power)
    child = 0.5 * (low + high + np.where(upper, spread, -spread) * gap)
    return np.asarray(np.clip(child, 0.0, 1.0))


def mutated(places: Array, quantile: Array, index: float) -> Array:
    """Return places moved within the unit cube by Deb's polynomial mutation.

    The move, in units of the axis, has the density (η + 1) (1 − |δ|)^η / 2, cut off at the bounds.

    Parameters
    ----------
    places : ndarray
        From 0 to 1.
    quantile : ndarray
        Quantiles of the move, in [0, 1).
    index : float
        η: the larger it is, the smaller are the moves.
    """
    power = 1.0 / (index + 1.0)
    down = 2.0 * quantile + (1.0 - 2.0 * quantile) * (1.0 - places) ** (index + 1.0)
    up = 2.0 * (1.0 - quantile) + (2.0 * quantile - 1.0) * places ** (index + 1.0)
    move = np.where(quantile < 0.5, np.maximum(down, 0.0) ** power - 1.0, 1.0 - np.maximum(up, 0.0) ** power)
    return np.asarray(np.clip(places + move, 0.0, 1.0))
