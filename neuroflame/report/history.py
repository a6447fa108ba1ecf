"""How an optimising search went on."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.conditions import Goal
from neuroflame.errors import SpecError
from neuroflame.report.answer import allowed, goals, headline, scores, unbeaten
from neuroflame.report.labels import axis_label, plain_label, quantity
from neuroflame.report.style import FAINT, INK, legend_below, new_figure, styled
from neuroflame.report.views import View, view

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neuroflame.report.views import Table

_MOST_PAIRS = 3


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
    name = value or headline(data)
    if name is None:
        raise SpecError("the table must hold a statistic to draw", remedy="name one as value")
    goal = next((one for one in goals(data) if one.column == name), Goal(name, large=True))
    largest = goal.large
    values = scores(data, goal)
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
    title = plain_label(name, data.columns)
    title += f", distance from {goal.value:g} ± {goal.tolerance:g}" if goal.value is not None else ""
    fig = new_figure(7.4, 3.4, f"Course of the search: {title}", note)
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
        labels.append("diverged, failed, not allowed or without a value")
    ax.set(xlabel="order in which points were tried", ylabel=_label(data, goal))
    ax.set_xlim(0, len(values) + 1)
    ax.grid(color=FAINT, linewidth=0.5)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    legend_below(fig, handles, labels, 7.4)
    return fig


@styled
def search_front(table: Table | View | str) -> Figure:
    """Draw what a search for several objectives found: each pair of them, and the points that no other beats.

    Parameters
    ----------
    table : Table or str
        From `neuroflame.store.open_table`, or a sweep's directory.

    Raises
    ------
    SpecError
        If fewer than two things were sought.
    """
    data = view(table)
    sought = goals(data)
    if len(sought) < 2:
        raise SpecError("the table must be of a search for several objectives", got=len(sought))
    best, good = unbeaten(data), allowed(data)
    values = [goal.score(data.numbers(goal.column)) for goal in sought]
    whole = np.isfinite(values).all(axis=0)
    pairs = list(combinations(range(len(sought)), 2))[:_MOST_PAIRS]
    note = f"{int(best.sum())} of {len(best)} points are beaten by none in {', '.join(map(str, sought))}"
    fig = new_figure(4.2 * len(pairs) + 0.4, 4.2, "What the search found", note)
    handles: dict[str, Any] = {}
    for ax, (i, j) in zip(np.atleast_1d(fig.subplots(1, len(pairs))), pairs, strict=True):
        kinds = [
            (
                "misses a constraint",
                whole & ~good,
                {"color": FAINT, "marker": "x", "s": 16, "linewidth": 0.9},
            ),
            ("one point", whole & good & ~best, {"color": "#5b8db8", "s": 14, "alpha": 0.75}),
            ("beaten by none", best, {"color": "#c8451b", "s": 26, "zorder": 3}),
        ]
        for label, rows, look in kinds:
            if rows.any():
                handles[label] = ax.scatter(values[i][rows], values[j][rows], **look)
        if len(sought) == 2 and best.any():
            order = np.argsort(values[i][best])
            ax.plot(values[i][best][order], values[j][best][order], color="#c8451b", linewidth=0.9)
        ax.set(xlabel=_label(data, sought[i]), ylabel=_label(data, sought[j]))
        ax.grid(color=FAINT, linewidth=0.5)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    legend_below(fig, list(handles.values()), list(handles), 4.2 * len(pairs) + 0.4)
    return fig


def _label(data: View, goal: Goal) -> str:
    label = axis_label(goal.column, data.columns)
    if goal.value is None:
        return label
    return f"distance of {label} from {goal.value:g}" + (f" ± {goal.tolerance:g}" if goal.tolerance else "")
