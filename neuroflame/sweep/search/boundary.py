"""Search for the borders between labels, by refining a triangulation where labels change."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from neuroflame.border import (
    LABELLED,
    Border,
    Sites,
    find_border,
    gather,
    longest_edge,
    open_tips,
    scale_of,
    separable,
)
from neuroflame.border.find import GUARD, QUANTILE
from neuroflame.border.sites import draws_wanted
from neuroflame.sweep.points import DRAW, Array, Assignments, dtype_of
from neuroflame.sweep.search.base import Search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.spec.resolved import ResolvedAxis

_NEAREST = 0.05
"""Places closer than this times the tolerance are the same for all that the border shows."""
_WORST = 2.0
"""Times the tolerance that no part of the border may exceed: the tip of a wedge is a small share of it."""
_STRICT = 2.0
"""Power to which the doubt of a label is taken that its neighbours contradict."""
_APART = 0.5
"""Times the tolerance: nearer to a place with an undecided label another is undecided too, or tells nothing new."""
_BESIDE, _SIDES = 0.15, (0.25, 0.75)
"""The same in lengths of the edge, and where else along it a place is looked for."""
_CLUSTER = 0.5
"""Edges whose proposals are nearer than this times their length wait for the next batch."""


class Boundary(Search):
    """Locates the border between labels in one to four parameters.

    The places that were looked at are triangulated in the unit cube of the axes. An edge whose ends have
    different labels brackets the border; those that do not bracket it within the tolerance are halved, or,
    where the condition's margin passes through zero, cut so that the next two places enclose the zero. A share
    of every batch goes into the largest simplices that show no border. When the border is known well enough, the
    tips of thin regions are followed to their ends. Where labels depend on draws of graph
    and noise, a place at the border is looked at again until its majority is clear.

    An assignment is a place and a draw (`neuroflame.sweep.points.DRAW`). What comes next is a function of all
    assignments so far and their labels.

    Parameters
    ----------
    axes : sequence of ResolvedAxis
        At most four, ordered.
    total : int
        Assignments, draws counted, at most.
    tolerance : float
        The error to reach, as a fraction of the range, over 95 % of the border; the rest is known within twice it.
    batch, start : int
        Assignments in a batch and in the first, which covers the space.
    explore : float
        Share of each batch that looks elsewhere.
    draws : int
        How many draws of graph and noise there are for a place.
    confidence : float
        Posterior probability of the majority at which a label is clear.
    initial : int
        Number of initial conditions, which together give a label.
    seed : int
        Seed of the first batch.
    """

    needs_results: ClassVar[bool] = True

    def __init__(
        self,
        axes: Sequence[ResolvedAxis],
        total: int,
        *,
        tolerance: float,
        batch: int,
        start: int,
        explore: float,
        draws: int,
        confidence: float,
        initial: int,
        seed: int,
    ) -> None:
        super().__init__(axes, total)
        self.scales = tuple(scale_of(axis) for axis in axes)
        self.tolerance, self.batch, self.start, self.explore = tolerance, batch, start, explore
        self.draws, self.confidence, self.initial, self.seed = draws, confidence, initial, seed
        self._units = np.empty((0, len(axes)))
        self._values = np.empty((0, len(axes)))
        self._told = np.empty((0, initial), dtype=LABELLED)
        self._plan: tuple[Array, Array] | None = None

    @property
    def done(self) -> bool:
        """Whether the border is known within the tolerance, or all assignments are used."""
        return self.asked >= self.total or (len(self._told) == self.asked and not len(self._next_batch()[1]))

    def ask(self, count: int) -> Assignments:
        """Return the next batch, at most so many; nothing while the one before is untold."""
        if len(self._told) < self.asked or self.asked >= self.total or count <= 0:
            values, draw = self._values[:0], np.empty(0, dtype=np.int64)
        else:
            values, draw = (part[:count] for part in self._next_batch())
        found: dict[str, Array] = {
            axis.path: values[:, k].astype(dtype_of(axis)) for k, axis in enumerate(self.axes)
        }
        self._extend(found)
        return {**found, DRAW: draw}

    def tell(self, objective: Array) -> None:
        """Give what was seen: `LABELLED`, one row an assignment, one column an initial condition."""
        untold = self.asked - len(self._told)
        if objective.shape != (untold, self.initial):
            raise ValueError(f"{untold} assignments are untold, got labels of shape {objective.shape}")
        self._told = np.concatenate([self._told, objective])
        self._plan = None

    def replay(self, assignments: Assignments, objective: Array) -> None:
        """Take up where a search that asked and was told these had arrived."""
        self._extend(assignments)
        self.tell(objective)

    def border(self) -> Border:
        """Return the border as far as it is known."""
        return find_border(self._sites(), self.tolerance, draws=self.draws, confidence=self.confidence)

    def reach(self) -> str:
        """Return one line on how the search covers the space and what it costs."""
        first = min(self.start, self.total)
        elsewhere = first + int(self.explore * (self.total - first))
        return (
            f"boundary: at most {self.total:,} assignments in batches of {self.batch} after {first:,} that "
            f"cover the space, until {QUANTILE:.0%} of the border is known within {self.tolerance:.2g} of the "
            f"range; an island of 1 % of the space is found with probability {1 - 0.99**first:.0%} at first, "
            f"{1 - 0.99**elsewhere:.0%} if all are used"
        )

    # What comes next

    def _next_batch(self) -> tuple[Array, Array]:
        """Return values and draws of the next batch; empty when there is nothing left to do."""
        if self._plan is None:
            room = self.total - self.asked
            units, draw = self._first() if self.asked == 0 else self._refined(min(self.batch, room))
            self._plan = units[:room], draw[:room]
        return self._plan

    def _first(self) -> tuple[Array, Array]:
        """Return corners, then a Sobol sequence."""
        from scipy.stats import qmc

        d = len(self.axes)
        corners = np.array(list(itertools.product((0.0, 1.0), repeat=d)))
        size = 2 ** math.ceil(math.log2(max(2, self.start)))
        spread = qmc.Sobol(d, seed=np.random.default_rng(self.seed)).random(size)
        units = self._snapped(np.concatenate([corners, spread]))
        units = np.array(list(dict.fromkeys(map(tuple, units.tolist()))))[: self.start]
        return self._values_at(units), self._first_draws(0, len(units))

    def _refined(self, room: int) -> tuple[Array, Array]:
        border = self.border()
        again = self._undecided(border)[:room]
        chosen = self._on_border(border, room - len(again))
        if not chosen and not again:
            chosen = self._beyond_tips(border, room)
        located = not len(chosen) and not len(again) and len(border.edges) > 0
        before, after = (int(self.explore * (self.asked + extra)) for extra in (0, room))
        wanted = 0 if located else after - before if len(border.edges) else room
        elsewhere = self._elsewhere(border, chosen, min(wanted, room - len(again)))
        chosen = chosen[: room - len(again) - len(elsewhere)]
        fresh = np.array([*chosen, *elsewhere]).reshape(-1, len(self.axes))
        rows = np.array([row for row, _ in again], dtype=np.int64)
        first = self._first_draws(self.asked + len(again), len(fresh))
        draw = np.concatenate([np.array([number for _, number in again], dtype=np.int64), first])
        return np.concatenate([self._values[rows], self._values_at(fresh)]), draw

    def _undecided(self, border: Border) -> list[tuple[int, int]]:
        """Return the first assignment and the number of each draw that is to settle a label at the border.

        Where no plane separates the labels nearby one of them may be wrong, however clear: there more is asked of each.
        """
        sites, found = border.sites, []
        wanted = np.full(len(sites), self.confidence)
        wanted[np.unique(border.edges.ends[border.crooked])] = 1.0 - (1.0 - self.confidence) ** _STRICT
        for place in np.unique(border.edges.ends):
            spent = int(sites.spent[place])
            if sites.confidence[place] < wanted[place] and spent < self.draws:
                most, others = sites.counts[place].tolist()
                more = draws_wanted(most, others, float(wanted[place]), self.draws - spent)
                row = int(sites.row[place])
                found += [(row, number) for number in self._draws_of(row)[spent : spent + more].tolist()]
        return found

    def _first_draws(self, row: int, count: int) -> Array:
        """Return the first draw of places whose first assignments have numbers from one on."""
        return np.array([self._draws_of(row + k)[0] for k in range(count)], dtype=np.int64)

    def _draws_of(self, row: int) -> Array:
        """Return all draws in the order in which the place of an assignment takes them.

        Another order at every place: were it the same, the first draws would decide the whole border.
        """
        return np.random.default_rng([self.seed, row]).permutation(self.draws)

    def _on_border(self, border: Border, room: int) -> list[tuple[float, ...]]:
        """Return places on the edges that bracket the border worst; none when it is known well enough.

        Edges between equal labels count too, where they are long or the border turns: it may bulge through them.
        """
        from scipy.spatial import cKDTree

        if room <= 0 or not len(border.edges):
            return []
        chords = border.mesh.chords()
        longest = longest_edge(self.tolerance, len(self.axes))
        long = chords.length > longest
        unseen = np.where(long, chords.length, chords.across)
        doubtful = np.flatnonzero(unseen > self.tolerance)
        smooth = separable(border.sites.units, border.sites.code, chords.ends[doubtful])

        gap, _ = cKDTree(border.sites.units).query(border.sites.units[chords.ends[doubtful]].mean(axis=1))
        unseen[doubtful[smooth & (gap <= longest / 2)]] = 0.0
        error = np.concatenate([border.error, unseen])
        pairs = np.concatenate([border.edges.ends, chords.ends])
        clear = border.sites.confidence[pairs].min(axis=1) >= self.confidence
        open_ = (error > self.tolerance) & clear
        length = np.linalg.norm(np.diff(border.sites.units[pairs], axis=1)[:, 0], axis=1)
        at = np.concatenate([self._cuts(border), np.full(len(chords), 0.5)])
        places = self._beside_undecided(border, pairs, at)
        order = np.argsort(-error, kind="stable")
        order = order[open_[order]]
        free = self._free(places[order])
        count = len(border.edges)
        few = order[free].max(initial=-1) < count and free.sum() <= (1 - QUANTILE) * count
        if not free.any() or (few and error[order[free]][0] <= _WORST * self.tolerance):
            return []
        chosen: list[tuple[float, ...]] = []
        for k in order[free].tolist():
            place = places[k]
            if chosen:
                gap = np.linalg.norm(np.array(chosen) - place, axis=1).min()
                if gap < _CLUSTER * length[k]:
                    continue
            chosen.append(tuple(place.tolist()))
            if len(chosen) == room:
                break
        return chosen

    def _beyond_tips(self, border: Border, room: int) -> list[tuple[float, ...]]:
        """Return places that tell whether thin regions go on beyond their tips."""
        found = open_tips(border, self.tolerance, confidence=self.confidence)
        if not found:
            return []
        places = self._snapped(np.concatenate(found))
        return list(dict.fromkeys(map(tuple, places[self._free(places)].tolist())))[:room]

    def _beside_undecided(self, border: Border, pairs: Array, at: Array) -> Array:
        """Return places along some edges: where asked, or beside that if labels are known to be undecided there."""
        from scipy.spatial import cKDTree

        starts, ends = (border.sites.units[pairs[:, k]] for k in (0, 1))
        places = self._snapped(starts + at[:, None] * (ends - starts))
        if not len(border.undecided):
            return places
        tree = cKDTree(border.undecided.units)
        apart = np.maximum(_APART * self.tolerance, _BESIDE * np.linalg.norm(ends - starts, axis=1))
        taken = tree.query(places)[0] < apart
        for other in _SIDES:
            beside = self._snapped(starts + other * (ends - starts))
            free = taken & (tree.query(beside)[0] >= apart)
            places[free] = beside[free]
            taken &= ~free
        places[taken] = border.undecided.units[
            tree.query(places[taken])[1]
        ]  # the noise leaves no room: nothing is free there
        return places

    def _cuts(self, border: Border) -> Array:
        """Return where along each edge to look next.

        The middle; where a margin passes through zero well inside, beyond the zero by most of the tolerance, away
        from the nearer end: then two places bracket a zero that was foretold well, however long the edge. A zero
        near one end is not believed: on a margin that is flat on one side the cuts would creep towards the border.
        """
        step = 0.8 * self.tolerance / np.maximum(border.edges.across, 1e-12)
        beyond = np.where(border.at < 0.5, border.at + step, border.at - step)
        inside = (border.at > GUARD) & (border.at < 1 - GUARD)
        told = np.where(inside, np.clip(beyond, GUARD, 1 - GUARD), 0.5)
        return np.where(border.foretold, told, border.at)

    def _elsewhere(
        self, border: Border, chosen: Sequence[tuple[float, ...]], room: int
    ) -> list[tuple[float, ...]]:
        """Return the middles of the largest simplices that no border crosses."""
        mesh = border.mesh
        if room <= 0 or not len(mesh.simplices):
            return []
        volumes = np.where(mesh.mixed, -1.0, mesh.volumes())
        order = np.argsort(-volumes, kind="stable")[: 4 * room]
        order = order[volumes[order] > 0]
        middles = self._snapped(mesh.units[mesh.simplices[order]].mean(axis=1))
        middles = middles[self._free(middles)]
        known = set(chosen)
        fresh = [place for place in dict.fromkeys(map(tuple, middles.tolist())) if place not in known]
        return fresh[:room]

    def _free(self, places: Array) -> Array:
        """Return which places are not those of assignments, nor so near that nothing could be learnt."""
        if not len(places):
            return np.zeros(0, dtype=bool)
        from scipy.spatial import cKDTree

        gap, _ = cKDTree(self._units).query(places)
        return np.asarray(gap > _NEAREST * self.tolerance)

    # From places to values and back

    def _sites(self) -> Sites:
        return gather(self._units[: len(self._told)], self._told)

    def _snapped(self, units: Array) -> Array:
        """Return the nearest places that the axes have."""
        columns = [
            scale.place(scale.nearest(units[:, k])) if scale.levels is not None else units[:, k]
            for k, scale in enumerate(self.scales)
        ]
        return np.stack(columns, axis=1)

    def _values_at(self, units: Array) -> Array:
        """Return the values of the axes nearest to some places, (n, axes)."""
        return np.stack([scale.nearest(units[:, k]) for k, scale in enumerate(self.scales)], axis=1)

    def _extend(self, assignments: Assignments) -> None:
        """Remember assignments, their places always computed from their values as the table has them."""
        values = [np.asarray(assignments[scale.path], dtype=float) for scale in self.scales]
        places = [scale.place(column) for scale, column in zip(self.scales, values, strict=True)]
        self._values = np.concatenate([self._values, np.stack(values, axis=1)])
        self._units = np.concatenate([self._units, np.stack(places, axis=1)])
        self.asked = len(self._units)
