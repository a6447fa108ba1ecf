"""Points as columns: assignments, repetitions and the identity of each point."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.columns import Column

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
    """Return the type of an axis's column: names as objects, else int64 or float64."""
    if axis.text:
        return object
    return np.int64 if axis.integer else np.float64


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
        inner = ",".join(f"{_escaped(json.dumps(path))}:%s" for path in swept)
        form = f'{{"graph":%s,"initial_condition":%s,"point":{{{inner}}},"seed":%s}}'
        columns = [self.graph, self.initial, *(self.values[path] for path in swept), self.seed]
        return [form % row for row in zip(*(_texts(column) for column in columns), strict=True)]


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


def point_data(points: Points) -> dict[str, Any]:
    """Return the columns of `point_columns` for some points."""
    return {
        "point_id": points.ids(),
        "point_index": points.index,
        **{f"point.{path}": column for path, column in points.values.items()},
        "graph": points.graph,
        "seed": points.seed,
        "initial_condition": points.initial.tolist(),
    }
