"""The stability regions in a sweep's table, as data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.border.find import border_of_draws
from neuroflame.border.labels import LABELLED
from neuroflame.border.regions import Regions, find_regions
from neuroflame.border.table import draws_of_table, scales_of_table, tolerance_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from neuroflame.border.scales import Scale
    from neuroflame.border.table import Table

Array = np.ndarray[Any, Any]

REGIME = "regime"


def regions_of_table(
    table: Table,
    on: str | None = None,
    tolerance: float | None = None,
    points: Callable[[], Mapping[Any, Any]] | None = None,
) -> tuple[Regions, Array, tuple[Scale, ...]]:
    """Find the stability regions in a table.

    Parameters
    ----------
    table : Table
        From `neuroflame.store.open_table`, in one to four ordered axes.
    on : str, optional
        A condition, or a column of names. By default what a boundary search sought; ``regime``, and without such a
        search, the label of the point: what all its initial conditions lead to.
    tolerance : float, optional
        The error of the border that is aimed at, as a fraction of the range; by default the search's, else 0.01.
    points : callable, optional
        Returns the labels of points, as `neuroflame.regimes.label_points` does.

    Returns
    -------
    Regions
    ndarray, (n, d)
        Values of the axes at each place.
    tuple of Scale
        The axes.

    Raises
    ------
    StoreError
        If the axes have no order, or nothing is named and regimes were not measured.
    SpecError
        If the condition is not well formed or names no column.
    """
    sought = ((table.manifest.get("sweep") or {}).get("search") or {}).get("on")
    if points is not None and on is None and sought in (None, REGIME):
        scales, aimed = scales_of_table(table), tolerance_of(table, tolerance)
        values, seen = _regimes(points(), scales)
    else:
        values, seen, scales, aimed = draws_of_table(table, on, tolerance)
    # every place has the label of its majority, however narrow
    regions = find_regions(border_of_draws(values, seen, scales, aimed, confidence=0.0))
    return regions, values[regions.border.sites.row], scales


def regions_frame(regions: Regions, values: Array, scales: tuple[Scale, ...]) -> pd.DataFrame:
    """Return a row for each region, the largest first; units are in ``attrs["units"]``.

    Columns are ``region``, its number from 1; ``label``; ``places``; ``share`` of the volume that all places span,
    and between ``share.low`` and ``share.high`` for certain, but for what lies between places unseen;
    ``point.<path>.low`` and ``.high``, the box of its places; ``point.<path>.inside``, the place farthest from its
    border, and ``distance``, how far that is, in fractions of the axes' ranges; ``error``, how well 95 % of the border
    is known, in the same unit, and ``error.max``, all of it; ``beside``, the labels beyond.
    """
    import pandas as pd

    border = regions.border
    ends, labels = border.edges.ends, np.array(border.sites.labels, dtype=object)
    owner, code = regions.number[ends], border.sites.code[ends]
    beside = []
    for one in range(len(regions)):
        other = {*code[owner[:, 0] == one, 1].tolist(), *code[owner[:, 1] == one, 0].tolist()}
        beside.append(", ".join(labels[sorted(other)]))
    columns: dict[str, Any] = {
        "region": np.arange(1, len(regions) + 1),
        "label": labels[regions.code] if len(regions) else [],
        "places": np.bincount(regions.number, minlength=len(regions)),
        "share": regions.share,
        "share.low": regions.low,
        "share.high": regions.high,
    }
    deepest = _deepest(regions)
    for k, scale in enumerate(scales):
        mine = [values[regions.number == one, k] for one in range(len(regions))]
        columns[f"point.{scale.path}.low"] = [float(found.min()) for found in mine]
        columns[f"point.{scale.path}.high"] = [float(found.max()) for found in mine]
        columns[f"point.{scale.path}.inside"] = values[deepest, k]
    columns["distance"] = regions.distance[deepest]
    columns |= {"error": regions.error, "error.max": regions.worst, "beside": beside}
    frame = pd.DataFrame(columns)
    ends_of = ("low", "high", "inside")
    frame.attrs["units"] = {f"point.{s.path}.{end}": s.unit for s in scales for end in ends_of}
    return frame


def places_frame(regions: Regions, values: Array, scales: tuple[Scale, ...]) -> pd.DataFrame:
    """Return a row for each place that has a label; units are in ``attrs["units"]``.

    Columns are ``point.<path>`` of each axis, as the table has them; ``label``, over several draws the most frequent;
    ``region``, the number that `regions_frame` gives it; ``distance`` to the region's border in fractions of the axes'
    ranges, missing where there is none; ``distance.error``, how well the border is known there.
    """
    import pandas as pd

    labels = np.array(regions.border.sites.labels, dtype=object)
    columns: dict[str, Any] = {f"point.{scale.path}": values[:, k] for k, scale in enumerate(scales)}
    columns["label"] = labels[regions.border.sites.code] if len(labels) else []
    columns |= {"region": regions.number + 1, "distance": regions.distance, "distance.error": regions.known}
    frame = pd.DataFrame(columns)
    frame.attrs["units"] = {f"point.{scale.path}": scale.unit for scale in scales}
    return frame


def _deepest(regions: Regions) -> Array:
    """Return the place of each region that is farthest from its border; without a border the first, (R,)."""
    depth = np.nan_to_num(regions.distance, nan=0.0)
    order = np.lexsort((np.arange(len(depth)), -depth, regions.number))
    return order[np.searchsorted(regions.number[order], np.arange(len(regions)))]


def _regimes(points: Mapping[Any, Any], scales: tuple[Scale, ...]) -> tuple[Array, Array]:
    """Return the values of the axes at each point, (D, d), and its label, (D, 1)."""
    values = [np.asarray(points[f"point.{scale.path}"], dtype=float) for scale in scales]
    seen = np.zeros((len(points[REGIME]), 1), dtype=LABELLED)
    seen["label"][:, 0] = [label or "" for label in points[REGIME]]
    seen["margin"] = np.nan
    return np.stack(values, axis=1), seen
