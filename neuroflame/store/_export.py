"""A table written for other programs: one file or folder, whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.errors import NeuroflameError, StoreError
from neuroflame.store._files import telling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import xarray as xr

    from neuroflame.store._table import Table

ROW_GROUP = 2**16
_ABOUT = ("name", "kind", "unit", "doc")


@contextmanager
def placed(path: Path, *, force: bool) -> Iterator[Path]:
    """Give a temporary path beside another; what is written there gets its name if all went well.

    A file appears in one step. A folder that replaces another does so in two renames.

    Raises
    ------
    StoreError
        If the path is taken and `force` is not given, or cannot be written.
    """
    taken = StoreError("exists already", file=str(path), remedy="choose another path, or give --force")
    if not force and os.path.lexists(path):
        raise taken
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    with telling(str(path), "write it"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            if temporary.is_dir():
                if force:
                    _set_aside(path, temporary)
                elif os.path.lexists(path):
                    raise taken
                temporary.rename(path)
            elif force:
                temporary.replace(path)
            else:
                _link(temporary, path, taken)
        finally:
            _remove(temporary)


def _link(temporary: Path, path: Path, taken: StoreError) -> None:
    """Give a file its name unless that was taken in the meantime."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise taken from None


def _set_aside(path: Path, temporary: Path) -> None:
    if os.path.lexists(path):
        old = temporary.with_name(f"{temporary.name}.old")
        path.rename(old)
        _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_csv(table: Table, path: Path) -> None:
    """Write the rows as comma-separated values, a series as a list in JSON, a missing value as nothing."""
    import pyarrow as pa
    import pyarrow.csv as csv

    arrow = table.to_arrow()
    for place, (name, column) in enumerate(table.columns.items()):
        if column.kind == "series":
            texts = [None if cell is None else json.dumps(cell) for cell in arrow[name].to_pylist()]
            arrow = arrow.set_column(place, name, pa.array(texts, pa.string()))
    csv.write_csv(arrow, path)


def write_columns(table: Table, path: Path) -> None:
    """Write what the columns are, a row each: name, kind, unit and meaning."""
    import pyarrow as pa
    import pyarrow.csv as csv

    about = [[getattr(column, key) for column in table.columns.values()] for key in _ABOUT]
    csv.write_csv(pa.table([pa.array(values, pa.string()) for values in about], names=list(_ABOUT)), path)


def write_parquet(table: Table, path: Path) -> None:
    """Write one Parquet file: units and meanings in each field's metadata, the manifest in the schema's."""
    import pyarrow.parquet as pq

    arrow = table.to_arrow(provenance=True)
    about = {**(arrow.schema.metadata or {}), b"neuroflame.manifest": _manifest(table)}
    pq.write_table(arrow.replace_schema_metadata(about), path, compression="zstd", row_group_size=ROW_GROUP)


def write_netcdf(table: Table, path: Path) -> None:
    """Write the grid as netCDF 4."""
    grid = _grid(table)
    with _requiring("h5netcdf"):
        grid.to_netcdf(path, engine="h5netcdf")


def write_zarr(table: Table, path: Path) -> None:
    """Write the grid as a Zarr folder, of format 2, which every version of zarr reads."""
    grid = _grid(table)
    with _requiring("zarr"):
        grid.to_zarr(path, zarr_format=2, consolidated=True)


FILES: dict[str, tuple[str, Callable[[Table, Path], None]]] = {
    "csv": (".csv", write_csv),
    "parquet": (".parquet", write_parquet),
    "netcdf": (".nc", write_netcdf),
    "zarr": (".zarr", write_zarr),
}
"""What a table can be written as: the usual ending, and what writes it."""


@contextmanager
def _requiring(package: str) -> Iterator[None]:
    try:
        __import__(package)
    except ImportError:
        raise NeuroflameError(
            f"needs the package {package}", remedy="pip install 'neuroflame[export]'"
        ) from None
    yield


def _manifest(table: Table) -> bytes:
    return json.dumps(dict(table.manifest), ensure_ascii=False).encode()


def _grid(table: Table) -> xr.Dataset:
    """Return the grid with plain types: text where there were names, NaN where numbers are missing."""
    search = table.manifest.get("sweep", {}).get("search", {})
    try:
        grid = table.to_xarray(partial=search.get("kind", "grid") == "grid")
    except StoreError as error:
        error.remedy = "export it to csv or parquet"
        raise
    for name, variable in grid.variables.items():
        if variable.dtype == object:
            grid[name] = (variable.dims, _plain(variable.to_numpy()), variable.attrs)
    return grid.assign_attrs(
        title=str(table.manifest.get("name", "")),
        neuroflame_version=str(table.manifest.get("version", "")),
        neuroflame_manifest=_manifest(table).decode(),
    )


def _plain(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    flat = values.ravel().tolist()
    if any(isinstance(value, str) for value in flat):
        texts = ["" if value is None or value != value else value for value in flat]
        return np.array(texts, dtype=object).reshape(values.shape)
    numbers = [np.nan if value is None else float(value) for value in flat]
    return np.array(numbers).reshape(values.shape)
