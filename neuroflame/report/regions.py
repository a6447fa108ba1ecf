"""The stability regions of a sweep, as a table of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroflame.border import MOST_PLACES, regions_frame, regions_of_table
from neuroflame.border.table import scales_of_table
from neuroflame.errors import StoreError
from neuroflame.report.answer import border_sought
from neuroflame.report.content import Listing
from neuroflame.report.labels import number, plain_label, quantity, span

if TYPE_CHECKING:
    import pandas as pd

    from neuroflame.border import Scale
    from neuroflame.report.views import View

MOST = 16


def regions(data: View) -> Listing | None:
    """Return the connected regions with one label; None where there is no label, no order, or one region alone."""
    if (data.points is None and border_sought(data) is None) or not len(data.frame):
        return None
    try:
        scales = scales_of_table(data.table)
    except StoreError:  # of axes without an order, or of five and more, there are no regions
        return None
    places = len(data.frame[[f"point.{scale.path}" for scale in scales]].drop_duplicates())
    if places > MOST_PLACES[len(scales)]:
        return None
    found, values, scales = regions_of_table(data.table, points=lambda: data.points or {})
    if len(found) < 2:
        return None
    frame = regions_frame(found, values, scales)
    labels = [plain_label(f"point.{scale.path}", data.columns) for scale in scales]
    heads = (
        "",
        "label",
        "places",
        "share of the space",
        *labels,
        "border known within",
        "farthest inside",
        "beside",
    )
    note = (
        "Connected places with one label. In brackets: the share of the triangles that lie within, and of all that the "
        "region has a place of. Farthest inside is the place with the largest distance from the border; distances and "
        "errors are fractions of the axes' ranges. Each place's own: open_table(…).places()"
    )
    if len(found) > MOST:
        note += f". The largest {MOST} of {len(found)}; all: open_table(…).regions()"
    lines = tuple(_line(row, scales) for _, row in frame.head(MOST).iterrows())
    return Listing("Stability regions", heads, lines, note)


def _line(row: pd.Series, scales: tuple[Scale, ...]) -> tuple[str, ...]:
    boxes = [
        span(row[[f"point.{scale.path}.low", f"point.{scale.path}.high"]].to_numpy(float)) for scale in scales
    ]
    inside = ", ".join(quantity(row[f"point.{scale.path}.inside"], scale.unit) for scale in scales)
    low, middle, high = (number(100 * row[name], 2) for name in ("share.low", "share", "share.high"))
    return (
        str(row["region"]),
        str(row["label"]),
        str(row["places"]),
        f"{middle} % ({low} to {high})",
        *boxes,
        f"{number(100 * row['error'], 2)} %",
        f"{inside}: {number(100 * row['distance'], 2)} %",
        str(row["beside"]) or "–",
    )
