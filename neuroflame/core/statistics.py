"""From a recording to one number a point: rates, their variation, bumps; each with its unit and definition."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.columns import Column
from neuroflame.core.own_windows import own_windows
from neuroflame.core.recorder import Recording, Sums, Window, bump_amplitude, fourier_mode
from neuroflame.core.spike_record import Intervals
from neuroflame.core.spike_statistics import spikes
from neuroflame.core.torch_physics import mean_neurons
from neuroflame.errors import SpecError
from neuroflame.spec.base import suggestion
from neuroflame.spec.measures import DYNAMIC, check_applicable
from neuroflame.spec.stimuli import Span, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from neuroflame.core.program import Program
    from neuroflame.spec import NetworkSpec

_WINDOWS = FINAL, FIRST_HALF, SECOND_HALF = "final", "final.1", "final.2"
EPOCHS = {
    "before": "before the first stimulus",
    "during": "at the end of the last stimulus",
    "after": "right after the last stimulus",
}

SILENT = 1e-3
"""Hz. What is relative to the mean rate is undefined below it: rates decay towards 0 without reaching it."""

Statistic = tuple[Column, Tensor]
Part = tuple[int | Tensor, Tensor, Tensor | None]
"""Of a segment: number of states, mean, and squared deviations from it; (P, 1) or (P,), float64, if not an int."""


@dataclass(frozen=True)
class View:
    """A recording read by population and window, float64, undefined where a lane had diverged.

    Parameters
    ----------
    spec : NetworkSpec
    recording : Recording
    """

    spec: NetworkSpec
    recording: Recording

    def has(self, window: str) -> bool:
        """Whether the run has this window."""
        return any(w.name == window for w in self.recording.plan.windows)

    def steps(self, window: str) -> int | Tensor:
        """Return the number of states in a window; float64, (P,), where points have windows of their own."""
        steps = self._window(window).steps
        return steps.double() if isinstance(steps, Tensor) else steps

    def profile(self, population: str, window: str) -> Tensor:
        """Return each neuron's mean rate over a window, (P, N), Hz."""
        found, parts = self._window(window), self._parts(population, window, _steps)
        total = sum((steps * mean for steps, mean, _ in parts), torch.zeros_like(parts[0][1]))
        return self._masked(total / _rows(self.steps(window), total), found)

    def temporal_sd(self, population: str, window: str) -> tuple[Tensor, Tensor]:
        """Return temporal standard deviations over a window, Hz: of the mean (P,), of each neuron (P, N).

        Over steps; where the population spikes, over bins of `neuroflame.core.spike_record.BIN`.
        """
        found, parts = self._window(window), self._parts(population, window, _samples)
        means = self._parts(population, window, _mean_samples)
        return self._masked(_pooled_sd(means), found), self._masked(_pooled_sd(parts), found)

    def intervals(self, population: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return what `Intervals.cv` does for a population; where a point is lost, no neuron has enough."""
        plan, kept = self.recording.plan, self.recording.intervals.get(population)
        if kept is None:
            kept = Intervals.none(torch.zeros(len(self.recording.fail_step), 1))
        enough, cv, cv2 = kept.cv()
        return enough & ~self._lost(self._window(plan.intervals))[:, None].to(enough.device), cv, cv2

    def _window(self, name: str) -> Window:
        return next(w for w in self.recording.plan.windows if w.name == name)

    def _parts(self, population: str, window: str, moments: Callable[[Sums], Moments]) -> list[Part]:
        """Return samples, mean and squared deviations of the segments that make up a window.

        Where points have windows of their own, a segment that is not of a point's window has no steps there.
        """
        found = self._window(window)
        parts: list[Part] = []
        for segment, by_population in zip(self.recording.segments, self.recording.sums, strict=False):
            inside = (found.start <= segment.start) & (segment.stop <= found.stop)
            if not torch.as_tensor(inside).any():
                continue
            steps, first, total, squares = moments(by_population[population])
            if isinstance(steps, int) and not steps:  # shorter than a bin
                continue
            assert first is not None and total is not None  # noqa: PT018
            moved = total.double()
            if isinstance(steps, Tensor):
                steps = _rows(torch.where(torch.as_tensor(inside), steps, 0).double(), moved)
            there = steps if isinstance(steps, int) else steps.clamp(min=1.0)
            spread = None if squares is None else squares.double() - moved * moved / there
            parts.append((steps, first.double() + moved / there, spread))
        if not parts:  # all lanes diverged before it began
            size = () if moments is _mean_samples else (self.spec.populations[population].size,)
            shape = (self.recording.fail_step.shape[0], *size)
            nothing = torch.full(shape, torch.nan, dtype=torch.float64)
            parts = [(_rows(self.steps(window), nothing), nothing, None)]
        return parts

    def _lost(self, window: Window) -> Tensor:
        failed = self.recording.fail_step
        return (failed >= 0) & (failed <= window.stop)

    def _masked(self, value: Tensor, window: Window) -> Tensor:
        lost = self._lost(window)
        if value.dim() == 2:
            lost = lost[:, None]
        return torch.where(lost.to(value.device), torch.full_like(value, torch.nan), value)


Moments = tuple[int | Tensor, Tensor | None, Tensor | None, Tensor | None]
"""Number of samples, the value that they are relative to, and the sums of their differences and squares."""


def _steps(sums: Sums) -> Moments:
    return sums.steps, sums.first, sums.total, sums.squares


def _samples(sums: Sums) -> Moments:
    if sums.bins is None:
        return _steps(sums)
    return sums.bins.count, sums.first, sums.bins.total / sums.bins.steps, sums.squares


def _mean_samples(sums: Sums) -> Moments:
    count = sums.steps if sums.bins is None else sums.bins.count
    return count, sums.mean_first, sums.mean_total, sums.mean_squares


def _rows(steps: int | Tensor, like: Tensor) -> int | Tensor:
    """Return numbers of steps, (P,), so that they go with values, (P,) or (P, N)."""
    return steps[:, None] if isinstance(steps, Tensor) and like.dim() == 2 else steps


def _pooled_sd(parts: Sequence[Part]) -> Tensor:
    like = torch.zeros_like(parts[0][1])
    steps = sum((n for n, _, _ in parts), 0)
    mean = sum((n * m for n, m, _ in parts), like) / steps
    spread = like
    for n, part_mean, part_spread in parts:
        inside = torch.full_like(mean, torch.nan) if part_spread is None else part_spread
        wider = spread + inside + n * (part_mean - mean) ** 2
        spread = wider if isinstance(n, int) else torch.where(n > 0, wider, spread)
    return torch.sqrt(torch.clamp(spread / steps, min=0.0))


def _audible(value: Tensor, mean: Tensor) -> Tensor:
    return torch.where(mean < SILENT, torch.full_like(value, torch.nan), value)


def rates(view: View) -> Iterator[Statistic]:
    """Yield mean rate and its variation over neurons and time, by population."""
    for name in view.spec.populations:
        profile = view.profile(name, FINAL)
        mean = mean_neurons(profile)
        deviation = profile - mean[:, None]
        of_mean, of_neurons = view.temporal_sd(name, FINAL)
        yield _column(f"rate.{name}.mean", "Hz", "Mean rate over neurons and the final window."), mean
        yield (
            _column(
                f"rate.{name}.cv", "", "Standard deviation over neurons of the time-mean rate, over the mean."
            ),
            _audible(torch.sqrt(mean_neurons(deviation * deviation)) / mean, mean),
        )
        yield (
            _column(
                f"rate.{name}.sd_t",
                "",
                "Temporal standard deviation of the population's mean, over the mean.",
            ),
            _audible(of_mean / mean, mean),
        )
        yield (
            _column(
                f"rate.{name}.sd_i",
                "",
                "Mean of the neurons' own temporal standard deviations, over the mean.",
            ),
            _audible(mean_neurons(of_neurons) / mean, mean),
        )
        yield _column(f"rate.{name}.max", "Hz", "Highest time-mean rate of a neuron."), profile.amax(dim=1)


def bump(view: View) -> Iterator[Statistic]:
    """Yield the first Fourier mode over preferred angles, by population, at the end and around the stimulus."""
    for name in view.spec.populations:
        yield from _mode(view, name, FINAL, "", "in the final window")
        halves = [
            bump_amplitude(fourier_mode(view.profile(name, half))) for half in (FIRST_HALF, SECOND_HALF)
        ]
        seconds = 0.5 * view.steps(FINAL) * view.spec.dt
        mean = mean_neurons(view.profile(name, FINAL))
        doc = "Growth of the bump's amplitude over the final window, over the amplitude; negative: it dissolves."
        yield (
            _column(f"bump.{name}.trend", "1/s", doc),
            _audible((halves[1] - halves[0]) / (0.5 * (halves[0] + halves[1]) * seconds), mean),
        )
        for epoch, words in EPOCHS.items():
            if view.has(epoch):
                yield from _mode(view, name, epoch, f".{epoch}", words)


def _mode(view: View, name: str, window: str, suffix: str, words: str) -> Iterator[Statistic]:
    mode = fourier_mode(view.profile(name, window))
    m0, m1 = mode[:, 0], bump_amplitude(mode)
    phase = torch.remainder(torch.atan2(mode[:, 2], mode[:, 1]), 2.0 * torch.pi)
    yield _column(f"bump.{name}.m0{suffix}", "Hz", f"Mean rate {words}."), m0
    yield _column(f"bump.{name}.m1{suffix}", "Hz", f"Amplitude 2|⟨r exp(iθ)⟩| of the bump {words}."), m1
    yield (
        _column(f"bump.{name}.ratio{suffix}", "", f"Amplitude of the bump over the mean rate {words}."),
        _audible(m1 / m0, m0),
    )
    yield (
        _column(f"bump.{name}.phase{suffix}", "rad", f"Angle of the bump's centre {words}, in [0, 2π)."),
        _audible(phase, m0),
    )


def _column(name: str, unit: str, doc: str) -> Column:
    return Column(name, "float", unit, doc)


MEASURES: dict[str, Callable[[View], Iterator[Statistic]]] = {
    "rates": rates,
    "bump": bump,
    "spikes": partial(spikes, window=FINAL),
}
"""What ``measure:`` may name, beside `neuroflame.core.dynamics.DYNAMICS`."""


def check_measures(names: Sequence[str], spec: NetworkSpec) -> None:
    """Raise `SpecError` if a name is not a measure, or not one of this network."""
    for name in names:
        if name not in MEASURES and name not in DYNAMIC:
            known = [*MEASURES, *DYNAMIC]
            raise SpecError("is not a measure", got=name, path="measure", remedy=suggestion(name, known))
    check_applicable(names, spec)


def final_window(spec: NetworkSpec, asked: float | None, spans: Sequence[Span] | None = None) -> float:
    """Return the length of the final window, seconds: what was asked for, or max(10 τ_max, 2 s) where that fits.

    It never reaches back past the middle between the last stimulus's offset (or the start) and the end.

    Parameters
    ----------
    spans : sequence of Span, optional
        When stimuli are on; by default as the specification says, without jitter.
    """
    ends = [s.end for s in (_spans(spec) if spans is None else spans) if s.end < spec.duration]
    room = spec.duration - max(ends, default=0.0)
    if asked is None:
        return min(max(10.0 * spec.slowest(), 2.0), 0.5 * room)
    if not 2 * spec.dt <= asked <= spec.duration:
        raise SpecError(
            f"must be at least two steps and at most the duration, {spec.duration:g} s",
            got=asked,
            path="window",
        )
    return asked


def windows(
    spec: NetworkSpec, asked: float | None, spans: Sequence[Span] | None = None
) -> tuple[Window, ...]:
    """Return the windows that the measures look at; parameters as of `final_window`."""
    spans = _spans(spec) if spans is None else spans
    steps, dt = spec.steps, spec.dt
    width = final_window(spec, asked, spans)
    wide = max(2, round(width / dt))
    half = wide // 2
    found = [
        (FINAL, steps - wide, steps),
        (FIRST_HALF, steps - wide, steps - wide + half),
        (SECOND_HALF, steps - half, steps),
    ]
    if spans:
        onset = round(min(s.begin for s in spans) / dt)
        last = max(spans, key=lambda s: s.end)
        begin, end = round(last.begin / dt), min(steps, round(last.end / dt))
        short = max(1, min(wide, (end - begin) // 2))
        found.append(("before", max(0, onset - short), onset))
        found.append(("during", end - short, end))
        found.append(("after", end, min(steps, end + short)))
    return tuple(Window(name, start, stop) for name, start, stop in found if stop > start)


def program_windows(program: Program, asked: float | None) -> tuple[Window, ...]:
    """Return the windows of a program: each point's own where times differ between points, as if it ran alone."""
    spec = program.spec
    if program.shared_times:
        return windows(spec, asked)
    edges = [
        torch.stack([edge.expand(program.points) for edge in (s.times.begin, s.times.end)], dim=1).tolist()
        for s in program.stimuli
    ]
    spans = [tuple(Span(*edge) for edge in of_point) for of_point in zip(*edges, strict=True)]
    found = {own: windows(spec, asked, own) for own in dict.fromkeys(spans)}
    return own_windows([found[own] for own in spans], (*_WINDOWS, *EPOCHS), program.device)


def _spans(spec: NetworkSpec) -> tuple[Span, ...]:
    return tuple(span(stimulus, spec.dt) for stimulus in spec.stimuli)
