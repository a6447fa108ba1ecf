"""Heat maps: cells with their values, cells without, borders and marks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from neuroflame.report.cells import border_segments, share
from neuroflame.report.labels import number
from neuroflame.report.limits import SILENT
from neuroflame.report.style import INK, MUTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

    from neuroflame.report.axes import Axis
    from neuroflame.report.cells import Cells
    from neuroflame.report.scales import Scale
    from neuroflame.report.views import View

Legend = dict[str, "Artist"]

_LACKING: dict[str, dict[str, Any]] = {
    "diverged": {"facecolor": "#f6dcd9", "edgecolor": "#b2182b", "hatch": "/////"},
    "failed": {"facecolor": "#dcdcdc", "edgecolor": "#2b2b2b", "hatch": "xxxx"},
    "silent": {"facecolor": "#f4f5f7", "edgecolor": "#a9b1bd", "hatch": "---"},
    "no value": {"facecolor": "#f4f5f7", "edgecolor": "#a9b1bd", "hatch": "|||"},
    "left out": {"facecolor": "#e8eaee", "edgecolor": "#e8eaee"},
    "not computed yet": {"facecolor": "#ffffff", "edgecolor": "#b9c0ca", "hatch": "...."},
}
LINES: tuple[tuple[Any, str], ...] = (
    ("-", INK),
    ((0, (3, 1.6)), "#7a1fa2"),
    ((0, (1, 1.2)), "#005a32"),
    ("-.", "#8c2d04"),
)


def draw_cells(ax: Axes, cells: Cells, scale: Scale) -> tuple[QuadMesh, Legend]:
    """Draw cells; those without a value are hatched by cause.

    Returns
    -------
    mesh : QuadMesh
        For the colour bar.
    legend : dict of str to Artist
        What the hatches that occur mean.
    """
    shown = np.ma.masked_invalid(cells.value)
    mesh = ax.pcolormesh(cells.x.edges, cells.y.edges, shown, cmap=scale.cmap, norm=scale.norm, linewidth=0)
    mesh.set_edgecolor("face")
    legend: Legend = {}
    lacking = {
        "diverged": cells.all_diverged,
        "failed": cells.all_failed,
        f"silent, below {number(SILENT)} Hz": cells.all_silent,
        "no value": cells.undefined,
        "left out": cells.left_out,
        "not computed yet": cells.empty,
    }
    for label, where in lacking.items():
        if where.any():
            fill = {**_LACKING[label.partition(",")[0]], "linewidth": 0.0}
            ax.add_artist(_region(where, cells.x, cells.y, **fill))
            legend[label] = Patch(**fill)
    if cells.some_lost.any():
        rows, columns = np.nonzero(cells.some_lost)
        look: dict[str, Any] = {
            "marker": "x",
            "color": "#b2182b",
            "linestyle": "none",
            "markersize": 4,
            "markeredgewidth": 1.1,
        }
        ax.plot(cells.x.places[columns], cells.y.places[rows], **look)
        legend["some repeats diverged or failed"] = Line2D([], [], **look)
    return mesh, legend


def draw_borders(
    ax: Axes, data: View, borders: Mapping[str, np.ndarray], x: Axis, y: Axis, rows: np.ndarray
) -> Legend:
    """Draw, for each condition, the edges of the cells in which at least half of the points meet it."""
    legend: Legend = {}
    for (label, truth), (style, colour) in zip(borders.items(), LINES, strict=False):
        part = share(data, truth, x, y, rows=rows)
        segments = list(border_segments(part >= 0.5, ~np.isnan(part), x, y))
        if not segments:
            continue
        look: dict[str, Any] = {"linestyle": style, "color": colour, "linewidth": 1.8}
        halo = LineCollection(segments, color="white", linewidth=3.4, capstyle="round")
        ax.add_collection(halo, autolim=False)
        ax.add_collection(LineCollection(segments, capstyle="projecting", zorder=2.6, **look), autolim=False)
        legend[label] = Line2D([], [], path_effects=[withStroke(linewidth=3.2, foreground="white")], **look)
    return legend


def draw_shades(
    ax: Axes, data: View, shades: Mapping[str, np.ndarray], x: Axis, y: Axis, rows: np.ndarray
) -> Legend:
    """Strew dots over the cells in which at least half of the points meet a condition."""
    legend: Legend = {}
    for (label, truth), hatch in zip(shades.items(), ("....", "ooo", "++++"), strict=False):
        where = share(data, truth, x, y, rows=rows) >= 0.5
        if not where.any():
            continue
        look: dict[str, Any] = {"hatch": hatch, "edgecolor": "white", "linewidth": 0.0}
        ax.add_artist(_region(where, x, y, facecolor="none", zorder=2.2, **look))
        legend[label] = Patch(facecolor=MUTED, **look)
    return legend


def draw_marks(ax: Axes, marks: Mapping[str, tuple[float, float]]) -> None:
    """Write letters at places."""
    box = {"boxstyle": "circle,pad=0.22", "facecolor": "white", "edgecolor": INK, "linewidth": 0.8}
    for letter, place in marks.items():
        ax.text(*place, letter, size=7.5, weight="bold", ha="center", va="center", bbox=box, zorder=6)


def patches(scale: Scale, counts: Mapping[str, int]) -> Legend:
    """Return the legend of a categorical scale, with the number of points of each name."""
    return {
        f"{name} ({counts.get(name, 0)})": Patch(facecolor=scale.colour(code), edgecolor=MUTED, linewidth=0.4)
        for code, name in enumerate(scale.names)
    }


def _region(where: np.ndarray, x: Axis, y: Axis, **look: Any) -> PathPatch:
    """Return the cells of a mask as one patch: hatches are drawn once, however many cells there are."""
    a, b = x.edges, y.edges
    j, i = np.nonzero(where)
    left, right, low, high = a[i], a[i + 1], b[j], b[j + 1]
    corners = np.stack([left, low, right, low, right, high, left, high], axis=1).reshape(-1, 4, 2)
    return PathPatch(Path.make_compound_path_from_polys(corners), **look)
