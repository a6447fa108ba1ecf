"""A statistic along one axis: its mean, its spread over repeats, its region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuroflame.report.axes import Axis
from neuroflame.report.cells import gather, share
from neuroflame.report.heat import LINES, Legend, patches
from neuroflame.report.labels import axis_label
from neuroflame.report.style import FAINT, INK, dress, fitted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from neuroflame.report.scales import Scale
    from neuroflame.report.views import View

LABEL_INCHES = 2.2
"""Of the vertical axis: a longer label takes two lines."""

BLUE = "#1f5a93"


class _Everything(Axis):
    """An axis with one level, for planes that have one axis only."""

    def codes(self, frame: object) -> np.ndarray:
        """Put every row at the one level."""
        return np.zeros(len(frame), dtype=int)  # type: ignore[arg-type]


EVERYTHING = _Everything("", "", np.array([0.0]))


def draw_lines(
    ax: Axes,
    data: View,
    x: Axis,
    value: str,
    rows: np.ndarray,
    borders: Mapping[str, np.ndarray],
    scale: Scale,
) -> Legend:
    """Draw a statistic along one axis: numbers as a line through their means, names as stacked shares."""
    legend: Legend = {}
    codes = x.codes(data.frame)
    use = rows & (codes >= 0)
    if data.categorical(value):
        _shares(ax, data, x, value, use, scale)
        counts = {name: int((data.texts(value)[use] == name).sum()) for name in scale.names}
        legend.update(patches(scale, counts))
    else:
        values = data.numbers(value)
        if data.gridded:
            low, mean, high = (statistic_along(data, value, x, use, how) for how in ("min", "mean", "max"))
            if np.nanmax(np.append(high - low, 0)) > 0:
                ax.fill_between(x.places, low, high, color=BLUE, alpha=0.16, linewidth=0)
                legend["range over repeats"] = Patch(color=BLUE, alpha=0.16, linewidth=0)
            ax.plot(x.places, mean, color=BLUE, zorder=3)
            legend["mean"] = Line2D([], [], color=BLUE)
            error = statistic_along(data, value, x, use, "se")
            if np.isfinite(error).any():
                ax.errorbar(
                    x.places, mean, error, fmt="none", ecolor=BLUE, elinewidth=1.2, capsize=3, zorder=4
                )
                legend["mean ± its standard error"] = legend.pop("mean")
        places = x.places[codes[use]]
        ax.plot(places, values[use], ".", color=BLUE, markersize=4, alpha=0.55, zorder=2)
        lost = use & np.isin(data.status, ("diverged", "failed"))
        if lost.any():
            look: dict[str, Any] = {"marker": "x", "color": "#b2182b", "linestyle": "none", "markersize": 5}
            ax.plot(
                x.places[codes[lost]], np.full(lost.sum(), 0.03), transform=ax.get_xaxis_transform(), **look
            )
            legend["diverged or failed"] = Line2D([], [], **look)
        ax.set_ylabel(fitted(axis_label(value, data.columns), LABEL_INCHES))
        ax.grid(axis="y", color=FAINT, linewidth=0.5)
        ax.set_axisbelow(True)
    if data.gridded:
        for (label, truth), (style, colour) in zip(borders.items(), LINES, strict=False):
            part = share(data, truth, x, EVERYTHING, rows=use)[0]
            _outline(ax, x, part, style, colour)
            legend[label] = Line2D([], [], linestyle=style, color=colour, linewidth=1.4)
    dress(ax, x, "x", axis_label(x.column, data.columns))
    ax.spines[["top", "right"]].set_visible(False)
    return legend


def statistic_along(data: View, value: str, x: Axis, rows: np.ndarray, reduce: str) -> np.ndarray:
    """Return a statistic at each level of an axis, reduced over all else: (levels,)."""
    return gather(data, value, x, EVERYTHING, rows=rows, reduce=reduce).value[0]


def _outline(ax: Axes, x: Axis, part: np.ndarray, style: Any, colour: str) -> None:
    """Shade the levels of a region and draw its ends halfway to the next level outside."""
    inside, known = part >= 0.5, ~np.isnan(part)
    for k in np.flatnonzero((inside[1:] != inside[:-1]) & known[1:] & known[:-1]):
        ax.axvline(x.edges[k + 1], linestyle=style, color=colour, linewidth=1.4)
    for k in np.flatnonzero(inside):
        ax.axvspan(x.edges[k], x.edges[k + 1], color="#e69f00", alpha=0.12, linewidth=0, zorder=0)


def _shares(ax: Axes, data: View, x: Axis, value: str, use: np.ndarray, scale: Scale) -> None:
    """Draw what share of the points at each level has each name, as stacked bars."""
    codes, texts = x.codes(data.frame), data.texts(value)
    total = np.maximum(np.bincount(codes[use], minlength=len(x.levels)), 1)
    floor = np.zeros(len(x.levels))
    for k, name in enumerate(scale.names):
        part = np.bincount(codes[use & (texts == name)], minlength=len(x.levels)) / total
        ax.bar(
            x.edges[:-1],
            part,
            np.diff(x.edges),
            floor,
            align="edge",
            color=scale.colour(k),
            edgecolor=INK,
            linewidth=0.3,
        )
        floor += part
    ax.set(ylim=(0, 1), ylabel="share of points")
