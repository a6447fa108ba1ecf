"""Labels of a table's rows that are computed when it is read, with thresholds of the reader's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from neuroflame.errors import NeuroflameError, StoreError
from neuroflame.regimes import LABEL_COLUMNS, Thresholds, is_evidence, label_end_states
from neuroflame.store._format import warn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from neuroflame.columns import Column
    from neuroflame.store._files import Files

RELABEL = "relabel"
"""The kind of the records that say with which thresholds a table is to be read."""
LABELS = {column.name: column for column in LABEL_COLUMNS}


def recorded(files: Files, records: Sequence[str]) -> Thresholds | None:
    """Return the thresholds that a table is to be read with by the newest of its records; None if there is none."""
    for name in sorted((name for name in records if name.startswith(f"{RELABEL}-")), reverse=True):
        try:
            return Thresholds().changed(json.loads(files.read(f"records/{name}"))["thresholds"])
        except (ValueError, TypeError, KeyError, NeuroflameError) as error:
            warn(f"{files.shown}: left out the record {name}: {error}")
    return None


def check_evidence(columns: Mapping[str, Column], shown: str) -> None:
    """Raise StoreError if a table does not hold what labels are made from."""
    if "residual" not in columns:
        raise StoreError(
            "the table lacks the statistics that labels are made from",
            file=shown,
            remedy="run the sweep with measure: [regime]",
        )


def evidence(columns: Iterable[Column]) -> list[Column]:
    """Return the columns that labels may depend on."""
    return [column for column in columns if is_evidence(column.name) and column.kind != "series"]


def labelled(rows: Any, wanted: Sequence[Column], thresholds: Thresholds) -> Any:
    """Return the wanted columns of some rows, the labels among them by some thresholds.

    Parameters
    ----------
    rows : pyarrow.Table
        The wanted columns but for the labels, what labels may depend on (`evidence`), and columns that say where rows
        came from, which are kept.
    wanted : sequence of Column
    thresholds : Thresholds
    """
    import pyarrow as pa

    from neuroflame.store._provenance import is_provenance
    from neuroflame.store._schema import schema_of

    data = {
        name: rows[name].to_numpy(zero_copy_only=False) for name in rows.column_names if is_evidence(name)
    }
    names, confidence = label_end_states(data, thresholds)
    texts, sure = LABEL_COLUMNS
    made = {
        texts.name: pa.array(names.tolist(), pa.string()),
        sure.name: pa.array(confidence, pa.float64()),
    }
    told = {**(rows.schema.metadata or {}), b"thresholds": json.dumps(thresholds.to_dict()).encode()}
    table = pa.Table.from_arrays(
        [made[column.name] if column.name in made else rows[column.name] for column in wanted],
        schema=schema_of(wanted, {}).with_metadata(told),
    )
    for field in filter(is_provenance, rows.schema):
        table = table.append_column(field, rows[field.name])
    return table
