"""A table made ready for figures: its axes, repeats and statistics."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.columns import Column
from neuroflame.errors import SpecError
from neuroflame.regimes import label_points
from neuroflame.report.axes import Axis, make_axis, mapping, texts
from neuroflame.report.limits import SILENT, rate_behind

if TYPE_CHECKING:
    import pandas as pd

    from neuroflame.border import Table

POINT_REGIME = "regime.point"
"""The column that says what all initial conditions of a row's point lead to."""
REPEATS = ("graph", "seed", "initial_condition")
BOOKKEEPING = ("point_id", "point_index", "status", "t_fail", "error", *REPEATS)


@dataclass(frozen=True)
class View:
    """A table made ready for figures.

    Parameters
    ----------
    table : Table
    frame : DataFrame
        One row per point, without series. What is relative to a population's rate (``ratio``, ``phase``,
        ``trend``, ``cv``, …) is missing where it is silent: there it is the quotient of vanishing numbers.
    columns : mapping of str to Column
    manifest : mapping
    axes : tuple of Axis
        The swept paths with more than one value, in the sweep's order.
    repeats : tuple of str
        Those of ``graph``, ``seed``, ``initial_condition`` that have more than one value.
    gridded : bool
        Whether points lie on the product of the axes' levels.
    planned : int or None
        Number of points of the complete sweep, where the manifest tells.
    """

    table: Table
    frame: pd.DataFrame
    columns: Mapping[str, Column]
    manifest: Mapping[str, Any]
    axes: tuple[Axis, ...]
    repeats: tuple[str, ...]
    gridded: bool
    planned: int | None

    @property
    def name(self) -> str:
        """The sweep's name."""
        return str(mapping(self.manifest, "sweep").get("name") or self.uri.rstrip("/").rpartition("/")[2])

    @property
    def uri(self) -> str:
        """Where the table is."""
        return str(self.table.uri)

    @cached_property
    def series(self) -> pd.DataFrame:
        """The columns whose cells are series; read when they are first wanted."""
        return self.table.to_pandas(
            [name for name, column in self.columns.items() if column.kind == "series"]
        )

    def silent(self, name: str) -> np.ndarray:
        """Return where a statistic is missing since the population it is relative to is silent."""
        rate = rate_behind(name)
        if rate is None or rate not in self.frame:
            return np.zeros(len(self.frame), dtype=bool)
        return np.abs(self.frame[rate].to_numpy(dtype=float, na_value=np.nan)) < SILENT

    @cached_property
    def points(self) -> dict[str, np.ndarray] | None:
        """What all initial conditions of each point lead to; None where regimes were not measured."""
        if "regime" not in self.frame or "residual" not in self.frame:
            return None
        return label_points(self.frame, getattr(self.table, "thresholds", None))

    @cached_property
    def ok(self) -> np.ndarray:
        """Which rows hold a result."""
        return self.status == "ok"

    @cached_property
    def status(self) -> np.ndarray:
        """Each row's status."""
        if "status" not in self.frame:
            return np.full(len(self.frame), "ok", dtype=object)
        return texts(self.frame["status"])

    @cached_property
    def statistics(self) -> tuple[str, ...]:
        """The columns that are results: neither parameters nor bookkeeping nor series."""
        return tuple(
            name
            for name, column in self.columns.items()
            if name in self.frame
            and not name.startswith(("point.", "trace."))
            and name not in BOOKKEEPING
            and column.kind != "series"
        )

    def numbers(self, name: str) -> np.ndarray:
        """Return a column as floats, NaN where a point has no result."""
        self.need(name)
        try:
            values = self.frame[name].to_numpy(dtype=float, na_value=np.nan).copy()
        except (TypeError, ValueError):
            raise SpecError("must be a column of numbers", got=name, path=name) from None
        if not name.startswith("point.") and name not in BOOKKEEPING:
            values[~self.ok] = np.nan
        return values

    def texts(self, name: str) -> np.ndarray:
        """Return a column as texts, None where missing."""
        self.need(name)
        return texts(self.frame[name])

    def categorical(self, name: str) -> bool:
        """Whether a column holds names and not numbers."""
        self.need(name)
        return self.columns[name].kind in ("str", "bool") if name in self.columns else False

    def axis(self, name: str) -> Axis:
        """Return the axis of a swept path, of its column, or of a repeat."""
        for axis in self.axes:
            if name in (axis.path, axis.column):
                return axis
        column = next((key for key in (name, f"point.{name}") if key in self.frame), None)
        if column is None or not (column.startswith("point.") or column in REPEATS):
            known = ", ".join([*(axis.path for axis in self.axes), *self.repeats]) or "none"
            raise SpecError("must be a swept path of the table", got=name, remedy=f"swept: {known}")
        return make_axis(column, self.frame, self.columns, {}, {}, sampled=False)

    def need(self, name: str) -> None:
        """Refuse a column that is not there."""
        if name not in self.frame:
            close = difflib.get_close_matches(name, [*self.statistics, *self.frame.columns], n=1, cutoff=0.5)
            remedy = f"did you mean {close[0]}?" if close else f"statistics: {', '.join(self.statistics[:8])}"
            raise SpecError("the table has no such column", got=name, remedy=remedy)


def view(table: Table | View | str | Path) -> View:
    """Return a table made ready for figures.

    Parameters
    ----------
    table : Table or str
        From `neuroflame.store.open_table`, or a sweep's directory.
    """
    if isinstance(table, View):
        return table
    if isinstance(table, str | Path):
        from neuroflame.store import open_table

        return view(open_table(str(table)))
    columns, manifest = dict(table.columns), table.manifest or {}
    frame = table.to_pandas([name for name, column in columns.items() if column.kind != "series"])
    frame = _without_quotients_of_silence(frame)
    sweep = mapping(manifest, "sweep")
    space, planned = mapping(sweep, "space"), _planned_axes(manifest)
    kind = str(mapping(sweep, "search").get("kind") or "")
    names = [*planned, *space, *(c.removeprefix("point.") for c in columns if c.startswith("point."))]
    axes = []
    for path in dict.fromkeys(names):
        column = f"point.{path}"
        if column not in frame:
            continue
        entry, given = planned.get(path, {}), mapping(space, path)
        ranged = "low" in entry or "low" in given
        axis = make_axis(column, frame, columns, entry, given, sampled=ranged or kind not in ("", "grid"))
        if len(axis.levels) > 1:
            axes.append(axis)
    gridded = kind == "grid" if kind else _looks_gridded(frame, axes)
    gridded &= not any(mapping(space, path).get("when") for path in space)
    repeats = tuple(name for name in REPEATS if name in frame and len(frame[name].unique()) > 1)
    found = View(table, frame, columns, manifest, tuple(axes), repeats, gridded, _planned(manifest))
    return _with_points(found) if "initial_condition" in repeats and found.points is not None else found


def _with_points(found: View) -> View:
    """Return a view with the column `POINT_REGIME`."""
    assert found.points is not None
    labels = np.full(len(found.frame), None, dtype=object)
    for label, rows in zip(found.points["regime"], found.points["row"], strict=True):
        labels[rows] = label
    about = Column(POINT_REGIME, "str", "", "What all initial conditions of the point lead to.")
    return replace(
        found,
        frame=found.frame.assign(**{POINT_REGIME: labels}),
        columns={**found.columns, POINT_REGIME: about},
    )


def _without_quotients_of_silence(frame: pd.DataFrame) -> pd.DataFrame:
    changed = {}
    for name in frame.columns:
        rate = rate_behind(name)
        if rate is not None and rate in frame:
            changed[name] = frame[name].mask(frame[rate].abs() < SILENT)
    return frame.assign(**changed) if changed else frame


def _looks_gridded(frame: pd.DataFrame, axes: list[Axis]) -> bool:
    if not axes:
        return False
    cells = float(np.prod([float(len(axis.levels)) for axis in axes]))
    return cells <= 4.0 * len(frame[[axis.column for axis in axes]].drop_duplicates())


def _planned_axes(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    entries = manifest.get("axes") or []
    if isinstance(entries, Mapping):
        entries = [{"path": path, **mapping(entries, path)} for path in entries]
    return {str(e["path"]): e for e in entries if isinstance(e, Mapping) and "path" in e}


def _planned(manifest: Mapping[str, Any]) -> int | None:
    """Return how many points the complete sweep has, where the manifest tells."""
    if mapping(mapping(manifest, "sweep"), "search").get("kind") == "boundary":
        return None  # it ends when the border is known
    for key in ("points", "planned", "n_points"):
        if isinstance(manifest.get(key), int):
            return int(manifest[key])
    sweep = mapping(manifest, "sweep")
    search, repeat = mapping(sweep, "search"), mapping(sweep, "repeat")
    each = math.prod(_count(repeat.get(key)) for key in ("graphs", "seeds", "initial_conditions"))
    if isinstance(search.get("trials"), int):
        return int(search["trials"]) * each
    lists = [entry.get("values") for entry in _planned_axes(manifest).values()]
    counts = [len(one) for one in lists if isinstance(one, list | tuple)]
    if search.get("kind") != "grid" or not counts or len(counts) < len(lists):
        return None
    return math.prod(counts) * each


def _count(repeated: Any) -> int:
    return (
        len(repeated) if isinstance(repeated, list | tuple) else repeated if isinstance(repeated, int) else 1
    )
