"""Batches that a search asked for, in the store before they are handed out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.columns import Column
from neuroflame.errors import StoreError
from neuroflame.sweep.block import Block
from neuroflame.sweep.points import DRAW, Assignments, dtype_of, point_columns, size_of, swept_data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuroflame.spec.sweep import SweepSpec
    from neuroflame.store import SweepStore


def asked_block(spec: SweepSpec, store: SweepStore, number: int) -> Block:
    """Return the block of a batch that a search asked for, as the store has it."""
    data = store.read_ask(ask_name(number))
    if data is None:
        raise StoreError("a batch of the search is not in the store", got=ask_name(number), file=store.uri)
    return Block(spec, *assignments_from(spec, data))


def write_ask(spec: SweepSpec, store: SweepStore, number: int, assignments: Assignments, first: int) -> None:
    """Put a batch that a search asked for into the store, before it is handed out.

    There is a row for each assignment; its ``point_id`` is that of the assignment's first point.
    """
    count = size_of(assignments)
    block = Block(spec, assignments, first)
    firsts = np.unique(block.trial_of(np.arange(len(block))), return_index=True)[1]
    points = block.points(firsts)
    swept = [column for column in point_columns(spec.axes) if column.name.startswith("point.")]
    columns = [Column("point_id", "str"), Column("trial", "int", doc="Number of the assignment."), *swept]
    data: dict[str, Any] = {
        "point_id": points.ids(),
        "trial": np.arange(first, first + count),
        **swept_data({path: column for path, column in assignments.items() if path != DRAW}),
    }
    if DRAW in assignments:
        columns.append(Column(DRAW, "int", doc="Number of its draw of graph and seed, graphs fastest."))
        data[DRAW] = assignments[DRAW]
    store.write_ask(ask_name(number), columns, data)


def assignments_from(spec: SweepSpec, data: Mapping[str, Any]) -> tuple[Assignments, int]:
    """Return the assignments that an ask holds, and the number of the first."""
    assignments = {
        axis.path: np.asarray(data[f"point.{axis.path}"], dtype=dtype_of(axis)) for axis in spec.axes
    }
    if DRAW in data:
        assignments[DRAW] = np.asarray(data[DRAW], dtype=np.int64)
    return assignments, int(data["trial"][0])


def ask_name(number: int) -> str:
    """Return the name of a batch in the store; names are in the order of numbers."""
    return f"batch-{number:08d}"
