"""From a tile's points to their rows: pure, knowing neither files nor processes."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from neuroflame.columns import Column
from neuroflame.errors import BackendError, SimulationError, SpecError
from neuroflame.spec.starts import read_starts
from neuroflame.sweep.points import Array, Points, missing, point_columns, point_data

if TYPE_CHECKING:
    from neuroflame.spec.network import NetworkSpec
    from neuroflame.spec.sweep import SweepSpec

_LONGEST_ERROR = 500
_OUTCOME = (
    Column("status", "str", doc="ok, diverged (see t_fail) or failed (see error)."),
    Column("t_fail", "float", "s", "Time at which the point was seen to have diverged."),
)
_ERROR = Column("error", "str", doc="Why the point failed.")


class MeasuredLike(Protocol):
    """What a measure function returns; see `neuroflame.core.measure.Measured`."""

    columns: tuple[Column, ...]
    data: dict[str, Array]
    executor: str
    device: str


Measure = Callable[..., MeasuredLike]
"""`neuroflame.core.measure.measure_points`, or something that is called like it."""
Kept = Callable[[str], bytes | None]


@dataclass(frozen=True)
class Rows:
    """The rows of a tile.

    Parameters
    ----------
    columns : tuple of Column
        What the columns are.
    data : mapping of str to sequence
        One entry a point for each column.
    executor, device : str
        What simulated them; empty if nothing could.
    pieces : int
        Runs that the tile took: more than one if an error had to be isolated.
    too_many : int
        Fewest points that were too many for the memory at once; 0 if none were.
    """

    columns: tuple[Column, ...]
    data: dict[str, Any]
    executor: str
    device: str
    pieces: int
    too_many: int = 0

    def count(self, status: str) -> int:
        """Return the number of points with a status."""
        return sum(1 for found in self.data["status"] if found == status)


def evaluate(
    spec: SweepSpec,
    points: Points,
    measure: Measure,
    *,
    device: str = "cpu",
    engines: Any = None,
    kept: Kept = lambda _: None,
) -> Rows:
    """Simulate the points of a tile and return their rows.

    An error that some of the points cause is isolated by halving: those points get status ``failed`` and the
    error's text, the others their statistics. So is what does not fit into the memory: its halves may.

    Parameters
    ----------
    spec : SweepSpec
        The sweep.
    points : Points
        Points that share all structural values and the graph.
    measure : callable
        Simulates points, `neuroflame.core.measure.measure_points`.
    device : str
        Where.
    engines : object, optional
        What the measure function keeps between tiles.
    kept : callable, optional
        From a digest to the content of a file that the sweep starts from, None where no copy was kept.

    Raises
    ------
    BackendError, SimulationError
        If it cannot be done whatever the points.
    Exception
        What the device raised, if it cannot be used again by this process.
    """
    structural = {axis.path for axis in spec.axes if axis.structural}
    shared = {path: points.values[path].tolist()[0] for path in structural}
    shared = {path: value for path, value in shared.items() if value is not None and value == value}
    try:
        network = spec.network.with_values(shared) if shared else spec.network
    except SpecError as error:
        return failed_rows(spec, points, _text(error))
    options = _options(spec, kept)
    pieces: list[tuple[int, int, MeasuredLike | str]] = []
    too_many: list[int] = []

    def run(first: int, last: int) -> None:
        part = points.take(slice(first, last))
        try:
            found = _measured(spec, network, part, structural, measure, device, engines, options)
        except BackendError:
            raise
        except Exception as error:
            if _device_is_lost(error):
                raise
            short = _memory_is_short(error)
            if short:
                too_many.append(last - first)
            if last - first == 1:
                if isinstance(error, SimulationError) and last == len(points) == len(pieces) + 1:
                    _same_for_all(error, [piece for _, _, piece in pieces])
                pieces.append((first, last, _text(error)))
                return
        else:
            pieces.append((first, last, found))
            return
        if short:  # only now: the error held the frames in which it was raised, and their arrays
            _free_memory()
        middle = (first + last) // 2
        run(first, middle)
        run(middle, last)

    run(0, len(points))
    rows = replace(_joined(spec, points, pieces), too_many=min(too_many, default=0))
    return _with_theory(spec, network, points, rows, structural)


def _memory_is_short(error: Exception) -> bool:
    torch = sys.modules.get("torch")
    return isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError))


def _device_is_lost(error: Exception) -> bool:
    """Say whether a GPU will answer nothing but this error to this process any more."""
    torch = sys.modules.get("torch")
    kind = getattr(torch, "AcceleratorError", None)
    return kind is not None and isinstance(error, kind) and not _memory_is_short(error)


def _free_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _same_for_all(error: SimulationError, others: Sequence[MeasuredLike | str]) -> None:
    """Raise the error if every other point of the tile failed with it too: it is not about the points."""
    if all(other == _text(error) for other in others):
        raise error


def failed_rows(spec: SweepSpec, points: Points, error: str) -> Rows:
    """Return rows that say that the points failed."""
    return _joined(spec, points, [(0, len(points), error)])


def _measured(
    spec: SweepSpec,
    network: NetworkSpec,
    points: Points,
    structural: set[str],
    measure: Measure,
    device: str,
    engines: Any,
    options: Mapping[str, Any],
) -> MeasuredLike:
    longest = spec.longest_run(network)
    found = measure(
        network,
        {
            path: _whole(column, network, path)
            for path, column in points.values.items()
            if path not in structural
        },
        graph=int(points.graph[0]),
        seeds=points.seed,
        initial=points.initial.tolist(),
        measure=spec.measure,
        dynamics=spec.dynamics,
        window=spec.window,
        traces=spec.keeps_traces,
        device=device,
        precision=spec.compute.precision,
        executor=spec.compute.executor,
        engines=engines,
        **options,
        **({} if longest is None else {"longest": longest}),
    )
    for column in found.columns:
        if len(found.data[column.name]) != len(points):
            raise ValueError(
                f"column {column.name} has {len(found.data[column.name])} rows for {len(points)} points"
            )
    return found


def _options(spec: SweepSpec, kept: Kept) -> dict[str, Any]:
    """Return what a measure function is told of a sweep that not every sweep has."""
    found = {"starts": read_starts(spec.repeat.starts, kept), "ramp": spec.ramp, "perturb": spec.perturb}
    return {name: value for name, value in found.items() if value}


def _whole(column: Array, network: NetworkSpec, path: str) -> Array:
    """Return a swept column with the network's own value where its axis does not count."""
    absent = missing(column)
    if column.dtype != object and not absent.any():
        return column
    return np.where(absent, network.get(path), column).astype(float)


def _joined(spec: SweepSpec, points: Points, pieces: Sequence[tuple[int, int, MeasuredLike | str]]) -> Rows:
    measured = [piece for _, _, piece in pieces if not isinstance(piece, str)]
    statistics = _union(piece.columns for piece in measured)
    columns = [*point_columns(spec.axes), *_OUTCOME, _ERROR, *statistics]
    data: dict[str, Any] = point_data(points)
    for name in ("status", "t_fail", "error", *(column.name for column in statistics)):
        data[name] = [value for first, last, piece in pieces for value in _cells(name, piece, last - first)]
    return Rows(
        tuple(columns),
        data,
        executor=measured[0].executor if measured else "",
        device=measured[0].device if measured else "",
        pieces=len(pieces),
    )


def _with_theory(
    spec: SweepSpec, network: NetworkSpec, points: Points, rows: Rows, structural: set[str]
) -> Rows:
    """Return rows with the columns that theory predicts, whatever became of the simulation."""
    if not spec.theory:
        return rows
    from neuroflame.theory import predict

    found = predict(
        network,
        {
            path: _whole(column, network, path)
            for path, column in points.values.items()
            if path not in structural
        },
        spec.theory,
        points=len(points),
        ranges=spec.fold_ranges,
    )
    return replace(rows, columns=(*rows.columns, *found.columns), data={**rows.data, **found.data})


def _union(groups: Iterable[Sequence[Column]]) -> list[Column]:
    found: dict[str, Column] = {}
    for columns in groups:
        found.update({column.name: column for column in columns if column.name not in found})
    return [column for name, column in found.items() if name not in ("status", "t_fail")]


def _cells(name: str, piece: MeasuredLike | str, count: int) -> Sequence[Any]:
    if isinstance(piece, str):
        return [{"status": "failed", "error": piece, "t_fail": np.nan}.get(name)] * count
    if name in piece.data:
        return list(piece.data[name])
    return [None] * count


def _text(error: BaseException) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= _LONGEST_ERROR else text[: _LONGEST_ERROR - 1] + "…"
