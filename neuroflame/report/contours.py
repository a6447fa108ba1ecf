"""Lines of predicted columns over a phase diagram: where a name changes, where a number passes zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from neuroflame.report.cells import border_segments, gather

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from neuroflame.report.axes import Axis
    from neuroflame.report.heat import Legend
    from neuroflame.report.views import View

LOOKS: tuple[tuple[Any, str], ...] = (
    ("-", "#d6006c"),
    ((0, (4, 1.5)), "#0a7fae"),
    ((0, (1, 1)), "#2b2b2b"),
    ("-.", "#3d7a00"),
)
PREDICTED = ("theory.regime", "theory.alpha.mode0", "theory.alpha.mode1", "theory.random.alpha")
"""What is drawn over the simulated diagrams of a sweep that has it."""
_HALO = [withStroke(linewidth=3.4, foreground="white")]


def predicted_columns(data: View) -> tuple[str, ...]:
    """Return the columns of `PREDICTED` that a table has and that say something."""
    return tuple(name for name in PREDICTED if name in data.frame and _speaks(data, name))


def _speaks(data: View, name: str) -> bool:
    if data.categorical(name):
        return len(set(data.texts(name)) - {None}) > 1
    values = data.numbers(name)
    return bool((values > 0.0).any() and (values <= 0.0).any())


def draw_contours(ax: Axes, data: View, columns: Sequence[str], x: Axis, y: Axis, rows: np.ndarray) -> Legend:
    """Draw the lines of some columns over the plane of two axes.

    Of names, the cell edges between different ones; of numbers, the contour at zero, interpolated between the middles
    of cells. Cells without a value part nothing.
    """
    legend: Legend = {}
    for name, (style, colour) in zip(columns, LOOKS, strict=False):
        cells = gather(data, name, x, y, rows=rows)
        value = cells.value
        look: dict[str, Any] = {"linestyle": style, "color": colour, "linewidth": 1.7}
        if data.categorical(name):
            known = ~np.isnan(value)
            segments = list(border_segments(np.where(known, value, -1.0), known, x, y))
            if not segments:
                continue
            ax.add_collection(LineCollection(segments, zorder=2.8, path_effects=_HALO, **look), autolim=False)
            label = f"predicted: {name} changes"
        else:
            finite = value[np.isfinite(value)]
            if min(value.shape) < 2 or finite.size == 0 or finite.min() > 0.0 or finite.max() <= 0.0:
                continue
            drawn = ax.contour(
                x.places,
                y.places,
                np.ma.masked_invalid(value),
                levels=[0.0],
                colors=[colour],
                linestyles=[style],
                linewidths=1.7,
                zorder=2.9,
            )
            drawn.set(path_effects=_HALO)
            label = f"predicted: {name} = 0"
        legend[label] = Line2D([], [], path_effects=_HALO, **look)
    return legend
