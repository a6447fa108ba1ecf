"""Small panels: each statistic against each axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.ticker import FuncFormatter, LogLocator

from neuroflame.errors import SpecError
from neuroflame.report.cells import cyclic, gather
from neuroflame.report.choose import main_statistics
from neuroflame.report.labels import axis_label, number
from neuroflame.report.limits import floor_of
from neuroflame.report.lines import statistic_along
from neuroflame.report.style import FAINT, cut_to, dress, fitted, new_figure, styled, tick_name
from neuroflame.report.views import View, view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from neuroflame.report.axes import Axis
    from neuroflame.report.views import Table

MOST_AXES = 4


@styled
def statistics_against_axes(
    table: Table | View | str, statistics: Sequence[str] | None = None, n: int = 5
) -> Figure:
    """Draw each main statistic against each swept axis, one line for each level of another axis.

    Parameters
    ----------
    table : Table or str
        From `neuroflame.store.open_table`, or a sweep's directory.
    statistics : sequence of str, optional
        Columns; by default the most important ones that vary.
    n : int
        How many at most, where they are not named.

    Returns
    -------
    Figure
        One row for each statistic, one column for each axis; colour bars on top say what the lines' colours
        mean. Everything else is averaged over. Sampled searches show points instead of lines.
    """
    data = view(table)
    names = list(statistics) if statistics is not None else curves(data, n)
    axes = data.axes[:MOST_AXES]
    if not axes or not names:
        raise SpecError("the table must have a swept axis and a statistic to draw", got=names)
    for name in names:
        data.need(name)
    width = max(7.4, 3.7 * len(axes) + 0.6) if len(axes) < 3 else 3.1 * len(axes) + 0.6
    note = "one line for each level of the other axis" if data.gridded else "one dot for each point"
    if len(axes) == 1:
        note = "mean and range over repeats" if data.gridded else note
    if data.gridded and (data.repeats or len(data.axes) > 2):
        note += "; mean over all else" if len(axes) > 1 else ""
    if len(data.axes) > MOST_AXES:
        note += f" · the first {MOST_AXES} of {len(data.axes)} axes"
    fig = new_figure(width, 1.75 * len(names) + 1.0, "Statistics against the axes", note)
    grid = fig.subplots(len(names), len(axes), squeeze=False, sharex="col", sharey="row")
    for j, axis in enumerate(axes):
        other = axes[(j + 1) % len(axes)] if len(axes) > 1 else None
        cmap, norm = _colours(other)
        for i, name in enumerate(names):
            ax = grid[i, j]
            _panel(ax, data, name, axis, other, cmap, norm)
            bottom, top = ax.get_ylim()
            if top - bottom < floor_of(name):
                ax.set_ylim(min(bottom, 0.0), max(top, floor_of(name)))
            last = i == len(names) - 1
            dress(ax, axis, "x", axis_label(axis.column, data.columns) if last else "", crowded=len(axes) > 2)
            ax.set_ylabel(fitted(axis_label(name, data.columns), 1.5) if j == 0 else "")
            ax.tick_params(labelleft=j == 0, labelbottom=last)
        if other is not None:
            bar = fig.colorbar(
                ScalarMappable(norm, cmap), ax=list(grid[:, j]), location="top", aspect=34, pad=0.015
            )
            bar.set_label(axis_label(other.column, data.columns))
            _level_ticks(bar, other)
    fig.align_ylabels(list(grid[:, 0]))
    return fig


def curves(data: View, most: int) -> list[str]:
    """Return the main statistics less angles and trends, which mean something at some points only."""
    names = main_statistics(data, 4 * most, numeric=True)
    return [name for name in names if not cyclic(data, name) and not name.endswith(".trend")][:most]


def _panel(
    ax: Axes, data: View, name: str, axis: Axis, other: Axis | None, cmap: Colormap, norm: Normalize
) -> None:
    rows = np.ones(len(data.frame), dtype=bool)
    ax.grid(axis="y", color=FAINT, linewidth=0.5)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    if not data.gridded:
        codes, values = axis.codes(data.frame), data.numbers(name)
        shade = other.places[other.codes(data.frame)] if other is not None else np.zeros(len(values))
        ax.scatter(axis.places[codes], values, c=cmap(norm(shade)), s=9, linewidths=0)
        return
    if other is None:
        low, mean, high = (statistic_along(data, name, axis, rows, how) for how in ("min", "mean", "max"))
        ax.fill_between(axis.places, low, high, color=cmap(0.35), alpha=0.2, linewidth=0)
        ax.plot(axis.places, mean, color=cmap(0.35), marker=".", markersize=4)
        return
    cells = gather(data, name, axis, other, rows=rows)
    few = len(axis.levels) <= 12
    for place, line in zip(other.places, cells.value, strict=True):
        ax.plot(
            axis.places,
            line,
            color=cmap(norm(place)),
            linewidth=1.1,
            marker="." if few else None,
            markersize=4,
        )


def _colours(other: Axis | None) -> tuple[Colormap, Normalize]:
    """Return the colours of the other axis' levels: viridis short of its palest end."""
    cmap = ListedColormap(mpl.colormaps["viridis"](np.linspace(0.0, 0.92, 256)))
    if other is None:
        return cmap, Normalize(0, 1)
    low, high = other.places[[0, -1]]
    return cmap, (LogNorm if other.log else Normalize)(low, high)


def _level_ticks(bar: Colorbar, axis: Axis) -> None:
    """Put a colour bar's ticks at an axis' levels where these are few."""
    if len(axis.levels) <= 7:
        room = 2.6 / len(axis.levels)
        names = [cut_to(tick_name(level), room, 9.0) for level in axis.levels]
        bar.set_ticks(list(axis.places), labels=names)
    elif axis.log:
        bar.ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda place, _: number(place)))
    bar.minorticks_off()
