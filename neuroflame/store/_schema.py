"""Columns as Arrow schemas, and tables of unlike columns brought to one schema."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from neuroflame.columns import Column, ColumnKind
from neuroflame.errors import StoreError
from neuroflame.store._format import CorruptFragment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TYPES: dict[ColumnKind, Any] = {
    "float": pa.float64(),
    "int": pa.int64(),
    "bool": pa.bool_(),
    "str": pa.string(),
    "series": pa.list_(pa.float32()),
}


def schema_of(columns: Iterable[Column], metadata: Mapping[str, str]) -> Any:
    """Return the Arrow schema of some columns, their unit and meaning in each field's metadata."""
    return pa.schema(
        [
            pa.field(
                column.name,
                TYPES[column.kind],
                metadata={"kind": column.kind, "unit": column.unit, "doc": column.doc},
            )
            for column in columns
        ],
        metadata=dict(metadata),
    )


def columns_of(schema: Any) -> dict[str, Column]:
    """Return the columns that an Arrow schema of ours describes, in its order."""
    found: dict[str, Column] = {}
    for field in schema:
        about = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
        kind = next((kind for kind, arrow in TYPES.items() if arrow == field.type), None)
        if kind is None:
            raise CorruptFragment(f"column {field.name} has type {field.type}")
        found[field.name] = Column(field.name, kind, about.get("unit", ""), about.get("doc", ""))
    return found


def unified(groups: Iterable[tuple[str, Mapping[str, Column]]], shown: str) -> dict[str, Column]:
    """Return all columns of some files, in order of appearance; whole numbers give way to real ones.

    Parameters
    ----------
    groups : iterable of (str, mapping of str to Column)
        Each file's name and columns.
    shown : str
        The directory, for messages.

    Raises
    ------
    StoreError
        If a column is of different kinds.
    """
    columns: dict[str, Column] = {}
    for path, group in groups:
        for name, column in group.items():
            known = columns.setdefault(name, column)
            if known.kind != column.kind:
                if {known.kind, column.kind} != {"int", "float"}:
                    raise StoreError(
                        f"column {name} is {known.kind} in some fragments and {column.kind} in {path}",
                        file=shown,
                    )
                columns[name] = replace(known, kind="float")
    return columns


def conformed(table: Any, schema: Any, rows: int) -> Any:
    """Return a table's columns as a schema has them; null where the table lacks one."""
    there = set(table.column_names)
    arrays = [
        table[field.name].cast(field.type) if field.name in there else pa.nulls(rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
