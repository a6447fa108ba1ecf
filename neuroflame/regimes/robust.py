"""Robust labels: those that stay the same at half the step, in twice the neurons, and in twice the time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.columns import Column
from neuroflame.regimes.points import label_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from neuroflame.regimes.evidence import Array, Columns
    from neuroflame.regimes.thresholds import Thresholds

CHECKS = {"dt": "half the step", "n": "twice the neurons", "t": "twice the time"}
"""What labels are held against, by name."""
ROBUST_COLUMNS = (
    Column(
        "robust",
        "str",
        "",
        "Whether the point's label is the same at half the step, in twice the neurons and for twice the time; "
        "undecided where not all three are known.",
    ),
    *(
        Column(f"robust.{name}", "str", "", f"Yes, or what the point's label becomes: {what}.")
        for name, what in CHECKS.items()
    ),
)
YES, NO, UNDECIDED = "yes", "no", "undecided"
_DRAWN_ANEW = "n"
"""The check in which a graph of the same number is another one."""

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Label:
    """The label of a point: what all its starts lead to, and their different labels."""

    regime: str
    labels: str

    def beside(self, other: Label) -> str:
        """Return it in words that tell it from another."""
        return self.regime if self.regime != other.regime else f"{self.regime} ({self.labels})"


@dataclass(frozen=True)
class PointLabels:
    """The labels of some points.

    Attributes
    ----------
    points : dict of str to ndarray
        As `label_points` returns it.
    keys : list of tuple
        The values of the axes of each point.
    labels : list of Label or None
        None where a run failed, or is missing.
    """

    points: dict[str, Array]
    keys: list[Key]
    labels: list[Label | None]


def labels_of(
    columns: Columns,
    thresholds: Thresholds,
    paths: Iterable[str],
    *,
    starts: int,
    factors: Mapping[str, float] | None = None,
) -> PointLabels:
    """Return the labels of a table's points.

    Parameters
    ----------
    columns : mapping of str to array_like, (P,)
        As for `label_points`.
    thresholds : Thresholds
    paths : iterable of str
        The axes.
    starts : int
        How many initial conditions a whole point has.
    factors : mapping of str to float, optional
        What values of an axis are divided by: by what they are multiples of those of the table that is checked.
    """
    points = label_points(columns, thresholds)
    status = np.asarray(columns["status"], dtype=object) if "status" in columns else None
    labels: list[Label | None] = []
    for regime, names, rows in zip(points["regime"], points["labels"], points["row"], strict=True):
        whole = len(rows) == starts and (status is None or (status[rows] != "failed").all())
        labels.append(Label(str(regime), str(names)) if whole and regime is not None else None)
    return PointLabels(points, keys_of(points, paths, factors), labels)


def keys_of(
    columns: Mapping[str, Any], paths: Iterable[str], factors: Mapping[str, float] | None = None
) -> list[Key]:
    """Return the values of the axes in each row, divided by factors; None where an axis does not count."""
    cells = [
        [
            _plain(value, (factors or {}).get(path, 1))
            for value in np.asarray(columns[f"point.{path}"]).tolist()
        ]
        for path in paths
    ]
    size = len(columns["graph"])
    return list(zip(*cells, strict=True)) if cells else [()] * size


def verdicts(
    base: PointLabels, others: Mapping[str, Iterable[PointLabels]], draws: Mapping[str, int]
) -> dict[str, Array]:
    """Return what checks say of the labels of some points.

    A label is compared with that of the same draw of graph and noise, in twice the neurons with those of all graphs.

    Parameters
    ----------
    base : PointLabels
    others : mapping of str to iterable of PointLabels
        What came out in each check, the keys being those of `base`.
    draws : mapping of str to int
        How many labels there are to compare with in each check.

    Returns
    -------
    dict of str to ndarray of object, (points,)
        `ROBUST_COLUMNS`.
    """
    count = len(base.labels)
    found = {column.name: np.full(count, None, dtype=object) for column in ROBUST_COLUMNS}
    seeds, graphs = (np.asarray(base.points[name]).tolist() for name in ("seed", "graph"))
    for check, parts in others.items():
        seen: dict[Key, list[Label | None]] = {}
        for part in parts:
            for i, (key, label) in enumerate(zip(part.keys, part.labels, strict=True)):
                seen.setdefault((key, *_draw(part.points, i, check)), []).append(label)
        for i in range(count):
            draw = (seeds[i],) if check == _DRAWN_ANEW else (seeds[i], graphs[i])
            told = seen.get((base.keys[i], *draw), [])
            found[f"robust.{check}"][i] = _compared(base.labels[i], told, draws[check])
    for i in range(count):
        found["robust"][i] = _together([found[f"robust.{check}"][i] for check in CHECKS])
    return found


def by_row(points: Mapping[str, Array], found: Mapping[str, Array], rows: int) -> dict[str, Array]:
    """Return what is known of points (`label_points`) for each of the rows that they are made of, (rows,)."""
    spread = {name: np.full(rows, None, dtype=object) for name in found}
    for i, mine in enumerate(points["row"]):
        for name, values in found.items():
            spread[name][mine] = values[i]
    return spread


def robustness(points: Columns) -> list[dict[str, Any]]:
    """Return for each label, the most frequent first, how many points were looked at and what became of them.

    Parameters
    ----------
    points : mapping of str to array_like, (points,)
        ``regime`` and `ROBUST_COLUMNS`.

    Returns
    -------
    list of dict
        ``regime``; ``points``, how many were looked at; ``robust``, ``undecided`` and ``no``, how many of those are;
        for each check a `Counter` of what the label is there, itself as `YES`.
    """
    regime, robust = (np.asarray(points[name], dtype=object) for name in ("regime", "robust"))
    looked = np.array([value in (YES, NO, UNDECIDED) for value in robust.tolist()], dtype=bool)
    lines = []
    for name, count in Counter(regime[looked].tolist()).most_common():
        here = looked & (regime == name)
        told = Counter(robust[here].tolist())
        line: dict[str, Any] = {"regime": name, "points": count}
        line |= {"robust": told[YES], "undecided": told[UNDECIDED], "no": told[NO]}
        for check in CHECKS:
            cells = np.asarray(points[f"robust.{check}"], dtype=object)[here].tolist()
            line[check] = Counter(cell for cell in cells if isinstance(cell, str))
        lines.append(line)
    return lines


def _draw(points: Mapping[str, Array], i: int, check: str) -> tuple[Any, ...]:
    seed, graph = (np.asarray(points[name])[i].item() for name in ("seed", "graph"))
    return (seed,) if check == _DRAWN_ANEW else (seed, graph)


def _compared(label: Label | None, told: list[Label | None], draws: int) -> str | None:
    """Return yes, or what the label becomes; None as long as that is not known."""
    if label is None or len(told) < draws or None in told:
        return None
    changed = Counter(other.beside(label) for other in told if other is not None and other != label)
    if not changed:
        return YES
    if draws == 1:
        return next(iter(changed))
    return "; ".join(f"{name} in {count} of {draws}" for name, count in changed.most_common())


def _together(cells: list[str | None]) -> str | None:
    if any(cell not in (None, YES) for cell in cells):
        return NO
    if YES not in cells:
        return None
    return YES if None not in cells else UNDECIDED


def _plain(value: Any, factor: float) -> Any:
    if isinstance(value, str):
        return value
    if not isinstance(value, Real) or value != value:  # None, NaN, pandas' NA
        return None
    return value / factor if factor != 1 else value
