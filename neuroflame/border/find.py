"""The border itself: where it crosses the edges of the triangulation, and how well that is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.border.flat import crossings
from neuroflame.border.labels import LABELLED, Labelling
from neuroflame.border.mesh import Edges, Mesh, longest_edge
from neuroflame.border.sites import Sites, gather

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from neuroflame.border.scales import Scale

Array = np.ndarray[Any, Any]

QUANTILE = 0.95
"""The share of the border that must be known within the tolerance."""
CONFIDENCE = 0.9
"""Posterior probability of a majority above which a label is clear, where a sweep does not say."""
GUARD = 0.25
"""Least part of an edge on either side of where the border is taken to be."""
_JUMP = 4.0  # times the slope of long edges: then the margin does not pass through zero, it jumps


@dataclass(frozen=True)
class Border:
    """Where labels change.

    Parameters
    ----------
    sites : Sites
        The places that were looked at and have a label that is clear, or draws left.
    undecided : Sites
        Those whose label no draw is left to settle. The border passes near them.
    mesh : Mesh
        Their triangulation.
    edges : Edges
        The edges that cross the border.
    at : ndarray, (E,)
        Where along each edge the border is taken to be, from 0 at its first end to 1.
    error : ndarray, (E,)
        How far the border may be from there, as a fraction of the range: to the farther end of each edge or of the
        part of it in which planes can cross it that separate the labels nearby, across the border; along the
        edge where it is longer than `longest_edge` allows. Planes bring it down to the tolerance and no further: what
        they leave out, how the border turns, is of that order (see `longest_edge`).
    foretold : ndarray of bool, (E,)
        Where a margin that passes through zero tells where along the edge the border is.
    stretch : ndarray, (E, 2)
        The part of each edge in which the border crosses it: 0 and 1, or less where planes narrow it, but no less than
        the tolerance on either side.
    crooked : ndarray of bool, (E,)
        Where no plane separates the labels nearby. Asked of edges that do not bracket the border within the
        tolerance, and of all where labels are noisy.
    """

    sites: Sites
    undecided: Sites
    mesh: Mesh
    edges: Edges
    at: Array
    error: Array
    foretold: Array
    stretch: Array
    crooked: Array

    @property
    def units(self) -> Array:
        """The border's points in the unit cube, (E, d)."""
        first, last = (self.sites.units[self.edges.ends[:, k]] for k in (0, 1))
        return np.asarray(first + self.at[:, None] * (last - first))

    @property
    def confidence(self) -> Array:
        """The lower confidence of both ends' labels, (E,)."""
        return np.asarray(self.sites.confidence[self.edges.ends].min(axis=1))

    def quantile(self, share: float = QUANTILE) -> float:
        """Return the error that so large a share of the border's points keeps; NaN without a border."""
        return float(np.quantile(self.error, share)) if len(self.error) else float("nan")

    @property
    def brackets(self) -> Array:
        """Between which two places the border crosses each edge, from its first end's side; (E, 2, d)."""
        first, last = (self.sites.units[self.edges.ends[:, k], None] for k in (0, 1))
        return np.asarray(first + self.stretch[:, :, None] * (last - first))

    def segments(self) -> tuple[Array, Array]:
        """Return the border in two dimensions as straight pieces, one for each triangle that it crosses.

        Returns
        -------
        ndarray, (S, 2, 2)
            Ends of each piece in the unit cube.
        ndarray, (S,)
            The larger error of both ends.
        """
        points, pieces, errors = self.units, [], []
        for crossed in self._triangles():
            edges = list(crossed.values())
            ends = points[edges]
            if len(edges) == 3:  # three labels meet: from each crossing to the middle
                pieces += [np.stack([end, ends.mean(axis=0)]) for end in ends]
            else:
                pieces.append(ends)
            errors += [float(self.error[edges].max())] * (3 if len(edges) == 3 else 1)
        return np.array(pieces).reshape(-1, 2, 2), np.array(errors)

    def bands(self) -> list[Array]:
        """Return where the border may be in two dimensions: a polygon, (k, 2), for each triangle that it crosses.

        Its corners are the ends of what is open of the triangle's edges, in order around it.
        """
        brackets, found = self.brackets, []
        for crossed in self._triangles():
            (a, _), (_, c) = min(crossed), max(crossed)
            b = next(iter({end for pair in crossed for end in pair} - {a, c}))
            corners = []
            for first, last in ((a, b), (b, c), (c, a)):
                edge = crossed.get((min(first, last), max(first, last)))
                if edge is not None:
                    corners += list(brackets[edge] if first < last else brackets[edge][::-1])
            found.append(np.array(corners))
        return found

    def _triangles(self) -> list[dict[tuple[int, int], int]]:
        """Return, for each triangle that the border crosses, the number of each crossed edge by its ends."""
        number = {tuple(pair): k for k, pair in enumerate(self.edges.ends.tolist())}
        found = []
        for a, b, c in np.sort(self.mesh.simplices[self.mesh.mixed], axis=1).tolist():
            found.append({pair: number[pair] for pair in ((a, b), (a, c), (b, c)) if pair in number})
        return found


def find_border(sites: Sites, tolerance: float, *, draws: int = 1, confidence: float = CONFIDENCE) -> Border:
    """Find the border between the labels of some places.

    Parameters
    ----------
    sites : Sites
        The places; those without a label are left out.
    tolerance : float
        The error that is aimed at, as a fraction of the range.
    draws : int
        How many draws there are; with one a label is certain.
    confidence : float
        Posterior probability of the majority at which a label is clear. Places where it is not after all draws
        are `Border.undecided`: what brackets the border are those on both sides of them.
    """
    if draws == 1:
        sites = replace(sites, confidence=np.ones(len(sites)))
    unsure = (sites.confidence < confidence) & (sites.spent >= draws)
    kept = sites.where((sites.code >= 0) & ~unsure)
    mesh = Mesh(kept.units, kept.code)
    edges = mesh.border()
    longest = longest_edge(tolerance, kept.units.shape[1])
    long = edges.length > longest
    at, foretold = _crossings(kept, edges)
    if draws > 1:  # the mean margin of those draws that have a label tells nothing of the others
        at, foretold = np.full(len(edges), 0.5), np.zeros(len(edges), dtype=bool)
    told, at = at, np.clip(at, GUARD, 1 - GUARD)
    error = np.where(long, edges.length, edges.across) * np.maximum(at, 1 - at)
    asked = np.flatnonzero(error > tolerance) if draws == 1 else np.arange(len(edges))
    low, high = crossings(kept.units, kept.code, edges.ends[asked])
    crooked = np.zeros(len(edges), dtype=bool)
    crooked[asked] = np.isnan(low)
    flat = asked[np.isfinite(low)]
    low, high = low[np.isfinite(low)], high[np.isfinite(low)]
    at[flat] = np.where(foretold[flat], np.clip(told[flat], low, high), (low + high) / 2)
    stretch = np.tile([0.0, 1.0], (len(edges), 1))
    undecided = sites.where((sites.code >= 0) & unsure)
    border = Border(kept, undecided, mesh, edges, at, error, foretold, stretch, crooked)
    seen = ~long[flat] | _seen(border, flat, longest / 2)
    known = flat[seen]
    low, high = low[seen], high[seen]
    farthest = np.maximum(at[known] - low, high - at[known])
    error[known] = np.minimum(error[known], np.maximum(edges.across[known] * farthest, tolerance))
    room = tolerance / np.maximum(edges.across[known], tolerance)  # planes leave out how far the border turns
    stretch[known, 0] = np.maximum(np.minimum(low, at[known] - room), 0.0)
    stretch[known, 1] = np.minimum(np.maximum(high, at[known] + room), 1.0)
    return border


def draws_of_rows(
    data: Mapping[str, Any], scales: Sequence[Scale], on: str, initial: Sequence[str]
) -> tuple[Array, Array]:
    """Return the values of the axes in each draw of graph and seed, (D, d), and what was seen, (D, I).

    Parameters
    ----------
    data : mapping of str to sequence
        Columns ``point.<path>``, ``graph``, ``seed``, ``initial_condition``, ``status`` and what `on` needs.
    scales : sequence of Scale
        The axes.
    on : str
        A condition or a column of names, as a search has it.
    initial : sequence of str
        The initial conditions, in order; a draw that lacks one of them is left out.
    """
    told = Labelling(on).label(data)
    places = np.stack([np.asarray(data[f"point.{scale.path}"], dtype=float) for scale in scales], axis=1)
    draws: dict[tuple[Any, ...], dict[str, int]] = {}
    keys = zip(places.tolist(), data["graph"], data["seed"], data["initial_condition"], strict=True)
    for row, (place, graph, seed, start) in enumerate(keys):
        draws.setdefault((*place, graph, seed), {})[start] = row
    whole = [[found[start] for start in initial] for found in draws.values() if set(initial) <= set(found)]
    rows = np.array(whole, dtype=np.int64).reshape(len(whole), len(initial))
    return places[rows[:, 0]], np.asarray(told[rows], dtype=LABELLED)


def border_of_draws(
    values: Array, seen: Array, scales: Sequence[Scale], tolerance: float, *, confidence: float = CONFIDENCE
) -> Border:
    """Find the border between what was seen in some draws.

    Parameters
    ----------
    values : ndarray, (D, d)
        Of the axes in each draw.
    seen : ndarray of `LABELLED`, (D, I)
        For each initial condition.
    scales : sequence of Scale
        The axes.
    tolerance : float
        The error that is aimed at.
    confidence : float
        As in `find_border`.
    """
    units = np.stack([scale.place(values[:, k]) for k, scale in enumerate(scales)], axis=1)
    per_site = gather(units, seen)
    draws_made = int(per_site.spent.max(initial=1))
    return find_border(per_site, tolerance, draws=draws_made, confidence=confidence)


def _seen(border: Border, which: Array, radius: float) -> Array:
    """Return which edges cross the border where places of both labels are within a radius."""
    from scipy.spatial import cKDTree

    places, code = border.units[which], border.sites.code
    found = np.ones(len(which), dtype=bool)
    for one in np.unique(code):
        here = (code[border.edges.ends[which]] == one).any(axis=1)
        gap, _ = cKDTree(border.sites.units[code == one]).query(places[here])
        found[here] &= gap <= radius
    return found


def _crossings(sites: Sites, edges: Edges) -> tuple[Array, Array]:
    """Return where along each edge the margin is zero by linear interpolation, and whether it tells; else ½.

    A margin that jumps, as at a fold, tells nothing: there its change per length grows as edges get shorter. Nor
    does one that is far nearer to zero at one end than at the other, since few margins are straight lines: the
    border then stays a quarter of the edge away from that end.
    """
    first, last = edges.ends.T
    differs = sites.parts[first] != sites.parts[last]
    which = differs.argmax(axis=1) if differs.size else np.zeros(len(edges), dtype=np.int64)
    a, b = sites.margin[first, which], sites.margin[last, which]
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.abs(a - b) / edges.length
        at = a / (a - b)
    known = np.isfinite(slope) & (a * b <= 0) & (a != b) & (differs.sum(axis=1) == 1)
    if known.any():
        long = known & (edges.length >= np.median(edges.length[known]))
        known &= slope <= _JUMP * np.median(slope[long])
    return np.where(known, at, 0.5), known
