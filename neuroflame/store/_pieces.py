"""The files of a table: what is known of each before its statistics are read, and reading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.errors import StoreError
from neuroflame.store._format import CorruptFragment
from neuroflame.store._reading import fragments, is_packed, load
from neuroflame.store._runs import spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from neuroflame.columns import Column
    from neuroflame.store._files import Files
    from neuroflame.store._fragment import Reader
    from neuroflame.store._runs import Run

_KEYS = ("point_id", "point_index", "status")


@dataclass(frozen=True)
class Piece:
    """What is known of one file without reading its statistics.

    Parameters
    ----------
    path : str
        Name relative to the sweep's directory.
    columns : mapping of str to Column
        Its columns, in its order.
    runs : sequence of Run
        The tiles that its rows are from, and what their writers told.
    keys : pyarrow.Table
        Those of ``point_id``, ``point_index`` and ``status`` that it has.
    """

    path: str
    columns: Mapping[str, Column]
    runs: Sequence[Run]
    keys: Any

    def __len__(self) -> int:
        return len(self.keys)


def piece_of(path: str, reader: Reader) -> Piece:
    """Return what is known of a file."""
    return Piece(path, reader.columns, reader.runs, reader.read(_KEYS))


def without_superseded(pieces: Iterable[Piece]) -> list[Piece]:
    """Return the pieces whose tiles are not all in others that hold more, in the order of their first tile.

    Between the publication of a compacted file and the removal of what went into it, both are there.
    """
    kept: list[Piece] = []
    held: set[str] = set()
    for piece in sorted(pieces, key=lambda one: (-len(one.runs), one.path)):
        tiles = {run.tile for run in piece.runs}
        if not tiles <= held:
            kept.append(piece)
            held |= tiles
    return sorted(kept, key=lambda one: min(run.tile for run in one.runs))


def order(pieces: Sequence[Piece]) -> np.ndarray[Any, Any]:
    """Return which rows of the pieces, laid end to end, make the table: sorted, each point once.

    Of two rows of a point the one that has not failed is kept, then that of the later attempt, then that of the
    tile whose name comes first.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pieces:
        return np.empty(0, dtype=np.int64)
    keys = pa.concat_tables([piece.keys for piece in pieces], promote_options="permissive")
    codes = keys["point_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    kept = np.arange(len(keys))
    if len(codes) and codes.max() + 1 < len(codes):
        rows = np.argsort(_ranks(pieces), kind="stable")
        if "status" in keys.column_names:
            failed = np.asarray(keys["status"].to_numpy() == "failed")[rows]
            rows = np.concatenate([rows[~failed], rows[failed]])
        kept = np.sort(rows[np.unique(codes[rows], return_index=True)[1]])
        keys = keys.take(pa.array(kept))
    by = [(name, "ascending") for name in ("point_index", "point_id") if name in keys.column_names]
    found: np.ndarray[Any, Any] = kept[pc.sort_indices(keys, sort_keys=by).to_numpy()]
    return found


def _ranks(pieces: Sequence[Piece]) -> np.ndarray[Any, Any]:
    """Return the rank of each row's tile among all tiles: later attempts first, then by name."""
    runs = [run for piece in pieces for run in piece.runs]
    tiles = sorted({(-run.attempt, run.tile) for run in runs})
    rank = {tile: number for number, (_, tile) in enumerate(tiles)}
    return np.repeat([rank[run.tile] for run in runs], [run.rows for run in runs])


def read_piece(files: Files, piece: Piece, schema: Any) -> Any:
    """Return those columns of a piece, null where it lacks one; from wherever it has been compacted to."""
    import pyarrow as pa

    from neuroflame.store._schema import conformed

    try:
        try:
            found = load(files, piece.path, verify=False).read(schema.names)
        except FileNotFoundError:
            return pa.concat_tables(_compacted(files, piece.runs, schema))
    except (FileNotFoundError, CorruptFragment) as error:
        raise StoreError(
            f"{piece.path} has vanished or been damaged since the table was opened",
            file=files.shown,
            remedy="open it again",
        ) from error
    return conformed(found, schema, len(piece))


def _compacted(files: Files, runs: Sequence[Run], schema: Any) -> list[Any]:
    """Return the rows of some tiles, each tile's from the compacted file that holds it."""
    from neuroflame.store._schema import conformed

    left = {run.tile for run in runs}
    found: dict[str, Any] = {}
    for path in filter(is_packed, fragments(files, "parts")):
        reader = load(files, path, verify=False)
        here = [(run, first) for run, first in spans(reader.runs) if run.tile in left]
        if here:
            table = conformed(reader.read(schema.names), schema, sum(run.rows for run in reader.runs))
            found.update((run.tile, table.slice(first, run.rows)) for run, first in here)
            left -= found.keys()
    if left:
        raise FileNotFoundError(sorted(left)[0])
    return [found[run.tile] for run in runs]
