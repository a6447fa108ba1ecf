"""A sweep's table as its readers see it. Reading never changes anything on disk."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.errors import StoreError
from neuroflame.store._files import Files, in_threads, open_files
from neuroflame.store._format import CorruptFragment, warn
from neuroflame.store._manifest import read_manifest
from neuroflame.store._reading import examine, fragments, load

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    import xarray as xr

    from neuroflame.columns import Column
    from neuroflame.store._fragment import Reader

_KEYS = ("point_id", "point_index", "status")


def open_table(uri: str | os.PathLike[str], *, verify: bool = True, filesystem: Any = None) -> Table:
    """Open the table of a sweep, finished or not, for reading.

    It holds what was finished when it was opened. Damaged fragments are left out with a `StoreWarning`;
    ``neuroflame-sweep resume`` computes them again.

    Parameters
    ----------
    uri : str or Path
        The sweep's directory: local path or pyarrow filesystem URI.
    verify : bool
        Check the checksum of every fragment.
    filesystem : pyarrow.fs.FileSystem, optional
        Use this one; `uri` is then a path in it.

    Returns
    -------
    Table
        One row a point, in the order of ``point_index``, or of ``point_id`` where there is none.

    Raises
    ------
    StoreError
        If there is no sweep or this version cannot read it.
    """
    files = open_files(uri, filesystem)
    return read_table(files, read_manifest(files), verify=verify)


@dataclass(frozen=True)
class Fragment:
    """What is known of one fragment without reading its statistics.

    Parameters
    ----------
    path : str
        Name relative to the sweep's directory.
    columns : mapping of str to Column
        Its columns, in its order.
    metadata : mapping of str to str
        What its writer told: device, executor, versions.
    keys : pyarrow.Table
        Those of ``point_id``, ``point_index`` and ``status`` that it has.
    """

    path: str
    columns: Mapping[str, Column]
    metadata: Mapping[str, str]
    keys: Any


def read_table(files: Files, manifest: Mapping[str, Any], *, verify: bool = True) -> Table:
    """Return the table of an opened directory; see `open_table`."""
    paths = fragments(files, "parts")
    found = in_threads(
        lambda path: examine(files, path, lambda one: _fragment_of(path, one), verify=verify),
        paths,
        files.workers,
    )
    intact = [item for item in found if isinstance(item, Fragment)]
    for path, item in zip(paths, found, strict=True):
        if isinstance(item, CorruptFragment):
            warn(f"{files.shown}: left out {path}: {item}; neuroflame-sweep resume computes it again")
    return Table(files, manifest, intact)


def _fragment_of(path: str, reader: Reader) -> Fragment:
    from neuroflame.store._fragment import metadata_of

    return Fragment(path, reader.columns, metadata_of(reader.schema), reader.read(_KEYS))


class Table:
    """The rows of a sweep: one a point, each point once, in a fixed order.

    Get one from `open_table`. Statistics are read when they are asked for.

    Should two fragments hold the same point, a row whose ``status`` is ``failed`` gives way to one that is
    not; then the higher ``attempt`` in the fragments' metadata wins, 0 where there is none; then the fragment
    whose name comes first.
    """

    def __init__(self, files: Files, manifest: Mapping[str, Any], pieces: Sequence[Fragment]) -> None:
        self._files = files
        self._manifest = dict(manifest)
        self._pieces = pieces
        self._columns = _unified(pieces, files.shown)
        self._order = _order(pieces)

    @property
    def uri(self) -> str:
        """Where it is."""
        return self._files.uri

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the sweep is, as its creator wrote it."""
        return MappingProxyType(self._manifest)

    @property
    def columns(self) -> dict[str, Column]:
        """Name, type, unit and meaning of each column, in order."""
        return dict(self._columns)

    @property
    def metadata(self) -> dict[str, dict[str, str]]:
        """Tile id to what its writer told about it: device, executor, versions."""
        return {PurePath(piece.path).stem: dict(piece.metadata) for piece in self._pieces}

    @property
    def attempt(self) -> int:
        """The highest ``attempt`` in the fragments' metadata: how often failed points were tried again."""
        return max((_attempt(piece) for piece in self._pieces), default=0)

    def __len__(self) -> int:
        return len(self._order)

    def __repr__(self) -> str:
        return f"Table({self._files.shown!r}: {len(self)} points, {len(self._columns)} columns)"

    def to_arrow(self, columns: Iterable[str] | None = None) -> Any:
        """Return a pyarrow Table; units and meanings are in each field's metadata.

        Parameters
        ----------
        columns : iterable of str, optional
            Only these, in this order.
        """
        import pyarrow as pa

        from neuroflame.store._fragment import schema_of

        wanted = self._chosen(columns)
        schema = schema_of(wanted, self._common_metadata())
        pieces = in_threads(lambda piece: self._read(piece, schema), self._pieces, self._files.workers)
        whole = pa.concat_tables(pieces) if pieces else schema.empty_table()
        if len(whole) == len(self._order) and bool(np.all(np.diff(self._order) == 1)):
            return whole
        return whole.combine_chunks().take(pa.array(self._order))

    def to_pandas(self, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """Return a pandas DataFrame; ``frame.attrs["units"]`` maps each column to its unit.

        Whole numbers and truth values that are missing in places get pandas' nullable types; a series is an
        array of float32.

        Parameters
        ----------
        columns : iterable of str, optional
            Only these, in this order.
        """
        import pandas as pd
        import pyarrow as pa

        arrow = self.to_arrow(columns)
        frame: pd.DataFrame = arrow.to_pandas()
        nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
        for name in arrow.column_names:
            if arrow[name].null_count and arrow[name].type in nullable:
                frame[name] = arrow[name].to_pandas(types_mapper=nullable.get)
        frame.attrs["units"] = {name: self._columns[name].unit for name in arrow.column_names}
        return frame

    def to_xarray(self, columns: Iterable[str] | None = None, *, partial: bool = False) -> xr.Dataset:
        """Return a grid: one axis for each swept path, and graph, seed and initial condition.

        Units and meanings are in ``attrs`` of each variable and coordinate. Series have the further axis
        ``sample``.

        Parameters
        ----------
        columns : iterable of str, optional
            Only these variables.
        partial : bool
            Allow cells without a point; they hold NaN.

        Raises
        ------
        StoreError
            If the points do not fill a grid.
        """
        from neuroflame.store._grid import axes_of, to_grid

        axes = axes_of(self._columns)
        wanted = [column.name for column in self._chosen(columns) if column.name not in axes]
        table = self.to_arrow([*axes, *wanted])
        return to_grid(
            table, axes, self._columns, partial=partial, ragged=columns is not None, shown=self._files.shown
        )

    def dataset(self) -> Any:
        """Return a pyarrow Dataset that reads lazily, with filters and projections; in no particular order.

        Examples
        --------
        >>> import pyarrow.dataset as ds
        >>> open_table(directory).dataset().to_table(filter=ds.field("point.J.EE") > 8)  # doctest: +SKIP
        """
        import pyarrow.dataset as ds

        from neuroflame.store._fragment import schema_of

        rows = sum(len(piece.keys) for piece in self._pieces)
        if rows != len(self) or not rows:  # some points occur twice: only the single rows may be seen
            return ds.dataset(self.to_arrow())
        filesystem, root = self._files.arrow()
        return ds.dataset(
            [f"{root}/{piece.path}" for piece in self._pieces],
            schema=schema_of(self._columns.values(), self._common_metadata()),
            filesystem=filesystem,
            format="parquet",
        )

    def best(self, column: str, maximise: bool = True, n: int = 10) -> pd.DataFrame:
        """Return the points where a column is highest, or lowest, best first.

        Points that are not ``ok``, and those where the column is missing, are left out.

        Parameters
        ----------
        column : str
            A column of numbers.
        maximise : bool
            Highest rather than lowest.
        n : int
            How many at most.
        """
        (about,) = self._chosen([column])
        if about.kind not in {"float", "int", "bool"}:
            raise StoreError(
                f"column {column} must be a number to be ranked", file=self._files.shown, got=about.kind
            )
        frame = self.to_pandas([item.name for item in self._columns.values() if item.kind != "series"])
        values = frame[column].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
        usable = np.isfinite(values)
        if "status" in frame and column != "status":
            usable &= (frame["status"] == "ok").to_numpy(dtype=bool)
        rows = np.flatnonzero(usable)
        ranked = rows[np.argsort(-values[rows] if maximise else values[rows], kind="stable")]
        return frame.iloc[ranked[: max(n, 0)]].reset_index(drop=True)

    def _chosen(self, names: Iterable[str] | None) -> list[Column]:
        if names is None:
            return list(self._columns.values())
        chosen = []
        for name in [names] if isinstance(names, str) else names:
            if name not in self._columns:
                near = difflib.get_close_matches(str(name), self._columns, n=1)
                raise StoreError(
                    "the table has no such column",
                    file=self._files.shown,
                    got=name,
                    remedy=f"did you mean {near[0]}?" if near else "see Table.columns",
                )
            chosen.append(self._columns[name])
        return chosen

    def _read(self, piece: Fragment, schema: Any) -> Any:
        """Return those columns of a fragment, null where it lacks one."""
        import pyarrow as pa

        try:
            found = load(self._files, piece.path, verify=False).read(schema.names)
        except (FileNotFoundError, CorruptFragment) as error:
            raise StoreError(
                f"{piece.path} has vanished or been damaged since the table was opened",
                file=self._files.shown,
                remedy="open it again",
            ) from error
        if found.schema.equals(schema):
            return pa.Table.from_arrays(found.columns, schema=schema)
        arrays = [
            found[field.name].cast(field.type)
            if field.name in piece.columns
            else pa.nulls(len(piece.keys), field.type)
            for field in schema
        ]
        return pa.Table.from_arrays(arrays, schema=schema)

    def _common_metadata(self) -> dict[str, str]:
        """Return what all fragments tell alike."""
        if not self._pieces:
            return {}
        common = set(self._pieces[0].metadata.items())
        for piece in self._pieces[1:]:
            common &= set(piece.metadata.items())
        return dict(sorted(common))


def _attempt(piece: Fragment) -> int:
    text = piece.metadata.get("attempt", "0")
    return int(text) if text.isdigit() else 0


def _unified(pieces: Sequence[Fragment], shown: str) -> dict[str, Column]:
    """Return all columns of all fragments; whole numbers give way to real ones."""
    columns: dict[str, Column] = {}
    for piece in pieces:
        for name, column in piece.columns.items():
            known = columns.setdefault(name, column)
            if known.kind != column.kind:
                if {known.kind, column.kind} != {"int", "float"}:
                    raise StoreError(
                        f"column {name} is {known.kind} in some fragments and {column.kind} in {piece.path}",
                        file=shown,
                    )
                columns[name] = replace(known, kind="float")
    return columns


def _order(pieces: Sequence[Fragment]) -> np.ndarray[Any, Any]:
    """Return which rows of the fragments, laid end to end, make the table: sorted, each point once."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pieces:
        return np.empty(0, dtype=np.int64)
    keys = pa.concat_tables([piece.keys for piece in pieces], promote_options="permissive")
    codes = keys["point_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    attempts = np.repeat([_attempt(piece) for piece in pieces], [len(piece.keys) for piece in pieces])
    failed = np.zeros(len(keys), dtype=bool)
    if "status" in keys.column_names:
        failed = np.asarray(keys["status"].to_numpy() == "failed")
    rows = np.lexsort((-attempts, failed))  # stable: the best row of a point first
    first = np.unique(codes[rows], return_index=True)[1]
    kept = np.sort(rows[first])
    by = [(name, "ascending") for name in ("point_index", "point_id") if name in keys.column_names]
    if len(kept) != len(keys):
        keys = keys.take(pa.array(kept))
    order: np.ndarray[Any, Any] = kept[pc.sort_indices(keys, sort_keys=by).to_numpy()]
    return order
