"""Phase diagrams: a statistic over the plane of two swept axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.cm import ScalarMappable

from neuroflame.report.cells import gather
from neuroflame.report.contours import draw_contours
from neuroflame.report.heat import Legend, draw_borders, draw_cells, draw_marks, draw_shades, patches
from neuroflame.report.labels import axis_label, escape, plain_label
from neuroflame.report.lines import draw_lines
from neuroflame.report.plan import Plan, Regions, Where, make_plan, subtitle
from neuroflame.report.scales import Scale, colour_bar
from neuroflame.report.scatter import draw_points, pair_matrix
from neuroflame.report.style import dress, legend_below, new_figure, styled
from neuroflame.report.views import View, view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neuroflame.report.views import Table


@styled
def phase_diagram(
    table: Table | View | str,
    x: str | None = None,
    y: str | None = None,
    value: str | None = None,
    ax: Axes | None = None,
    reduce: str | None = None,
    *,
    border: Regions | None = None,
    shade: Regions | None = None,
    contour: str | Sequence[str] | None = None,
    where: Where | None = None,
    facet: str | Sequence[str] | None = None,
    marks: Mapping[str, int] | None = None,
    limits: tuple[float, float] | None = None,
    width: float = 7.4,
) -> Figure | Axes:
    """Draw a statistic over the swept axes.

    Two axes of a grid give a heat map, its cells at the table's own levels; one axis gives a line with its
    spread; a sampled search gives coloured points, and a matrix of them where more than two axes were sampled
    and none is named. Points without a result are hatched by cause and counted.

    Parameters
    ----------
    table : Table or str
        From `neuroflame.store.open_table`, or a sweep's directory.
    x, y : str, optional
        Swept paths such as ``J.EE``, or ``graph``, ``seed``, ``initial_condition``; by default the first two.
    value : str, optional
        The statistic; by default what the sweep is about.
    ax : Axes, optional
        Where to draw; else a new figure. Further axes are then averaged over, not drawn as small multiples.
    reduce : {"mean", "median", "min", "max", "sd"}, optional
        How the points of one cell become one number; mean by default, for names the most frequent one.
    border : str, Condition, ndarray of bool or mapping, optional
        A condition such as ``bump.E.ratio > 0.1``, or one truth value for each row, whose region is outlined;
        or several by their labels. With repeats, a cell is inside if at least half of its points are.
    shade : str, Condition, ndarray of bool or mapping, optional
        The same for regions that are strewn with dots.
    contour : str or sequence of str, optional
        Columns, such as predictions of theory, whose lines are drawn over a heat map: where a name changes, where a
        number is zero.
    where : str, Condition or ndarray of bool, optional
        Use only the points that meet this condition.
    facet : str or sequence of str, optional
        Axes of the small multiples; by default all further swept axes.
    marks : mapping of str to int, optional
        Letters to write at the places of rows of the table.
    limits : (float, float), optional
        Ends of the colour scale, for figures that are to be compared.
    width : float
        Inches; a figure of many panels is wider.

    Returns
    -------
    Figure or Axes
        The new figure, or the axes that were given.

    Raises
    ------
    SpecError
        If a name is no column or axis, or a condition is not well formed.
    """
    data = view(table)
    plan = make_plan(
        data, x, y, value, reduce, (border, shade), where, facet, limits, whole=ax is None, contour=contour
    )
    if ax is not None:
        legend = _panel(ax, plan, np.ones(len(data.frame), dtype=bool), plan.scale, marks or {})
        _bar(ax.figure, plan, plan.scale, [ax])  # type: ignore[arg-type]
        if legend:
            names = [escape(label) for label in legend]
            ax.legend(list(legend.values()), names, loc="best", frameon=True, framealpha=0.92, fontsize=8)
        return ax
    title, note = plain_label(plan.value, data.columns), subtitle(plan)
    if not data.gridded and len(data.axes) > 2 and x is None and y is None:
        return pair_matrix(data, plan.value, plan.use, plan.borders, plan.scale, title=title, note=note)
    panels, scale = plan.panels, plan.scale
    columns = min(len(panels), 4 if len(panels) > 6 else 3)
    lines = math.ceil(len(panels) / columns)
    width = width if len(panels) == 1 else max(3.1 * columns + 1.0, width)
    height = (0.7 if len(plan.axes) == 2 else 0.49) * width if len(panels) == 1 else 2.7 * lines + 0.5
    fig = new_figure(width, height, title, note)
    grid = fig.subplots(lines, columns, squeeze=False, sharex=len(panels) > 1, sharey=len(panels) > 1)
    legend = {}
    for panel_ax, (name, rows) in zip(grid.flat, panels, strict=False):
        legend.update(_panel(panel_ax, plan, rows, scale, marks or {}, crowded=len(panels) > 1))
        panel_ax.set_title(name)
    used = list(grid.flat)[: len(panels)]
    for spare in list(grid.flat)[len(panels) :]:
        spare.set_visible(False)
    if len(panels) > 1:
        _label_rim(used, columns)
    _bar(fig, plan, scale, used)
    legend_below(fig, list(legend.values()), list(legend), width)
    return fig


def _panel(
    ax: Axes, plan: Plan, rows: np.ndarray, scale: Scale, marks: Mapping[str, int], *, crowded: bool = False
) -> Legend:
    data, columns = plan.data, plan.data.columns
    if len(plan.axes) == 1:
        return draw_lines(ax, data, plan.axes[0], plan.value, rows & plan.use, plan.borders, scale)
    x, y = plan.axes
    places = {
        letter: (x.places[x.codes(data.frame)[row]], y.places[y.codes(data.frame)[row]])
        for letter, row in marks.items()
        if rows[row]
    }
    if data.gridded:
        cells = gather(data, plan.value, x, y, rows=rows, use=plan.use, reduce=plan.reduce)
        _, legend = draw_cells(ax, cells, scale)
        legend.update(draw_shades(ax, data, plan.shades, x, y, rows))
        legend.update(draw_borders(ax, data, plan.borders, x, y, rows))
        legend.update(draw_contours(ax, data, plan.contours, x, y, rows))
    else:
        legend = draw_points(ax, data, x, y, plan.value, rows & plan.use, plan.borders, scale)
    draw_marks(ax, places)
    dress(ax, x, "x", axis_label(x.column, columns), crowded=crowded)
    dress(ax, y, "y", axis_label(y.column, columns), crowded=crowded)
    if scale.names:
        counts = {name: int((data.texts(plan.value)[plan.use] == name).sum()) for name in scale.names}
        legend = {**patches(scale, counts), **legend}
    return legend


def _bar(fig: Figure, plan: Plan, scale: Scale, axes: list[Axes]) -> None:
    if scale.names or len(plan.axes) == 1:
        return
    mappable = ScalarMappable(scale.norm, scale.cmap)
    label = axis_label(plan.value, plan.data.columns)
    if plan.reduce not in (None, "mean"):
        label = f"{plan.reduce} of {label}"
    colour_bar(fig, mappable, axes, scale, label, aspect=28, pad=0.02)


def _label_rim(axes: list[Axes], columns: int) -> None:
    """Keep labels at the left and at the lowest panel of each column only."""
    for k, ax in enumerate(axes):
        ax.label_outer()
        if k + columns >= len(axes):
            ax.tick_params(labelbottom=True)
            ax.set_xlabel(axes[-1].get_xlabel() or axes[0].get_xlabel())
