"""The triangulation of a labelled set of places, and the edges of it that cross a border."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

MOST_PLACES = {1: 1_000_000, 2: 40_000, 3: 8_000, 4: 2_000}
"""Places up to which a triangulation takes some seconds, by the number of axes."""
_COARSE = 0.02  # tolerance above which few places must do
FLAT = 1e-13
"""Volume of a simplex that has none but for rounding, times d!."""


@dataclass(frozen=True)
class Edges:
    """Some edges of a triangulation, at a border.

    Parameters
    ----------
    ends : ndarray of int, (E, 2)
        Places that each connects.
    length : ndarray, (E,)
        Length in the unit cube, or its part along the border.
    across : ndarray, (E,)
        Extent across the border, at most the length: an edge that is almost parallel to the border brackets
        it far better than its length says.
    """

    ends: Array
    length: Array
    across: Array

    def __len__(self) -> int:
        return len(self.ends)


class Mesh:
    """Delaunay's triangulation of places in the unit cube.

    Parameters
    ----------
    units : ndarray, (n, d)
        The places, d from 1 to 4.
    code : ndarray of int, (n,)
        Their labels, from 0.
    """

    def __init__(self, units: Array, code: Array) -> None:
        self.units, self.code = units, code
        self.simplices = _triangulate(units)

    @property
    def mixed(self) -> Array:
        """Which simplices have vertices of different labels."""
        codes = self.code[self.simplices]
        return np.asarray((codes != codes[:, :1]).any(axis=1))

    def volumes(self) -> Array:
        """Return the volume of each simplex."""
        corners = self.units[self.simplices]
        d = self.units.shape[1]
        return np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])) / math.factorial(d)

    def border(self) -> Edges:
        """Return the edges that cross a border.

        Notes
        -----
        Let χ be the piecewise linear function that is 1 at the vertices of one label and 0 at the others. The
        integral of ∇χ over simplices is, by the coarea formula, the mean normal of χ's level sets times their
        area: here it is taken over the simplices around both ends, χ of one label minus χ of the other. With n
        its direction and c ≤ 1 its length over the integral of the norm, an edge e extends
        |e| (1 − c (1 − |n·e|/|e|)) across the border: |n·e| where the border is flat, |e| where it turns.
        """
        mixed, pairs = self._pairs()
        ends = pairs[self.code[pairs[:, 0]] != self.code[pairs[:, 1]]]
        length, across = self._lengths(ends), np.empty(len(ends))
        codes = np.sort(self.code[ends], axis=1)
        for pair in np.unique(codes, axis=0):
            mine = (codes == pair).all(axis=1)
            along, flat = self._direction(ends[mine], *self._flow(mixed, *pair))
            across[mine] = length[mine] * (1 - flat) + flat * along
        return Edges(ends, length, np.minimum(across, length))

    def chords(self) -> Edges:
        """Return the edges between equal labels beside a border, which may bulge through them unseen.

        `across` is what is not known of it: |e| (1 − c), with the notation of `border`, χ being 1 at the label
        of the edge; it is near |e| at the tip of a wedge. `length` is the extent along the border.
        """
        mixed, pairs = self._pairs()
        ends = pairs[self.code[pairs[:, 0]] == self.code[pairs[:, 1]]]
        length, tangent, unseen = self._lengths(ends), np.empty(len(ends)), np.empty(len(ends))
        codes = self.code[ends[:, 0]]
        for one in np.unique(codes):
            mine = codes == one
            along, flat = self._direction(ends[mine], *self._flow(mixed, one, None))
            tangent[mine] = np.sqrt(np.maximum(length[mine] ** 2 - along**2, 0.0))
            unseen[mine] = length[mine] * (1 - flat)
        return Edges(ends, tangent, unseen)

    def neighbours(self) -> list[Array]:
        """Return the places that share an edge with each, in order."""
        sides = [self.simplices[:, list(pair)] for pair in combinations(range(self.simplices.shape[1]), 2)]
        ends = np.concatenate(sides)
        pairs = np.unique(np.concatenate([ends, ends[:, ::-1]]), axis=0)
        return np.split(pairs[:, 1], np.searchsorted(pairs[:, 0], np.arange(1, len(self.units))))

    def _pairs(self) -> tuple[Array, Array]:
        """Return the simplices that a border crosses, and their edges, each once."""
        mixed = self.simplices[self.mixed]
        sides = [mixed[:, list(pair)] for pair in combinations(range(mixed.shape[1]), 2)]
        return mixed, np.unique(np.sort(np.concatenate(sides), axis=1), axis=0)

    def _lengths(self, ends: Array) -> Array:
        return np.asarray(np.linalg.norm(self.units[ends[:, 1]] - self.units[ends[:, 0]], axis=1))

    def _direction(self, ends: Array, flow: Array, size: Array) -> tuple[Array, Array]:
        """Return |n·e| and c of some edges, in the notation of `border`."""
        normal = flow[ends].sum(axis=1)  # (e, d)
        norm = np.linalg.norm(normal, axis=1)
        total = size[ends].sum(axis=1)
        vector = self.units[ends[:, 1]] - self.units[ends[:, 0]]
        along = np.abs((normal * vector).sum(axis=1)) / np.where(norm > 0, norm, 1.0)
        return along, np.where(total > 0, norm / np.where(total > 0, total, 1.0), 0.0)

    def _flow(self, simplices: Array, one: int, other: int | None) -> tuple[Array, Array]:
        """Return, at each place, the sum of ∫∇χ over the simplices around it, and of its norm.

        χ is 1 at one label, less 1 at the other; without another it is 0 at all others.
        """
        corners = self.units[simplices]
        d = corners.shape[2]
        sides = corners[:, 1:] - corners[:, :1]
        det = np.linalg.det(sides)
        solid = np.abs(det) > FLAT
        simplices, sides, det = simplices[solid], sides[solid], det[solid]
        inner = np.linalg.inv(sides).transpose(0, 2, 1)  # gradients of barycentric coordinates 1 to d
        gradient = np.concatenate([-inner.sum(axis=1, keepdims=True), inner], axis=1)
        codes = self.code[simplices]
        weight = (codes == one).astype(float)
        if other is not None:
            weight -= codes == other
        flow = (weight[:, :, None] * gradient).sum(axis=1) * np.abs(det)[:, None] / math.factorial(d)
        total, size = np.zeros((len(self.units), d)), np.zeros(len(self.units))
        for vertex in simplices.T:
            np.add.at(total, vertex, flow)
            np.add.at(size, vertex, np.linalg.norm(flow, axis=1))
        return total, size


def _triangulate(units: Array) -> Array:
    """Return the simplices, (m, d + 1); none where the places span no volume."""
    count, d = units.shape
    if d == 1:
        order = np.argsort(units[:, 0], kind="stable")
        return np.stack([order[:-1], order[1:]], axis=1)
    if count < d + 1:
        return np.empty((0, d + 1), dtype=np.int64)
    from scipy.spatial import Delaunay, QhullError

    try:
        return np.asarray(Delaunay(units).simplices, dtype=np.int64)
    except QhullError:
        if np.linalg.matrix_rank(units - units[0], tol=1e-9) == d:
            raise
        return np.empty((0, d + 1), dtype=np.int64)


def longest_edge(tolerance: float, d: int) -> float:
    """Return the length above which an edge counts in full, however flat the border looks.

    Over a length s a border whose radius of curvature is R departs by s²/(8 R) from its chord: by the tolerance for
    s = √tolerance and R = 1/8 of the range. Coarse borders in d = 3 and 4, where the number of places goes as
    s^(1 − d), are taken to turn half as much.
    """
    radius = 1.0 / 4.0 if d > 2 and tolerance > _COARSE else 1.0 / 8.0
    return max(2.0 * tolerance, math.sqrt(8.0 * radius * tolerance))
