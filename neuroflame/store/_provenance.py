"""Where rows came from, as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.columns import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.store._runs import Run

_KNOWN = (
    Column("provenance.executor", "str", doc="What advanced the network; empty where nothing could."),
    Column("provenance.device", "str", doc="Where it was simulated."),
    Column("provenance.version", "str", doc="Version of NeuroFlame."),
    Column("provenance.commit", "str", doc="Commit of its source, where it ran from a checkout."),
    Column("provenance.torch", "str", doc="Version of torch."),
    Column("provenance.hardware", "str", doc="The GPU, or the instructions that torch used of the CPU."),
    Column("provenance.host", "str", doc="Name of the machine."),
    Column("provenance.process", "int", doc="Number of the process."),
    Column("provenance.attempt", "int", doc="How often the point had failed before, and was tried again."),
    Column("provenance.seconds", "float", "s", "Wall time of simulating the whole tile."),
    Column(
        "provenance.pieces", "int", doc="Runs that the tile took: more than one if an error was isolated."
    ),
)
_PREFIX = "provenance."
_TILE = Column("provenance.tile", "str", doc="The tile that the point was simulated in.")


def with_provenance(table: Any, runs: Sequence[Run]) -> Any:
    """Return a table whose rows are those of the runs, in their order, with what the runs' writers told."""
    import pyarrow as pa

    from neuroflame.store._schema import TYPES, schema_of

    columns = [_TILE, *_columns(runs)]
    rows = np.repeat(np.arange(len(runs)), [run.rows for run in runs])
    schema = schema_of(columns, {})
    for column, field in zip(columns, schema, strict=True):
        key = column.name.removeprefix(_PREFIX)
        told = [run.tile if column is _TILE else run.about.get(key) for run in runs]
        values = pa.array(told, pa.string()).cast(TYPES[column.kind])
        table = table.append_column(field, values.take(pa.array(rows)))
    return table


def is_provenance(field: Any) -> bool:
    """Whether a field of an Arrow schema says where rows came from."""
    return bool(field.name.startswith(_PREFIX))


def _columns(runs: Sequence[Run]) -> list[Column]:
    """Return the columns of all that the writers told; what is not known here is text."""
    told = {f"{_PREFIX}{key}" for run in runs for key in run.about}
    known = [column for column in _KNOWN if column.name in told]
    others = told.difference(column.name for column in known)
    return known + [Column(name, "str") for name in sorted(others)]
