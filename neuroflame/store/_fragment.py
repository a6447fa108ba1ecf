"""A fragment's bytes: rows and columns to Parquet and back, with a checksum over every byte."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from neuroflame.errors import StoreError
from neuroflame.store._format import FORMAT, CorruptFragment, newer_format
from neuroflame.store._runs import OURS, Run, runs_of
from neuroflame.store._schema import TYPES, columns_of, schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from neuroflame.columns import Column, ColumnKind

_DIGEST_KEY = "neuroflame.digest"
_DIGEST = re.compile(rb"neuroflame\.digest.{1,4}?([0-9a-f]{64})", re.DOTALL)
_BLANK = b"0" * 64


def encode(
    name: str, columns: Sequence[Column], data: Mapping[str, Any], metadata: Mapping[str, str]
) -> bytes:
    """Return the Parquet file of some rows.

    Parameters
    ----------
    name : str
        The fragment's name; used in messages and kept in the metadata.
    columns : sequence of Column
        What the columns are; ``point_id`` is among them.
    data : mapping of str to array or sequence
        One entry a row for each column; None is a missing value. A series is a sequence of numbers, or the
        whole column a (rows, samples) array.
    metadata : mapping of str to str
        Kept in the file's schema.

    Raises
    ------
    StoreError
        If columns and data do not agree.
    """
    _check(name, columns, data)
    arrays = [_array(name, column, data[column.name]) for column in columns]
    lengths = {column.name: len(array) for column, array in zip(columns, arrays, strict=True)}
    if len(set(lengths.values())) > 1:
        common = lengths["point_id"]
        odd = next(key for key, length in lengths.items() if length != common)
        raise StoreError(
            f"columns must have one entry a point: point_id has {common}, {odd} has {lengths[odd]}", path=name
        )
    identities = arrays[[column.name for column in columns].index("point_id")]
    if identities.null_count or len(identities.unique()) != len(identities):
        raise StoreError("point_id must be present and differ from row to row", path=name)
    ours = {"neuroflame.format": str(FORMAT), "neuroflame.name": name}
    schema = schema_of(columns, {**_plain(name, metadata), **ours})
    return seal(pa.Table.from_arrays(arrays, schema=schema), columns)


def _check(name: str, columns: Sequence[Column], data: Mapping[str, Any]) -> None:
    names = [column.name for column in columns]
    if "point_id" not in names:
        raise StoreError("rows must have a point_id", path=name, got=names)
    for column in columns:
        if column.name not in data:
            raise StoreError("data lacks a column that was declared", path=name, got=column.name)
        if names.count(column.name) > 1:
            raise StoreError("a column was declared twice", path=name, got=column.name)
        if column.kind not in TYPES:
            raise StoreError(
                f"column {column.name} must be one of {', '.join(TYPES)}", path=name, got=column.kind
            )
    for extra in data:
        if extra not in names:
            raise StoreError("data holds a column that was not declared", path=name, got=extra)


def _plain(name: str, metadata: Mapping[str, str]) -> dict[str, str]:
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise StoreError("metadata must map str to str", path=name, got={key: value})
        if key.startswith(OURS) or key == "ARROW:schema":
            raise StoreError("metadata may not use a reserved key", path=name, got=key)
    return dict(metadata)


def _array(name: str, column: Column, values: Any) -> Any:
    try:
        if column.kind == "series":
            return _series(values)
        if not isinstance(values, list | tuple):
            values = np.asarray(values)
            if values.ndim != 1:
                raise ValueError(f"its shape is {values.shape}")
            if values.dtype.kind in "UT":
                values = values.tolist()
        found = pa.array(values)  # told to make int64, it would cut off fractions
        if not _fits(found.type, column.kind):
            raise TypeError(f"it holds {found.type}")
        return found.cast(TYPES[column.kind])
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise StoreError(
            f"column {column.name} must hold one {column.kind} a point: {str(error).partition(chr(10))[0]}",
            path=name,
        ) from error


def _fits(arrow: Any, kind: ColumnKind) -> bool:
    """Say whether values of an Arrow type may be cast, with checks, to a kind."""
    numbers = pa.types.is_integer(arrow) or pa.types.is_floating(arrow)
    allowed = {"bool": pa.types.is_boolean(arrow), "str": pa.types.is_string(arrow)}
    return bool(pa.types.is_null(arrow) or allowed.get(kind, numbers))


def _series(values: Any) -> Any:
    if isinstance(values, np.ndarray) and values.ndim == 2:
        rows, samples = values.shape
        flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).ravel())
        return pa.ListArray.from_arrays(pa.array(np.arange(rows + 1) * samples, pa.int32()), flat)
    rows = [None if row is None else np.asarray(row, dtype=np.float32) for row in values]
    return pa.array(rows, type=TYPES["series"])


def _dictionaries(columns: Iterable[Column]) -> list[str] | bool:
    return [column.name for column in columns if column.kind == "str" and column.name != "point_id"] or False


def seal(table: Any, columns: Iterable[Column], row_group: int | None = None) -> bytes:
    """Return the Parquet file of a table, with the digest of all its bytes.

    The digest is that of the file with its own place blank.
    """
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink, table.schema, compression="snappy", use_dictionary=_dictionaries(columns)
    ) as writer:
        writer.write_table(table, row_group_size=row_group)
        writer.add_key_value_metadata({_DIGEST_KEY: _BLANK.decode()})
    blob = bytearray(sink.getvalue())
    start, end = _seal(memoryview(blob))
    blob[start:end] = _digest(memoryview(blob), start, end)
    return bytes(blob)


def verify(blob: bytes) -> None:
    """Raise CorruptFragment unless these are, byte for byte, the bytes that `encode` returned."""
    view = memoryview(blob)
    start, end = _seal(view)
    if bytes(view[start:end]) != _digest(view, start, end):
        raise CorruptFragment("its checksum does not match")


def _seal(view: memoryview) -> tuple[int, int]:
    """Return where the digest stands in the footer."""
    if len(view) < 12 or bytes(view[:4]) != b"PAR1" or bytes(view[-4:]) != b"PAR1":
        raise CorruptFragment("it is not a whole Parquet file")
    footer = len(view) - 8 - int.from_bytes(view[-8:-4], "little")
    if footer < 4:
        raise CorruptFragment("its footer is damaged")
    places = list(_DIGEST.finditer(view, footer))
    if len(places) != 1:
        raise CorruptFragment("it carries no checksum")
    return places[0].span(1)


def _digest(view: memoryview, start: int, end: int) -> bytes:
    state = hashlib.blake2b(digest_size=32)
    for piece in (view[:start], _BLANK, view[end:]):
        state.update(piece)
    return state.hexdigest().encode()


class Reader:
    """A fragment opened for reading.

    Parameters
    ----------
    source : bytes or pyarrow.NativeFile
        The whole file, or an open one of which only what is needed is read.
    name : str
        Its name, which is that of its tile unless it holds several.

    Raises
    ------
    CorruptFragment
        If it is no Parquet file of ours, or was written under another name.
    StoreError
        If a newer version of NeuroFlame wrote it.
    """

    def __init__(self, source: Any, name: str) -> None:
        self.name = name
        self.size: int = len(source) if isinstance(source, bytes) else source.size()
        try:
            opened = pa.BufferReader(source) if isinstance(source, bytes) else source
            self._file = pq.ParquetFile(opened, pre_buffer=True)
        except (pa.ArrowException, OSError) as error:
            raise CorruptFragment("its footer cannot be read") from error
        self.schema = self._file.schema_arrow
        about = self.schema.metadata or {}
        version = about.get(b"neuroflame.format", b"")
        if not version.isdigit() or "point_id" not in self.schema.names:
            raise CorruptFragment("it is no fragment of a sweep")
        if int(version) > FORMAT:
            raise newer_format("a fragment", int(version))
        written = about.get(b"neuroflame.name", name.encode()).decode()
        if written != name:
            raise CorruptFragment(f"it was written as {written}")

    @cached_property
    def columns(self) -> dict[str, Column]:
        """What the columns are, in order."""
        return columns_of(self.schema)

    @cached_property
    def runs(self) -> list[Run]:
        """Which tiles its rows are from, in the order of the rows."""
        return runs_of(self.schema, self.name, self._file.metadata.num_rows)

    def read(self, names: Iterable[str]) -> Any:
        """Return those of the named columns that exist, as an Arrow table in the order asked for."""
        there = set(self.schema.names)
        present = [name for name in names if name in there]
        try:  # pyarrow also matches prefixes up to a dot, hence the select
            return self._file.read(columns=present, use_threads=False).select(present)
        except (pa.ArrowException, OSError) as error:
            raise CorruptFragment("its pages cannot be read") from error

    def point_ids(self) -> list[str]:
        """Return the identities of its points."""
        ids: list[str] = self.read(["point_id"])["point_id"].to_pylist()
        return ids
