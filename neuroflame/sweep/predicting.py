"""The table that theory predicts for a sweep, without simulating it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuroflame.columns import Column
from neuroflame.errors import SpecError
from neuroflame.sweep.manifest import make_manifest
from neuroflame.sweep.points import Points, point_columns, point_data
from neuroflame.sweep.search import KnownSearch, make_search

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from neuroflame.spec.sweep import SweepSpec

DEFAULT, DISORDERED = ("modes",), ("random",)
"""What is predicted where a sweep names nothing under ``theory``; the same of Gaussian and low-rank connectivity."""


@dataclass(frozen=True)
class PredictedTable:
    """What `neuroflame.store.Table` is to a report, of predictions in memory.

    Parameters
    ----------
    uri : str
        Name of the sweep.
    manifest : mapping
    columns : dict of str to Column
    frame : DataFrame
        One row for each assignment of values.
    """

    uri: str
    manifest: Mapping[str, Any]
    columns: dict[str, Column]
    frame: pd.DataFrame

    def to_pandas(self, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """Return one row per assignment, with these columns or all."""
        return self.frame if columns is None else self.frame[list(columns)]


def predicted_table(spec: SweepSpec) -> PredictedTable:
    """Return what theory predicts for each assignment of a sweep; repetitions are left out, they change nothing.

    Raises
    ------
    SpecError
        If the sweep has no axis, or its points depend on results.
    """
    from neuroflame.theory import predict, unknown

    if not spec.space:
        raise SpecError("must have at least one axis to predict along", path="space")
    search = make_search(spec)
    if not isinstance(search, KnownSearch):
        raise SpecError(
            "chooses points by their results, which a prediction lacks",
            got=spec.search.kind,
            path="search",
            remedy="use --set search.kind=sobol, or a grid",
        )
    disordered = any(pair.profile.kind in ("gaussian", "low_rank") for pair in spec.network.pairs)
    theory = spec.theory or (DISORDERED if disordered else DEFAULT)
    if not set(theory) & {"modes", "random"}:
        theory = (*theory, "modes")
    values = search.take(np.arange(search.total))
    count = search.total
    points = Points(
        np.arange(count),
        values,
        np.zeros(count, dtype=np.int64),
        np.zeros(count, dtype=np.int64),
        np.full(count, "network", dtype=object),
    )
    shared = [axis.path for axis in spec.axes if axis.structural]
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i in range(count):
        groups.setdefault(tuple(values[path][i] for path in shared), []).append(i)
    found: dict[str, list[Any]] = {}
    described: tuple[Column, ...] = ()
    for key, rows in groups.items():
        fixed = {path: v if isinstance(v, str) else v.item() for path, v in zip(shared, key, strict=True)}
        own = {path: column[rows] for path, column in values.items() if path not in shared}
        try:
            network = spec.network.with_values(fixed) if fixed else spec.network
        except SpecError as error:
            part = unknown(spec.network, theory, str(error), points=len(rows), folds=list(spec.fold_ranges))
        else:
            part = predict(network, own, theory, points=len(rows), ranges=spec.fold_ranges)
        described = part.columns
        for name, cells in part.data.items():
            whole = found.setdefault(name, [None] * count)
            for row, cell in zip(rows, cells, strict=True):
                whole[row] = cell
    outcome = Column("status", "str", doc="ok: every point has a prediction or a reason.")
    columns = {column.name: column for column in (*point_columns(spec.axes), outcome, *described)}
    data = {**point_data(points), "status": ["ok"] * count, **found}
    frame = pd.DataFrame({name: data[name] for name in columns})
    return PredictedTable(spec.name, {**make_manifest(spec), "points": count}, columns, frame)
