"""A search's warm start: rows of another table that are learnt from, copied into the sweep's own directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.columns import Column
from neuroflame.errors import NeuroflameError, SpecError, StoreError
from neuroflame.spec.base import suggestion
from neuroflame.store import open_table, read_parquet
from neuroflame.sweep.manifest import differences
from neuroflame.sweep.points import Points, point_columns, size_of, swept_data
from neuroflame.sweep.search.units import columns_of, rows_of, within
from neuroflame.sweep.told import by_trial, needed, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from neuroflame.spec.search import Learning
    from neuroflame.spec.sweep import SweepSpec
    from neuroflame.store import SweepStore
    from neuroflame.sweep.points import Array, Assignments

_NAME = "warm-start"


def warm_start(
    spec: SweepSpec, search: Learning, store: SweepStore, note: Callable[[str], None]
) -> tuple[Assignments, Array]:
    """Return the assignments of a warm start, and what is told of them, (A, goals + constraints).

    They are read once; then the sweep's directory holds them, so that it can be resumed where the source is
    not.

    Raises
    ------
    SpecError
        If the table lacks an axis or a goal, or none of its rows is of this sweep's space.
    """
    if store.read_ask(_NAME) is None:
        _copy(spec, search, store, note)
    data = store.read_ask(_NAME)
    if data is None:
        raise StoreError("the warm start is not in the store", file=store.uri)
    names = _told_names(search)
    swept = zip(*(data[f"point.{axis.path}"] for axis in spec.axes), strict=True)
    numbers = [np.array(data[name], dtype=np.float64) for name in names]
    return columns_of(spec.axes, list(swept)), np.column_stack(numbers)


def _copy(spec: SweepSpec, search: Learning, store: SweepStore, note: Callable[[str], None]) -> None:
    rows, network = _read(spec, search)
    there = len(rows["status"])
    columns = {axis.path: rows[f"point.{axis.path}"] for axis in spec.axes}
    keep = np.array(rows["status"], dtype=object) != None  # noqa: E711 (element by element)
    lost: list[str] = []
    for path in [name.removeprefix("point.") for name in rows if name.startswith("point.")]:
        if path in columns:
            good = within(next(axis for axis in spec.axes if axis.path == path), columns[path])
            why = f"with {path} outside of its axis"
        else:
            good = np.array([_same(value, spec, path) for value in rows[f"point.{path}"]])
            why = f"with another {path} than the network's"
        if (keep & ~good).any():
            lost.append(f"{int((keep & ~good).sum()):,} {why}")
        keep &= good
    if not keep.any():
        raise SpecError(
            "holds no row of this sweep's space",
            got=search.warm_start,
            remedy=f"left out are {', '.join(lost)}" if lost else "the table is empty",
            path="search.warm_start",
        )
    note(
        f"warm start: {int(keep.sum()):,} of {there:,} rows of {search.warm_start} are learnt from"
        + (f"; left out are {', '.join(lost)}" if lost else "")
    )
    if network is not None:
        swept = {axis.path for axis in spec.axes}
        for path, old, new in differences(network, spec.network.to_dict()):
            if path not in swept:
                note(f"warm start: its network differs: {path} is {old} there and {new} here")
                break
    kept = np.flatnonzero(keep)
    chosen = {name: [cells[i] for i in kept] for name, cells in rows.items()}
    _write(spec, search, store, chosen)


def _read(spec: SweepSpec, search: Learning) -> tuple[dict[str, list[Any]], Mapping[str, Any] | None]:
    """Return the columns that count of the table that is named, and the network that it is of, if it tells."""
    source = str(search.warm_start)
    network: Mapping[str, Any] | None = None
    try:
        if Path(source).is_file():
            rows = read_parquet(source)
        else:
            table = open_table(source)
            network = table.manifest.get("network")
            wanted = needed(search, table.columns)
            swept = [name for name in table.columns if name.startswith("point.")]
            rows = table.to_arrow([*dict.fromkeys([*swept, *wanted])]).to_pydict()
    except NeuroflameError as error:
        raise SpecError("cannot be read", got=source, remedy=str(error), path="search.warm_start") from error
    for name in (*(f"point.{axis.path}" for axis in spec.axes), *(goal.column for goal in search.goals)):
        if name not in rows:
            raise SpecError(
                f"has no column {name}", got=source, remedy=suggestion(name, rows), path="search.warm_start"
            )
    size = len(next(iter(rows.values())))
    return {"status": ["ok"] * size, **rows}, network


def _write(spec: SweepSpec, search: Learning, store: SweepStore, rows: Mapping[str, list[Any]]) -> None:
    """Put assignments, one a row, with what is told of them, into the store."""
    swept = list(zip(*(rows[f"point.{axis.path}"] for axis in spec.axes), strict=True))
    plain = rows_of(columns_of(spec.axes, swept))
    number = {row: i for i, row in enumerate(dict.fromkeys(plain))}
    trial = np.array([number[row] for row in plain])
    found = by_trial(trial, told(search, rows), len(search.goals))
    assignments = columns_of(spec.axes, list(number))
    count = size_of(assignments)
    zeros = np.zeros(count, dtype=np.int64)
    points = Points(zeros, assignments, zeros, zeros, np.full(count, "network", dtype=object))
    names = _told_names(search)
    columns = [
        Column("point_id", "str"),
        *(c for c in point_columns(spec.axes) if c.name.startswith("point.")),
    ]
    columns += [Column(name, "float") for name in names]
    data = {"point_id": points.ids(), **swept_data(assignments)}
    store.write_ask(_NAME, columns, data | {name: found[:, i] for i, name in enumerate(names)})


def _told_names(search: Learning) -> list[str]:
    constraints = [f"missed.{i}" for i in range(len(search.constraints))]
    return [*(f"score.{i}" for i in range(len(search.goals))), *constraints]


def _same(value: Any, spec: SweepSpec, path: str) -> bool:
    try:
        return value is None or bool(spec.network.get(path) == value)
    except SpecError:
        return False
