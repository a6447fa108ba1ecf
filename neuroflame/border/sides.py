"""On which side of a border places lie, and where the border may be, in two to four dimensions."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from neuroflame.border.find import Border

Array = np.ndarray[Any, Any]


def sides(border: Border, places: Array) -> tuple[Array, Array]:
    """Return how far each label is ahead of the others at some places, and where the border may be.

    In a simplex of two labels a place is s of the way from the face of the one to that of the other. Border and ends
    of what is open are at the mean of where they are on the crossed edges, weighted by the product of the place's
    barycentric coordinates at their ends: on an edge, that is where they are on it. With three labels the one with
    the largest coordinates is ahead, and the border may be anywhere.

    Parameters
    ----------
    border : Border
        Of places that span a volume.
    places : ndarray, (P, d)
        In the unit cube.

    Returns
    -------
    ahead : ndarray, (P, L)
        For each label of `Border.sites`, above 0 on its side; 0 on the border. NaN outside the triangulation.
    open_ : ndarray of bool, (P,)
    """
    from scipy.spatial import Delaunay

    mesh, count = Delaunay(border.mesh.units), len(border.sites.labels)
    simplex = mesh.find_simplex(places)
    inside = np.flatnonzero(simplex >= 0)
    ahead, open_ = np.full((len(places), count), np.nan), np.zeros(len(places), dtype=bool)
    corners, coordinates = _coordinates(mesh, simplex[inside], places[inside])
    codes = border.sites.code[corners]
    shares = np.zeros((len(inside), count))
    np.add.at(shares, (np.arange(len(inside))[:, None], codes), coordinates)
    ahead[inside] = np.stack(
        [shares[:, k] - np.delete(shares, k, axis=1).max(axis=1, initial=0.0) for k in range(count)], axis=1
    )
    one, other = codes.min(axis=1), codes.max(axis=1)
    open_[inside] = one != other
    two = ((codes == one[:, None]) | (codes == other[:, None])).all(axis=1) & (one != other)
    rows, one, other = inside[two], one[two], other[two]
    low, at, high = _levels(border, corners[two], coordinates[two], codes[two] == other[:, None])
    s = shares[two, other]
    ahead[rows, one], ahead[rows, other] = at - s, s - at
    open_[rows] = (low <= s) & (s <= high)
    return ahead, open_


def _coordinates(mesh: Any, simplex: Array, places: Array) -> tuple[Array, Array]:
    """Return the corners of the simplices that hold some places, and the places' barycentric coordinates."""
    affine = mesh.transform[simplex]
    d = places.shape[1]
    inner = np.einsum("pij,pj->pi", affine[:, :d], places - affine[:, d])
    return mesh.simplices[simplex], np.concatenate([inner, 1.0 - inner.sum(axis=1, keepdims=True)], axis=1)


def _levels(border: Border, corners: Array, coordinates: Array, far: Array) -> Array:
    """Return where, from the near face to the far one, what is open begins, the border is, and what is open ends."""
    size = len(border.sites)
    keys = border.edges.ends @ np.array([size, 1])
    order = np.argsort(keys)
    along = np.stack([border.stretch[:, 0], border.at, border.stretch[:, 1]])
    total, weight = np.zeros((3, len(corners))), np.zeros(len(corners))
    for p, q in combinations(range(corners.shape[1]), 2):
        crossed = np.flatnonzero(far[:, p] != far[:, q])
        first, last = np.sort(corners[crossed][:, [p, q]], axis=1).T
        edge = order[np.searchsorted(keys[order], first * size + last)]
        onward = far[crossed, p] == (corners[crossed, p] == last)  # the edge's first end is on the near face
        product = coordinates[crossed, p] * coordinates[crossed, q]
        total[:, crossed] += product * np.where(onward, along[:, edge], 1.0 - along[::-1, edge])
        weight[crossed] += product
    return np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), 0.5)
