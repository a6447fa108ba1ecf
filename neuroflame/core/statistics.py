"""From a recording to one number a point: rates, their variation, bumps; each with its unit and definition."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.columns import Column
from neuroflame.core.recorder import Recording, Sums, Window, bump_amplitude, fourier_mode
from neuroflame.core.spike_record import Intervals
from neuroflame.core.spike_statistics import spikes
from neuroflame.core.torch_physics import mean_neurons
from neuroflame.errors import SpecError
from neuroflame.spec.base import suggestion
from neuroflame.spec.measures import check_applicable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from neuroflame.spec import NetworkSpec

FINAL, FIRST_HALF, SECOND_HALF = "final", "final.1", "final.2"
EPOCHS = {
    "before": "before the first stimulus",
    "during": "at the end of the last stimulus",
    "after": "right after the last stimulus",
}

SILENT = 1e-3
"""Hz. What is relative to the mean rate is undefined below it: rates decay towards 0 without reaching it."""

Statistic = tuple[Column, Tensor]


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

    def profile(self, population: str, window: str) -> Tensor:
        """Return each neuron's mean rate over a window, (P, N), Hz."""
        found, parts = self._parts(population, window, _steps)
        total = sum((steps * mean for steps, mean, _ in parts), torch.zeros_like(parts[0][1]))
        return self._masked(total / found.steps, found)

    def temporal_sd(self, population: str, window: str) -> tuple[Tensor, Tensor]:
        """Return temporal standard deviations over a window, Hz: of the mean (P,), of each neuron (P, N).

        Over steps; where the population spikes, over bins of `neuroflame.core.spike_record.BIN`.
        """
        found, means = self._parts(population, window, _mean_samples)
        _, parts = self._parts(population, window, _samples)
        return self._masked(_pooled_sd(means), found), self._masked(_pooled_sd(parts), found)

    def intervals(self, population: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return what `Intervals.cv` does for a population, undefined where lost: no neuron has enough."""
        plan, kept = self.recording.plan, self.recording.intervals.get(population)
        if kept is None:
            kept = Intervals.none(torch.zeros(len(self.recording.fail_step), 1))
        found = next(w for w in plan.windows if w.name == plan.intervals)
        enough, cv, cv2 = kept.cv()
        return enough & ~self._lost(found)[:, None].to(enough.device), cv, cv2

    def _parts(
        self, population: str, window: str, moments: Callable[[Sums], Moments]
    ) -> tuple[Window, list[tuple[int, Tensor, Tensor | None]]]:
        found = next(w for w in self.recording.plan.windows if w.name == window)
        parts = []
        for segment, by_population in zip(self.recording.segments, self.recording.sums, strict=False):
            if found.start <= segment.start and segment.stop <= found.stop:
                count, first, total, squares = moments(by_population[population])
                if not count:  # shorter than a bin
                    continue
                assert first is not None and total is not None  # noqa: PT018
                moved = total.double()
                spread = None if squares is None else squares.double() - moved * moved / count
                parts.append((count, first.double() + moved / count, spread))
        if not parts:  # all lanes diverged before it began
            size = () if moments is _mean_samples else (self.spec.populations[population].size,)
            shape = (self.recording.fail_step.shape[0], *size)
            parts = [(found.steps, torch.full(shape, torch.nan, dtype=torch.float64), None)]
        return found, parts

    def _lost(self, window: Window) -> Tensor:
        failed = self.recording.fail_step
        return (failed >= 0) & (failed <= window.stop)

    def _masked(self, value: Tensor, window: Window) -> Tensor:
        lost = self._lost(window)
        if value.dim() == 2:
            lost = lost[:, None]
        return torch.where(lost.to(value.device), torch.full_like(value, torch.nan), value)


Moments = tuple[int, Tensor | None, Tensor | None, Tensor | None]
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


def _pooled_sd(parts: Sequence[tuple[int, Tensor, Tensor | None]]) -> Tensor:
    steps = sum(n for n, _, _ in parts)
    mean = sum((n * m for n, m, _ in parts), torch.zeros_like(parts[0][1])) / steps
    spread = torch.zeros_like(mean)
    for n, part_mean, part_spread in parts:
        inside = torch.full_like(mean, torch.nan) if part_spread is None else part_spread
        spread = spread + inside + n * (part_mean - mean) ** 2
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
        final = next(w for w in view.recording.plan.windows if w.name == FINAL)
        seconds, mean = 0.5 * final.steps * view.spec.dt, mean_neurons(view.profile(name, FINAL))
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
"""What ``measure:`` may name."""


def check_measures(names: Sequence[str], spec: NetworkSpec) -> None:
    """Raise `SpecError` if a name is not a measure, or not one of this network."""
    for name in names:
        if name not in MEASURES:
            raise SpecError("is not a measure", got=name, path="measure", remedy=suggestion(name, MEASURES))
    check_applicable(names, spec)


def final_window(spec: NetworkSpec, asked: float | None) -> float:
    """Return the length of the final window, seconds: what was asked for, or max(10 τ_max, 2 s) where that fits.

    It never reaches back past the middle between the last stimulus's offset (or the start) and the end.
    """
    offsets = [s.offset for s in spec.stimuli if s.offset < spec.duration]
    room = spec.duration - max(offsets, default=0.0)
    if asked is None:
        return min(max(10.0 * spec.slowest(), 2.0), 0.5 * room)
    if not 2 * spec.dt <= asked <= spec.duration:
        raise SpecError(
            f"must be at least two steps and at most the duration, {spec.duration:g} s",
            got=asked,
            path="window",
        )
    return asked


def windows(spec: NetworkSpec, asked: float | None) -> tuple[Window, ...]:
    """Return the windows that the measures look at."""
    steps, dt = spec.steps, spec.dt
    width = final_window(spec, asked)
    wide = max(2, round(width / dt))
    half = wide // 2
    found = [
        Window(FINAL, steps - wide, steps),
        Window(FIRST_HALF, steps - wide, steps - wide + half),
        Window(SECOND_HALF, steps - half, steps),
    ]
    if spec.stimuli:
        onset = round(min(s.onset for s in spec.stimuli) / dt)
        last = max(spec.stimuli, key=lambda s: s.offset)
        begin, end = round(last.onset / dt), min(steps, round(last.offset / dt))
        short = max(1, min(wide, (end - begin) // 2))
        found.append(Window("before", max(0, onset - short), onset))
        found.append(Window("during", end - short, end))
        found.append(Window("after", end, min(steps, end + short)))
    return tuple(w for w in found if w.steps > 0)
