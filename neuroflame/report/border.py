"""Borders between labels: the line itself, the bracket that holds it, and the points that it was found from."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuroflame.border import border_of_table, sides, unfollowed
from neuroflame.errors import SpecError
from neuroflame.report.axes import mapping
from neuroflame.report.labels import axis_label, escape, number, quantity, symbol
from neuroflame.report.scales import scale_of
from neuroflame.report.style import INK, MUTED, legend_below, new_figure, styled
from neuroflame.report.views import View, view

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neuroflame.border import Border
    from neuroflame.border import Scale as Places
    from neuroflame.report.scales import Scale
    from neuroflame.report.views import Table

_PIXELS = 160
_SLICES = {3: (0.1, 0.3, 0.5, 0.7, 0.9), 4: (0.2, 0.5, 0.8)}
_WIDTH = 7.4
_BAND = (*to_rgba(INK)[:3], 0.30)
_HOLLOW: dict[str, Any] = {"facecolors": "white", "edgecolors": INK, "linewidths": 0.8, "zorder": 4}


@styled
def border_diagram(
    table: Table | View | str, on: str | None = None, tolerance: float | None = None
) -> Figure:
    """Draw where labels change over the swept axes, and how well that is known.

    Two axes: every place that was looked at in the colour of its label, the border as a line, and in grey the
    part of the triangles that it crosses in which it may lie; places that no draw settled are hollow. One axis:
    the places in a row. Three or four: slices through the triangulation.

    Parameters
    ----------
    table : Table or str
        From `neuroflame.store.open_table`, or a sweep's directory.
    on : str, optional
        A condition, or a column of names; by default what a boundary search sought.
    tolerance : float, optional
        The error that is aimed at, as a fraction of the range; by default the search's, else 0.01.

    Raises
    ------
    StoreError
        If no border was sought and none is named, or the axes have no order.
    SpecError
        If the condition is not well formed, names no column, or no point has a label yet.
    """
    data = view(table)
    border, axes = border_of_table(data.table, on, tolerance)
    if not len(border.sites):
        raise SpecError("the table must hold a point with a label to draw", got=0)
    colours = scale_of(data, "", np.array([]), border.sites.labels)
    what = on or mapping(mapping(data.manifest, "sweep"), "search").get("on")
    height = {1: 2.6, 2: 0.78 * _WIDTH, 3: 3.6, 4: 1.02 * _WIDTH}[len(axes)]
    width = 13.0 if len(axes) == 3 else _WIDTH
    fig = new_figure(width, height, f"Border of {what}", _note(border, data))
    if len(axes) == 1:
        _row(fig.subplots(), border, axes[0], colours)
    elif len(axes) == 2:
        ax = fig.subplots()
        _plane(ax, border, axes, colours)
        _dress(ax, data, axes[0], axes[1])
    else:
        _slices(fig, data, border, axes, colours)
    if len(axes) == 1:
        fig.axes[0].set_xlabel(axis_label(f"point.{axes[0].path}", data.columns))
    legend_below(fig, *_legend(border, colours, len(axes)), width)
    return fig


def _note(border: Border, data: View) -> str:
    points = len(data.frame)
    if not len(border.edges):
        return f"{points} points, no border found"
    worst, most = float(border.error.max()), border.quantile()
    text = (
        f"{points} points · 95 % of the border known within {number(100 * most)} % of the range, all within "
    )
    text += f"{number(100 * worst)} %"
    unsure = border.confidence < 0.999
    if unsure.any():
        text += f" · confidence {number(float(border.confidence.min()), 2)}"
    left = unfollowed(data.table, border, points)
    return f"{text} · {left}" if left else text


def _legend(border: Border, colours: Scale, d: int) -> tuple[list[Any], list[str]]:
    counts = np.bincount(border.sites.code, minlength=len(colours.names))
    handles: list[Any] = [Patch(color=colours.colour(k)) for k in range(len(colours.names))]
    names = [f"{name} ({count} places)" for name, count in zip(colours.names, counts, strict=True)]
    if len(border.edges):
        handles += [Line2D([], [], color=INK, linewidth=1.5), Patch(color=_BAND)]
        names += ["border", "bracket: the border lies in here"]
    if len(border.undecided) and d < 3:
        handles.append(
            Line2D([], [], linestyle="none", marker="o", markersize=5, mfc="white", mec=INK, mew=0.8)
        )
        names.append(f"undecided ({len(border.undecided)} places)")
    return handles, names


def _plane(ax: Axes, border: Border, axes: tuple[Places, ...], colours: Scale) -> None:
    _fill(ax, border, axes, colours, {})
    shapes = [_values(axes, shape) for shape in border.bands()]
    ax.add_collection(PolyCollection(shapes, facecolor=_BAND, edgecolor="none"))
    pieces = _values(axes, border.segments()[0])
    ax.add_collection(LineCollection(list(pieces), colors=INK, linewidths=1.5, capstyle="round"))
    places = _values(axes, border.sites.units)
    size = float(np.clip(3500 / len(places), 5, 26))
    look: dict[str, Any] = {"cmap": colours.cmap, "norm": colours.norm, "edgecolors": "white"}
    ax.scatter(places[:, 0], places[:, 1], s=size, c=border.sites.code, linewidths=0.3, zorder=3, **look)
    unsure = _values(axes, border.undecided.units)
    ax.scatter(unsure[:, 0], unsure[:, 1], s=size, **_HOLLOW)


def _row(ax: Axes, border: Border, axis: Places, colours: Scale) -> None:
    places = axis.value(border.sites.units[:, 0])
    look: dict[str, Any] = {"cmap": colours.cmap, "norm": colours.norm}
    ax.scatter(places, np.zeros(len(places)), s=30, c=border.sites.code, zorder=3, **look)
    unsure = axis.value(border.undecided.units[:, 0])
    ax.scatter(unsure, np.zeros(len(unsure)), s=30, **_HOLLOW)
    for ends, place in zip(border.brackets[:, :, 0], border.units[:, 0], strict=True):
        ax.axvspan(*axis.value(np.sort(ends)), color=_BAND, linewidth=0)
        value = float(axis.value(place))
        ax.axvline(value, color=INK, linewidth=1.2)
        ax.annotate(
            quantity(value, axis.unit, 4), (value, 0.7), xytext=(4, 0), textcoords="offset points", color=INK
        )
    ax.set(ylim=(-1, 1), yticks=[], xlim=(axis.low, axis.high))
    if axis.log:
        ax.set_xscale("log")
    ax.spines[["top", "right", "left"]].set_visible(False)


def _slices(fig: Figure, data: View, border: Border, axes: tuple[Places, ...], colours: Scale) -> None:
    levels = _SLICES[len(axes)]
    rows = levels[::-1] if len(axes) == 4 else (None,)
    grid = fig.subplots(len(rows), len(levels), squeeze=False, sharex=True, sharey=True)
    for (j, fourth), (i, third) in itertools.product(enumerate(rows), enumerate(levels)):
        fixed = {2: third} if fourth is None else {2: third, 3: fourth}
        fixed = {k: float(axes[k].place(axes[k].nearest(place))) for k, place in fixed.items()}
        ax = grid[j, i]
        _fill(ax, border, axes, colours, fixed)
        _dress(ax, data, axes[0], axes[1])
        told = [
            f"{symbol(f'point.{axes[k].path}')} = {escape(quantity(float(axes[k].value(place)), axes[k].unit))}"
            for k, place in fixed.items()
        ]
        ax.set_title(", ".join(told), fontsize=8)
        ax.label_outer()


def _fill(
    ax: Axes, border: Border, axes: tuple[Places, ...], colours: Scale, fixed: dict[int, float]
) -> None:
    """Colour a plane by the label on whose side of the border it is; in a slice draw border and bracket too."""
    from scipy.interpolate import NearestNDInterpolator

    side = (np.arange(_PIXELS) + 0.5) / _PIXELS
    mesh = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    places = np.empty((len(mesh), len(axes)))
    places[:, :2] = mesh
    for k, place in fixed.items():
        places[:, k] = place
    sites = border.sites
    if len(border.mesh.simplices):
        ahead, open_ = sides(border, places)
    else:
        nearest = NearestNDInterpolator(sites.units, sites.code)(places).astype(int)
        ahead, open_ = np.eye(len(sites.labels))[nearest] - 0.5, np.zeros(len(places), dtype=bool)
    ahead = ahead.reshape(_PIXELS, _PIXELS, -1)
    outside = np.isnan(ahead).any(axis=2)
    winner = np.ma.masked_where(outside, np.where(np.isnan(ahead), -1.0, ahead).argmax(axis=2))
    edges = [axes[k].value(np.linspace(0, 1, _PIXELS + 1)) for k in (0, 1)]
    look: dict[str, Any] = {"cmap": colours.cmap, "norm": colours.norm, "alpha": 0.32, "linewidth": 0}
    ax.pcolormesh(*edges, winner, rasterized=True, **look)
    if not fixed:
        return
    middles = [axes[k].value(side) for k in (0, 1)]
    bracket = open_.reshape(_PIXELS, _PIXELS).astype(float)
    ax.contourf(*middles, bracket, levels=[0.5, 1.5], colors=[_BAND])
    for k in range(ahead.shape[2]):
        field = np.ma.masked_where(outside, ahead[:, :, k])
        if field.min() < 0 < field.max():
            ax.contour(*middles, field, levels=[0.0], colors=[INK], linewidths=1.2)


def _values(axes: tuple[Places, ...], units: np.ndarray) -> np.ndarray:
    """Return the values of the axes at some places, (…, axes)."""
    return np.stack([axis.value(units[..., k]) for k, axis in enumerate(axes)], axis=-1)


def _dress(ax: Axes, data: View, x: Places, y: Places) -> None:
    for axis, name in ((x, "x"), (y, "y")):
        if axis.log:
            getattr(ax, f"set_{name}scale")("log")
        margin = np.array([-0.015, 1.015])
        low, high = axis.low, axis.high
        ends = low * (high / low) ** margin if axis.log else low + margin * (high - low)
        getattr(ax, f"set_{name}lim")(*ends)
        getattr(ax, f"set_{name}label")(axis_label(f"point.{axis.path}", data.columns))
    ax.tick_params(color=MUTED)
