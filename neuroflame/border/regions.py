"""Stability regions: connected sets of places with one label, how large they are, and how far each place is inside."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.border.find import QUANTILE
from neuroflame.border.mesh import FLAT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.border.find import Border
    from neuroflame.border.mesh import Mesh

Array = np.ndarray[Any, Any]

_SAME = 9  # decimals to which the spheres around simplices agree that share all their vertices
_FINE = {1: 1, 2: 8, 3: 4, 4: 2}
"""Parts into which a piece of the border is cut each way, by the number of axes, to measure distances to it."""


@dataclass(frozen=True)
class Regions:
    """Connected components of places with equal labels, the largest first.

    Parameters
    ----------
    border : Border
        Where labels change.
    number : ndarray of int, (n,)
        The region of each place, from 0.
    code : ndarray of int, (R,)
        The label of each region.
    share, low, high : ndarray, (R,)
        Share of the volume that the places span: by the shares of simplices that its places are corners of, of the
        simplices that lie within it alone, and of all that it has a place of.
    error, worst : ndarray, (R,)
        How well its border is known, as a fraction of the range: over 95 % of its points, and over all; NaN without.
    distance : ndarray, (n,)
        From each place to the border of its region, in the unit cube; NaN where there is none.
    known : ndarray, (n,)
        How well the border is known there.
    """

    border: Border
    number: Array
    code: Array
    share: Array
    low: Array
    high: Array
    error: Array
    worst: Array
    distance: Array
    known: Array

    def __len__(self) -> int:
        return len(self.code)


def find_regions(border: Border) -> Regions:
    """Find the regions on both sides of a border.

    Parameters
    ----------
    border : Border
        From `find_border` and its kin.

    Notes
    -----
    Places are neighbours that are corners of one cell of Delaunay's tessellation: of one simplex, or of several whose
    corners lie on one sphere, such as the two triangles of a square of a grid. Either diagonal would do there; regions
    that touch at a corner are one.
    """
    code, mesh = border.sites.code, border.mesh
    number = _components(mesh, code)
    count = int(number.max(initial=-1)) + 1
    volumes = _volumes(mesh, number, count)
    size = np.bincount(number, minlength=count)
    order = np.lexsort((np.arange(count), -size, -np.round(volumes[0], 12)))
    number = np.argsort(order)[number]
    share, low, high = volumes[:, order]
    distance, known = _distances(border, number, count)
    error, worst = np.full(count, np.nan), np.full(count, np.nan)
    owner = number[border.edges.ends]
    for one in np.unique(owner):
        of_edge = border.error[(owner == one).any(axis=1)]
        error[one], worst[one] = float(np.quantile(of_edge, QUANTILE)), float(of_edge.max())
    first = np.unique(number, return_index=True)[1]
    return Regions(border, number, code[first], share, low, high, error, worst, distance, known)


def _volumes(mesh: Mesh, number: Array, count: int) -> Array:
    """Return the shares of each region as `Regions` has them, (3, R); NaN where places span no volume."""
    volume = mesh.volumes()
    corners = np.sort(number[mesh.simplices], axis=1)
    found = np.zeros((3, count))
    whole = (corners == corners[:, :1]).all(axis=1)
    np.add.at(found[1], corners[whole, 0], volume[whole])
    for k in range(corners.shape[1]):
        np.add.at(found[0], corners[:, k], volume / corners.shape[1])
        fresh = np.ones(len(corners), dtype=bool) if k == 0 else corners[:, k] != corners[:, k - 1]
        np.add.at(found[2], corners[fresh, k], volume[fresh])
    total = float(volume.sum())
    return found / (total if total > 0 else np.nan)


def _components(mesh: Mesh, code: Array) -> Array:
    """Return the number of the component of each place, (n,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    places = len(code)
    cell = _cells(mesh)
    labels = int(code.max(initial=0)) + 1
    # A cell joins its corners of each label: one more node for each pair of both.
    joint = places + (cell[:, None] * labels + code[mesh.simplices]).ravel()
    nodes = places + (int(cell.max(initial=-1)) + 1) * labels
    pairs = (np.ones(len(joint)), (mesh.simplices.ravel(), joint))
    _, found = connected_components(coo_array(pairs, shape=(nodes, nodes)), directed=False)
    return np.asarray(np.unique(found[:places], return_inverse=True)[1]).ravel()


def _cells(mesh: Mesh) -> Array:
    """Return the number of the cell that each simplex is part of, (m,): equal where spheres around them are."""
    corners = mesh.units[mesh.simplices]
    count, d = len(corners), mesh.units.shape[1]
    sides = corners[:, 1:] - corners[:, :1]
    solid = np.abs(np.linalg.det(sides)) > FLAT if count else np.zeros(0, dtype=bool)
    centre = np.zeros((count, d))
    squares = (sides[solid] ** 2).sum(axis=2, keepdims=True) / 2
    centre[solid] = np.linalg.solve(sides[solid], squares)[:, :, 0]  # seen from the first corner
    radius = np.linalg.norm(centre, axis=1)
    keys = np.round(np.concatenate([centre + corners[:, 0], radius[:, None]], axis=1), _SAME)
    keys[~solid] = np.arange(count)[~solid, None] + 2.0  # of its own, outside of the cube
    return np.asarray(np.unique(keys, axis=0, return_inverse=True)[1]).ravel()


def _distances(border: Border, number: Array, count: int) -> tuple[Array, Array]:
    """Return how far each place is from the border of its region, and how well that is known there."""
    from scipy.spatial import cKDTree

    distance, known = np.full(len(number), np.nan), np.full(len(number), np.nan)
    pieces = list(_pieces(border, number))
    if not pieces:
        return distance, known
    owner, places, errors = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    order, mine = np.argsort(owner, kind="stable"), np.argsort(number, kind="stable")
    ends = np.searchsorted(owner[order], np.arange(count + 1))
    held = np.searchsorted(number[mine], np.arange(count + 1))
    for one in range(count):
        here, there = order[ends[one] : ends[one + 1]], mine[held[one] : held[one + 1]]
        if len(here):
            distance[there], nearest = cKDTree(places[here]).query(border.sites.units[there])
            known[there] = errors[here[nearest]]
    return distance, known


def _pieces(border: Border, number: Array) -> Iterator[tuple[Array, Array, Array]]:
    """Yield places that lie closely on the borders: whose region's, where, and how well it is known there.

    In each simplex a region's border is the convex hull of the points at which it crosses the edges.
    """
    count, points = len(border.sites), border.units
    keys = border.edges.ends[:, 0] * count + border.edges.ends[:, 1]  # ascending, as the mesh lists edges
    simplices = np.sort(border.mesh.simplices[border.mesh.mixed], axis=1)
    corners, width = number[simplices], simplices.shape[1]
    sides = list(combinations(range(width), 2))
    edge = np.stack(
        [np.searchsorted(keys, simplices[:, i] * count + simplices[:, j]) for i, j in sides], axis=1
    )
    for k in range(width):  # the regions of each simplex, each once, by the first of their corners
        inside = corners == corners[:, [k]]
        crosses = np.stack([inside[:, i] != inside[:, j] for i, j in sides], axis=1)
        crossed = crosses.sum(axis=1) * (inside.argmax(axis=1) == k)
        for several in np.unique(crossed[crossed > 0]):
            these = crossed == several
            vertex = edge[these][crosses[these]].reshape(-1, several)
            weights = _lattice(int(several), _FINE[width - 1])
            yield (
                np.repeat(corners[these, k], len(weights)),
                np.einsum("wc,scd->swd", weights, points[vertex]).reshape(-1, points.shape[1]),
                np.repeat(border.error[vertex].max(axis=1), len(weights)),
            )


def _lattice(corners: int, parts: int) -> Array:
    """Return weights of corners that are multiples of 1/parts and add up to 1, (W, corners)."""
    chosen = np.array(list(combinations_with_replacement(range(corners), parts)))
    return np.stack([(chosen == k).sum(axis=1) for k in range(corners)], axis=1) / parts
