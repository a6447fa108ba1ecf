"""What a flat border through the labels nearby leaves open: where along an edge it can cross."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_NEAR = 2
"""Places of each label near each end that are asked, for each unknown of a plane."""
_BLOCK = 256
"""Edges whose linear programmes are solved as one."""
_PENALTY = 1e3  # of a place on the wrong side, in lengths of the edge
_WRONG = 1e-6  # of the edge's length, that a place may lie on the wrong side: HiGHS is exact to 1e-7
_STEEPEST = (
    1e3  # largest component of a plane's normal, whose product with the edge is 1, times the edge's length
)


def crossings(units: Array, code: Array, ends: Array) -> tuple[Array, Array]:
    """Return between which two places along each edge a plane can cross it that separates the labels nearby.

    Parameters
    ----------
    units : ndarray, (n, d)
        Places in the unit cube.
    code : ndarray of int, (n,)
        Their labels.
    ends : ndarray of int, (E, 2)
        Places that each edge connects, of different labels.

    Returns
    -------
    low, high : ndarray, (E,)
        From 0 at the first end to 1; NaN where no plane separates the nearest places of both labels.

    Notes
    -----
    With a and b the ends, a plane through a + t (b − a) whose normal w has w·(b − a) = 1 separates the places x of
    both labels if w·(x − a) ≤ t for those of a's label and ≥ t for those of b's: linear in (w, t), so the smallest
    and the largest t are two linear programmes. What misses a constraint is penalised, so that many programmes are
    solved as one and those without a solution are recognised.
    """
    low, high = np.full(len(ends), np.nan), np.full(len(ends), np.nan)
    for first in range(0, len(ends), _BLOCK):
        block = slice(first, first + _BLOCK)
        near, side = _nearby(units, code, ends[block])
        low[block] = _extreme(units, ends[block], near, side, 1.0)
        high[block] = _extreme(units, ends[block], near, side, -1.0)
    return low, high


def separable(units: Array, code: Array, ends: Array) -> Array:
    """Return beside which edges between equal labels a plane separates the nearest places of that label from others.

    Then nothing suggests that the border bulges through the edge.

    Parameters
    ----------
    units : ndarray, (n, d)
        Places in the unit cube.
    code : ndarray of int, (n,)
        Their labels.
    ends : ndarray of int, (E, 2)
        Places that each edge connects, of equal labels.

    Returns
    -------
    ndarray of bool, (E,)
    """
    found = np.zeros(len(ends), dtype=bool)
    for one in np.unique(code[ends]):
        mine = np.flatnonzero(code[ends[:, 0]] == one)
        for first in range(0, len(mine), _BLOCK):
            block = mine[first : first + _BLOCK]
            found[block] = _gap(units, (code == one).astype(int), ends[block]) > _WRONG
    return found


def _nearby(units: Array, code: Array, ends: Array) -> tuple[Array, Array]:
    """Return the nearest places of the label of each edge's first end, then of its second; (E, 2 m), −1 for none.

    And the side of each column: 1 for the first, −1 for the second.
    """
    count = 2 * _NEAR * (units.shape[1] + 1)
    found = np.full((len(ends), 2 * count), -1)
    for one in np.unique(code[ends]):
        near = _nearest(units, np.flatnonzero(code == one), units[ends], count // 2)
        near = near.reshape(len(ends), -1)
        for k in (0, 1):
            here = code[ends[:, k]] == one
            found[here, k * count : k * count + near.shape[1]] = near[here]
    return found, np.repeat([1.0, -1.0], count)


def _nearest(units: Array, among: Array, places: Array, count: int) -> Array:
    from scipy.spatial import cKDTree

    some = min(count, len(among))
    _, near = cKDTree(units[among]).query(places, k=some)
    return np.asarray(among[np.reshape(near, (*places.shape[:-1], some))])


def _extreme(units: Array, ends: Array, near: Array, side: Array, sense: float) -> Array:
    """Return the smallest t of each edge (sense 1) or the largest (−1); NaN where nothing separates."""
    count, d = len(ends), units.shape[1]
    start, vector = units[ends[:, 0]], units[ends[:, 1]] - units[ends[:, 0]]
    length = np.linalg.norm(vector, axis=1)
    edge, column = np.nonzero(near >= 0)
    sign = side[column, None]  # 1: w·(x − a) − t ≤ s; −1: t − w·(x − a) ≤ s
    offset = (units[near[edge, column]] - start[edge]) / length[edge, None]
    upper = np.concatenate([sign * offset, -sign, -np.ones_like(sign)], axis=1)
    along = np.concatenate([vector / length[:, None], np.zeros((count, 2))], axis=1)
    bounds = [(-_STEEPEST, _STEEPEST)] * d + [(0.0, 1.0), (0.0, None)]
    solved = _solved([0.0] * d + [sense, _PENALTY], upper, edge, bounds, along)
    return np.where(solved[:, -1] <= _WRONG, solved[:, -2], np.nan)


def _gap(units: Array, mine: Array, ends: Array) -> Array:
    """Return half the widest gap, in the largest component's norm and edges' lengths, between label 1 and label 0."""
    d, count = units.shape[1], _NEAR * (units.shape[1] + 1)
    middle = units[ends].mean(axis=1)
    length = np.linalg.norm(units[ends[:, 1]] - units[ends[:, 0]], axis=1)
    near = [
        _nearest(units, np.flatnonzero(mine == k), units[ends], count).reshape(len(ends), -1) for k in (1, 0)
    ]
    side = np.repeat([1.0, -1.0], [part.shape[1] for part in near])
    places = np.concatenate(near, axis=1)
    offset = (units[places] - middle[:, None]) / length[:, None, None]
    sign = np.broadcast_to(side[None, :, None], (*places.shape, 1))  # 1: c + g ≤ w·y; −1: w·y ≤ c − g
    upper = np.concatenate([-sign * offset, sign, np.ones_like(sign)], axis=2).reshape(-1, d + 2)
    edge = np.repeat(np.arange(len(ends)), places.shape[1])
    bounds = [(-1.0, 1.0)] * d + [(None, None), (0.0, None)]
    return _solved([0.0] * d + [0.0, -1.0], upper, edge, bounds)[:, -1]


def _solved(
    cost: list[float], upper: Array, edge: Array, bounds: list[Any], along: Array | None = None
) -> Array:
    """Return what minimises the cost of each edge with upper · x ≤ 0, and along · x = 1 if given; (E, unknowns)."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    count, width = int(edge.max()) + 1, len(cost)
    kept: dict[str, Any] = {}

    def diagonal(values: Array, which: Array) -> Any:
        rows = np.repeat(np.arange(len(values)), width)
        columns = (which[:, None] * width + np.arange(width)).ravel()
        return coo_array((values.ravel(), (rows, columns)), shape=(len(values), count * width)).tocsr()

    if along is not None:
        kept = {"A_eq": diagonal(along, np.arange(count)), "b_eq": np.ones(count)}
    limits = np.array([(-np.inf if a is None else a, np.inf if b is None else b) for a, b in bounds])
    solved = linprog(
        np.tile(cost, count),
        diagonal(upper, edge),
        np.zeros(len(upper)),
        bounds=np.tile(limits, (count, 1)),
        **kept,
    )
    if solved.x is None:
        raise RuntimeError(f"a linear programme of the border has no solution: {solved.message}")
    return np.asarray(solved.x).reshape(count, width)
