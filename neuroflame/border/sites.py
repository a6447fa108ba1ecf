"""Sites: the places of a parameter space that were looked at, and what was seen there, draw by draw."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Sites:
    """Distinct places, in the order in which they were first looked at.

    Parameters
    ----------
    units : ndarray, (n, d)
        Places in the unit cube.
    spent : ndarray of int, (n,)
        Draws of graph and noise that were made there, those that failed included.
    labels : tuple of str
        The labels that there are; `code` counts in it.
    code : ndarray of int, (n,)
        The most frequent label, the earlier one of equals; −1 where all draws failed.
    confidence : ndarray, (n,)
        Posterior probability that it is more frequent than all others together.
    counts : ndarray of int, (n, 2)
        Draws with that label, and with another.
    parts : ndarray of int, (n, I)
        Numbers that tell the labels of each initial condition apart.
    margin : ndarray, (n, I)
        Mean margin of each initial condition over the draws with that label.
    row : ndarray of int, (n,)
        Number of the first draw there, among all draws.
    """

    units: Array
    spent: Array
    labels: tuple[str, ...]
    code: Array
    confidence: Array
    counts: Array
    parts: Array
    margin: Array
    row: Array

    def __len__(self) -> int:
        return len(self.units)

    def where(self, kept: Array) -> Sites:
        """Return some of the places, by a mask."""
        parts = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "labels"}
        return Sites(labels=self.labels, **{name: part[kept] for name, part in parts.items()})


def gather(units: Array, told: Array) -> Sites:
    """Put together what was seen at the same places.

    Parameters
    ----------
    units : ndarray, (R, d)
        Place of each draw.
    told : ndarray of `LABELLED`, (R, I)
        What was seen in each draw, for each initial condition. The label of a draw is that of all of them,
        such as ``no / yes``; a draw of which one failed has none.
    """
    where: dict[tuple[float, ...], int] = {}
    site = np.array([where.setdefault(tuple(row), len(where)) for row in units.tolist()], dtype=np.int64)
    count = len(where)
    names = [tuple(row) for row in told["label"].tolist()]
    whole = [" / ".join(row) if all(row) else "" for row in names]
    labels = tuple(sorted(set(whole) - {""}))
    kinds = {name: k for k, name in enumerate(sorted({part for row in names for part in row}))}
    draws: list[list[int]] = [[] for _ in range(count)]
    for row, place in enumerate(site.tolist()):
        draws[place].append(row)
    code, counts = np.full(count, -1), np.zeros((count, 2), dtype=np.int64)
    parts = np.full((count, told.shape[1]), -1)
    margin = np.full((count, told.shape[1]), np.nan)
    for place, rows in enumerate(draws):
        seen = Counter(whole[row] for row in rows if whole[row])
        if not seen:
            continue
        label, most = seen.most_common(1)[0]
        mine = [row for row in rows if whole[row] == label]
        code[place], counts[place] = labels.index(label), (most, seen.total() - most)
        parts[place] = [kinds[part] for part in names[mine[0]]]
        margin[place] = told["margin"][mine].mean(axis=0)
    spent = np.array([len(rows) for rows in draws], dtype=np.int64)
    first = np.array([rows[0] for rows in draws], dtype=np.int64)
    return Sites(units[first], spent, labels, code, majority(*counts.T), counts, parts, margin, first)


def majority(most: Any, others: Any) -> Array:
    """Return the probability that a label's share is above one half.

    The share has Jeffreys' prior, Beta(1/2, 1/2), and binomial counts (Gelman et al., Bayesian Data Analysis,
    3rd ed., section 2.8), so its posterior is Beta(most + 1/2, others + 1/2).
    """
    from scipy.special import betainc

    return np.asarray(1.0 - betainc(np.add(most, 0.5), np.add(others, 0.5), 0.5))


def draws_wanted(most: int, others: int, confidence: float, limit: int) -> int:
    """Return how many further draws decide if all of them agree with the majority, at most so many."""
    for more in range(1, limit):
        if majority(most + more, others) >= confidence:
            return more
    return limit
