"""Tiles that are with a worker: how long they may take, and what becomes of those whose worker died."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from neuroflame.sweep.tiles import Tile, make_tile

if TYPE_CHECKING:
    from neuroflame.sweep.block import Block


@dataclass
class _Flight:
    tile: Tile
    allowed: float  # seconds
    work: float
    worker: str | None = None
    begun: float | None = None  # time.monotonic()
    hung: str | None = None  # what is to be said of it


class Busy(NamedTuple):
    """A tile that was handed out.

    Parameters
    ----------
    worker : str or None
        Who has it; None while nobody has begun with it.
    work : float
        How much it is, as a number of points of the sweep's own network.
    elapsed : float
        Seconds since it was begun.
    """

    worker: str | None
    work: float
    elapsed: float


class Crash(NamedTuple):
    """What is to become of a tile whose worker died.

    Parameters
    ----------
    tile : Tile
        The tile.
    again : list of Tile
        What to try of it; nothing if that was the end.
    reason : str
        Why it died.
    worker : str or None
        The worker.
    """

    tile: Tile
    again: list[Tile]
    reason: str
    worker: str | None


class Flights:
    """The tiles that were handed out and of which nothing was heard yet.

    A tile whose worker died or hung is tried again as a whole, `retries` times; then its halves are, and so
    on, until the points are alone that end every worker. Halves of a tile that hung are tried once: each try
    costs a deadline.

    Parameters
    ----------
    retries : int
        How often the same tile is tried again.
    """

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._flights: dict[str, _Flight] = {}
        self._free: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._flights)

    @property
    def points(self) -> int:
        """Points of these tiles."""
        return sum(len(flight.tile) for flight in self._flights.values())

    @property
    def busy(self) -> list[Busy]:
        """What these tiles are, and how long workers have had them."""
        now = time.monotonic()
        return [
            Busy(flight.worker, flight.work, 0.0 if flight.begun is None else now - flight.begun)
            for flight in self._flights.values()
        ]

    def free(self, actors: int) -> list[str]:
        """Return the workers that had a tile and have none, as many as there can be of so many in all.

        Those that were heard of last: a worker that goes while it has no tile is not told of.
        """
        most = max(0, actors - len(self._flights))
        return list(self._free)[len(self._free) - min(most, len(self._free)) :]

    def depart(self, tile: Tile, allowed: float, weight: float = 1.0) -> None:
        """Hand out a tile that may take so many seconds, from when a worker begins with it.

        The weight is that of a point, as a multiple of a point of the sweep's own network.
        """
        self._flights[tile.id] = _Flight(tile, allowed, len(tile) * weight)

    def begin(self, identity: str, worker: str) -> None:
        """Count a tile's time from now, when a worker has it."""
        self._free.pop(worker, None)
        if identity in self._flights:
            self._flights[identity].begun = time.monotonic()
            self._flights[identity].worker = worker

    def land(self, identity: str) -> tuple[Tile, str] | None:
        """Return a tile that came back, and who had it; None if it is not awaited."""
        flight = self._flights.pop(identity, None)
        if flight is None:
            return None
        if flight.worker is not None:
            self._free[flight.worker] = None
        return flight.tile, flight.worker or ""

    def overdue(self) -> list[Tile]:
        """Return the tiles whose time has run out, each once."""
        now, found = time.monotonic(), []
        for flight in self._flights.values():
            if flight.hung is None and flight.begun is not None and now - flight.begun > flight.allowed:
                flight.hung = f"no result within {flight.allowed:.3g} s (compute.deadline)"
                found.append(flight.tile)
        return found

    def crash(self, identity: str, reason: str, block: Block) -> Crash | None:
        """Return what is to become of a tile whose worker died; None if the tile is not awaited."""
        flight = self._flights.pop(identity, None)
        if flight is None:
            return None
        tile, why = flight.tile, flight.hung or f"its worker died: {reason}"
        if tile.losses < self._retries:
            return Crash(tile, [replace(tile, losses=tile.losses + 1)], why, flight.worker)
        if len(tile) == 1:
            return Crash(tile, [], why, flight.worker)
        losses = self._retries if flight.hung else 0
        halves = np.array_split(tile.ranks, 2)
        again = [make_tile(block, tile.block, ranks, tile.attempt, losses) for ranks in halves]
        return Crash(tile, again, why, flight.worker)

    def recall(self) -> list[Tile]:
        """Return all tiles: nobody runs them any more."""
        tiles = [flight.tile for flight in self._flights.values()]
        self._flights.clear()
        self._free.clear()
        return tiles
