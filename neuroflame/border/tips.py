"""Tips of thin regions: where a region that was found may go on between the places around its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.border.mesh import longest_edge

if TYPE_CHECKING:
    from neuroflame.border.find import Border

Array = np.ndarray[Any, Any]

_AHEAD = 4.0
"""Tolerances up to which a place of another label ends a region: no further, since the region may turn before."""
_BESIDE = 2.5
"""Tolerances from the tip at which other directions than straight ahead are tried."""
_ASIDE = 0.5
"""Tolerances from a ray within which a place closes it: a tip lies off the region's middle by as much as that."""
_NARROW = float(np.cos(np.deg2rad(80.0)))
"""Least cosine between any direction and that of some other label near a place of a thin region."""
_TURNS = np.arange(24) * (2.0 * np.pi / 24)
_FANS = np.stack([np.cos(_TURNS), np.sin(_TURNS)], axis=1)


def open_tips(border: Border, tolerance: float, *, confidence: float = 0.0) -> list[Array]:
    """Return, for each tip of a thin region that no places of other labels close, where to look beyond it.

    A region is thin at a place with other labels, or the edge of the space, on all sides of it within half of
    `longest_edge`; and the place is a tip if the region's other places nearby lie on one side of it. Away from
    them, a region about as wide as the tolerance could leave in any direction along which no place lies within half
    the tolerance of a ray from its middle. Straight ahead, along the axis of the region's last part, it is looked
    for as far ahead as that part is long, then half as far, and so on; in the other directions close to the tip.

    Parameters
    ----------
    border : Border
        As far as it is known.
    tolerance : float
        The error of the border that is aimed at, and about the width of the thinnest region that is followed.
    confidence : float
        Least confidence of a tip's label.

    Returns
    -------
    list of ndarray, (k, d)
        Places that tell whether the region goes on; none but in two dimensions, nor of noisy
        labels, which are thin by chance.
    """
    from scipy.spatial import cKDTree

    sites, d = border.sites, border.sites.units.shape[1]
    noisy = bool(len(border.undecided)) or sites.spent.max(initial=1) > 1
    if d != 2 or noisy or not len(border.edges):
        return []
    tree, longest = cKDTree(sites.units), longest_edge(tolerance, d)
    near = border.mesh.neighbours()
    found = []
    for place in np.unique(border.edges.ends):
        if sites.confidence[place] < confidence:
            continue
        around = np.array(tree.query_ball_point(sites.units[place], longest), dtype=np.int64)
        other = sites.units[around[sites.code[around] != sites.code[place]]] - sites.units[place]
        if not _thin(sites.units[place], other, longest / 2):
            continue
        own = sites.units[_connected(int(place), around, sites.code, near)] - sites.units[place]
        probes = _Tip(sites.units[place], own, other, tolerance, longest).probes()
        if len(probes):
            found.append(probes)
    return found


def _thin(here: Array, other: Array, radius: float) -> bool:
    """Return whether other labels, or the edge of the space, are on all sides of a place within a radius."""
    out = np.concatenate([np.diag(1.0 - here), np.diag(-here)])
    other = np.concatenate([other, out])
    length = np.linalg.norm(other, axis=1)
    other = other[(length <= radius) & (length > 0)]
    if not len(other):
        return False
    cosine = _FANS @ (other / np.linalg.norm(other, axis=1, keepdims=True)).T
    return bool((cosine.max(axis=1) >= _NARROW).all())


def _connected(place: int, around: Array, code: Array, near: list[Array]) -> Array:
    """Return the places among some that neighbours of its label connect to a place, without it."""
    allowed, found, ahead = set(around[code[around] == code[place]].tolist()), {place}, [place]
    while ahead:
        fresh = (set(near[ahead.pop()].tolist()) & allowed) - found
        found |= fresh
        ahead += sorted(fresh)
    return np.array(sorted(found - {place}), dtype=np.int64)


@dataclass(frozen=True)
class _Tip:
    """A place of a thin region, and offsets of the places nearby from it: of the region, and of other labels."""

    here: Array
    own: Array
    other: Array
    tolerance: float
    longest: float

    def probes(self) -> Array:
        """Return where to look; nothing where the region does not end, or does so for sure."""
        none = np.empty((0, len(self.here)))
        start, fans = np.zeros_like(self.here), _FANS
        if len(self.own):
            start, ahead = self._line()
            if (self.own @ ahead).max() > self.tolerance / 2:
                return none  # there is more of it ahead
            step = self._step(start, ahead)
            if step is not None:
                step = _inside(self.here + start, ahead, step)
                if step > self.tolerance / 2:
                    return (self.here + start + step * ahead)[None]
            fans = fans[fans @ ahead > _NARROW]
            fans = fans[np.argsort(-(fans @ ahead), kind="stable")]
        blocks = np.concatenate([self.own, self.other]) - start
        blocks = blocks[np.linalg.norm(blocks, axis=1) <= _AHEAD * self.tolerance]
        found = []
        for direction in fans:
            step = _inside(self.here + start, direction, _BESIDE * self.tolerance)
            if step > self.tolerance / 2 and not _blocked(blocks, direction, _ASIDE * self.tolerance):
                found.append(self.here + start + step * direction)
                blocks = np.append(blocks, step * direction[None], axis=0)
        return np.array(found).reshape(-1, len(self.here))

    def _line(self) -> tuple[Array, Array]:
        """Return the middle of the region beside the place, and the direction of its last part, towards its end.

        That is its places' largest principal component; their mean where they are as broad as long.
        """
        last = self.own[np.linalg.norm(self.own, axis=1) <= self.longest / 2]
        last = last if len(last) else self.own
        whole = np.append(last, np.zeros((1, len(self.here))), axis=0)
        away = -last.mean(axis=0)
        middle = whole.mean(axis=0)
        main, length = np.linalg.svd(whole - middle)[2][0], np.linalg.norm(away)
        long = abs(main @ away) >= np.sqrt(0.5) * length
        ahead = main * (1.0 if main @ away >= 0 else -1.0) if long else away / length
        return middle - (middle @ ahead) * ahead, ahead

    def _step(self, start: Array, ahead: Array) -> float | None:
        """Return how far straight ahead to look next; None where a place closes the way."""
        along = self.other @ ahead
        aside = np.linalg.norm(self.other - start - along[:, None] * ahead, axis=1)
        close = along <= _AHEAD * self.tolerance
        in_way = (along > 0) & (aside <= np.where(close, _ASIDE, 2.0) * self.tolerance)
        if (in_way & close).any():
            return None
        length = -float((self.own @ ahead).min())
        least = 2.0 * self.tolerance
        return float(np.clip(min(length, along[in_way].min(initial=np.inf) / 2), least, self.longest))


def _blocked(offset: Array, direction: Array, tolerance: float) -> bool:
    along = offset @ direction
    aside = np.linalg.norm(offset - along[:, None] * direction, axis=1)
    return bool(((along > 0) & (aside <= tolerance)).any())


def _inside(here: Array, direction: Array, step: float) -> float:
    """Return how much of a step stays in the unit cube."""
    room = np.where(direction > 0, 1.0 - here, here)
    with np.errstate(divide="ignore", invalid="ignore"):
        most = np.where(direction != 0, room / np.abs(direction), np.inf)
    return float(min(step, most.min()))
