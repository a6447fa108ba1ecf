"""What a kernel is called with: the numbers of a block of lanes, the state, the timetable."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.connectivity import LowRankOperator, RingOperator, SparseOperator
from neuroflame.core.connectivity.base import angles
from neuroflame.core.trajectory.structure import INTERVALS, LANES, SQUARED

if TYPE_CHECKING:
    from neuroflame.core.program import Program
    from neuroflame.core.recorder import RecordPlan, Segment
    from neuroflame.core.state import State
    from neuroflame.core.stimuli import StimulusProgram
    from neuroflame.core.trajectory.structure import Shape

Array = np.ndarray
CACHE_LINE = 64
"""Bytes."""


class Stretch(NamedTuple):
    """What one call of a kernel runs.

    Attributes
    ----------
    start, stop : int
        Steps.
    rows : ndarray, (intervals, 6), int64
        Steps, row of the external input, segment or −1, whether its squares and interspike intervals are kept (bits
        `SQUARED`, `INTERVALS`), trace sample or −1, and the first step of the segment that the run shows.
    """

    start: int
    stop: int
    rows: Array

    def cut(self, row: int, step: int) -> tuple[Stretch, Stretch]:
        """Return what runs until a step inside an interval, given by its row, and what runs from there."""
        before, after = self.rows[: row + 1].copy(), self.rows[row:].copy()
        before[-1, 0] = step - self.start - before[:-1, 0].sum()
        after[0, 0] -= before[-1, 0]
        before[-1, 4] = -1
        return Stretch(self.start, step, before), Stretch(step, self.stop, after)


@dataclass(frozen=True)
class Timetable:
    """The run cut into intervals in which nothing changes.

    Attributes
    ----------
    stretches : list of Stretch
        Between the steps at which whole variables are kept; one if none are.
    inputs : list of int
        For each row of the external input a step at which it holds.
    samples : list of int
        Steps after which traces are sampled.
    """

    stretches: list[Stretch]
    inputs: list[int]
    samples: list[int]


def timetable(
    program: Program, plan: RecordPlan, segments: tuple[Segment, ...], start: int, stop: int
) -> Timetable:
    """Return the intervals between two steps."""
    changes = program.boundaries()
    every = plan.variables_every
    stops = [start, *(range(start + every - start % every, stop, every) if plan.variables else ()), stop]
    samples = plan.samples(start, stop)
    places = {n: i for i, n in enumerate(samples)}
    edges = {*stops, *changes, *samples, *(int(e) for s in segments for e in (s.start, s.stop))}
    cuts = sorted(e for e in edges if start <= e <= stop)
    inputs = sorted({max(c for c in changes if c <= cut) for cut in cuts[:-1]})
    rows: dict[int, tuple[int, ...]] = {}
    for a, b in itertools.pairwise(cuts):
        segment = next((i for i, s in enumerate(segments) if s.start <= a and b <= s.stop), -1)
        squared = SQUARED * int(segment >= 0 and segments[segment].temporal)
        squared |= INTERVALS * int(bool(plan.in_intervals(b)))
        first = max(int(segments[segment].start), start) + 1 if segment >= 0 else -1
        sample = places.get(b, -1)
        rows[a] = (b - a, inputs.index(max(c for c in changes if c <= a)), segment, squared, sample, first)
    stretches = [
        Stretch(
            a, b, np.array([row for at, row in rows.items() if a <= at < b], dtype=np.int64).reshape(-1, 6)
        )
        for a, b in itertools.pairwise(stops)
    ]
    return Timetable(stretches, inputs, samples)


class Arguments:
    """Numbers of all points, from which those of a block of lanes are taken.

    Parameters
    ----------
    program : Program
    shape : Shape
    names : tuple of str
        Rows of ``par``.
    modes : int
        Modes that the tables hold.
    inputs : list of int
        Steps at which the rows of the external input hold.
    """

    def __init__(
        self, program: Program, shape: Shape, names: tuple[str, ...], modes: int, inputs: list[int]
    ) -> None:
        self.program, self.shape = program, shape
        self.dtype = np.dtype(shape.dtype)
        values = self._parameters()
        self._par = self._rows([values[name].reshape(-1) for name in names] or [torch.zeros(1)])
        self._limit = self._rows([program.number("rate_limit")])
        external = [self._external(step) for step in inputs]
        self._ext = self._rows([term for row in external for term in row])
        self._patterns = {
            a: torch.stack([self._pattern(step, name) for step in inputs])  # (rows, P, N)
            for a, (name, population) in enumerate(zip(program.populations, shape.populations, strict=True))
            if population.patterned
        }
        seeds = program.seeds
        self._keys = torch.stack([seeds & 0xFFFFFFFF, (seeds >> 32) & 0xFFFFFFFF]).numpy()
        self.tables = [_table(p.size, modes, self.dtype) for p in program.populations.values()]

    def block(self, points: Array) -> dict[str, Array]:
        """Return par, ext, keys, limit and patterns for the points of a block."""
        found = {
            "par": self._take(self._par, points),
            "ext": self._take(self._ext, points),
            "limit": self._take(self._limit, points),
            "keys": self._take(self._keys, points),
        }
        for a, pattern in self._patterns.items():
            found[f"pat{a}"] = self._flat(pattern[:, points if pattern.shape[1] > 1 else [0] * len(points)])
        return found

    def state(self, state: State, points: Array) -> dict[str, Array]:
        """Return the state of the points of a block, each array flat, [neuron][lane]."""
        populations = list(self.program.populations)
        pairs = [pair.name for pair in self.program.pairs]
        chosen: dict[str, Tensor] = {}
        for a, name in enumerate(populations):
            chosen[f"r{a}"], chosen[f"h{a}"] = state.rates[name], state.currents[name]
            if name in state.slow:
                chosen[f"g{a}"] = state.slow[name]
            if name in state.thresholds:
                chosen[f"q{a}"] = state.thresholds[name]
            if name in state.voltage:
                chosen[f"v{a}"], chosen[f"f{a}"] = state.voltage[name], state.refractory[name]
        for i, name in enumerate(pairs):
            if name in state.u:
                chosen[f"u{i}"], chosen[f"x{i}"] = state.u[name], state.x[name]
        for j, name in enumerate(self.noise_names()):
            if name in state.noise:
                chosen[f"eta{j}"] = state.noise[name]
        index = torch.as_tensor(points)
        return {name: self._flat(value[index]) for name, value in chosen.items()}

    def noise_names(self) -> list[str]:
        """Return the names of the noise sources by population, in the kernel's order."""
        return [f"{source.name}.{name}" for source in self.program.noise for name in source.amplitude]

    def sizes(self) -> list[int]:
        """Return the populations' sizes."""
        return [population.size for population in self.program.populations.values()]

    # --- the pieces -----------------------------------------------------------------------------------------

    def _rows(self, values: list[Tensor]) -> Array:
        wide = torch.broadcast_tensors(*[v.detach().to(torch.float64).reshape(-1) for v in values])
        rows: Array = torch.stack(wide).numpy().astype(self.dtype)
        return rows

    def _take(self, rows: Array, points: Array) -> Array:
        return np.ascontiguousarray(
            rows[:, points] if rows.shape[1] > 1 else np.repeat(rows, len(points), axis=1)
        )

    def _flat(self, value: Tensor) -> Array:
        """Return (…, lanes, N) as flat [… neuron][lane]."""
        return np.ascontiguousarray(value.numpy().astype(self.dtype, copy=False).swapaxes(-1, -2)).reshape(-1)

    def _parameters(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for a, p in enumerate(self.program.populations.values()):
            found |= {
                f"decay{a}": p.decay,
                f"decay_syn{a}": p.decay_syn,
                f"threshold{a}": p.threshold,
                f"gain{a}": p.gain,
                f"rate_max{a}": p.rate_max,
            }
            if p.adapt_decay is not None and p.adapt_strength is not None:
                found |= {f"decay_adapt{a}": p.adapt_decay, f"strength{a}": p.adapt_strength}
                found[f"rest{a}"] = p.adapt_rest
            if p.spiking is not None:
                found |= {
                    f"{name}{a}": getattr(p.spiking, name) for name in ("reset", "leak", "hold", "height")
                }
                found[f"voltage_rest{a}"] = p.spiking.rest
        for i, pair in enumerate(self.program.pairs):
            weight = pair.weight.double()[:, 0]
            if isinstance(pair.operator, RingOperator):
                mean, along, across = pair.operator.rotation(torch.float64)
                found[f"w{i}_m"] = weight * mean[:, 0]
                for k in range(along.shape[0]):
                    found[f"w{i}_a{k}"], found[f"w{i}_b{k}"] = weight * along[k], weight * across[k]
            elif isinstance(pair.operator, LowRankOperator):
                found[f"w{i}_m"] = weight * pair.operator.background
                found[f"w{i}_v"] = weight * pair.operator.kappa
            else:
                found[f"w{i}"] = weight
            if pair.stp is not None:
                terms = {name: value for name, value in vars(pair.stp).items() if isinstance(value, Tensor)}
                found |= {f"{name}{i}": value for name, value in terms.items()}
        j = 0
        for source in self.program.noise:
            for amplitude in source.amplitude.values():
                found[f"amplitude{j}"] = amplitude
                if source.decay is not None:
                    found[f"decay_noise{j}"] = source.decay
                j += 1
        if self.program.nmda is not None:
            for a, name in enumerate(self.program.populations):
                found[f"ratio{a}"] = self.program.nmda.ratio[name]
                found[f"decay_slow{a}"] = self.program.nmda.decay[name]
        return found

    def _active(self, step: int, name: str) -> list[StimulusProgram]:
        return [s for s in self.program.stimuli if s.on(step) and name in s.targets]

    def _external(self, step: int) -> list[Tensor]:
        """Return mean, first cosine and first sine of the external input, population by population."""
        found = []
        for name, population in self.program.populations.items():
            mean = population.drive.double()[:, 0]
            cosine = sine = torch.zeros(1, dtype=torch.float64)
            for s in self._active(step, name):
                if s.shape == "cosine":
                    amplitude, depth, phase = s.amplitude[:, 0], s.width[:, 0], s.phase[:, 0]
                    mean = mean + amplitude
                    cosine = cosine + amplitude * depth * torch.cos(phase)
                    sine = sine + amplitude * depth * torch.sin(phase)
            found += [mean, cosine, sine]
        return found

    def _pattern(self, step: int, name: str) -> Tensor:
        size = self.program.populations[name].size
        total = torch.zeros(self.program.points, size, dtype=torch.float64)
        for s in self._active(step, name):
            if s.shape != "cosine":
                total = total + s.pattern(name, size)
        return total.detach()

    @cached_property
    def vectors(self) -> dict[str, Array]:
        """Vectors of the pairs of low rank, flat [neuron][rank]: those of who speaks and of who listens."""
        found = {}
        for i, pair in enumerate(self.program.pairs):
            if isinstance(pair.operator, LowRankOperator):
                for name, vectors in (("nv", pair.operator.n), ("mv", pair.operator.m)):
                    found[f"{name}{i}"] = vectors.detach().numpy().astype(self.dtype).reshape(-1)
        return found

    @cached_property
    def topology(self) -> dict[str, Array]:
        """Connectivity of the sparse pairs: offsets, and where the rows of the inputs begin in arrays of lanes."""
        found, lanes = {}, LANES[self.shape.dtype]
        for i, pair in enumerate(self.program.pairs):
            if isinstance(pair.operator, SparseOperator):
                found[f"off{i}"] = pair.operator.offsets.numpy().astype(np.int64)
                found[f"row{i}"] = pair.operator.indices.numpy().astype(np.int32) * np.int32(lanes)
                if self.shape.pairs[i].events:
                    found |= _targets(pair.operator, i)
        return found


def aligned(array: Array) -> Array:
    """Return an array whose data begin where a cache line does, the same array if they do.

    A row of lanes is a cache line or two: off its place it takes one more to read.
    """
    if array.ctypes.data % CACHE_LINE == 0:
        return array
    room = np.empty(array.nbytes + CACHE_LINE, dtype=np.uint8)
    first = -room.ctypes.data % CACHE_LINE
    placed = room[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    placed[...] = array
    return placed


def _targets(operator: SparseOperator, i: int) -> dict[str, Array]:
    """Return whom each presynaptic neuron of a pair reaches, in rising order, for kernels that follow spikes."""
    offsets, indices = operator.turned()
    return {f"toff{i}": offsets.numpy().astype(np.int64), f"tidx{i}": indices.numpy().astype(np.int32)}


@lru_cache(maxsize=32)
def _table(size: int, modes: int, dtype: np.dtype[Any]) -> Array:
    """Return cosines and sines of a population's preferred angles, flat [neuron][mode]."""
    order = torch.arange(1, modes + 1, dtype=torch.float64)
    arguments = angles(size)[:, None] * order
    return torch.cat([torch.cos(arguments), torch.sin(arguments)], dim=1).numpy().astype(dtype).reshape(-1)
