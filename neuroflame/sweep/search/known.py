"""Searches that need no results: grid, random, Sobol. Vectorised; never through an optimiser's loop."""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from neuroflame.spec.conditional import active, count_assignments
from neuroflame.sweep.points import Array, Assignments, plain_dtype, size_of, without_inactive
from neuroflame.sweep.search.base import KnownSearch
from neuroflame.sweep.search.units import columns_of, decode, first_of_each, rows_of, unseen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from neuroflame.spec.resolved import ResolvedAxis

_CHUNK = 1024
_PATIENCE = 32


class Grid(KnownSearch):
    """Every combination of the listed values, the last axis fastest."""

    def __init__(self, axes: Sequence[ResolvedAxis]) -> None:
        self._shape = tuple(len(axis.levels or ()) for axis in axes)
        self._kept: Array | None = None
        if any(axis.when for axis in axes):
            self._kept = self._first_of_equals(axes)
        super().__init__(axes, math.prod(self._shape) if self._kept is None else len(self._kept))

    def _first_of_equals(self, axes: Sequence[ResolvedAxis]) -> Array:
        """Return the combinations to keep: an axis that does not count stands at its first value."""
        where = np.indices(self._shape).reshape(len(axes), -1)
        columns = {axis.path: np.asarray(axis.levels, object)[i] for axis, i in zip(axes, where, strict=True)}
        counts = active(axes, columns)
        kept = np.ones(where.shape[1], dtype=bool)
        for axis, i in zip(axes, where, strict=True):
            if axis.path in counts:
                kept &= counts[axis.path] | (i == 0)
        return np.flatnonzero(kept)

    def take(self, numbers: Array) -> Assignments:
        """Return the assignments of some numbers."""
        numbers = numbers if self._kept is None else self._kept[numbers]
        where = np.unravel_index(numbers, self._shape) if self.axes else ()
        found = {
            axis.path: np.asarray(axis.levels, dtype=plain_dtype(axis))[i]
            for axis, i in zip(self.axes, where, strict=True)
        }
        return without_inactive(self.axes, found)

    def reach(self) -> str:
        """Return one line on how the search covers the space and what it costs."""
        return f"grid: all {self.total:,} combinations of the listed values"


class Listed(KnownSearch):
    """The assignments of a list, in its order."""

    def __init__(self, axes: Sequence[ResolvedAxis], assignments: Mapping[str, Sequence[object]]) -> None:
        rows = list(zip(*(assignments[axis.path] for axis in axes), strict=True))
        self._assignments = columns_of(axes, rows)
        super().__init__(axes, len(rows))

    def take(self, numbers: Array) -> Assignments:
        """Return the assignments of some numbers."""
        return {path: column[numbers] for path, column in self._assignments.items()}

    def reach(self) -> str:
        """Return one line on how the search covers the space and what it costs."""
        return f"list: the {self.total:,} assignments that are given"


class Stream(KnownSearch):
    """Draws from an endless seeded sequence in the unit cube.

    Where every axis has finitely many values a draw can come twice; then repetitions are passed over.
    """

    def __init__(self, axes: Sequence[ResolvedAxis], total: int, seed: int) -> None:
        super().__init__(axes, total)
        self.seed = seed

    @abstractmethod
    def chunk(self, number: int) -> Array:
        """Return draws 1024·number to 1024·(number + 1) of the sequence, (1024, axes)."""

    def draws(self, first: int, last: int) -> Assignments:
        """Return the draws of the sequence from one number to another."""
        low, high = first // _CHUNK, -(-last // _CHUNK)
        units = np.concatenate([self.chunk(number) for number in range(low, max(high, low + 1))])
        return decode(self.axes, units[first - low * _CHUNK : last - low * _CHUNK])

    def take(self, numbers: Array) -> Assignments:
        """Return the assignments of some numbers."""
        if len(numbers) == 0:
            return self.none()
        if self._distinct is not None:
            return {path: column[numbers] for path, column in self._distinct.items()}
        first, last = int(numbers.min()), int(numbers.max()) + 1
        return {path: column[numbers - first] for path, column in self.draws(first, last).items()}

    @cached_property
    def _distinct(self) -> Assignments | None:
        """The assignments without repetitions; None where repetitions have probability 0."""
        count = count_assignments(self.axes)
        if math.isinf(count) and not any(axis.when for axis in self.axes):
            return None
        seen: set[tuple[object, ...]] = set()
        parts: list[Assignments] = []
        drawn = 0
        most = math.inf if math.isinf(count) else _PATIENCE * max(self.total, _CHUNK)
        while len(seen) < self.total and drawn < most:
            step = max(_CHUNK, self.total - len(seen))
            part = self.draws(drawn, drawn + step)
            fresh = first_of_each(rows_of(part), seen)[: self.total - sum(map(size_of, parts))]
            parts.append({path: column[fresh] for path, column in part.items()})
            drawn += step
        missing = self.total - sum(map(size_of, parts))
        if missing > 0:
            parts.append(unseen(self.axes, seen, missing, np.random.default_rng(self.seed)))
        return {axis.path: np.concatenate([part[axis.path] for part in parts]) for axis in self.axes}


class Random(Stream):
    """Independent draws."""

    def chunk(self, number: int) -> Array:
        """Return draws 1024·number to 1024·(number + 1) of the sequence, (1024, axes)."""
        key = np.random.SeedSequence(self.seed, spawn_key=(number,))
        return np.random.Generator(np.random.Philox(key)).random((_CHUNK, len(self.axes)))

    def reach(self) -> str:
        """Return one line on how the search covers the space and what it costs."""
        return f"random: {self.total:,} independent draws over {_axes(self)}, seed {self.seed}"


class Sobol(Stream):
    """A Sobol sequence, which fills the space evenly."""

    def __init__(self, axes: Sequence[ResolvedAxis], total: int, seed: int, *, scramble: bool = True) -> None:
        super().__init__(axes, total, seed)
        self._scramble = scramble

    def chunk(self, number: int) -> Array:
        """Return draws 1024·number to 1024·(number + 1) of the sequence, (1024, axes)."""
        from scipy.stats import qmc

        rng = np.random.default_rng(self.seed)
        sequence = qmc.Sobol(len(self.axes), scramble=self._scramble, seed=rng)
        if number:
            sequence.fast_forward(number * _CHUNK)
        return np.asarray(sequence.random(_CHUNK))

    def reach(self) -> str:
        """Return one line on how the search covers the space and what it costs."""
        text = f"sobol: {self.total:,} evenly spread draws over {_axes(self)}, seed {self.seed}"
        if self.total & (self.total - 1):
            above = 2 ** self.total.bit_length()
            text += f"; most even at powers of two ({above // 2:,}, {above:,})"
        return text


def _axes(search: KnownSearch) -> str:
    return f"{len(search.axes)} {'axis' if len(search.axes) == 1 else 'axes'}"
