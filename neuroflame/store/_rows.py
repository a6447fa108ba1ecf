"""The rows of a sweep as its files hold them: each point once, in a fixed order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.store._files import Files, in_threads
from neuroflame.store._pieces import order, read_piece
from neuroflame.store._provenance import with_provenance
from neuroflame.store._schema import schema_of, unified

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from neuroflame.columns import Column
    from neuroflame.store._pieces import Piece
    from neuroflame.store._runs import Run


class Rows:
    """Reads columns of the pieces that a table is made of.

    Parameters
    ----------
    files : Files
        The sweep's directory.
    pieces : sequence of Piece
        What of it is read.
    """

    def __init__(self, files: Files, pieces: Sequence[Piece]) -> None:
        self._files, self._pieces = files, pieces
        self.columns = unified(((piece.path, piece.columns) for piece in pieces), files.shown)
        self._order = order(pieces)

    def __len__(self) -> int:
        return len(self._order)

    @property
    def runs(self) -> list[Run]:
        """What the writers of tiles told, one by one."""
        return [run for piece in self._pieces for run in piece.runs]

    def read(self, columns: Iterable[Column], *, provenance: bool = False) -> Any:
        """Return columns as a pyarrow Table, with where each row came from if that is asked for."""
        import pyarrow as pa

        schema = schema_of(columns, self._told_alike())
        pieces = in_threads(
            lambda piece: read_piece(self._files, piece, schema), self._pieces, self._files.workers
        )
        whole = pa.concat_tables(pieces) if pieces else schema.empty_table()
        if provenance:
            whole = with_provenance(whole, self.runs)
        if len(whole) == len(self) and bool(np.all(np.diff(self._order) == 1)):
            return whole
        return whole.combine_chunks().take(pa.array(self._order))

    def read_one(self, point_id: str, columns: Iterable[Column]) -> Any:
        """Return a pyarrow Table of one point's row, with its provenance; None if there is no such point."""
        first = 0
        for piece in self._pieces:
            ids = piece.keys["point_id"].to_numpy()
            for place in np.flatnonzero(ids == point_id):
                if first + place in self._order:
                    read = read_piece(self._files, piece, schema_of(columns, {}))
                    return with_provenance(read, piece.runs).slice(place, 1)
            first += len(piece)
        return None

    def dataset(self) -> Any:
        """Return a pyarrow Dataset over the files; None if they hold rows that are not to be seen, or none."""
        import pyarrow.dataset as ds

        rows = sum(len(piece) for piece in self._pieces)
        if rows != len(self) or not rows:
            return None
        filesystem, root = self._files.arrow()
        return ds.dataset(
            [f"{root}/{piece.path}" for piece in self._pieces],
            schema=schema_of(self.columns.values(), self._told_alike()),
            filesystem=filesystem,
            format="parquet",
        )

    def _told_alike(self) -> dict[str, str]:
        """Return what the writers of all tiles tell alike."""
        told = [set(run.about.items()) for run in self.runs]
        return dict(sorted(set.intersection(*told))) if told else {}
