"""Which assignments of a table are looked at: those beside borders between labels, and others far apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.border import MOST_PLACES, Mesh
from neuroflame.conditions import parse_condition
from neuroflame.errors import SpecError, StoreError
from neuroflame.sweep.points import Array, missing
from neuroflame.sweep.search.units import columns_of, to_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.spec.resolved import ResolvedAxis
    from neuroflame.store import Table
    from neuroflame.sweep.robust.checks import Row

MOST = 100
"""Assignments that are looked at by default: all, if there are no more."""


@dataclass(frozen=True)
class Choice:
    """Which assignments are looked at.

    Parameters
    ----------
    rows : tuple of tuple
        Values of the axes of each.
    beside : int or None
        How many of them lie beside a border between labels; None where all are looked at that may be.
    allowed : int
        Among how many they were chosen.
    total : int
        How many the table has.
    where : str or None
        The condition that the allowed ones meet.
    """

    rows: tuple[Row, ...]
    beside: int | None
    allowed: int
    total: int
    where: str | None

    def __str__(self) -> str:
        text = f"{len(self.rows):,} of {self.total:,} assignments"
        if self.where is not None:
            all_of = "all" if self.beside is None else f"of {self.allowed:,}"
            text += f", {all_of} where {self.where}"
        if self.beside is not None:
            rest = len(self.rows) - self.beside
            text += f": {self.beside:,} beside borders between labels, {rest:,} spread over the rest"
        return text


def choose(
    table: Table, axes: Sequence[ResolvedAxis], most: int | None = None, where: str | None = None
) -> Choice:
    """Choose assignments of a table.

    Parameters
    ----------
    table : Table
    axes : sequence of ResolvedAxis
        Of its sweep.
    most : int, optional
        How many at most; by default 100, and with a condition all that meet it. Half of them lie beside borders between
        labels, as far as there are any. In each half labels have equal shares, as far as they go, and assignments are
        as far apart as can be.
    where : str, optional
        A condition on the table's columns; only assignments count at which some row meets it.

    Raises
    ------
    SpecError
        If the condition is not well formed, names no column, or holds nowhere.
    StoreError
        If the table has no point with a label.
    """
    rows = _rows(table, axes)
    labels = _labels(table, rows)
    if not labels:
        raise StoreError("the table has no point with a label yet", file=table.uri)
    allowed = list(labels)
    if where is not None:
        written = [name for name, column in table.columns.items() if column.kind != "series"]
        here = parse_condition(where).holds(table.to_pandas(written))
        meet = {rows[i] for i in np.flatnonzero(here)}
        allowed = [row for row in allowed if row in meet]
        if not allowed:
            raise SpecError("holds at no point with a label", got=where, path="where")
    most = most or (len(allowed) if where is not None else MOST)
    if len(allowed) <= most:
        return Choice(tuple(allowed), None, len(allowed), len(labels), where)
    everywhere = list(labels)
    units = _units(axes, everywhere)
    names = np.array([labels[row] for row in everywhere], dtype=object)
    kept = set(allowed)
    may = np.array([row in kept for row in everywhere])
    edge = _beside(axes, everywhere, units, names) & may
    picked = _spread(units, names, np.flatnonzero(edge), most // 2, [])
    picked = _spread(units, names, np.flatnonzero(may & ~edge), most, picked)
    picked = _spread(units, names, np.flatnonzero(may), most, picked)
    chosen = tuple(everywhere[i] for i in sorted(picked))
    return Choice(chosen, int(edge[picked].sum()), len(allowed), len(labels), where)


def _rows(table: Table, axes: Sequence[ResolvedAxis]) -> list[Row]:
    """Return the assignment of each row of a table."""
    if not axes:
        return [()] * len(table)
    data = table.to_arrow([f"point.{axis.path}" for axis in axes]).to_pydict()
    return list(zip(*data.values(), strict=True))


def _labels(table: Table, rows: Sequence[Row]) -> dict[Row, str]:
    """Return the label of each assignment, over its draws the most frequent; those without one are left out."""
    points = table.regimes()
    told: dict[Row, Counter[str]] = {}
    for label, mine in zip(points["regime"].tolist(), points["row"].tolist(), strict=True):
        if isinstance(label, str):
            told.setdefault(rows[mine[0]], Counter())[label] += 1
    return {row: counts.most_common(1)[0][0] for row, counts in told.items()}


def _units(axes: Sequence[ResolvedAxis], rows: Sequence[Row]) -> Array:
    """Return the place of each assignment in the unit cube, (A, axes)."""
    columns = columns_of(axes, rows)
    return np.stack([to_unit(axis, columns[axis.path]) for axis in axes], axis=1)


def _beside(axes: Sequence[ResolvedAxis], rows: Sequence[Row], units: Array, names: Array) -> Array:
    """Return which assignments lie beside a border between labels, where the other axes are the same."""
    columns = columns_of(axes, rows)
    kinds = [tuple(missing(columns[axis.path])) for axis in axes]
    kinds += [tuple(columns[axis.path].tolist()) for axis in axes if not axis.ordered]
    places = units[:, [axis.ordered for axis in axes]]
    groups: dict[Any, list[int]] = {}
    for i, kind in enumerate(zip(*kinds, strict=True)):
        groups.setdefault(kind, []).append(i)
    found = np.zeros(len(rows), dtype=bool)
    code = np.unique(names.astype(str), return_inverse=True)[1].ravel()
    for mine in groups.values():
        varied = np.ptp(places[mine], axis=0) > 0
        d = int(varied.sum())
        if d not in MOST_PLACES:
            continue
        some = np.array(mine)
        if len(some) > MOST_PLACES[d]:
            some = np.random.default_rng(0).choice(some, MOST_PLACES[d], replace=False)
        mesh = Mesh(places[some][:, varied], code[some])
        found[some[np.unique(mesh.simplices[mesh.mixed])]] = True
    return found


def _spread(units: Array, names: Array, among: Array, most: int, picked: list[int]) -> list[int]:
    """Return what was picked and others among some, so many in all.

    The next is of the label of which fewest are picked, and as far as can be from all of them.
    """
    picked, left = list(picked), np.setdiff1d(among, picked)
    gap = np.full(len(left), np.inf)
    for one in picked:
        gap = np.minimum(gap, np.linalg.norm(units[left] - units[one], axis=1))
    counts = Counter(names[picked].tolist())
    while len(picked) < most and len(left):
        fewest = min(counts[name] for name in names[left])
        best = int(np.where([counts[name] == fewest for name in names[left]], gap, -1.0).argmax())
        one = int(left[best])
        picked.append(one)
        counts[names[one]] += 1
        left, gap = np.delete(left, best), np.delete(gap, best)
        gap = np.minimum(gap, np.linalg.norm(units[left] - units[one], axis=1))
    return picked
