"""What is on disk already, as the controller needs to know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroflame.spec.search import Learning
from neuroflame.sweep.told import needed, told

if TYPE_CHECKING:
    from neuroflame.spec.sweep import SweepSpec
    from neuroflame.store import SweepStore
    from neuroflame.sweep.block import Block
    from neuroflame.sweep.points import Array


class Finished:
    """What the store holds: which points, and what a search that learns must be told of them.

    Parameters
    ----------
    store : SweepStore
        The sweep's directory. Damaged fragments are moved away, their points count as not finished.
    spec : SweepSpec
        The sweep.
    """

    def __init__(self, store: SweepStore, spec: SweepSpec) -> None:
        found = [identity for ids in store.finished().values() for identity in ids]
        self._ids = np.unique(np.array(found, dtype="S16"))
        self._rows: dict[str, int] = {}
        self._told: Array = np.empty((0, width_of(spec)))
        self.failed = self.diverged = 0
        if not found:
            return
        table = store.table()
        wanted = needed(spec.search, table.columns) if isinstance(spec.search, Learning) else ["status"]
        columns = table.to_arrow(["point_id", *wanted]).to_pydict()
        self.failed, self.diverged = (columns["status"].count(name) for name in ("failed", "diverged"))
        if isinstance(spec.search, Learning):
            self._told = told(spec.search, columns)
            self._rows = {identity: row for row, identity in enumerate(columns["point_id"])}

    def look_up(self, block: Block) -> tuple[Array, Array]:
        """Return which points of a block are pending, and what is told of the others."""
        found = np.full((len(block), self._told.shape[1]), np.nan)
        if len(self._ids) == 0:
            return np.ones(len(block), dtype=bool), found
        ids = block.points(np.arange(len(block))).ids()
        if self._rows:
            rows = np.array([self._rows.get(identity, -1) for identity in ids])
            found[rows >= 0] = self._told[rows[rows >= 0]]
        return ~np.isin(np.array(ids, dtype="S16"), self._ids), found


def width_of(spec: SweepSpec) -> int:
    """Return how many numbers a search is told of a point."""
    search = spec.search
    return len(search.goals) + len(search.constraints) if isinstance(search, Learning) else 0
