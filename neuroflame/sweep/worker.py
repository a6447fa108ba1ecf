"""What runs tiles: knows the sweep and the store, nothing of who hands out the tiles."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from neuroflame.spec.sweep import SweepSpec
from neuroflame.store import SweepStore
from neuroflame.sweep.asks import asked_block
from neuroflame.sweep.causes import Causes
from neuroflame.sweep.evaluate import Measure, Rows, evaluate
from neuroflame.sweep.gpu import gpu_use
from neuroflame.sweep.planner import known_block
from neuroflame.sweep.provenance import provenance
from neuroflame.sweep.search import KnownSearch, make_search
from neuroflame.sweep.telling import telling_of
from neuroflame.sweep.tiles import Tile, parse_ref

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuroflame.sweep.block import Block
    from neuroflame.sweep.points import Points

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_CAUSES = 10
MEASURE = "neuroflame.core.measure:measure_points"


@dataclass(frozen=True)
class Job:
    """What a worker must know; plain data, small, picklable.

    Parameters
    ----------
    sweep : mapping
        The sweep as `SweepSpec.to_dict` gives it.
    uri : str
        Where the store is.
    threads : int or None
        Threads that the worker may use; None leaves them as they are.
    device : str
        Where it simulates.
    measure : str
        Module and name of the measure function.
    """

    sweep: Mapping[str, Any]
    uri: str
    threads: int | None = None
    device: str = "auto"
    measure: str = MEASURE


@dataclass(frozen=True)
class TileResult:
    """What a worker says about a tile whose fragment is on disk.

    Parameters
    ----------
    id : str
        The tile.
    points, failed, diverged : int
        Points in it; those that failed; those that diverged.
    seconds : float
        Wall time of simulating.
    first : bool
        Whether it was the worker's first, which also draws connectivity and compiles.
    too_many : int
        Fewest points that were too many for the memory at once; 0 if none were.
    executor, device : str
        What simulated it.
    told : list
        What a search that learns is told of each point; see `neuroflame.sweep.telling`.
    causes : tuple of (str, int)
        Why points failed, and how many.
    gpu : str or None
        What the worker's GPU is doing.
    """

    id: str
    points: int
    failed: int
    diverged: int
    seconds: float
    first: bool = False
    too_many: int = 0
    executor: str = ""
    device: str = ""
    told: list[Any] = field(default_factory=list)
    causes: tuple[tuple[str, int], ...] = ()
    gpu: str | None = None


class Worker:
    """Runs tiles of one sweep: simulates, publishes the fragment, and only then reports.

    Made cheaply: heavy libraries are imported, connectivity drawn and code compiled at the first tile.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._spec: SweepSpec | None = None
        self._store: SweepStore | None = None
        self._held: tuple[int, Block | None] = (0, None)
        self._measure: Measure | None = None
        self._engines: Any = None

    def run(self, ref: str) -> TileResult:
        """Simulate a tile and publish its rows.

        Parameters
        ----------
        ref : str
            A `Tile.ref`.

        Raises
        ------
        StoreError
            If the rows cannot be published.
        BackendError
            If the machine cannot do what is asked.
        """
        spec, store = self.prepare()
        tile = parse_ref(ref)
        points = self._points(tile, spec, store)
        first = self._measure is None
        if self._measure is None:
            self._measure, self._engines = load_measure(self._job.measure)
        start = time.monotonic()
        rows = evaluate(
            spec,
            points,
            self._measure,
            device=self._job.device,
            engines=self._engines,
            kept=store.kept_input,
        )
        seconds = time.monotonic() - start
        publish(store, tile, rows, seconds)
        causes = Causes()
        causes.update((text, 1) for text in rows.data["error"] if text is not None)
        telling = telling_of(spec)
        return TileResult(
            id=tile.id,
            points=len(points),
            failed=rows.count("failed"),
            diverged=rows.count("diverged"),
            seconds=seconds,
            first=first,
            too_many=rows.too_many,
            executor=rows.executor,
            device=rows.device,
            told=telling.of_rows(rows.data).tolist() if telling else [],
            causes=causes.top(_CAUSES),
            gpu=gpu_use(),
        )

    def prepare(self) -> tuple[SweepSpec, SweepStore]:
        """Return the sweep and its store, opened once.

        Raises
        ------
        StoreError
            If the store is not there.
        """
        if self._spec is None or self._store is None:
            if self._job.threads is not None:
                limit_threads(self._job.threads)
            self._spec = SweepSpec.parse(self._job.sweep)
            self._store = SweepStore.open(self._job.uri)
        return self._spec, self._store

    def _points(self, tile: Tile, spec: SweepSpec, store: SweepStore) -> Points:
        number, block = self._held
        if block is None or number != tile.block:
            search = make_search(spec)
            if isinstance(search, KnownSearch):
                block = known_block(spec, search)
            else:
                block = asked_block(spec, store, tile.block)
            self._held = (tile.block, block)
        return block.points(tile.ranks)


def limit_threads(count: int) -> None:
    """Let the numerical libraries of this process use so many threads; call it before they are imported."""
    os.environ.update(dict.fromkeys(_THREADS, str(count)))
    import torch

    torch.set_num_threads(count)


def publish(store: SweepStore, tile: Tile, rows: Rows, seconds: float) -> bool:
    """Write the rows of a tile into the store; return False if they were there."""
    about = {
        **provenance(rows.executor, rows.device),
        "seconds": f"{seconds:.6g}",
        "pieces": str(rows.pieces),
        "attempt": str(tile.attempt),
    }
    return store.write_fragment(tile.id, rows.columns, rows.data, about)


def load_measure(name: str) -> tuple[Measure, Any]:
    """Return a measure function by module and name, and what it keeps between tiles."""
    from importlib import import_module

    module, _, attribute = name.partition(":")
    home = import_module(module)
    cache = getattr(home, "EngineCache", None)
    return getattr(home, attribute), cache() if cache else None
