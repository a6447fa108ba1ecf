"""How an optimising search went on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.errors import SpecError
from neuroflame.report.answer import headline, objective
from neuroflame.report.labels import axis_label, plain_label, quantity
from neuroflame.report.style import FAINT, INK, legend_below, new_figure, styled
from neuroflame.report.views import View, view

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neuroflame.report.views import Table


@styled
def search_history(table: Table | View | str, value: str | None = None) -> Figure:
    """Draw the value of each point in the order in which they were tried, with the best so far.

    Parameters
    ----------
    table : Table or str
        From `neuroflame.store.open_table`, or a sweep's directory.
    value : str, optional
        The column; by default what the search optimised.

    Raises
    ------
    SpecError
        If there is no such column, or nothing was optimised and none is named.
    """
    data = view(table)
    goal = objective(data)
    name = value or (goal[0] if goal else headline(data))
    if name is None:
        raise SpecError("the table must hold a statistic to draw", remedy="name one as value")
    largest = goal[1] if goal and goal[0] == name else True
    values = data.numbers(name)
    if "point_index" in data.frame:
        values = values[np.argsort(data.frame["point_index"].to_numpy(), kind="stable")]
    order = np.arange(1, len(values) + 1)
    keep, start = (np.fmax, -np.inf) if largest else (np.fmin, np.inf)
    best = keep.accumulate(np.append(start, values))[1:]
    best[~np.isfinite(best)] = np.nan
    unit = data.columns[name].unit if name in data.columns else ""
    note = f"{'largest' if largest else 'smallest'} of {len(values)} points"
    if np.isfinite(best[-1:]).any():
        note += f": {quantity(best[-1], unit, 4)}, reached at point {int(np.argmax(best == best[-1])) + 1}"
    fig = new_figure(7.4, 3.4, f"Course of the search: {plain_label(name, data.columns)}", note)
    ax = fig.subplots()
    (dots,) = ax.plot(order, values, ".", color="#5b8db8", markersize=5, alpha=0.75)
    (line,) = ax.step(order, best, where="post", color="#c8451b", linewidth=1.6)
    handles, labels = [dots, line], ["one point", "best so far"]
    lost = ~np.isfinite(values)
    if lost.any():
        floor = np.full(lost.sum(), 0.025)
        look: dict[str, Any] = {"color": INK, "markersize": 4.5, "markeredgewidth": 0.9, "linestyle": "none"}
        (cross,) = ax.plot(order[lost], floor, marker="x", transform=ax.get_xaxis_transform(), **look)
        handles.append(cross)
        labels.append("diverged, failed or without a value")
    ax.set(xlabel="order in which points were tried", ylabel=axis_label(name, data.columns))
    ax.set_xlim(0, len(values) + 1)
    ax.grid(color=FAINT, linewidth=0.5)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    legend_below(fig, handles, labels, 7.4)
    return fig
