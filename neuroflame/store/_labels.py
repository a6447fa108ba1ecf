"""Labels of a table's rows that are computed when it is read, with thresholds of the reader's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from neuroflame.errors import NeuroflameError, StoreError
from neuroflame.regimes import (
    COURSE_COLUMNS,
    LABEL_COLUMNS,
    Thresholds,
    is_evidence,
    label_end_states,
    lifetimes,
)
from neuroflame.store._format import warn

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from neuroflame.columns import Column
    from neuroflame.store._files import Files

RELABEL = "relabel"
"""The kind of the records that say with which thresholds a table is to be read."""
LABELS = {column.name: column for column in LABEL_COLUMNS}
_COURSE = tuple(column.name for column in COURSE_COLUMNS)
_LIFETIME, _CENSORED = _MEMORY = "memory.lifetime", "memory.censored"


def recorded(files: Files, records: Sequence[str]) -> Thresholds | None:
    """Return the thresholds that a table is to be read with by the newest of its records; None if there is none."""
    for name in sorted((name for name in records if name.startswith(f"{RELABEL}-")), reverse=True):
        try:
            return Thresholds().changed(json.loads(files.read(f"records/{name}"))["thresholds"])
        except (ValueError, TypeError, KeyError, NeuroflameError) as error:
            warn(f"{files.shown}: left out the record {name}: {error}")
    return None


def check_evidence(columns: Mapping[str, Column], shown: str, thresholds: Thresholds | None = None) -> None:
    """Raise StoreError if a table does not hold what labels, or memories by other thresholds, are made from."""
    remedy = "run the sweep with measure: [regime]"
    if "residual" not in columns:
        raise StoreError(
            "the table lacks the statistics that labels are made from", file=shown, remedy=remedy
        )
    if _moves_memories(thresholds) and _LIFETIME in columns and not set(_COURSE) <= set(columns):
        raise StoreError(
            "the table, of an earlier version, lacks the courses of memories",
            file=shown,
            got="another memory_ratio or memory_angle",
            remedy="run the sweep again",
        )


def computed(columns: Mapping[str, Column], thresholds: Thresholds | None) -> set[str]:
    """Return the names of the columns that are computed when a table is read by some thresholds; None for none."""
    if thresholds is None:
        return set()
    moved = _moves_memories(thresholds) and set(_COURSE) <= set(columns)
    return {*LABELS, *(_MEMORY if moved else ())}


def _moves_memories(thresholds: Thresholds | None) -> bool:
    usual = Thresholds()
    return thresholds is not None and (
        (thresholds.memory_ratio, thresholds.memory_angle) != (usual.memory_ratio, usual.memory_angle)
    )


def evidence(columns: Mapping[str, Column], made: Collection[str]) -> list[Column]:
    """Return the columns that some computed ones may depend on."""
    labels = [c for c in columns.values() if is_evidence(c.name) and c.kind != "series"]
    return [
        *(labels if not LABELS.keys().isdisjoint(made) else ()),
        *([columns[name] for name in _COURSE] if not set(_MEMORY).isdisjoint(made) else ()),
    ]


def labelled(rows: Any, wanted: Sequence[Column], made: Collection[str], thresholds: Thresholds) -> Any:
    """Return the wanted columns of some rows, those that are computed by some thresholds.

    Parameters
    ----------
    rows : pyarrow.Table
        The wanted columns but for the computed ones, what those depend on (`evidence`), and columns that say where
        rows came from, which are kept.
    wanted : sequence of Column
    made : collection of str
        Those of them that are computed.
    thresholds : Thresholds
    """
    import pyarrow as pa

    from neuroflame.store._provenance import is_provenance
    from neuroflame.store._schema import schema_of

    found: dict[str, Any] = {}
    if not LABELS.keys().isdisjoint(made):
        data = {
            name: rows[name].to_numpy(zero_copy_only=False) for name in rows.column_names if is_evidence(name)
        }
        names, confidence = label_end_states(data, thresholds)
        texts, sure = LABELS
        found |= {texts: pa.array(names.tolist(), pa.string()), sure: pa.array(confidence, pa.float64())}
    if not set(_MEMORY).isdisjoint(made):
        times, ratios, angles = (rows[name].to_pylist() for name in _COURSE)
        lasted, censored = lifetimes(times, ratios, angles, thresholds)
        found |= {
            _LIFETIME: pa.array(lasted, pa.float64()),
            _CENSORED: pa.array(censored.tolist(), pa.bool_()),
        }
    told = {**(rows.schema.metadata or {}), b"thresholds": json.dumps(thresholds.to_dict()).encode()}
    table = pa.Table.from_arrays(
        [found[column.name] if column.name in made else rows[column.name] for column in wanted],
        schema=schema_of(wanted, {}).with_metadata(told),
    )
    for field in filter(is_provenance, rows.schema):
        table = table.append_column(field, rows[field.name])
    return table
