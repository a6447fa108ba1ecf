"""A sweep's table as its readers see it. Reading never changes anything on disk."""

from __future__ import annotations

import difflib
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.errors import StoreError
from neuroflame.regimes import Thresholds, basins, label_points
from neuroflame.repeats import over_repeats
from neuroflame.store._files import Files, open_files
from neuroflame.store._format import CorruptFragment, warn
from neuroflame.store._labels import LABELS, check_evidence, computed, evidence, labelled, recorded
from neuroflame.store._manifest import read_manifest
from neuroflame.store._pieces import piece_of, without_superseded
from neuroflame.store._reading import survey
from neuroflame.store._robust import COLUMNS, Robustness, recorded_checks, with_robust

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    import xarray as xr

    from neuroflame.columns import Column
    from neuroflame.store._robust import Checking
    from neuroflame.store._rows import Rows


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


def read_table(files: Files, manifest: Mapping[str, Any], *, verify: bool = True) -> Table:
    """Return the table of an opened directory; see `open_table`."""
    from neuroflame.store._rows import Rows

    pieces = []
    found = survey(files, "parts", lambda one: piece_of(f"parts/{one.name}.parquet", one), verify=verify)
    for path, item in found:
        if isinstance(item, CorruptFragment):
            warn(f"{files.shown}: left out {path}: {item}; neuroflame-sweep resume computes it again")
        else:
            pieces.append(item)
    records = files.names("records")
    rows = Rows(files, without_superseded(pieces))
    return Table(files, manifest, rows, recorded(files, records), recorded_checks(files, records))


class Table:
    """The rows of a sweep: one a point, each point once, in a fixed order.

    Get one from `open_table`. Statistics are read when they are asked for.

    Should two tiles hold the same point, a row whose ``status`` is ``failed`` gives way to one that is not; then
    the higher ``attempt`` in what the tiles' writers told wins, 0 where there is none; then the tile whose name
    comes first. A table that is open stays readable while the sweep's directory is compacted.

    Where the sweep was labelled anew, ``regime``, ``regime.confidence`` and how long memories last are computed when
    they are read; where its labels were checked (``neuroflame-sweep robust``), so are ``robust`` and ``robust.*``, by
    the same thresholds.
    """

    def __init__(
        self,
        files: Files,
        manifest: Mapping[str, Any],
        rows: Rows,
        thresholds: Thresholds | None = None,
        checks: Sequence[Checking] = (),
    ) -> None:
        self._files, self._manifest, self._rows = files, dict(manifest), rows
        self._thresholds, self._checks = thresholds, tuple(checks)
        self._columns = (
            rows.columns | (LABELS if thresholds is not None else {}) | (COLUMNS if checks else {})
        )
        self._computed = computed(rows.columns, thresholds)

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
        return {run.tile: dict(run.about) for run in self._rows.runs}

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds of the labels: those that the rows were labelled with last, by default the defaults."""
        return self._thresholds or Thresholds()

    @property
    def checks(self) -> tuple[Checking, ...]:
        """The sweeps that check its labels."""
        return self._checks

    def relabel(self, **thresholds: float | None) -> Table:
        """Return the same table with regimes labelled by other thresholds; nothing on disk changes.

        Parameters
        ----------
        **thresholds : float
            Fields of `neuroflame.regimes.Thresholds`; the others have their defaults.

        Raises
        ------
        SpecError
            If one is not a threshold.
        StoreError
            If the table lacks the statistics that labels are made from.
        """
        limits = Thresholds().changed(thresholds)
        check_evidence(self._columns, self._files.shown, limits)
        return Table(self._files, self._manifest, self._rows, limits, self._checks)

    def as_written(self) -> Table:
        """Return the same table with the columns that its files hold, by whatever thresholds they are to be read."""
        return Table(self._files, self._manifest, self._rows)

    def regimes(self) -> pd.DataFrame:
        """Return one row for each point: what all its initial conditions lead to.

        See `neuroflame.regimes.label_points` for the columns; ``row`` holds the rows of the table. Where labels were
        checked there are `neuroflame.regimes.ROBUST_COLUMNS` too.

        Raises
        ------
        StoreError
            If the table lacks the statistics that labels are made from.
        """
        import pandas as pd

        if self._checks:
            points, found = self._robustness.of_points(self.evidence())
            return pd.DataFrame(points | found)
        return pd.DataFrame(self._labels_of_points())

    def _labels_of_points(self) -> dict[str, Any]:
        return label_points(self.evidence(), self.thresholds)

    def basins(self) -> pd.DataFrame:
        """Return one row for each end state of each point: how many starts end there, and the basin's share.

        See `neuroflame.regimes.basins.basins` for the columns.

        Raises
        ------
        StoreError
            If the table lacks the statistics that labels are made from.
        """
        import pandas as pd

        starts = self._manifest.get("sweep", {}).get("repeat", {}).get("starts", {})
        drawn = [name for name, start in starts.items() if start["kind"] == "random"]
        return pd.DataFrame(basins(self.evidence(), self.thresholds, drawn))

    def evidence(self) -> pd.DataFrame:
        """Return what labels are made from: the columns that the files hold, but for series.

        Raises
        ------
        StoreError
            If they do not hold what labels are made from.
        """
        check_evidence(self._columns, self._files.shown)
        written = [c.name for c in self._columns.values() if c.kind != "series" and c.name not in COLUMNS]
        return self.to_pandas(written)

    @cached_property
    def _robustness(self) -> Robustness:
        def read(files: Files) -> Table:
            return read_table(files, read_manifest(files))

        return Robustness(self._files, self._manifest, self._checks, self.thresholds, read)

    @cached_property
    def _robust(self) -> dict[str, dict[str, str | None]]:
        """Column to what it says of each point, by its id."""
        frame = self.evidence()
        told = self._robustness.of_rows(frame)
        return {name: dict(zip(frame["point_id"], values, strict=True)) for name, values in told.items()}

    def over_repeats(self, over: Sequence[str] = ("graph", "seed")) -> pd.DataFrame:
        """Return one row for all repetitions of an assignment: means, standard errors and numbers of the statistics.

        See `neuroflame.repeats.over_repeats` for the columns. Units are in ``attrs["units"]``.

        Parameters
        ----------
        over : sequence of str
            Among ``graph``, ``seed`` and ``initial_condition``; rows that differ in the others are kept apart.
        """
        import pandas as pd

        wanted = [column.name for column in self._columns.values() if column.kind != "series"]
        data, about = over_repeats(self.to_pandas(wanted), self._columns, over)
        frame = pd.DataFrame(data)
        frame.attrs["units"] = {name: column.unit for name, column in about.items()}
        return frame

    @property
    def attempt(self) -> int:
        """The highest ``attempt`` that a tile's writer told: how often failed points were tried again."""
        return max((run.attempt for run in self._rows.runs), default=0)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"Table({self._files.shown!r}: {len(self)} points, {len(self._columns)} columns)"

    def to_arrow(self, columns: Iterable[str] | None = None, *, provenance: bool = False) -> Any:
        """Return a pyarrow Table; units and meanings are in each field's metadata.

        Parameters
        ----------
        columns : iterable of str, optional
            Only these, in this order.
        provenance : bool
            Add columns ``provenance.*``: from which tile, executor, device, version and process each row came.
        """
        wanted = self._chosen(columns)
        return self._labelled(self._rows.read(self._read_for(wanted), provenance=provenance), wanted)

    def _read_for(self, wanted: Sequence[Column]) -> list[Column]:
        """Return the columns to read: where some are to be computed, what they follow from."""
        needed = {column.name: column for column in wanted if column.name not in COLUMNS}
        if len(needed) < len(wanted):
            needed |= {"point_id": self._columns["point_id"]}
        made = self._made(wanted)
        needed |= {column.name: column for column in evidence(self._columns, made)}
        return [column for name, column in needed.items() if name not in made]

    def _labelled(self, rows: Any, wanted: Sequence[Column]) -> Any:
        """Return the wanted columns of what was read for them."""
        found, written = rows, [column for column in wanted if column.name not in COLUMNS]
        made = self._made(wanted)
        if made:
            found = labelled(rows, written, made, self.thresholds)
        return with_robust(found, rows, wanted, self._robust) if len(written) < len(wanted) else found

    def _made(self, wanted: Sequence[Column]) -> set[str]:
        """Return the names of the wanted columns that are to be computed."""
        return self._computed & {column.name for column in wanted}

    def to_pandas(self, columns: Iterable[str] | None = None, *, provenance: bool = False) -> pd.DataFrame:
        """Return a pandas DataFrame; ``frame.attrs["units"]`` maps each column to its unit.

        Whole numbers and truth values that are missing in places get pandas' nullable types; a series is an
        array of float32.

        Parameters
        ----------
        columns : iterable of str, optional
            Only these, in this order.
        provenance : bool
            Add columns ``provenance.*``, as `to_arrow` does.
        """
        import pandas as pd
        import pyarrow as pa

        from neuroflame.store._schema import columns_of

        arrow = self.to_arrow(columns, provenance=provenance)
        frame: pd.DataFrame = arrow.to_pandas()
        nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
        for name in arrow.column_names:
            if arrow[name].null_count and arrow[name].type in nullable:
                frame[name] = arrow[name].to_pandas(types_mapper=nullable.get)
        frame.attrs["units"] = {name: column.unit for name, column in columns_of(arrow.schema).items()}
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

        as_read = self._thresholds is None and not self._checks
        found = self._rows.dataset() if as_read else None
        return ds.dataset(self.to_arrow()) if found is None else found

    def row(self, point_id: str) -> dict[str, Any]:
        """Return one point's row, missing values None, with its provenance; reads only the file that holds it.

        Raises
        ------
        StoreError
            If there is no such point.
        """
        wanted = list(self._columns.values())
        found = self._rows.read_one(point_id, self._read_for(wanted))
        if found is None:
            raise StoreError("the table has no such point", file=self._files.shown, got=point_id)
        return dict(self._labelled(found, wanted).to_pylist()[0])

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

    def border(self, on: str | None = None, tolerance: float | None = None) -> pd.DataFrame:
        """Return where labels change: a row for each point of the border.

        Parameters
        ----------
        on : str, optional
            A condition, or a column of names; by default what a boundary search sought.
        tolerance : float, optional
            The error that is aimed at, as a fraction of the range; by default the search's, else 0.01.

        Returns
        -------
        DataFrame
            ``point.<path>`` of each axis; ``error``, half the width of the bracket as a fraction of the range;
            ``between``, the labels on both sides; ``confidence`` in them where they are noisy.

        Raises
        ------
        StoreError
            If no border was sought and none is named, or the axes have no order.
        SpecError
            If the condition is not well formed or names no column.
        """
        from neuroflame.border import border_frame, border_of_table

        return border_frame(*border_of_table(self, on, tolerance))

    def regions(self, on: str | None = None, tolerance: float | None = None) -> pd.DataFrame:
        """Return the stability regions, connected sets of places with one label: a row for each, the largest first.

        See `neuroflame.border.regions_frame` for the columns.

        Parameters
        ----------
        on : str, optional
            A condition, or a column of names. By default what a boundary search sought; ``regime``, and without such
            a search, the label of the point: what all its initial conditions lead to.
        tolerance : float, optional
            The error of the border that is aimed at, as a fraction of the range; by default the search's, else 0.01.

        Raises
        ------
        StoreError
            If the axes have no order, or nothing is named and regimes were not measured.
        SpecError
            If the condition is not well formed or names no column.
        """
        from neuroflame.border import regions_frame, regions_of_table

        return regions_frame(*regions_of_table(self, on, tolerance, self._labels_of_points))

    def places(self, on: str | None = None, tolerance: float | None = None) -> pd.DataFrame:
        """Return a row for each place that was looked at: its label, its region, and how far the border is.

        See `neuroflame.border.places_frame` for the columns; parameters and errors as of `regions`.

        Examples
        --------
        >>> table.to_pandas().merge(table.places())  # doctest: +SKIP
        """
        from neuroflame.border import places_frame, regions_of_table

        return places_frame(*regions_of_table(self, on, tolerance, self._labels_of_points))

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
