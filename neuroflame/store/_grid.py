"""A table whose points fill a grid, as a labelled array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from neuroflame.columns import Column

_SWEPT = "point."
_REPEATS = ("graph", "seed", "initial_condition")


def axes_of(columns: Mapping[str, Column]) -> list[str]:
    """Return the columns that span the grid: swept paths, then graph, seed and initial condition."""
    swept = [name for name in columns if name.startswith(_SWEPT)]
    return swept + [name for name in _REPEATS if name in columns]


def to_grid(
    table: Any,
    axes: Sequence[str],
    columns: Mapping[str, Column],
    *,
    partial: bool,
    ragged: bool,
    shown: str,
) -> xr.Dataset:
    """Return the rows of an Arrow table as a dataset with one dimension an axis.

    Parameters
    ----------
    table : pyarrow.Table
        The axes' columns and those that become variables.
    axes : sequence of str
        Names of the columns that span the grid.
    columns : mapping of str to Column
        What the columns are.
    partial : bool
        Allow cells without a point.
    ragged : bool
        Raise if a series differs in length from point to point, rather than leave it out.
    shown : str
        The table's place, for messages.
    """
    import xarray as xr

    if not axes:
        raise StoreError("points must have swept paths to fill a grid", file=shown)
    found = [_levels(table[name], columns[name]) for name in axes]
    levels = [level for level, _ in found]
    places = tuple(place for _, place in found)
    shape = tuple(len(level) for level in levels)
    cells = np.asarray(np.ravel_multi_index(places, shape))
    size = int(np.prod(shape, dtype=np.int64))
    names = [name.removeprefix(_SWEPT) for name in axes]
    if len(np.unique(cells)) != len(cells) or (len(cells) != size and not partial):
        raise StoreError(
            f"the points do not fill a grid: {len(cells)} points in "
            + " x ".join(f"{name} ({length})" for name, length in zip(names, shape, strict=True)),
            file=shown,
            remedy="pass partial=True if some are still to come, or use to_pandas()",
        )
    variables: dict[str, Any] = {}
    samples: int | None = None
    for name in table.column_names:
        if name in axes:
            continue
        values = _values(table[name], columns[name])
        if columns[name].kind == "series":
            if values is None or samples not in (None, values.shape[1]):
                if ragged:
                    raise StoreError(f"series {name} must have as many samples at every point", file=shown)
                continue
            samples = values.shape[1]
        variables[name] = (
            (*names, "sample") if values.ndim == 2 else names,
            _spread(values, cells, size, columns[name]).reshape(*shape, *values.shape[1:]),
            _attributes(columns[name]),
        )
    coordinates = {
        name: ((name,), level, _attributes(columns[axis]))
        for name, axis, level in zip(names, axes, levels, strict=True)
    }
    return xr.Dataset(variables, coordinates)


def _levels(values: Any, column: Column) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return an axis' levels, sorted (text in order of appearance), and each point's place among them."""
    plain = _values(values, column)
    if column.kind != "str":
        levels, places = np.unique(plain, return_inverse=True)
        return levels, places
    cells = plain.tolist()
    found = {value: place for place, value in enumerate(dict.fromkeys(cells))}
    return np.array(list(found), dtype=object), np.array([found[cell] for cell in cells], dtype=np.int64)


def _values(values: Any, column: Column) -> Any:
    """Return a column as an array, (points,) or (points, samples); None if a series is ragged or missing."""
    if column.kind != "series":
        return values.to_numpy()
    flat = values.combine_chunks()
    lengths = np.unique(flat.value_lengths().to_numpy(zero_copy_only=False))
    if flat.null_count or len(lengths) > 1:
        return None
    return flat.flatten().to_numpy(zero_copy_only=False).reshape(len(flat), -1)


def _spread(values: Any, cells: np.ndarray[Any, Any], size: int, column: Column) -> Any:
    """Put each point's value in its cell."""
    if len(cells) == size:
        spread = np.empty((size, *values.shape[1:]), dtype=values.dtype)
    else:
        kind = values.dtype if values.dtype.kind == "f" else np.float64 if column.kind == "int" else object
        spread = np.full((size, *values.shape[1:]), np.nan, dtype=kind)
    spread[cells] = values
    return spread


def _attributes(column: Column) -> dict[str, str]:
    pairs = {"units": column.unit, "long_name": column.doc}
    return {key: value for key, value in pairs.items() if value}
