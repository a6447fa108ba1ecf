"""What a trajectory kernel is specialised on: the shape of a program, without its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from neuroflame.core.checkpointing import tracks_gradients
from neuroflame.core.connectivity import (
    DenseOperator,
    LowRankOperator,
    RingOperator,
    SparseOperator,
    WeightedOperator,
)
from neuroflame.core.spike_record import bin_steps
from neuroflame.spec.kernels import RANK_LIMIT, kernel_refusal
from neuroflame.spec.parts import NormalStart

if TYPE_CHECKING:
    from neuroflame.core.program import Program
    from neuroflame.core.recorder import RecordPlan
    from neuroflame.core.state import State

LANES = {"float32": 16, "float64": 8}
"""Points that a CPU's kernel advances together."""
MODES_LIMIT = 16
SQUARED, INTERVALS = 1, 2
"""Bits of what is kept in an interval: squares, interspike intervals."""
_OTHERS = {
    DenseOperator: "a dense matrix",
    WeightedOperator: "sparse with a weight for each connection",
}
SUM_CHUNK = 64
"""Neurons summed one after the other before the sums of chunks are: keeps rounding near that of pairwise sums."""


@dataclass(frozen=True)
class PairShape:
    """One pair: a ring with some modes, of a low rank, or sparse; plastic or not; ``events``: its source spikes."""

    post: int
    pre: int
    modes: int
    rank: int
    sparse: bool
    phased: bool
    plastic: bool
    slow: bool
    rule: str
    events: bool

    @property
    def ring(self) -> bool:
        """Whether the connectivity is a Fourier series."""
        return not self.sparse and not self.rank


@dataclass(frozen=True)
class PopulationShape:
    """One population; ``modal``: its recurrent input is a Fourier series, kept as its coefficients."""

    transfer: str
    modal: bool
    modes: int
    adaptive: bool
    patterned: bool
    gained: bool
    scaled: bool
    spiking: bool


@dataclass(frozen=True)
class NoiseShape:
    """One noise source on one population."""

    population: int
    on: str
    correlated: bool
    stream: int


@dataclass(frozen=True)
class TrainShape:
    """What is kept of spike trains: steps of a bin, and whether intervals, traces and whole variables are."""

    bin_steps: int = 0
    intervals: bool = False
    traced: bool = False
    sampled: bool = False


@dataclass(frozen=True)
class Shape:
    """Everything that the source of a kernel depends on."""

    dtype: str
    populations: tuple[PopulationShape, ...]
    pairs: tuple[PairShape, ...]
    noise: tuple[NoiseShape, ...]
    slow: bool
    temporal: bool
    evidence: bool = False
    trains: TrainShape = TrainShape()

    @property
    def traced_pairs(self) -> list[int]:
        """The plastic pairs that are sampled with the traces."""
        return [i for i, pair in enumerate(self.pairs) if pair.plastic and self.evidence]

    @property
    def table_modes(self) -> int:
        """Modes that the tables of cosines and sines hold; at least the first, for the bump."""
        return max([1, *(p.modes for p in self.populations), *(pair.modes for pair in self.pairs)])

    def sources(self) -> dict[tuple[str, int], int]:
        """Return what is projected on modes: (``r``, population) or (``s``, pair) to the modes needed.

        Of what pairs of low rank send, the mean.
        """
        found: dict[tuple[str, int], int] = {}
        for i, pair in enumerate(self.pairs):
            if not pair.sparse:
                key = ("s", i) if pair.plastic else ("r", pair.pre)
                found[key] = max(found.get(key, 0), pair.modes)
        return found


def trains_of(program: Program, plan: RecordPlan) -> TrainShape:
    """Return what a plan keeps of the spike trains of a program, if it has any."""
    if all(population.spiking is None for population in program.populations.values()):
        return TrainShape()
    bins = bin_steps(program.spec.dt)
    return TrainShape(bins, bool(plan.intervals), plan.traced, bool(plan.variables))


def shape_of(
    program: Program,
    *,
    modal: bool,
    temporal: bool,
    evidence: bool = False,
    trains: TrainShape | None = None,
) -> Shape:
    """Return the shape of a program.

    Parameters
    ----------
    program : Program
    modal : bool
        Whether recurrent input may be kept as Fourier coefficients where all connections are rings; it must
        not if it starts from, or is asked for as, a value for each neuron.
    temporal : bool
        Whether temporal variation is recorded.
    evidence : bool
        Whether plastic pairs are sampled with the traces, and coefficients of the input are left at the end.
    trains : TrainShape, optional
        What is kept of spike trains; nothing by default.
    """
    names = list(program.populations)
    slow_sources = program.nmda.sources if program.nmda is not None else ()
    pairs = tuple(
        PairShape(
            post=names.index(pair.post),
            pre=names.index(pair.pre),
            modes=pair.operator.series.modes if isinstance(pair.operator, RingOperator) else 0,
            rank=pair.operator.rank if isinstance(pair.operator, LowRankOperator) else 0,
            sparse=isinstance(pair.operator, SparseOperator),
            phased=isinstance(pair.operator, RingOperator) and bool((pair.operator.series.phase != 0).any()),
            plastic=pair.stp is not None,
            slow=pair.pre in slow_sources,
            rule=pair.stp.rule if pair.stp is not None else "",
            events=program.populations[pair.pre].spiking is not None,
        )
        for pair in program.pairs
    )
    populations = []
    for index, (name, population) in enumerate(program.populations.items()):
        incoming = [pair for pair in pairs if pair.post == index]
        cosine = any(name in s.targets and s.shape == "cosine" for s in program.stimuli)
        populations.append(
            PopulationShape(
                transfer=population.transfer,
                modal=modal and all(pair.ring for pair in incoming),
                modes=max([int(cosine), *(pair.modes for pair in incoming)]),
                adaptive=population.adapt_decay is not None,
                patterned=any(name in s.targets and s.shape != "cosine" for s in program.stimuli),
                gained=bool((population.gain != 1).any()),
                scaled=bool((population.rate_max != 1).any()),
                spiking=population.spiking is not None,
            )
        )
    from neuroflame.core.random import stream

    noise = tuple(
        NoiseShape(
            names.index(name), source.on, source.decay is not None, stream(f"noise.{source.name}.{name}")
        )
        for source in program.noise
        for name in source.amplitude
    )
    dtype = "float64" if program.dtype == torch.float64 else "float32"
    slow = program.nmda is not None
    return Shape(dtype, tuple(populations), pairs, noise, slow, temporal, evidence, trains or TrainShape())


def is_modal(program: Program, state: State, plan: RecordPlan) -> bool:
    """Return whether recurrent input may be kept as Fourier coefficients: it starts at 0 and nobody asks for it.

    Decided by the specification, not by the values: the other points of a tile may not matter.
    """
    start = program.spec.initial
    return state.step == 0 and not (plan.final_state or plan.variables or isinstance(start, NormalStart))


def refusal(program: Program) -> str | None:
    """Return why no trajectory kernel can run a program, None if one can."""
    if not program.shared_times:
        return "the times of stimuli differ between points"
    reason = kernel_refusal(program.spec, cuda=program.device.type == "cuda")
    if reason is not None:
        return reason
    if program.inputs is not None:
        return "the external input has a time course"
    for pair in program.pairs:
        if isinstance(pair.operator, RingOperator) and pair.operator.series.modes > MODES_LIMIT:
            return f"the profile of {pair.name} has more than {MODES_LIMIT} Fourier modes"
        if isinstance(pair.operator, LowRankOperator) and pair.operator.rank > RANK_LIMIT:
            return f"the connectivity of {pair.name} is of a rank above {RANK_LIMIT}"
        if not isinstance(pair.operator, RingOperator | LowRankOperator | SparseOperator):
            kind = _OTHERS.get(type(pair.operator), type(pair.operator).__name__)
            return f"the connectivity of {pair.name} is {kind}"
    if tracks_gradients(program):
        return "gradients are asked for"
    return None
