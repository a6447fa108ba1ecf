"""What is on disk already, as the controller needs to know it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from neuroflame.sweep.telling import telling_of

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
    retry_failed : bool
        Whether points that failed count as not finished.
    """

    def __init__(self, store: SweepStore, spec: SweepSpec, *, retry_failed: bool = False) -> None:
        found = [identity for ids in store.finished().values() for identity in ids]
        self._ids = np.unique(np.array(found, dtype="S16"))
        self._rows: dict[str, int] = {}
        self._telling = telling_of(spec)
        self._told: Array = np.empty(0)
        self.failed = self.diverged = self.attempt = 0
        self.causes: list[tuple[str, int]] = []
        if not found:
            return
        table = store.table()
        wanted = ["point_id", "status", "error"]
        if self._telling:
            wanted += self._telling.needs(table.columns)
        frame = table.to_pandas([name for name in dict.fromkeys(wanted) if name in table.columns])
        failed = frame["status"] == "failed"
        if retry_failed:
            self.attempt = 1 + table.attempt
            self._ids = np.setdiff1d(self._ids, frame["point_id"][failed].to_numpy(dtype="S16"))
            frame = frame[~failed]
        else:
            self.failed = int(failed.sum())
            self.causes = list(Counter(frame["error"][failed].tolist()).items()) if self.failed else []
        self.diverged = int((frame["status"] == "diverged").sum())
        if self._telling:
            self._told = self._telling.of_rows(
                {
                    str(name): frame[name].astype(object).where(frame[name].notna(), None).tolist()
                    for name in frame
                }
            )
            self._rows = {identity: row for row, identity in enumerate(frame["point_id"].tolist())}

    def look_up(self, block: Block) -> tuple[Array, Array]:
        """Return which points of a block are pending, and what a search is told of the others."""
        found = self._telling.nothing(len(block)) if self._telling else np.empty(len(block))
        if len(self._ids) == 0:
            return np.ones(len(block), dtype=bool), found
        ids = block.points(np.arange(len(block))).ids()
        if self._rows:
            rows = np.array([self._rows.get(identity, -1) for identity in ids])
            found[rows >= 0] = self._told[rows[rows >= 0]]
        return ~np.isin(np.array(ids, dtype="S16"), self._ids), found
