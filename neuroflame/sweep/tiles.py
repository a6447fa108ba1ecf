"""Tiles: the points that one program simulates at once."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from neuroflame.sweep.block import Block
    from neuroflame.sweep.points import Array

GRAIN = 16
"""Sizes that are chosen here are a multiple of it: executors run so many points in step, or pad."""


@dataclass(frozen=True)
class Tile:
    """Some points of one group.

    Parameters
    ----------
    id : str
        Hash of the points' identities; the name of the tile's fragment.
    block : int
        Number of the block that holds the points.
    ranks : ndarray of int64, (P,)
        Ranks of the points within the block, ascending.
    attempt : int
        How often its points had failed, and were to be tried again, before.
    losses : int
        How often a worker was lost on it.
    """

    id: str
    block: int
    ranks: Array
    attempt: int = 0
    losses: int = 0

    def __len__(self) -> int:
        return len(self.ranks)

    @property
    def ref(self) -> str:
        """A short text from which a worker that knows the sweep can tell the tile's points."""
        return f"{self.id}:{self.block}:{self.attempt}:{_to_ranges(self.ranks)}"


def make_tile(block: Block, number: int, ranks: Array, attempt: int = 0, losses: int = 0) -> Tile:
    """Return the tile of some points of a block; another attempt at the same points has another name."""
    text = "".join(block.points(ranks).ids()) + (f"#{attempt}" if attempt else "")
    return Tile(blake2b(text.encode(), digest_size=8).hexdigest(), number, ranks, attempt, losses)


def parse_ref(ref: str) -> Tile:
    """Return the tile that a `Tile.ref` describes."""
    identity, block, attempt, ranges = ref.split(":")
    return Tile(identity, int(block), _from_ranges(ranges), int(attempt))


def _to_ranges(ranks: Array) -> str:
    breaks = np.flatnonzero(np.diff(ranks) != 1) + 1
    return ",".join(f"{run[0]}-{run[-1]}" for run in np.split(ranks, breaks))


def _from_ranges(text: str) -> Array:
    ends = (run.split("-") for run in text.split(","))
    return np.concatenate([np.arange(int(first), int(last) + 1) for first, last in ends])


class TileQueue:
    """Cuts what is pending of a block into tiles, one at a time, so that sizes can follow what is measured.

    Every pending point is in exactly one tile; no tile crosses groups; points keep their order.

    Parameters
    ----------
    block : Block
        The points.
    number : int
        Number of the block.
    pending : ndarray of bool, (P,), optional
        Which points are to be simulated; by default all.
    attempt : int
        That of the tiles.
    """

    def __init__(self, block: Block, number: int = 0, pending: Array | None = None, attempt: int = 0) -> None:
        self.block, self.number, self.attempt = block, number, attempt
        self._ranks = np.arange(len(block)) if pending is None else np.flatnonzero(pending)
        self._ends = np.searchsorted(self._ranks, block.bounds[1:])
        self._at = 0
        self._group = 0

    def __len__(self) -> int:
        """Return the number of points that are in no tile yet."""
        return len(self._ranks) - self._at

    @property
    def first(self) -> Array:
        """Rank of the point that the next tile begins with, as an array of one; empty if there is none."""
        return self._ranks[self._at : self._at + 1]

    def next(self, size: int) -> Tile:
        """Return the next tile, of at most so many points; IndexError if there is none."""
        if self._at >= len(self._ranks):
            raise IndexError("every point is in a tile")
        while self._ends[self._group] <= self._at:
            self._group += 1
        last = min(self._at + max(1, size), int(self._ends[self._group]))
        ranks = self._ranks[self._at : last]
        self._at = last
        return make_tile(self.block, self.number, ranks, self.attempt)


def whole_grains(size: float) -> int:
    """Return the size as a multiple of `GRAIN`, at least one."""
    return max(1, int(size) // GRAIN) * GRAIN
