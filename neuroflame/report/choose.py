"""Which statistics and which points a report shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuroflame.report.answer import headline, objective, tally
from neuroflame.report.limits import floor_of

if TYPE_CHECKING:
    from neuroflame.report.views import View

# {A} is the population that the table is about, \w+ any.
_ORDER = (
    r"regime.*|states",
    r"robust",
    r"bump\.{A}\.ratio",
    r"rate\.\w+\.mean",
    r"bump\.{A}\.(m1|ratio\.after|trend|phase)",
    r"(memory|osc|sync|alpha|lyapunov).*",
    r"rate\.{A}\.(cv|sd_t)",
    r"bump\.\w+\.(ratio|m1|ratio\.after|trend|phase)",
    r"rate\.\w+\.(cv|sd_t|sd_i|max)",
    r"(?!theory\.|.*\.(m0|before|during|after)(\.|$)).*",
    r"theory\.(regime|rate\..*|alpha\..*|fold\..*)",
)
_NEVER_MAPS = (r".*\.m0(\..*)?", r"robust\..*", r".*\.(before|during)", r".*\.(se|error)")


@dataclass(frozen=True)
class Chosen:
    """One point that stands for others.

    Parameters
    ----------
    letter : str
        Its mark in the figures.
    row : int
        Its row in the table.
    role : str
        Why it was chosen.
    """

    letter: str
    row: int
    role: str


def main_statistics(data: View, most: int = 8, *, numeric: bool = False) -> list[str]:
    """Return the statistics worth a figure, most important first.

    Parameters
    ----------
    data : View
    most : int
        How many at most.
    numeric : bool
        Leave out names and truth values.
    """
    first = headline(data)
    ranked = [first] if first else []
    parts = (first or "").split(".")
    about = [parts[1]] if len(parts) > 2 and parts[0] in ("rate", "bump") else []
    about += [name.split(".")[1] for name in data.statistics if name.startswith(("bump.", "rate."))]
    for form in _ORDER:
        pattern = form.replace("{A}", re.escape(about[0]) if about else r"\w+")
        ranked += [name for name in data.statistics if re.fullmatch(pattern, name)]
    ranked = [
        n for n in dict.fromkeys(ranked) if n == first or not any(re.fullmatch(p, n) for p in _NEVER_MAPS)
    ]
    return [name for name in ranked if varies(data, name) and not (numeric and data.categorical(name))][:most]


def varies(data: View, name: str) -> bool:
    """Whether a statistic varies by more than rounding and by enough to matter."""
    if data.categorical(name):
        return len(set(data.texts(name)) - {None}) > 1
    try:
        values = data.numbers(name)
    except ValueError:
        return False
    values = values[np.isfinite(values)]
    if values.size < 2:
        return False
    return bool(np.ptp(values) > max(1e-9 * np.abs(values).max(), 0.1 * floor_of(name), 1e-18))


def choose_points(data: View, most: int = 6) -> list[Chosen]:
    """Choose points with traces that stand for the table.

    The best, a ghost, the median, the worst, and others spread over the axes as far from those as can be.
    """
    has = np.ones(len(data.frame), dtype=bool)
    if "trace.time" in data.columns:
        has = np.array([np.size(cell) > 1 for cell in data.series["trace.time"]], dtype=bool)
    rows = np.flatnonzero(has)
    if rows.size == 0:
        return []
    places = _places(data)
    picked: list[tuple[int, str]] = []

    def pick(row: int, role: str) -> None:
        if len(picked) < most and row not in [there for there, _ in picked]:
            picked.append((row, role))

    name = headline(data)
    if name is not None and not data.categorical(name):
        goal, counted, values = objective(data), tally(data), data.numbers(name)
        sign = -1.0 if goal is not None and not goal[1] else 1.0
        order = rows[np.isfinite(values[rows])]
        order = order[np.argsort(sign * values[order], kind="stable")]
        best = order if counted is None else [*order[~counted.holds[order]], *order[counted.holds[order]]]
        if order.size:
            words = ("lowest", "highest") if sign > 0 else ("highest", "lowest")
            pick(int(best[-1]), f"{'best' if goal else words[1]} {name}")
            if counted is not None:
                for row in order[counted.dissolving[order]][::-1][:1]:
                    pick(int(row), "decaying: a ghost")
                edge = order[counted.holds[order]]
                if edge.size:
                    pick(int(edge[0]), f"lowest {name} that still counts")
            pick(int(order[order.size // 2]), f"median {name}")
            pick(int(order[0]), f"{'worst' if goal else words[0]} {name}")
    if not picked:
        pick(int(rows[0]), "first")
    while len(picked) < min(most, rows.size):
        there = places[[row for row, _ in picked]]
        distance = np.linalg.norm(places[rows, None] - there[None], axis=2).min(axis=1)
        distance[np.isin(rows, [row for row, _ in picked])] = -1.0
        distance[data.status[rows] != "ok"] -= 0.5
        pick(int(rows[distance.argmax()]), "elsewhere in the plane" if len(data.axes) > 1 else "elsewhere")
    return [Chosen("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[k % 26], row, role) for k, (row, role) in enumerate(picked)]


def _places(data: View) -> np.ndarray:
    """Return every point's place on the axes, each scaled to [0, 1]: (P, axes)."""
    sides = []
    for axis in data.axes:
        if axis.named:
            values = axis.codes(data.frame).astype(float)
        else:
            values = data.numbers(axis.column)
            values = np.log(values) if axis.log else values
        reach = np.nanmax(values) - np.nanmin(values)
        sides.append(np.nan_to_num((values - np.nanmin(values)) / (reach or 1.0)))
    return np.stack(sides, axis=1) if sides else np.zeros((len(data.frame), 1))
