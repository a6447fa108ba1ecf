"""What is on disk already, as the controller needs to know it."""

from __future__ import annotations

import math
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
    """

    def __init__(self, store: SweepStore, spec: SweepSpec) -> None:
        found = [identity for ids in store.finished().values() for identity in ids]
        self._ids = np.unique(np.array(found, dtype="S16"))
        self._values: Mapping[str, float] = {}
        self.failed = self.diverged = 0
        if not found:
            return
        sought = getattr(spec.search, "objective", None)
        table = store.table()
        frame = table.to_pandas([name for name in ("point_id", "status", sought) if name in table.columns])
        self.failed = int((frame["status"] == "failed").sum())
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
