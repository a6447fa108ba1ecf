"""The border in a sweep's table."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from neuroflame.border.find import CONFIDENCE, Border, border_of_draws, draws_of_rows
from neuroflame.border.labels import Labelling
from neuroflame.border.scales import Scale, scales_of
from neuroflame.border.tips import open_tips
from neuroflame.errors import SpecError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

Array = np.ndarray[Any, Any]

_DRAW = ("graph", "seed", "initial_condition")
_TOLERANCE = 0.01
_MOST_AXES = 4


class Table(Protocol):
    """What `neuroflame.store.open_table` returns, as far as borders and reports need it."""

    @property
    def uri(self) -> str:
        """Where it is."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the sweep is."""

    @property
    def columns(self) -> Mapping[str, Any]:
        """Name, type, unit and meaning of each column (`neuroflame.columns.Column`)."""

    def to_pandas(self, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """Return one row per point, with these columns or all."""


def border_of_table(
    table: Table, on: str | None = None, tolerance: float | None = None
) -> tuple[Border, tuple[Scale, ...]]:
    """Find the border in a table, and the scales of its axes.

    Parameters
    ----------
    table : Table
        From `neuroflame.store.open_table`; of a boundary search, or of another in one to four ordered axes.
    on : str, optional
        A condition, or a column of names; by default what a boundary search sought.
    tolerance : float, optional
        The error that is aimed at, as a fraction of the range; by default the search's, else 0.01.

    Raises
    ------
    StoreError
        If nothing was sought and nothing is named, or the axes have no order.
    SpecError
        If the condition is not well formed or names no column.
    """
    values, seen, scales, aimed = draws_of_table(table, on, tolerance)
    return border_of_draws(values, seen, scales, aimed, confidence=confidence_of(table)), scales


def draws_of_table(
    table: Table, on: str | None, tolerance: float | None
) -> tuple[Array, Array, tuple[Scale, ...], float]:
    """Return what `border_of_draws` needs to know of a table; parameters and errors as of `border_of_table`."""
    sweep = table.manifest.get("sweep") or {}
    search = sweep.get("search") or {}
    if on is not None:
        _check_names(table, Labelling(on).needs)
    on = on or search.get("on")
    if on is None:
        raise StoreError(
            "the sweep sought no border",
            file=table.uri,
            remedy="name a condition, such as border('bump.E.ratio > 0.1')",
        )
    scales = scales_of_table(table)
    names = ("status", *_DRAW, *(f"point.{scale.path}" for scale in scales))
    needs = Labelling(on).needs
    wanted = dict.fromkeys((*names, *needs, *(f"point.{name}" for name in needs)))
    frame = table.to_pandas([name for name in wanted if name in table.columns])
    starts = (sweep.get("repeat") or {}).get("initial_conditions") or sorted(set(frame["initial_condition"]))
    data = {str(name): frame[name].tolist() for name in frame}
    return *draws_of_rows(data, scales, on, starts), scales, tolerance_of(table, tolerance)


def tolerance_of(table: Table, tolerance: float | None) -> float:
    """Return the error that is aimed at: what was given, the search's, or the default."""
    search = (table.manifest.get("sweep") or {}).get("search") or {}
    return float(tolerance or search.get("tolerance", _TOLERANCE))


def confidence_of(table: Table) -> float:
    """Return the posterior probability above which a majority is clear: the search's, or the default."""
    search = (table.manifest.get("sweep") or {}).get("search") or {}
    return float(search.get("confidence", CONFIDENCE))


def unfollowed(table: Table, border: Border, points: int) -> str:
    """Return that a search was out of points before it had followed thin regions to their ends; else nothing.

    Parameters
    ----------
    table : Table
        Of any search; it says nothing unless that is a boundary search.
    border : Border
        From `border_of_table`.
    points : int
        How many the table has.
    """
    sweep = table.manifest.get("sweep") or {}
    search = sweep.get("search") or {}
    starts = len((sweep.get("repeat") or {}).get("initial_conditions") or ["one"])
    if search.get("kind") != "boundary" or points + starts <= search["points"]:
        return ""
    tips = len(open_tips(border, tolerance_of(table, None), confidence=confidence_of(table)))
    where = "1 tip of a thin region" if tips == 1 else f"{tips} tips of thin regions"
    return f"{where} not followed to the end: the border may go on there" if tips else ""


def border_frame(border: Border, scales: tuple[Scale, ...]) -> pd.DataFrame:
    """Return the points of a border as a data frame; units are in ``attrs["units"]``.

    Columns are ``point.<path>`` of each axis; ``error``, a fraction of the range; ``between``, the labels on
    both sides; and ``confidence``, the lower of both labels' posterior probabilities.
    """
    import pandas as pd

    units = border.units
    columns: dict[str, Any] = {
        f"point.{scale.path}": scale.value(units[:, k]) for k, scale in enumerate(scales)
    }
    labels = np.array(border.sites.labels, dtype=object)
    sides = np.sort(border.sites.code[border.edges.ends], axis=1)
    columns["error"] = border.error
    columns["between"] = [" | ".join(labels[pair]) for pair in sides]
    columns["confidence"] = border.confidence
    frame = pd.DataFrame(columns)
    frame.attrs["units"] = {f"point.{scale.path}": scale.unit for scale in scales}
    return frame


def _check_names(table: Table, names: Iterable[str]) -> None:
    for name in names:
        if "." in name and not {name, f"point.{name}"} & set(table.columns):
            near = difflib.get_close_matches(name, table.columns, n=1)
            remedy = f"did you mean {near[0]}?" if near else "see Table.columns"
            raise SpecError("the table has no such column", got=name, remedy=remedy)


def scales_of_table(table: Table) -> tuple[Scale, ...]:
    """Return the scales of a table's axes; StoreError unless there are one to four, of numbers in order."""
    entries = [entry for entry in table.manifest.get("axes") or () if isinstance(entry, Mapping)]
    space = (table.manifest.get("sweep") or {}).get("space") or {}
    for entry in entries:
        values = entry.get("values") or (0.0,)
        if "choices" in (space.get(entry["path"]) or ()) or isinstance(values[0], str):
            raise StoreError("a border needs axes of numbers in order", file=table.uri, got=entry["path"])
    varied = [entry for entry in entries if entry.get("values") is None or len(entry["values"]) > 1]
    if not 1 <= len(varied) <= _MOST_AXES:
        raise StoreError(f"a border needs 1 to {_MOST_AXES} axes", file=table.uri, got=len(varied))
    return scales_of(varied)
