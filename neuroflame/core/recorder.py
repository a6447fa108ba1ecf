"""What is kept of a run: sums over windows, sparse traces, chosen variables; memory does not grow with steps."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neuroflame.core.connectivity.base import angles
from neuroflame.core.spike_record import Bins, Intervals, SpikeCount, add_train, bin_steps
from neuroflame.core.torch_physics import mean_neurons

if TYPE_CHECKING:
    from neuroflame.core.program import Program
    from neuroflame.core.state import State

CHECK_EVERY = 10
"""Steps between two looks for diverged lanes."""


@dataclass(frozen=True)
class Window:
    """A stretch of the run, after step ``start`` to and including the state after step ``stop``.

    Both are Tensors, (P,), int64, where each point has steps of its own; in a plan all windows are of one kind.
    """

    name: str
    start: int | Tensor
    stop: int | Tensor

    @property
    def steps(self) -> int | Tensor:
        """Number of states in the window."""
        return self.stop - self.start


@dataclass(frozen=True)
class Sampling:
    """Samples every few steps, counted back from step ``stop``, after step ``start``."""

    start: int
    stop: int
    every: int

    def __contains__(self, step: int) -> bool:
        return self.start < step <= self.stop and (self.stop - step) % self.every == 0


@dataclass(frozen=True)
class RecordPlan:
    """What to keep.

    Parameters
    ----------
    windows : tuple of Window
        Over each, the mean of every neuron's rate is kept; windows may overlap.
    temporal : frozenset of str
        Windows in which temporal variation is kept too.
    trace_every : int
        Steps between two samples of the populations' mean and first Fourier mode; 0 for none.
    samplings : tuple of Sampling
        Further steps at which they are sampled.
    variables : tuple of str
        Names of state variables (`State.named`) to keep whole.
    variables_every : int
        Steps between two samples of them.
    final_state : bool
        Whether the state at the end is wanted, to go on from.
    evidence : bool
        Whether the means of u, x and u x of plastic pairs are kept with the traces, and the state at the end to be
        looked at: currents that a run kept as Fourier coefficients are those coefficients' series.
    intervals : str
        Window in which interspike intervals are kept; empty for none.
    """

    windows: tuple[Window, ...] = ()
    temporal: frozenset[str] = frozenset()
    trace_every: int = 0
    samplings: tuple[Sampling, ...] = ()
    variables: tuple[str, ...] = ()
    variables_every: int = 1
    final_state: bool = False
    evidence: bool = False
    intervals: str = ""

    def in_intervals(self, step: int) -> bool | Tensor:
        """Return whether the state after a step lies in the window of interspike intervals; (P,) where it is own."""
        window = next((w for w in self.windows if w.name == self.intervals), None)
        return window is not None and (window.start < step) & (step <= window.stop)

    @property
    def traced(self) -> bool:
        """Whether traces are sampled at all."""
        return bool(self.trace_every or self.samplings)

    def is_sample(self, step: int) -> bool:
        """Whether the traces are sampled after a step."""
        return bool(self.trace_every and step % self.trace_every == 0) or any(
            step in sampling for sampling in self.samplings
        )

    def samples(self, start: int, stop: int) -> list[int]:
        """Return the steps after ``start``, to and including ``stop``, at which the traces are sampled."""
        every = self.trace_every
        found = set(range((start // every + 1) * every, stop + 1, every) if every else ())
        for sampling in self.samplings:
            first = max(sampling.start, start)
            found.update(n for n in range(sampling.stop, first, -sampling.every) if n <= stop)
        return sorted(found)

    @property
    def own(self) -> bool:
        """Whether each point has windows of its own."""
        return any(isinstance(window.start, Tensor) for window in self.windows)


@dataclass(frozen=True)
class Segment:
    """A stretch between two neighbouring edges of windows; of a point's own windows with Tensors, (P,), int64."""

    start: int | Tensor
    stop: int | Tensor
    temporal: bool


def segments(plan: RecordPlan) -> tuple[Segment, ...]:
    """Cut the windows into stretches that do not overlap; each window is a union of some of them."""
    edges = sorted({edge for window in plan.windows for edge in (window.start, window.stop)})
    found = []
    for start, stop in itertools.pairwise(edges):
        over = [w for w in plan.windows if w.start <= start and stop <= w.stop]
        if over:
            found.append(Segment(start, stop, any(w.name in plan.temporal for w in over)))
    return tuple(found)


@dataclass
class Sums:
    """Sums over a segment for one population, relative to the first state in it, or to 0 where it spikes.

    Differences from the first state keep float32 sums exact where rates hardly move. The temporal variation of
    spike trains is that of their rates in bins of `BIN`: ``squares`` and ``mean_*`` are then sums over ``bins``.

    Attributes
    ----------
    steps : int or Tensor, (P,)
        Number of states.
    first : Tensor, (P, N), Hz
    total, squares : Tensor, (P, N)
        Σ (r − first) and Σ (r − first)²; ``squares`` is None without temporal variation.
    mean_first, mean_total, mean_squares : Tensor, (P,)
        The same for the population's mean rate.
    bins : Bins or None
        Where the population spikes.
    """

    steps: int | Tensor
    first: Tensor
    total: Tensor
    squares: Tensor | None = None
    mean_first: Tensor | None = None
    mean_total: Tensor | None = None
    mean_squares: Tensor | None = None
    bins: Bins | None = None


@dataclass
class Recording:
    """What a run left.

    Attributes
    ----------
    plan : RecordPlan
    segments : tuple of Segment
    sums : list of mapping of Sums
        For each segment by population.
    trace_steps : list of int
        Steps after which the traces were sampled.
    traces : mapping of Tensor, (P, samples, 3)
        By population: mean rate, and real and imaginary part of ⟨r e^{iθ}⟩, Hz.
    plastic_steps : list of int
        Steps after which the plastic pairs were sampled: those that follow the traces' samples.
    plastic : mapping of Tensor, (P, samples, 3)
        By plastic pair: means over neurons of u, x and u x.
    variables : mapping of Tensor, (P, samples, N)
        By name. The rates of a population that spikes are means since the sample before.
    intervals : mapping of Intervals
        By population, of those that spike.
    variable_steps : list of int
        Steps after which the variables were sampled.
    fail_step : Tensor, (P,), int64
        Step at which a lane was seen to have diverged, −1 where it did not.
    final : State or None
        State at the end; undefined values in lanes that diverged. None where it was not asked for.
    """

    plan: RecordPlan
    segments: tuple[Segment, ...]
    sums: list[dict[str, Sums]]
    fail_step: Tensor
    trace_steps: list[int] = field(default_factory=list)
    traces: dict[str, Tensor] = field(default_factory=dict)
    plastic_steps: list[int] = field(default_factory=list)
    plastic: dict[str, Tensor] = field(default_factory=dict)
    variable_steps: list[int] = field(default_factory=list)
    variables: dict[str, Tensor] = field(default_factory=dict)
    final: State | None = None
    intervals: dict[str, Intervals] = field(default_factory=dict)


class Recorder:
    """Looks at each state of a run that the reference executor makes.

    Parameters
    ----------
    program : Program
    plan : RecordPlan

    Attributes
    ----------
    overwritten : bool
        Whether the tensors of a state change after `observe` has seen them: what is kept of them is copied.
    """

    def __init__(self, program: Program, plan: RecordPlan) -> None:
        self.program, self.plan = program, plan
        self.overwritten = False
        self.segments = self._cut()
        self.fail_step = torch.full((program.points,), -1, dtype=torch.int64, device=program.device)
        self.all_diverged = False
        self._limit = program.number("rate_limit").to(program.dtype)
        self._sums: list[dict[str, Sums]] = []
        self._traces: dict[str, list[Tensor]] = {name: [] for name in program.populations}
        self._trace_steps: list[int] = []
        pairs = [pair.name for pair in program.pairs if pair.stp is not None and plan.evidence]
        self._plastic: dict[str, list[Tensor]] = {name: [] for name in pairs}
        self._plastic_steps: list[int] = []
        self._variables: dict[str, list[Tensor]] = {name: [] for name in plan.variables}
        self._variable_steps: list[int] = []
        self._end = program.spec.steps
        self._spiking = {n: p.spiking for n, p in program.populations.items() if p.spiking is not None}
        self._between_traces = SpikeCount()
        self._between_samples = SpikeCount()
        self._intervals: dict[str, Intervals] = {}

    def _cut(self) -> tuple[Segment, ...]:
        return segments(self.plan)

    def copy(self) -> Recorder:
        """Return a recorder that goes on from the same place on its own."""
        twin = copy.copy(self)
        vars(twin).update(
            {name: _copied(value) for name, value in vars(self).items() if name.startswith("_")}
        )
        return twin

    def observe(self, state: State) -> State:
        """Take note of a state; return it with the lanes put to rest that have diverged."""
        n = state.step
        if n % CHECK_EVERY == 0 or n == self._end:
            state = self._check(state)
        self._accumulate(state)
        inside = self.plan.in_intervals(n)
        if isinstance(inside, Tensor) or inside:
            self._note_intervals(state, inside)
        if self._plastic and self._trace_steps and self._trace_steps[-1] == n - 1:
            self._plastic_steps.append(n)
            for name, samples in self._plastic.items():
                samples.append(plastic_means(state.u[name], state.x[name]))
        if self.plan.traced:
            self._between_traces = self._counted(self._between_traces, state)
            if self.plan.is_sample(n):
                self._trace_steps.append(n)
                for name, rates in (state.rates | self._between_traces.rates()).items():
                    self._traces[name].append(fourier_mode(rates))
                self._between_traces = SpikeCount()
        if self._variables:
            self._between_samples = self._counted(self._between_samples, state)
            if n % self.plan.variables_every == 0:
                self._sample(state)
        return state

    def _counted(self, count: SpikeCount, state: State) -> SpikeCount:
        trains = {name: state.rates[name] for name in self._spiking}
        return count.after(trains if count.steps else {n: self._kept(train) for n, train in trains.items()})

    def _kept(self, value: Tensor) -> Tensor:
        """Return what may be kept of a tensor of the state."""
        return value.clone() if self.overwritten else value

    def _note_intervals(self, state: State, inside: bool | Tensor) -> None:
        for name in self._spiking:
            train = state.rates[name]
            if isinstance(inside, Tensor):
                train = torch.where(inside[:, None], train, 0.0)
            intervals = self._intervals.get(name) or Intervals.none(train)
            self._intervals[name] = intervals.after(train, state.step)

    def _sample(self, state: State) -> None:
        self._variable_steps.append(state.step)
        named = state.named()
        count = self._between_samples
        named |= {f"rates.{name}": rates for name, rates in count.rates().items()}
        named |= {f"spikes.{n}": total / self._spiking[n].height for n, total in count.totals.items()}
        for name, samples in self._variables.items():
            samples.append(self._kept(named[name]))
        self._between_samples = SpikeCount()

    def finish(self, state: State) -> Recording:
        """Return what was kept."""
        bad = self.fail_step >= 0
        kept = self.plan.final_state or self.plan.evidence
        if kept and bad.any():
            state = state.map(
                lambda value: torch.where(bad[:, None], torch.full_like(value, torch.nan), value)
            )
        return Recording(
            plan=self.plan,
            segments=self.segments,
            sums=self._sums,
            fail_step=self.fail_step,
            trace_steps=self._trace_steps,
            traces={name: torch.stack(s, dim=1) for name, s in self._traces.items() if s},
            plastic_steps=self._plastic_steps,
            plastic={name: torch.stack(s, dim=1) for name, s in self._plastic.items() if s},
            variable_steps=self._variable_steps,
            variables={name: torch.stack(s, dim=1) for name, s in self._variables.items() if s},
            final=state if kept else None,
            intervals=self._intervals,
        )

    def _check(self, state: State) -> State:
        with torch.no_grad():
            bad = torch.zeros_like(self.fail_step, dtype=torch.bool)
            for name, rates in state.rates.items():
                if name in self._spiking:  # a train is bounded by 1/dt: only the voltage can run away
                    fine = torch.isfinite(state.voltage[name]).all(dim=1)
                else:  # not fine also where undefined
                    fine = (rates.amax(dim=1) <= self._limit) & (rates.amin(dim=1) >= -self._limit)
                bad |= ~fine
            if not bool(bad.any()):
                return state
            fresh = bad & (self.fail_step < 0)
            self.fail_step = torch.where(fresh, state.step, self.fail_step)
            # A run that is sampled goes on: its samples' number may not depend on the points beside.
            sampled = self.plan.variables or self.plan.trace_every or self.plan.samplings
            self.all_diverged = not sampled and bool((self.fail_step >= 0).all())
        return state.map(lambda value: torch.where(bad[:, None], torch.zeros_like(value), value))

    def _accumulate(self, state: State) -> None:
        for segment in self.segments:
            if segment.start < state.step <= segment.stop:
                self._add(segment, state)

    def _add(self, segment: Segment, state: State) -> None:
        index = self.segments.index(segment)
        if index == len(self._sums):
            self._sums.append({})
        for name, rates in state.rates.items():
            if name in self._spiking:
                if name not in self._sums[index]:
                    self._sums[index][name] = self._no_spikes(rates, temporal=segment.temporal)
                add_train(self._sums[index][name], rates)
                continue
            mean = mean_neurons(rates) if segment.temporal else None
            sums = self._sums[index].get(name)
            if sums is None:
                zero = torch.zeros_like(rates)
                sums = self._sums[index][name] = Sums(0, self._kept(rates), zero)
                if mean is not None:
                    sums.squares, sums.mean_first = zero.clone(), mean
            sums.steps += 1
            moved = rates - sums.first
            sums.total = sums.total + moved
            if mean is not None and sums.squares is not None and sums.mean_first is not None:
                sums.squares = sums.squares + moved * moved
                drift = mean - sums.mean_first
                sums.mean_total = drift if sums.mean_total is None else sums.mean_total + drift
                sums.mean_squares = (
                    drift * drift if sums.mean_squares is None else sums.mean_squares + drift * drift
                )

    def _no_spikes(self, train: Tensor, *, temporal: bool) -> Sums:
        zero, none = torch.zeros_like(train), torch.zeros_like(train[:, 0])
        if not temporal:
            return Sums(0, zero, zero)
        return Sums(0, zero, zero, zero, none, none, none, Bins(bin_steps(self.program.spec.dt), 0, zero))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return replace(value) if isinstance(value, Sums) else value


def fourier_mode(rates: Tensor) -> Tensor:
    """Return mean rate, and real and imaginary part of ⟨r_i e^{iθ_i}⟩, (…, 3), for rates (…, N)."""
    return mean_neurons(rates[..., None, :] * _waves(rates.shape[-1], rates.device, rates.dtype))


@lru_cache(maxsize=32)
def _waves(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    theta = angles(size, device)
    return torch.stack([torch.ones_like(theta), torch.cos(theta), torch.sin(theta)]).to(dtype)


def plastic_means(u: Tensor, x: Tensor) -> Tensor:
    """Return the means over neurons of u, x and u x, (P, 3), for (P, N) each."""
    return mean_neurons(torch.stack([u, x, u * x], dim=1))


def bump_amplitude(mode: Tensor) -> Tensor:
    """Return 2|⟨r e^{iθ}⟩|, (…), for what `fourier_mode` returns, (…, 3)."""
    real, imaginary = mode[..., 1], mode[..., 2]
    return 2.0 * torch.sqrt(real * real + imaginary * imaginary)
