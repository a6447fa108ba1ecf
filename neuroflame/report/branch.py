"""A picture of a branch of fixed points: mean rates against the parameter, stability, and events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroflame.report.connectivity import COLOURS
from neuroflame.report.labels import escape, number, symbol
from neuroflame.report.style import INK, MUTED, new_figure, styled

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_SILENT = {"", "start", "end"}
"""What the ends of a line show by themselves."""


@styled
def plot_branch(table: pd.DataFrame, path: str, title: str = "") -> Figure:
    """Draw the mean rate of each population along a branch, solid where it is stable and dashed where not.

    Parameters
    ----------
    table : DataFrame
        As `neuroflame.Network.continue_state` returns it; rows in the order of the branch.
    path : str
        The parameter.
    title : str
        Plain text.

    Returns
    -------
    Figure
    """
    names = [name for name in table.columns if name.startswith("rate.") and name.endswith(".mean")]
    value, stable = table[path].to_numpy(dtype=float), table["unstable"].to_numpy() == 0
    fig = new_figure(6.2, 3.8, title, "Fixed points: solid where stable, dashed where not")
    ax = fig.subplots()
    for i, name in enumerate(names):
        rates, colour = table[name].to_numpy(dtype=float), COLOURS[i % len(COLOURS)]
        for first, last, solid in _stretches(stable):
            ax.plot(
                value[first : last + 1],
                rates[first : last + 1],
                color=colour,
                linestyle="-" if solid else "--",
                label=escape(name.split(".")[1]) if first == 0 else None,
            )
    marked = table[~table["event"].isin(_SILENT)]
    for count, (_, row) in enumerate(marked.iterrows()):
        for name in names:
            ax.plot(row[path], row[name], "o", color=INK, markersize=4.5, zorder=3)
        hertz = f", {number(row['frequency'])} Hz" if row["event"] == "hopf" and row["frequency"] > 0 else ""
        right = row[path] > 0.5 * (value.min() + value.max())
        name = "Hopf" if row["event"] == "hopf" else row["event"]
        ax.annotate(
            f"{name} {number(row[path], 4)}{hertz}",
            (row[path], row[names[0]]),
            xytext=(-10 if right else 10, 24 - 16 * (count % 3)),
            textcoords="offset points",
            ha="right" if right else "left",
            color=MUTED,
            fontsize=8.5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0},
        )
    unit = table.attrs.get("units", {}).get(path) or ""
    ax.set_xlabel(f"{symbol(path)} ({escape(unit)})" if unit else symbol(path))
    ax.set_ylabel("mean rate (Hz)")
    ax.margins(x=0.08, y=0.12)
    if len(names) > 1:
        ax.legend()
    return fig


def _stretches(stable: np.ndarray) -> list[tuple[int, int, bool]]:
    """Return first and last row of each stretch of one stability; neighbours share the row where it changes."""
    changes = np.flatnonzero(np.diff(stable)) + 1
    firsts = [0, *changes.tolist()]
    lasts = [*changes.tolist(), len(stable) - 1]
    return [(first, last, bool(stable[first])) for first, last in zip(firsts, lasts, strict=True)]
