"""Points as columns: assignments, repetitions and the identity of each point."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.columns import Column
from neuroflame.spec.conditional import active

if TYPE_CHECKING:
    from neuroflame.spec.resolved import ResolvedAxis

Array = np.ndarray[Any, Any]
Assignments = Mapping[str, Array]
"""Swept path to its value in each assignment; float64, int64, or names as objects.

A search that repeats assignments on its own account adds the column `DRAW`: then an assignment is simulated in
one draw of graph and seed, from every initial condition; else in all of them.
"""
DRAW = "draw"
"""Number of the draw, graphs changing fastest."""


def dtype_of(axis: ResolvedAxis) -> Any:
    """Return the type of an axis's column: float64 or int64; objects for names, and where a None is needed."""
    if axis.text or (axis.integer and axis.when):
        return object
    return np.int64 if axis.integer else np.float64


def plain_dtype(axis: ResolvedAxis) -> Any:
    """Return the type of an axis's values, none of them missing."""
    return object if axis.text else np.int64 if axis.integer else np.float64


def missing(column: Array) -> Array:
    """Return where a swept column holds no value, as its axis does not count there."""
    if column.dtype == object:
        return np.array([value is None for value in column.tolist()], dtype=bool)
    return np.isnan(column) if column.dtype.kind == "f" else np.zeros(len(column), dtype=bool)


def without_inactive(axes: Sequence[ResolvedAxis], columns: Assignments) -> Assignments:
    """Return assignments without the values of axes where these do not count: NaN, or None."""
    found = dict(columns)
    for path, counts in active(axes, columns).items():
        axis = next(axis for axis in axes if axis.path == path)
        found[path] = columns[path].astype(dtype_of(axis))
        found[path][~counts] = np.nan if found[path].dtype == np.float64 else None
    return found


def size_of(assignments: Assignments) -> int:
    """Return the number of assignments; one if nothing is swept."""
    return len(next(iter(assignments.values()))) if assignments else 1


@dataclass(frozen=True)
class Points:
    """Some points of a sweep, as columns of equal length.

    Parameters
    ----------
    index : ndarray of int64, (P,)
        Rank of each point in the plan.
    values : mapping of str to ndarray, (P,) each
        Swept path to values.
    graph, seed : ndarray of int64, (P,)
        Number of the connectivity draw, seed of the noise.
    initial : ndarray of object, (P,)
        Names of initial conditions.
    """

    index: Array
    values: Assignments
    graph: Array
    seed: Array
    initial: Array

    def __len__(self) -> int:
        return len(self.index)

    def take(self, where: Array | slice) -> Points:
        """Return the points at some positions."""
        return Points(
            self.index[where],
            {path: column[where] for path, column in self.values.items()},
            self.graph[where],
            self.seed[where],
            self.initial[where],
        )

    def ids(self) -> list[str]:
        """Return each point's identity, which depends on what the point is and on nothing else."""
        return [blake2b(text.encode(), digest_size=8).hexdigest() for text in self.canonical()]

    def canonical(self) -> list[str]:
        """Return the canonical JSON of which `ids` are the hashes: keys sorted, no spaces, floats by repr."""
        swept = sorted(self.values)
        if any(missing(column).any() for column in self.values.values()):
            return self._canonical_where_some_are_missing(swept)
        inner = ",".join(f"{_escaped(json.dumps(path))}:%s" for path in swept)
        form = f'{{"graph":%s,"initial_condition":%s,"point":{{{inner}}},"seed":%s}}'
        columns = [self.graph, self.initial, *(self.values[path] for path in swept), self.seed]
        return [form % row for row in zip(*(_texts(column) for column in columns), strict=True)]

    def _canonical_where_some_are_missing(self, swept: Sequence[str]) -> list[str]:
        """Return the same for points at which some axes do not count: these are left out."""
        parts = []
        for path in swept:
            key, absent = json.dumps(path), missing(self.values[path])
            texts = [
                None if gone else f"{key}:{text}"
                for gone, text in zip(absent.tolist(), _texts(self.values[path]), strict=True)
            ]
            parts.append(texts)
        inner = [",".join(text for text in row if text is not None) for row in zip(*parts, strict=True)]
        outer = (_texts(column) for column in (self.graph, self.initial, self.seed))
        return [
            f'{{"graph":{graph},"initial_condition":{initial},"point":{{{point}}},"seed":{seed}}}'
            for point, graph, initial, seed in zip(inner, *outer, strict=True)
        ]


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _texts(column: Array) -> list[str]:
    """Return each value as JSON writes it; values that repeat are formatted once."""
    values = column.tolist()
    cache: dict[Any, str] = {}
    form = json.dumps if column.dtype == object else repr
    return [cache[value] if value in cache else cache.setdefault(value, form(value)) for value in values]


def point_columns(axes: Sequence[ResolvedAxis]) -> list[Column]:
    """Return the columns that say which point a row is."""
    swept = [
        Column(
            f"point.{axis.path}",
            "str" if axis.text else "int" if axis.integer else "float",
            axis.unit,
            axis.doc,
        )
        for axis in axes
    ]
    return [
        Column("point_id", "str", doc="Hash of the swept values, graph, seed and initial condition."),
        Column("point_index", "int", doc="Rank of the point in the plan."),
        *swept,
        Column("graph", "int", doc="Number of the connectivity draw."),
        Column("seed", "int", doc="Seed of the noise and of the initial state."),
        Column("initial_condition", "str", doc="How the state at time 0 was chosen."),
    ]


def swept_data(assignments: Assignments) -> dict[str, Any]:
    """Return the columns of swept values, None where an axis does not count."""
    found: dict[str, Any] = {}
    for path, column in assignments.items():
        absent = missing(column)
        cells = column.tolist()
        plain = [None if gone else cell for cell, gone in zip(cells, absent.tolist(), strict=True)]
        found[f"point.{path}"] = plain if absent.any() else column
    return found


def point_data(points: Points) -> dict[str, Any]:
    """Return the columns of `point_columns` for some points."""
    return {
        "point_id": points.ids(),
        "point_index": points.index,
        **swept_data(points.values),
        "graph": points.graph,
        "seed": points.seed,
        "initial_condition": points.initial.tolist(),
    }
