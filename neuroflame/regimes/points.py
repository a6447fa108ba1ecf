"""The label of a point: what all its initial conditions lead to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.regimes.evidence import Evidence
from neuroflame.regimes.labels import label_end_states
from neuroflame.regimes.thresholds import Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.regimes.evidence import Array, Columns

REPEATS = ("graph", "seed")
SMALLEST = {"mean": 0.1, "ratio": 0.5, "sd_t": 1.0}
"""What differences are relative to at least, Hz or none: rounding does not make two states."""
_LARGEST = 1e100
"""What is not below it is not a statistic of a state."""


_KINDS: dict[str, type] = {
    "regime": object,
    "states": int,
    "multistable": bool,
    "labels": object,
    "basins": object,
    "initial_conditions": int,
    "memory.error": float,
    "memory.lifetime": float,
    "row": object,
}


UNDECIDED = -1
"""The cluster of a run that has not ended anywhere."""


def label_points(columns: Columns, thresholds: Thresholds | None = None) -> dict[str, Array]:
    """Return one row for each point: the end states of all its initial conditions, and what they make of it.

    Rows belong to one point where ``point.*``, ``graph`` and ``seed`` are the same.

    Parameters
    ----------
    columns : mapping of str to array_like, (P,)
        Columns of the table; see `label_end_states`.
    thresholds : Thresholds, optional

    Returns
    -------
    dict of str to ndarray, (points,)
        ``point.*``, ``graph``, ``seed``; ``regime``; ``states``, the number of different end states, of which a run
        that still moves has none;
        ``multistable``; ``labels``, the different labels; ``basins``, the share of initial conditions that ends in
        each state; ``initial_conditions``, how many there were; ``memory.error``, degrees, the root of its mean
        square over cues; ``memory.lifetime``, seconds, the shortest; ``row``, for each point the rows of the table.
    """
    limits = thresholds or Thresholds()
    found = Evidence(columns)
    starts = found.text("initial_condition")
    error, lifetime = found.number("memory.error"), found.number("memory.lifetime")
    outlasts = found.number("memory.censored") == 1.0
    lasts = outlasts if limits.delay is None else outlasts | (lifetime >= limits.delay)
    rows: list[dict[str, Any]] = []
    for ended in end_states(columns, limits):
        group, here, clusters, labels = ended.group, ended.rows, ended.clusters, ended.labels
        count = len(set(clusters.tolist()) - {UNDECIDED})
        cued = np.array([str(starts[row]).startswith("cued") for row in here], dtype=bool)
        cold = np.array([starts[row] == "cold" for row in here], dtype=bool)
        far = _root_mean_square(error[here][cued])
        kept = bool(cued.any() and lasts[here][cued].all() and far < limits.memory_error)
        rows.append(
            {
                "regime": _regime(labels, clusters, cued, cold, kept=kept),
                "states": count,
                "multistable": count > 1,
                "labels": ", ".join(sorted(set(labels))),
                "basins": _basins(labels, clusters),
                "initial_conditions": len({str(starts[row]) for row in group}),
                "memory.error": far,
                "memory.lifetime": _least(lifetime[here][cued]),
                "row": group,
            }
        )
    firsts = [row["row"][0] for row in rows]
    told = {str(name): np.asarray(columns[name])[firsts] for name in point_keys(columns)}
    return told | {name: column_of([row[name] for row in rows], kind) for name, kind in _KINDS.items()}


@dataclass(frozen=True)
class EndStates:
    """Where the runs of one point end.

    Attributes
    ----------
    group : list of int
        Its rows of the table.
    rows : ndarray, (R,)
        Those that have a label.
    starts, labels : ndarray of object, (R,)
    clusters : ndarray, (R,)
        Number of the end state, `UNDECIDED` where a run still moves.
    """

    group: list[int]
    rows: Array
    starts: Array
    labels: Array
    clusters: Array


def end_states(columns: Columns, thresholds: Thresholds | None = None) -> Iterator[EndStates]:
    """Yield where the runs of each point end; parameters as of `label_points`."""
    limits = thresholds or Thresholds()
    found = Evidence(columns)
    labels, _ = label_end_states(columns, limits)
    (states, slack), starts = _features(found, limits), found.text("initial_condition")
    for group in _groups(columns, point_keys(columns), found.rows):
        rows = np.array([row for row in group if labels[row] is not None], dtype=int)
        ended = rows[labels[rows] != "slow"]
        clusters = np.full(len(rows), UNDECIDED)
        clusters[labels[rows] != "slow"] = same_states(
            states[ended], labels[ended], limits.same, slack[ended]
        )
        yield EndStates(group, rows, starts[rows], labels[rows], clusters)


def point_keys(columns: Columns) -> list[Any]:
    """Return the names of the columns in which the rows of one point agree."""
    return [name for name in columns if str(name).startswith("point.") or name in REPEATS]


def column_of(cells: list[Any], kind: type) -> Array:
    """Return cells, lists among them, as an array of one type."""
    column: Array = np.empty(len(cells), dtype=kind)
    for i, cell in enumerate(cells):
        column[i] = cell
    return column


def same_states(states: Array, labels: Array, tolerance: float, slack: Array | None = None) -> Array:
    """Return the number of the cluster that each end state is in, (P,).

    Two states are the same if each statistic differs by at most the tolerance, relative to the larger; so are states
    that a chain of such pairs links. Runaways are one state, apart from all others. Where a bump stands does not
    matter: angles are not among the statistics. Of noisy runs a difference must exceed chance too, and statistics for
    which that is unknown do not count; their labels must be the same.

    Parameters
    ----------
    states : ndarray, (P, F)
        Each statistic in units of what differences are relative to at least.
    labels : ndarray of object, (P,)
    tolerance : float
    slack : ndarray, (P, F), optional
        How far each is from its mean by chance, in the same units; 0 without noise.
    """
    count = len(states)
    slack = np.zeros_like(states) if slack is None else slack
    noisy: Array = np.asarray((slack > 0).any(axis=1))
    cluster = np.arange(count)
    runaway = labels == "runaway"
    for i in range(count):
        for j in range(i):
            if runaway[i] or runaway[j]:
                alike = bool(runaway[i] and runaway[j])
            else:
                size = np.maximum(np.maximum(np.abs(states[i]), np.abs(states[j])), 1.0)
                chance = np.hypot(slack[i], slack[j])
                alike = bool((np.abs(states[i] - states[j]) <= tolerance * size + chance).all())
                alike &= not (noisy[i] or noisy[j]) or bool(labels[i] == labels[j])
            if alike:
                cluster[cluster == cluster[i]] = cluster[j]
    return cluster


@np.errstate(over="ignore")
def _features(found: Evidence, limits: Thresholds) -> tuple[Array, Array]:
    """Return what end states are compared by, and by how much they differ by chance.

    What silence leaves undefined is 0. A ratio counts where it is that of a bump: below its floor it is chance.
    """
    noisy = found.number("noisy") == 1.0
    parts, slack = [np.zeros(found.rows)], [np.zeros(found.rows)]
    for a in found.populations:
        for name, kind, error in (
            (f"rate.{a}.mean", "mean", f"rate.{a}.error"),
            (f"bump.{a}.ratio", "ratio", f"bump.{a}.error"),
            (f"rate.{a}.sd_t", "sd_t", ""),
        ):
            values = found.number(name)
            if kind == "ratio":  # of a travelling bump the mean profile's depends on how far it turns
                values = np.where(noisy, values, found.first(f"bump.{a}.rotating", name))
                floor = limits.floors * np.nan_to_num(found.number(f"bump.{a}.floor"), nan=0.0)
                values = np.where(noisy & (values <= np.maximum(limits.ratio, floor)), 0.0, values)
            values = np.where(np.abs(values) < _LARGEST, values, 0.0) / SMALLEST[kind]
            chance = (
                limits.errors * found.number(error) * np.abs(values) if error else np.full(found.rows, np.inf)
            )
            parts.append(values)
            slack.append(np.where(noisy, np.nan_to_num(chance, nan=0.0, posinf=np.inf), 0.0))
    return np.stack(parts, axis=1), np.stack(slack, axis=1)


def _groups(columns: Columns, keys: list[Any], rows: int) -> list[list[int]]:
    """Return the rows of each point, in the order of the points' first rows."""
    found: dict[tuple[Any, ...], list[int]] = {}
    cells = [np.asarray(columns[name]).tolist() for name in keys]
    for row in range(rows):
        found.setdefault(tuple(str(column[row]) for column in cells), []).append(row)
    return list(found.values())


def _regime(labels: Array, clusters: Array, cued: Array, cold: Array, *, kept: bool) -> str | None:
    if not len(labels):
        return None
    held = bool(cued.any() and (labels[cued] == "bump").all())
    if (labels[cold] == "bump").any():
        return "spontaneous bump"
    if held and cold.any() and kept and not set(clusters[cued]) & set(clusters[cold]):
        return "ring attractor"
    if len(set(clusters.tolist()) - {UNDECIDED}) > 1:
        return "multistable"
    if (clusters == UNDECIDED).any():
        return "slow"
    return str(Counter(labels.tolist()).most_common(1)[0][0])


def _basins(labels: Array, clusters: Array) -> str:
    """Return in words what share of the initial conditions ends in each state, the largest first."""
    parts = []
    for cluster, count in Counter(clusters.tolist()).most_common():
        name = Counter(labels[clusters == cluster].tolist()).most_common(1)[0][0]
        parts.append(f"{name} {count / len(clusters):.2f}")
    return ", ".join(parts)


def _root_mean_square(values: Array) -> float:
    return float(np.sqrt(np.mean(values * values))) if len(values) else float("nan")


def _least(values: Array) -> float:
    return float(values.min()) if len(values) else float("nan")
