"""Sampled searches: points coloured by a statistic, over one plane or over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.lines import Line2D

from neuroflame.report.heat import Legend, patches
from neuroflame.report.labels import axis_label
from neuroflame.report.scales import colour_bar
from neuroflame.report.style import FAINT, INK, MUTED, dress, legend_below, new_figure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neuroflame.report.axes import Axis
    from neuroflame.report.scales import Scale
    from neuroflame.report.views import View

MOST_AXES = 6


def draw_points(
    ax: Axes,
    data: View,
    x: Axis,
    y: Axis,
    value: str,
    rows: np.ndarray,
    borders: Mapping[str, np.ndarray],
    scale: Scale,
    size: float | None = None,
) -> Legend:
    """Draw points at their own values: a dark rim if they meet the first condition, a cross if lost."""
    places = [axis.places[axis.codes(data.frame)] for axis in (x, y)]
    if scale.names:
        lookup = {name: float(k) for k, name in enumerate(scale.names)}
        values = np.array([lookup.get(str(text), np.nan) for text in data.texts(value)])
    else:
        values = data.numbers(value)
    good = rows & np.isfinite(values)
    size = size or float(np.clip(9000 / max(good.sum(), 1), 9, 46))
    inside = np.zeros(len(rows), dtype=bool)
    legend: Legend = {}
    if borders:
        label, truth = next(iter(borders.items()))
        inside = truth == 1.0
        ring: dict[str, Any] = {"marker": "o", "linestyle": "none", "markerfacecolor": "none"}
        legend[label] = Line2D([], [], markeredgecolor=INK, markeredgewidth=1.2, markersize=6, **ring)
    order = np.argsort(inside, kind="stable")
    order = order[good[order]]
    ax.scatter(
        places[0][order],
        places[1][order],
        s=np.where(inside[order], size, size if not borders else 0.55 * size),
        c=values[order],
        cmap=scale.cmap,
        norm=scale.norm,
        linewidths=list(np.where(inside[order], 0.9 if size > 20 else 0.6, 0.2)),
        edgecolors=[INK if one else "#ffffff" for one in inside[order]],
    )
    lost = rows & np.isin(data.status, ("diverged", "failed")) & ~good
    if lost.any():
        look: dict[str, Any] = {
            "marker": "x",
            "color": "#b2182b",
            "linestyle": "none",
            "markersize": 4.5,
            "markeredgewidth": 1.0,
        }
        ax.plot(places[0][lost], places[1][lost], **look)
        legend["diverged or failed"] = Line2D([], [], **look)
    ax.grid(color=FAINT, linewidth=0.4)
    ax.set_axisbelow(True)
    return legend


def pair_matrix(
    data: View,
    value: str,
    rows: np.ndarray,
    borders: Mapping[str, np.ndarray],
    scale: Scale,
    *,
    title: str,
    note: str,
) -> Figure:
    """Draw every plane of a sampled search: the lower triangle of a matrix, histograms on its diagonal."""
    axes = data.axes[:MOST_AXES]
    if len(data.axes) > MOST_AXES:
        note += f" · the first {MOST_AXES} of {len(data.axes)} axes"
    n = len(axes)
    side = max(7.4, 1.9 * n + 0.8)
    fig = new_figure(side, 0.86 * side, title, note)
    grid = fig.subplots(n, n, squeeze=False)
    legend: Legend = {}
    for j in range(n):
        for i in range(n):
            ax = grid[j, i]
            if i > j:
                ax.set_visible(False)
                continue
            if i == j:
                _histogram(ax, data, axes[i], rows, borders)
            else:
                size = float(np.clip(2500 / max(rows.sum(), 1), 4, 22))
                legend.update(draw_points(ax, data, axes[i], axes[j], value, rows, borders, scale, size))
                dress(
                    ax, axes[j], "y", axis_label(axes[j].column, data.columns) if i == 0 else "", crowded=True
                )
            dress(
                ax, axes[i], "x", axis_label(axes[i].column, data.columns) if j == n - 1 else "", crowded=True
            )
            ax.tick_params(labelbottom=j == n - 1, labelleft=i == 0 and i != j)
    if scale.names:
        counts = {name: int((data.texts(value)[rows] == name).sum()) for name in scale.names}
        legend = {**patches(scale, counts), **legend}
    else:
        mappable = ScalarMappable(scale.norm, scale.cmap)
        colour_bar(
            fig, mappable, list(grid.flat), scale, axis_label(value, data.columns), aspect=36, pad=0.02
        )
    legend_below(fig, list(legend.values()), list(legend), side)
    return fig


def _histogram(ax: Axes, data: View, axis: Axis, rows: np.ndarray, borders: Mapping[str, np.ndarray]) -> None:
    """Draw how often each value was tried, and how often with the first condition met."""
    codes = axis.codes(data.frame)
    if axis.named:
        bins = list(axis.edges)
    else:
        low, high = float(axis.edges[0]), float(axis.edges[-1])
        bins = list(np.geomspace(low, high, 17) if axis.log else np.linspace(low, high, 17))
    places = axis.places[codes]
    ax.hist(places[rows & (codes >= 0)], bins, color=FAINT)
    if borders:
        inside = (next(iter(borders.values())) == 1.0) & rows & (codes >= 0)
        ax.hist(places[inside], bins, color=MUTED)
    ax.set_yticks([])
    ax.spines[["top", "right", "left"]].set_visible(False)
