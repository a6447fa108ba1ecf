"""What is on disk already, as the controller needs to know it."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.sweep.evaluate import objective

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        self._values: Mapping[str, float] = {}
        self.failed = self.diverged = self.attempt = 0
        self.causes: list[tuple[str, int]] = []
        if not found:
            return
        sought = getattr(spec.search, "objective", None)
        table = store.table()
        wanted = ("point_id", "status", "error", sought)
        frame = table.to_pandas([name for name in wanted if name in table.columns])
        failed = frame["status"] == "failed"
        if retry_failed:
            self.attempt = 1 + table.attempt
            self._ids = np.setdiff1d(self._ids, frame["point_id"][failed].to_numpy(dtype="S16"))
            frame = frame[~failed]
        else:
            self.failed = int(failed.sum())
            self.causes = list(Counter(frame["error"][failed].tolist()).items()) if self.failed else []
        self.diverged = int((frame["status"] == "diverged").sum())
        if sought:
            rows: dict[str, Any] = {"status": frame["status"].tolist()}
            if sought in frame:
                rows[sought] = frame[sought].tolist()
            told = objective(rows, sought).tolist()
            self._values = dict(zip(frame["point_id"].tolist(), told, strict=True))

    def look_up(self, block: Block) -> tuple[Array, Array]:
        """Return which points of a block are pending, and the objective of the others."""
        told = np.full(len(block), np.nan)
        if len(self._ids) == 0:
            return np.ones(len(block), dtype=bool), told
        ids = block.points(np.arange(len(block))).ids()
        if self._values:
            told = np.array([self._values.get(identity, math.nan) for identity in ids])
        return ~np.isin(np.array(ids, dtype="S16"), self._ids), told


def mean_by_trial(trial: Array, values: Array) -> Array:
    """Return the mean over the repetitions of each assignment that are finite; NaN where none is.

    Parameters
    ----------
    trial : ndarray of int, (P,)
        Number of each point's assignment, from 0.
    values : ndarray of float, (P,)
        Objective of each point.
    """
    good = np.isfinite(values)
    count = np.bincount(trial, weights=good)
    total = np.bincount(trial, weights=np.where(good, values, 0.0))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
