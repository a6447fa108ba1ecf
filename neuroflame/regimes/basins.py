"""Basins of attraction: what share of the starts of a point ends in each of its end states."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.regimes.points import UNDECIDED, column_of, end_states, point_keys

if TYPE_CHECKING:
    from collections.abc import Collection

    from neuroflame.regimes.evidence import Array, Columns
    from neuroflame.regimes.thresholds import Thresholds

Z95 = 1.959963984540054
"""Normal quantile of a 95 % interval."""


_KINDS: dict[str, type] = {
    "state": int,
    "regime": object,
    "starts": int,
    "share": float,
    "drawn": int,
    "drawn.share": float,
    "drawn.low": float,
    "drawn.high": float,
    "row": object,
}


def wilson(count: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a binomial share (Wilson 1927), NaN where nothing was drawn.

    Unlike share ± 1.96 √(share (1 − share)/n) it has a width where all draws, or none, end in a state.
    """
    if total == 0:
        return math.nan, math.nan
    share, weight = count / total, Z95**2 / total
    middle = share + weight / 2
    reach = Z95 * math.sqrt(share * (1 - share) / total + weight / (4 * total))
    return max(0.0, (middle - reach) / (1 + weight)), min(1.0, (middle + reach) / (1 + weight))


def basins(
    columns: Columns, thresholds: Thresholds | None = None, drawn: Collection[str] = ()
) -> dict[str, Array]:
    """Return one row for each end state of each point, the one that most starts end in first.

    Parameters
    ----------
    columns : mapping of str to array_like, (P,)
        Columns of the table; see `neuroflame.regimes.label_points`.
    thresholds : Thresholds, optional
    drawn : collection of str
        Names of the initial conditions that are drawn at random, without their number.

    Returns
    -------
    dict of str to ndarray, (states,)
        ``point.*``, ``graph``, ``seed``; ``state``, its number, −1 for the runs that still move; ``regime``, the
        label of most of its runs; ``starts``, how many end there; ``share`` of all starts; of those drawn at random
        ``drawn`` that end there, ``drawn.share``, and its 95 % interval from ``drawn.low`` to ``drawn.high``;
        ``row``, the rows of the table.
    """
    rows: list[dict[str, Any]] = []
    firsts: list[int] = []
    for ended in end_states(columns, thresholds):
        random = np.array([str(name).partition("@")[0] in drawn for name in ended.starts], dtype=bool)
        total, number = int(random.sum()), 0
        for cluster, count in Counter(ended.clusters.tolist()).most_common():
            here = ended.clusters == cluster
            hits = int((here & random).sum())
            low, high = wilson(hits, total)
            firsts.append(ended.group[0])
            rows.append(
                {
                    "state": UNDECIDED if cluster == UNDECIDED else number,
                    "regime": Counter(ended.labels[here].tolist()).most_common(1)[0][0],
                    "starts": count,
                    "share": count / len(here),
                    "drawn": hits,
                    "drawn.share": hits / total if total else math.nan,
                    "drawn.low": low,
                    "drawn.high": high,
                    "row": ended.rows[here].tolist(),
                }
            )
            number += cluster != UNDECIDED
    told = {str(name): np.asarray(columns[name])[firsts] for name in point_keys(columns)}
    return told | {name: column_of([row[name] for row in rows], kind) for name, kind in _KINDS.items()}
