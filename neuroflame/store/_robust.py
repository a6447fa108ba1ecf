"""Whether a table's labels are robust: what the sweeps that check them say, worked out when the table is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.errors import StoreError
from neuroflame.regimes.robust import (
    CHECKS,
    ROBUST_COLUMNS,
    PointLabels,
    by_row,
    keys_of,
    labels_of,
    verdicts,
)
from neuroflame.store._files import open_files
from neuroflame.store._format import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from neuroflame.columns import Column
    from neuroflame.regimes import Thresholds
    from neuroflame.regimes.evidence import Array
    from neuroflame.store._files import Files
    from neuroflame.store._table import Table

ROBUST = "robust"
"""The kind of the records that name the sweeps which check a table's labels."""
COLUMNS = {column.name: column for column in ROBUST_COLUMNS}


@dataclass(frozen=True)
class Checking:
    """A sweep that checks labels.

    Attributes
    ----------
    check : str
        One of `CHECKS`.
    directory : str
        Where it is, below the directory of the sweep that it checks.
    factors : mapping of str to float
        Its values of an axis as multiples of those of the sweep that it checks.
    """

    check: str
    directory: str
    factors: Mapping[str, float]


def recorded_checks(files: Files, records: Sequence[str]) -> tuple[Checking, ...]:
    """Return the sweeps that check a table's labels, by its records, oldest first."""
    found: dict[str, Checking] = {}
    for name in sorted(name for name in records if name.startswith(f"{ROBUST}-")):
        try:
            told = json.loads(files.read(f"records/{name}"))
            one = Checking(told["check"], told["directory"], dict(told["factors"]))
            if one.check not in CHECKS:
                raise ValueError(f"there is no check {one.check}")
        except (ValueError, TypeError, KeyError) as error:
            warn(f"{files.shown}: left out the record {name}: {error}")
            continue
        found.setdefault(one.directory, one)
    return tuple(found.values())


class Robustness:
    """What the checks of a table say.

    Parameters
    ----------
    files : Files
        The directory of the table.
    manifest : mapping
        Its manifest.
    checks : sequence of Checking
    thresholds : Thresholds
        By which all runs are labelled, those of the table and of the checks.
    read : callable
        Opens the table of a directory: `neuroflame.store._table.read_table`.
    """

    def __init__(
        self,
        files: Files,
        manifest: Mapping[str, Any],
        checks: Sequence[Checking],
        thresholds: Thresholds,
        read: Callable[[Files], Table],
    ) -> None:
        self._manifest, self._thresholds = manifest, thresholds
        self._others: dict[str, list[PointLabels]] = {}
        self._draws: dict[str, int] = {}
        self._paths = [str(axis["path"]) for axis in manifest.get("axes") or ()]
        filesystem, root = files.arrow()
        for one in checks:
            try:
                table = read(open_files(f"{root}/{one.directory}", filesystem))
            except StoreError as error:
                warn(f"{files.shown}: left out {one.directory}, which checks its labels: {error}")
                continue
            graphs = table.manifest["sweep"]["repeat"]["graphs"]
            self._draws[one.check] = len(graphs) if one.check == "n" else 1
            if len(table):
                frame = table.as_written().evidence()
                labels = labels_of(frame, thresholds, self._paths, starts=self._starts, factors=one.factors)
                self._others.setdefault(one.check, []).append(labels)

    @property
    def _starts(self) -> int:
        return len(self._manifest["sweep"]["repeat"]["initial_conditions"])

    def of_points(self, columns: Any) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return the points of some rows, as `label_points` does, and `ROBUST_COLUMNS` for each of them."""
        base = labels_of(columns, self._thresholds, self._paths, starts=self._starts)
        return base.points, verdicts(base, self._others, self._draws)

    def of_rows(self, frame: Any) -> dict[str, Array]:
        """Return `ROBUST_COLUMNS` for each row of a data frame; only points that were checked are labelled."""
        checked = {key for parts in self._others.values() for part in parts for key in part.keys}
        here = [i for i, key in enumerate(keys_of(frame, self._paths)) if key in checked]
        points, found = self.of_points(frame.iloc[here])
        told = {name: np.full(len(frame), None, dtype=object) for name in found}
        for name, values in by_row(points, found, len(here)).items():
            told[name][here] = values
        return told


def with_robust(
    found: Any, rows: Any, wanted: Sequence[Column], told: Mapping[str, Mapping[str, str | None]]
) -> Any:
    """Return the wanted columns of a table, `ROBUST_COLUMNS` among them.

    Parameters
    ----------
    found : pyarrow.Table
        The other wanted columns, and those that say where rows came from, which are kept.
    rows : pyarrow.Table
        The same rows with ``point_id``.
    wanted : sequence of Column
    told : mapping
        Column to what it says of each point, by its id.
    """
    import pyarrow as pa

    from neuroflame.store._provenance import is_provenance
    from neuroflame.store._schema import schema_of

    ids = rows["point_id"].to_pylist()
    arrays = [
        pa.array([told[column.name].get(one) for one in ids], pa.string())
        if column.name in told
        else found[column.name]
        for column in wanted
    ]
    schema = schema_of(wanted, {}).with_metadata(found.schema.metadata)
    table = pa.Table.from_arrays(arrays, schema=schema)
    for field in filter(is_provenance, found.schema):
        table = table.append_column(field, found[field.name])
    return table
