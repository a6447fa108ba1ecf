"""Time courses of chosen points."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuroflame.errors import SpecError
from neuroflame.report.axes import mapping
from neuroflame.report.choose import Chosen, choose_points
from neuroflame.report.labels import escape, quantity, settings
from neuroflame.report.style import FAINT, MUTED, cut_to, inches, new_figure, styled
from neuroflame.report.views import View, view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neuroflame.report.views import Table

# The first is the excitatory population's in most networks.
COLOURS = ("#c8451b", "#1f6fb2", "#2d8a57", "#8a4fa3", "#a6761d", "#4d4d4d")
_KINDS = {"rate": ("-", "mean rate of {}"), "m1": ((0, (3.5, 1.6)), "$m_1$ of {}")}


@styled
def traces(table: Table | View | str, points: Sequence[object] | None = None, n: int = 6) -> Figure:
    """Draw time courses of chosen points, with the stimuli shaded.

    Parameters
    ----------
    table : Table or str
        From `neuroflame.store.open_table`, or a sweep's directory.
    points : sequence, optional
        Point ids, rows of the table, or what `choose_points` returns; by default points that stand for the
        others: the best, the worst, the median, and some spread over the plane.
    n : int
        How many, where they are not named.

    Returns
    -------
    Figure
        One panel for each point, with its parameters as the title.

    Raises
    ------
    SpecError
        If the table holds no traces, or a point is not in it.
    """
    data = view(table)
    names = _series(data)
    if "trace.time" not in data.columns or not names:
        raise SpecError("the table must hold traces to draw", remedy="set traces: true in the sweep")
    chosen = choose_points(data, n) if points is None else chosen_points(data, points)
    if not chosen:
        raise SpecError("a point with traces must be in the table", got=points)
    columns = min(3, len(chosen))
    lines = math.ceil(len(chosen) / columns)
    width = max(3.0 * columns + 0.4, 7.4) if len(chosen) > 1 else 7.4
    fig = new_figure(width, 2.15 * lines + 0.7, "Time courses", f"{len(chosen)} of {len(data.frame)} points")
    grid = fig.subplots(lines, columns, squeeze=False, sharex=True)
    epochs = False
    for k, (ax, point) in enumerate(zip(grid.flat, chosen, strict=False)):
        epochs |= _panel(ax, data, point, names)
        if k + columns >= len(chosen):
            ax.tick_params(labelbottom=True)
            ax.set_xlabel("time (s)")
        if k % columns == 0:
            ax.set_ylabel("rate (Hz)")
    for spare in list(grid.flat)[len(chosen) :]:
        spare.set_visible(False)
    handles: list[Any] = []
    labels = []
    for name, (style, colour, label) in names.items():
        if any(np.size(data.series[name].iloc[point.row]) > 1 for point in chosen):
            handles.append(Line2D([], [], linestyle=style, color=colour))
            labels.append(label)
    if epochs:
        handles.append(Patch(color="#f2c14e", alpha=0.3, linewidth=0))
        labels.append("stimulus")
    fig.legend(handles, labels, loc="outside lower left", ncols=len(handles), handlelength=2.2)
    return fig


def epochs_of(data: View, row: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Return onset and offset in seconds of a point's stimuli, with what was swept or drawn put in.

    Points that start without them get none, nor do stimuli that end with their array.
    """
    start = str(row.get("initial_condition"))
    defined = mapping(mapping(mapping(data.manifest, "sweep"), "repeat"), "starts")
    if start in ("cold", "hot") or mapping(defined, start.partition("@")[0]).get("stimuli") is False:
        return []
    network = data.manifest.get("network")
    stimuli = network.get("stimuli") if isinstance(network, dict) else None
    found = []
    for k, stimulus in enumerate(stimuli or ()):
        if not isinstance(stimulus, dict):
            continue
        name = stimulus.get("name") or k
        times = {
            key: row.get(f"point.stimuli.{name}.{key}", stimulus.get(key, 0.0 if key == "delay" else None))
            for key in ("onset", "offset", "duration", "delay")
        }
        given = {key: float(value) for key, value in times.items() if isinstance(value, int | float)}
        if not {"onset", "delay"} <= given.keys() or not {"offset", "duration"} & given.keys():
            continue
        length = given["duration"] if "duration" in given else given["offset"] - given["onset"]
        begin = float(row.get(f"stimulus.{name}.onset", given["onset"] + given["delay"]))
        if length > 0:
            found.append((begin, begin + length))
    return found


def _series(data: View) -> dict[str, tuple[Any, str, str]]:
    """Return the series to draw with their line, colour and label."""
    found: dict[str, tuple[Any, str, str]] = {}
    populations: list[str] = []
    for name in data.columns:
        parts = name.split(".")
        if len(parts) == 3 and parts[0] == "trace" and parts[2] in _KINDS:
            if parts[1] not in populations:
                populations.append(parts[1])
            style, label = _KINDS[parts[2]]
            colour = COLOURS[populations.index(parts[1]) % len(COLOURS)]
            found[name] = (style, colour, label.format(escape(parts[1])))
    return found


def chosen_points(data: View, points: Sequence[object]) -> list[Chosen]:
    """Return points named by their ids or rows, each with a letter.

    Raises
    ------
    SpecError
        If one is not in the table.
    """
    ids = {str(name): k for k, name in enumerate(data.frame["point_id"])} if "point_id" in data.frame else {}
    found = []
    for k, point in enumerate(points):
        if isinstance(point, Chosen):
            found.append(point)
            continue
        row = point if isinstance(point, int | np.integer) else ids.get(str(point), -1)
        if not 0 <= int(row) < len(data.frame):
            raise SpecError("the table must hold the point", got=point, remedy="give its point_id or row")
        found.append(Chosen("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[k % 26], int(row), ""))
    return found


def _panel(ax: Axes, data: View, point: Chosen, names: Mapping[str, tuple[Any, str, str]]) -> bool:
    """Draw one point; return whether a stimulus is shaded."""
    row: dict[str, Any] = {str(k): v for k, v in data.frame.iloc[point.row].items()}
    series = data.series.iloc[point.row]
    time = np.asarray(series["trace.time"], dtype=float).ravel()
    top = 0.0
    for name, (style, colour, _) in names.items():
        values = np.asarray(series[name], dtype=float).ravel()
        if values.size == time.size > 1:
            ax.plot(time, values, linestyle=style, color=colour, linewidth=1.3 if style == "-" else 1.1)
            top = max(top, float(np.nanmax(np.append(values, 0.0))))
    epochs = epochs_of(data, row)
    for onset, offset in epochs:
        ax.axvspan(onset, offset, color="#f2c14e", alpha=0.3, linewidth=0, zorder=0)
    if time.size > 1:
        ax.set_xlim(time[0], time[-1])
    ax.set_ylim(0, 1.08 * top or 1)
    ax.grid(axis="y", color=FAINT, linewidth=0.5)
    ax.spines[["top", "right"]].set_visible(False)
    shown = [axis.column for axis in data.axes][:4] + list(data.repeats)
    parameters = settings(row, shown, data.columns)
    lost = "" if data.status[point.row] == "ok" else f" ({data.status[point.row]}{_when(row)})"
    lines = wrapped(parameters, 2.35)
    ax.set_title("\n".join([f"$\\bf{{{point.letter}}}$  {lines[0]}", *lines[1:]]), pad=14)
    ax.text(0, 1.025, escape(point.role + lost), transform=ax.transAxes, size=7.5, color=MUTED, va="bottom")
    return bool(epochs)


def wrapped(parameters: str, width: float) -> list[str]:
    """Break a list of settings between its items, to lines that are at most so many inches wide."""
    lines = [""]
    for item in parameters.split(", "):
        longer = f"{lines[-1]}, {item}" if lines[-1] else item
        if lines[-1] and inches(longer, 9.0, math=True) > width:
            lines.append(item)
        else:
            lines[-1] = longer
    return [cut_to(line, width, 9.0) for line in lines]


def _when(row: Mapping[str, Any]) -> str:
    time = row.get("t_fail")
    return f" at {quantity(time, 's')}" if isinstance(time, float) and np.isfinite(time) else ""
