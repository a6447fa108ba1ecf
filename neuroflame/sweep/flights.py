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
    begun: float | None = None  # time.monotonic()
    hung: str | None = None  # what is to be said of it


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
    """

    tile: Tile
    again: list[Tile]
    reason: str


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

    def __len__(self) -> int:
        return len(self._flights)

    @property
    def points(self) -> int:
        """Points of these tiles."""
        return sum(len(flight.tile) for flight in self._flights.values())

    def depart(self, tile: Tile, allowed: float) -> None:
        """Hand out a tile that may take so many seconds, from when a worker begins with it."""
        self._flights[tile.id] = _Flight(tile, allowed)

    def begin(self, identity: str) -> None:
        """Count a tile's time from now."""
        if identity in self._flights:
            self._flights[identity].begun = time.monotonic()

    def land(self, identity: str) -> Tile | None:
        """Return a tile that came back; None if it is not awaited."""
        flight = self._flights.pop(identity, None)
        return flight.tile if flight is not None else None

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
            return Crash(tile, [replace(tile, losses=tile.losses + 1)], why)
        if len(tile) == 1:
            return Crash(tile, [], why)
        losses = self._retries if flight.hung else 0
        halves = np.array_split(tile.ranks, 2)
        return Crash(
            tile, [make_tile(block, tile.block, ranks, tile.attempt, losses) for ranks in halves], why
        )

    def recall(self) -> list[Tile]:
        """Return all tiles: nobody runs them any more."""
        tiles = [flight.tile for flight in self._flights.values()]
        self._flights.clear()
        return tiles
