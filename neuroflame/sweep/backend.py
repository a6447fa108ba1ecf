"""What hands tiles to workers, seen from the controller; and what hands out tiles, seen from a backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from neuroflame.sweep.worker import Job, TileResult


@dataclass(frozen=True)
class Resources:
    """What a backend has to offer.

    Parameters
    ----------
    actors : int
        Tiles that run at once.
    cuda : bool
        Whether they run on GPUs.
    about : str
        In words, for people.
    dashboard : str, optional
        Where Ray's dashboard is, if one runs.
    """

    actors: int
    cuda: bool
    about: str
    dashboard: str | None = None


class Feed(ABC):
    """Where a backend gets tiles and takes what became of them.

    It is called from one thread. A tile is named by its reference, a short text, until `finished` or `lost`
    is called for it; what is lost may be handed out again, under the same name or in smaller tiles.
    """

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether no tile will be handed out any more and none is running."""

    @abstractmethod
    def next(self) -> str | None:
        """Return the reference of a tile to run; None if there is none now."""

    @abstractmethod
    def began(self, ref: str, worker: str) -> None:
        """Take note that a worker, under a name of its own, has begun with a tile; its time counts from here."""

    @abstractmethod
    def slowness(self, worker: str) -> float:
        """Return the seconds that a worker takes for a point, about.

        Of several workers that are free the fastest is to have the next tile: its size is made for that one.
        """

    @abstractmethod
    def overdue(self) -> list[str]:
        """Return the references of tiles that have taken too long: their workers are to be ended, if they can.

        `lost` is then called for each, as for any worker that died. A tile is named once.
        """

    @abstractmethod
    def finished(self, result: TileResult) -> None:
        """Take note of a tile whose rows are in the store."""

    @abstractmethod
    def lost(self, ref: str, reason: str) -> None:
        """Take note of a tile whose worker died."""

    @abstractmethod
    def abort(self, error: BaseException) -> None:
        """Take note of an error that ends the sweep; `done` is true from now on."""

    @abstractmethod
    def resized(self, actors: int) -> None:
        """Take note that another number of tiles can run at once: machines came or went."""

    @abstractmethod
    def note(self, text: str) -> None:
        """Tell the user something in passing."""

    @abstractmethod
    def tick(self) -> None:
        """Do what is due from time to time: the backend calls it a few times a second where it can."""


class Backend(ABC):
    """Runs tiles somewhere.

    Use it as a context: entering takes hold of the machines, leaving lets go of them, also after errors and
    interrupts.
    """

    @abstractmethod
    def check(self) -> None:
        """Raise BackendError at once if it is clear that `open` would fail; anything else is left to it."""

    @abstractmethod
    def open(self) -> Resources:
        """Take hold of the machines.

        Raises
        ------
        BackendError
            If they cannot be reached or lack what was asked for.
        """

    @abstractmethod
    def run(self, job: Job, feed: Feed) -> None:
        """Hand the feed's tiles to workers until it is done, or no worker is left."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the machines."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
