"""Simulate points and reduce each to its row of statistics."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from neuroflame.columns import Column
from neuroflame.core.batch import Batch, home_of
from neuroflame.core.connectivity import Operator, make_operator
from neuroflame.core.dynamics import Ensemble, measure_dynamics, symmetric_growth
from neuroflame.core.executors import choose
from neuroflame.core.going_on import go_on
from neuroflame.core.protocols import measure_protocols
from neuroflame.core.recorder import RecordPlan
from neuroflame.core.starts import NO_STARTS, cues_of, start_states
from neuroflame.core.statistics import (
    FINAL,
    View,
    check_measures,
    needs_evidence,
    program_windows,
    samplings,
)
from neuroflame.core.statistics.convergence import noisy
from neuroflame.core.stimuli import drawn_onsets
from neuroflame.core.summary import summarise
from neuroflame.errors import SimulationError, SpecError
from neuroflame.spec import NetworkSpec, find_path
from neuroflame.spec.base import suggestion
from neuroflame.spec.measures import (
    DEFAULTS,
    DYNAMIC,
    check_window,
    expanded,
    spiking,
    symmetric,
)
from neuroflame.spec.protocols import check_protocols
from neuroflame.spec.starts import RandomStart, Supplied
from neuroflame.spec.stimuli import is_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from neuroflame.core.program import Program
    from neuroflame.core.state import State
    from neuroflame.core.statistics.view import Statistic
    from neuroflame.spec.dynamics import DynamicsOptions
    from neuroflame.spec.kicks import Perturbation
    from neuroflame.spec.ramps import Ramp

PRECISIONS = {"exact": torch.float32, "fast": torch.float32, "double": torch.float64}
TRACE_SAMPLES = 200
SYMMETRIC = Column(
    "alpha.symmetric",
    "float",
    "1/s",
    "Largest growth of a perturbation of a state in which neurons are alike; undefined where they differ.",
)
STARTED_APART = Column(
    "apart",
    "bool",
    "",
    "Whether the run was made again with neurons that start apart: alike, they rested where they would not stay.",
)


@dataclass(frozen=True)
class Measured:
    """Statistics of P points.

    Attributes
    ----------
    columns : tuple of Column
    data : mapping of ndarray
        One entry a point for each column; a series column holds lists.
    executor, device : str
        What ran them.
    """

    columns: tuple[Column, ...]
    data: dict[str, np.ndarray]
    executor: str
    device: str


@dataclass
class EngineCache:
    """Connectivity that was drawn, kept between tiles: the most recently used few."""

    capacity: int = 4
    _kept: OrderedDict[tuple[str, int, str, torch.dtype], dict[str, Operator]] = field(
        default_factory=OrderedDict
    )

    def operators(
        self, spec: NetworkSpec, graph: int, device: torch.device, dtype: torch.dtype = torch.float64
    ) -> dict[str, Operator]:
        """Return the operators of a network by pair."""
        key = (spec.digest(), graph, str(device), dtype)
        if key not in self._kept:
            self.put(
                spec,
                graph,
                device,
                dtype,
                {p.name: make_operator(spec, p, graph=graph, device=device, dtype=dtype) for p in spec.pairs},
            )
        self._kept.move_to_end(key)
        return self._kept[key]

    def put(
        self,
        spec: NetworkSpec,
        graph: int,
        device: torch.device,
        dtype: torch.dtype,
        operators: dict[str, Operator],
    ) -> None:
        """Keep the operators of a network, and let go of the least recently used."""
        self._kept[spec.digest(), graph, str(device), dtype] = operators
        while len(self._kept) > self.capacity:
            self._kept.popitem(last=False)


def resolve_device(name: str) -> torch.device:
    """Return the device of a name; ``auto`` is CUDA where there is one.

    Raises
    ------
    SimulationError
        If there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SimulationError("there is no such device", got=name, remedy="use auto, cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SimulationError("there is no CUDA device here", got=name, remedy="use device: cpu or auto")
    return device


def check_batchable(spec: NetworkSpec, names: Sequence[str]) -> None:
    """Raise `SpecError` if a path cannot be a vector over the points of one tile."""
    for path in names:
        info = find_path(spec, path)
        if info.structural:
            raise SpecError(
                "is structural, it cannot differ between points of one tile",
                path=path,
                remedy="use a sweep, which makes a tile for each value",
            )


def measure_points(
    spec: NetworkSpec,
    values: Mapping[str, np.ndarray],
    *,
    graph: int = 0,
    seeds: np.ndarray,
    initial: Sequence[str],
    starts: Mapping[str, RandomStart | Supplied] = NO_STARTS,
    measure: Sequence[str],
    dynamics: DynamicsOptions = DEFAULTS,
    ramp: Ramp | None = None,
    perturb: Sequence[Perturbation] = (),
    window: float | None = None,
    traces: bool = False,
    device: str = "cpu",
    precision: str = "exact",
    executor: str = "auto",
    engines: EngineCache | None = None,
    longest: float | None = None,
) -> Measured:
    """Simulate points that share a structure, and reduce each to its statistics.

    A point's numbers depend on the point alone: not on the others beside it, nor on their order.

    Parameters
    ----------
    spec : NetworkSpec
        With all structural values applied.
    values : mapping of ndarray, (P,)
        Batchable path to the value at each point.
    graph : int
        Which draw of the random connectivity.
    seeds : ndarray, (P,), int64
        Seeds of noise and of random starts.
    initial : sequence of str, P
        Names among `neuroflame.spec.starts.STARTS`, or ``cued@45``: cued, the stimuli turned by 45 degrees; or one of
        ``starts``, and the number of the draw or of the state after an ``@``.
    starts : mapping
        What the names of drawn and supplied starts mean.
    measure : sequence of str
        Names among `neuroflame.spec.measures.MEASURE_NAMES`.
    dynamics : DynamicsOptions
        Options of those that need the network's equations.
    ramp : Ramp, optional
        A value that is moved after the run, which is at the ramp's first value.
    perturb : sequence of Perturbation
        Kicks after the run.
    window : float, optional
        Length of the final window, seconds.
    traces : bool
        Whether to add series of the populations' mean rate and bump amplitude.
    device : str
        ``cpu``, ``cuda`` or ``auto``.
    precision : {"exact", "fast", "double"}
        float32, float32 with recurrent inputs rounded to 11 bits where a GPU multiplies sparse connectivity, or
        float64.
    executor : str
        ``auto`` or a name among `neuroflame.core.executors.EXECUTORS`.
    engines : EngineCache, optional
        Keeps connectivity between calls.
    longest : float, optional
        Points whose ``regime`` is ``slow`` are run again, twice as long each time and at last this long, seconds; see
        `neuroflame.core.going_on`. Not where points have times of stimuli of their own.

    Raises
    ------
    SpecError, SimulationError
        If a name is unknown, a path is structural, or the device is not there.
    """
    check_measures(spec, measure)
    check_batchable(spec, list(values))
    check_protocols(spec, ramp, perturb, list(values))
    if precision not in PRECISIONS:
        raise SimulationError("is not a precision", got=precision, remedy=suggestion(precision, PRECISIONS))
    place, kept = resolve_device(device), engines or EngineCache()
    trace_every = max(1, -(-spec.steps // TRACE_SAMPLES))

    def run(
        spec: NetworkSpec, window: float | None, factor: float, rows: np.ndarray, apart: np.ndarray
    ) -> Measured:
        return _measured(
            spec,
            {path: np.asarray(column)[rows] for path, column in values.items()},
            graph=graph,
            seeds=np.asarray(seeds)[rows],
            initial=[initial[row] for row in rows.tolist()],
            starts=starts,
            apart=apart,
            measure=measure,
            dynamics=dynamics,
            ramp=ramp,
            perturb=perturb,
            window=window,
            trace_every=round(factor * trace_every) if traces else 0,
            place=place,
            precision=precision,
            executor=executor,
            engines=kept,
        )

    count = len(seeds)
    found = run(spec, window, 1, np.arange(count), np.zeros(count, dtype=bool))
    own = any(is_time(path) for path in values) or any(s.jitter is not None for s in spec.stimuli)
    if longest is None or "regime" not in measure or own:
        return found
    return go_on(found, run, spec, window=window, longest=longest)


def _measured(
    spec: NetworkSpec,
    values: Mapping[str, np.ndarray],
    *,
    graph: int,
    seeds: np.ndarray,
    initial: Sequence[str],
    starts: Mapping[str, RandomStart | Supplied],
    apart: np.ndarray,
    measure: Sequence[str],
    dynamics: DynamicsOptions,
    ramp: Ramp | None,
    perturb: Sequence[Perturbation],
    window: float | None,
    trace_every: int,
    place: torch.device,
    precision: str,
    executor: str,
    engines: EngineCache,
) -> Measured:
    """Return the statistics of one run of points; see `measure_points`.

    Parameters
    ----------
    apart : ndarray of bool, (P,)
        As of `start_states`.
    trace_every : int
        Steps between two samples of traces, 0 for none.
    """
    points = len(seeds)
    operators = engines.operators(spec, graph, place, PRECISIONS[precision])
    at = home_of(place, spec, operators)
    numbers = {
        path: torch.as_tensor(np.asarray(v, dtype=np.float64), device=at) for path, v in values.items()
    }
    if ramp is not None:
        numbers[ramp.path] = torch.full((points,), ramp.from_, dtype=torch.float64, device=at)
    keys = torch.as_tensor(np.asarray(seeds, dtype=np.int64), device=at)
    stimulated, turned = cues_of(initial, at, starts)
    batch = Batch(
        spec,
        operators,
        numbers,
        keys,
        stimulated,
        turned,
        dtype=PRECISIONS[precision],
        device=place,
        fast=precision == "fast",
    )
    program = batch.program()
    wanted = expanded(measure)
    if not program.shared_times and window is None:
        check_window(measure)
    supplied = any(isinstance(start, Supplied) for start in starts.values())  # whose currents may not be 0
    goes_on = ramp is not None or bool(perturb)
    plan = RecordPlan(
        windows=program_windows(program, window),
        temporal=frozenset({FINAL}),
        trace_every=trace_every,
        samplings=samplings(spec, window, wanted, own=not program.shared_times),
        final_state=supplied or goes_on or bool({"weights", *DYNAMIC} & set(wanted)),
        evidence=needs_evidence(wanted),
        intervals=FINAL if "spikes" in wanted and spiking(spec) else "",
    )
    with torch.no_grad():
        chosen = choose(executor, program, plan)
        recording = chosen.run(program, start_states(program, initial, starts, apart), spec.steps, plan)
        found = list(_by_equations(batch, program, recording.final, wanted, dynamics))
        if "convergence" in wanted:
            found.append((STARTED_APART, apart))
        if goes_on:
            assert recording.final is not None
            found += measure_protocols(batch, recording.final, executor, ramp, perturb)
        cue = torch.where(stimulated, turned, torch.nan).cpu().numpy()
        columns, data = summarise(View(spec, recording, program, cue), measure, found)
    for name, onset in drawn_onsets(spec, program.stimuli, points).items():
        columns += (
            Column(f"stimulus.{name}.onset", "float", "s", "Onset of the stimulus, its jitter included."),
        )
        data[f"stimulus.{name}.onset"] = onset.numpy()
    return Measured(columns, data, chosen.name, str(place))


def _by_equations(
    batch: Batch, program: Program, final: State | None, wanted: Sequence[str], dynamics: DynamicsOptions
) -> Iterator[Statistic]:
    """Yield what needs the network's equations at the state at the end."""
    alike = "convergence" in wanted and symmetric(batch.spec) and program.shared_times
    if not alike and not any(name in DYNAMIC for name in wanted):
        return
    assert final is not None
    ensemble = Ensemble.of(batch)
    if alike:
        yield SYMMETRIC, np.where(noisy(program), np.nan, symmetric_growth(ensemble, final))
    if any(name in DYNAMIC for name in wanted):
        yield from measure_dynamics(ensemble, final, wanted, dynamics)
