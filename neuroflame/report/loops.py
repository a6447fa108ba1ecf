"""Hysteresis: what points do as a value moves there and back, and where the two ways jump along an axis."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuroflame.errors import SpecError
from neuroflame.report.axes import mapping
from neuroflame.report.choose import Chosen, choose_points
from neuroflame.report.labels import axis_label, escape, settings, symbol
from neuroflame.report.series import chosen_points, wrapped
from neuroflame.report.style import FAINT, MUTED, dress, new_figure, styled
from neuroflame.report.views import View, view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neuroflame.report.views import Table

WAYS: dict[str, tuple[str, Any, str]] = {
    "up": ("#c8451b", "-", "there"),
    "down": ("#1f6fb2", (0, (3.5, 1.6)), "back"),
}
"""Colour, line and name of each way."""


@styled
def hysteresis(table: Table | View | str, points: Sequence[object] | None = None, n: int = 6) -> Figure:
    """Draw the loops of chosen points, and in a sweep along one axis the jumps of all points along it.

    Parameters
    ----------
    table : Table or str
        From `neuroflame.store.open_table`, or a sweep's directory.
    points : sequence, optional
        Point ids, rows of the table, or what `neuroflame.report.choose_points` returns; by default points that stand
        for the others.
    n : int
        How many panels, where points are not named.

    Returns
    -------
    Figure
        One panel for each point: the ramp's statistic at each level on both ways, and what brackets the jumps.

    Raises
    ------
    SpecError
        If the table holds no ramp, or a point is not in it.
    """
    data = view(table)
    if "ramp.value" not in data.columns:
        raise SpecError("the table must hold a ramp to draw", remedy="set ramp in the sweep")
    along = len(data.axes) == 1 and not data.axes[0].named
    chosen = choose_points(data, n - along) if points is None else chosen_points(data, points)
    if along and points is None:  # in the order of the axis
        places = data.numbers(data.axes[0].column)
        rows = sorted(chosen, key=lambda point: float(places[point.row]))
        chosen = [replace(point, letter=one.letter) for point, one in zip(rows, chosen, strict=True)]
    if not chosen:
        raise SpecError("a point with a ramp must be in the table", got=points)
    name = observable(data)
    panels = len(chosen) + along
    columns = min(3, panels)
    lines = math.ceil(panels / columns)
    width = max(3.0 * columns + 0.4, 7.4)
    title = f"Hysteresis along {escape(_path(data))}"
    fig = new_figure(width, 2.3 * lines + 0.7, title, f"{len(chosen)} of {len(data.frame)} points")
    grid = list(fig.subplots(lines, columns, squeeze=False).flat)
    for ax, point in zip(grid, chosen, strict=False):
        _loop(ax, data, point, name)
    if along:
        _jumps(grid[len(chosen)], data)
    for spare in grid[panels:]:
        spare.set_visible(False)
    handles: list[Any] = [Line2D([], [], color=colour, linestyle=line) for colour, line, _ in WAYS.values()]
    handles.append(Patch(color=MUTED, alpha=0.3, linewidth=0))
    labels = [*(way for _, _, way in WAYS.values()), "bracket of a jump"]
    fig.legend(handles, labels, loc="outside lower left", ncols=len(handles), handlelength=2.2)
    return fig


def observable(data: View) -> str:
    """Return the statistic whose loop was measured: the ramp's own, or the first that it recorded."""
    asked = mapping(mapping(data.manifest, "sweep"), "ramp").get("on")
    recorded = [
        column.removeprefix("ramp.up.") for column in data.columns if column.startswith("ramp.up.rate.")
    ]
    return str(asked or recorded[0])


def _path(data: View) -> str:
    return str(mapping(mapping(data.manifest, "sweep"), "ramp").get("path", "the ramp's value"))


def _loop(ax: Axes, data: View, point: Chosen, name: str) -> None:
    row: dict[str, Any] = {str(k): v for k, v in data.frame.iloc[point.row].items()}
    levels = np.asarray(data.series["ramp.value"].iloc[point.row], dtype=float).ravel()
    for way, (colour, line, _) in WAYS.items():
        course = np.asarray(data.series[f"ramp.{way}.{name}"].iloc[point.row], dtype=float).ravel()
        if course.size == levels.size > 1:
            ax.plot(levels, course, linestyle=line, color=colour, marker=".", markersize=2.5)
        jump, error = row.get(f"ramp.{way}.jump"), row.get(f"ramp.{way}.jump.error")
        if isinstance(jump, float) and isinstance(error, float) and np.isfinite(jump):
            ax.axvspan(jump - error, jump + error, color=colour, alpha=0.18, linewidth=0, zorder=0)
    unit = data.columns["ramp.value"].unit
    ax.set_xlabel(f"{symbol(_path(data))} ({escape(unit)})" if unit else symbol(_path(data)))
    ax.set_ylabel(symbol(name))
    ax.grid(axis="y", color=FAINT, linewidth=0.5)
    ax.spines[["top", "right"]].set_visible(False)
    shown = [axis.column for axis in data.axes][:4] + list(data.repeats)
    told = wrapped(settings(row, shown, data.columns), 2.35)
    ax.set_title("\n".join([f"$\\bf{{{point.letter}}}$  {told[0]}", *told[1:]]))


def _jumps(ax: Axes, data: View) -> None:
    """Draw the values at which all points jump against the one swept axis, their brackets as bars."""
    axis = data.axes[0]
    places = axis.places[axis.codes(data.frame)]
    for way, (colour, _, _) in WAYS.items():
        jump, error = data.numbers(f"ramp.{way}.jump"), data.numbers(f"ramp.{way}.jump.error")
        there = np.isfinite(jump)
        look: dict[str, Any] = {
            "color": colour,
            "marker": "o",
            "markersize": 3.0,
            "linestyle": "none",
            "capsize": 2.0,
        }
        ax.errorbar(places[there], jump[there], error[there], **look)
    dress(ax, axis, "x", axis_label(axis.column, data.columns))
    ax.set_ylabel(f"jump in {symbol(_path(data))}")
    ax.grid(axis="y", color=FAINT, linewidth=0.5)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title("jumps of all points")
