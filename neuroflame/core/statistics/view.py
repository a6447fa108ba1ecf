"""A recording read by population and window."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuroflame.columns import Column
from neuroflame.core.spike_record import Intervals
from neuroflame.core.statistics.windows import FINAL
from neuroflame.core.timescales import slowest
from neuroflame.core.torch_physics import mean_neurons

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from neuroflame.core.program import Program
    from neuroflame.core.recorder import Recording, Sampling, Sums, Window
    from neuroflame.spec import NetworkSpec

SILENT = 1e-3
"""Hz. What is relative to the mean rate is undefined below it: rates decay towards 0 without reaching it."""
SIGNED = frozenset({"tanh", "erf_odd"})
"""Transfer functions of both signs: means of such rates cancel, and say nothing of how large they are."""

Array = np.ndarray
Statistic = tuple[Column, Tensor | Array]
Part = tuple[int | Tensor, Tensor, Tensor | None]
"""Of a segment: number of states, mean, and squared deviations from it; (P, 1) or (P,), float64, if not an int."""

Moments = tuple[int | Tensor, Tensor | None, Tensor | None, Tensor | None]
"""Number of samples, the value that they are relative to, and the sums of their differences and squares."""


@dataclass(frozen=True)
class Series:
    """What a population did over the final window.

    Attributes
    ----------
    every : float
        Seconds between two samples.
    mean, cosine, sine : ndarray, (P, S), Hz
        Mean rate, and real and imaginary part of ⟨r e^{iθ}⟩, float64.
    """

    every: float
    mean: Array
    cosine: Array
    sine: Array

    @property
    def samples(self) -> int:
        """Number of samples."""
        return int(self.mean.shape[1])


@dataclass(frozen=True)
class View:
    """A recording read by population and window, float64, undefined where a lane had diverged.

    Parameters
    ----------
    spec : NetworkSpec
    recording : Recording
    program : Program, optional
        What was run; needed by the statistics that look at the state at the end or at a cue.
    cue : ndarray, (P,), degrees, optional
        By how much each point's stimuli were turned; NaN where it had none.
    """

    spec: NetworkSpec
    recording: Recording
    program: Program | None = None
    cue: Array | None = None

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

    def level(self, population: str, window: str = FINAL) -> Tensor:
        """Return what relative statistics of a population are relative to in a window, (P,), Hz.

        The mean rate; where the transfer function takes both signs, the root mean square of the rates over neurons,
        and over time where the window keeps temporal variation.
        """
        profile = self.profile(population, window)
        if not self.signed(population):
            return mean_neurons(profile)
        square = profile * profile
        if window in self.recording.plan.temporal:
            square = square + self.temporal_sd(population, window)[1] ** 2
        return torch.sqrt(mean_neurons(square))

    def signed(self, population: str) -> bool:
        """Whether a population's rates take both signs."""
        spiking = self.spec.populations[population].spiking is not None
        return not spiking and self.spec.transfer_of(population) in SIGNED

    def intervals(self, population: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return what `Intervals.cv` does for a population; where a point is lost, no neuron has enough."""
        plan, kept = self.recording.plan, self.recording.intervals.get(population)
        if kept is None:
            kept = Intervals.none(torch.zeros(len(self.recording.fail_step), 1))
        enough, cv, cv2 = kept.cv()
        return enough & ~self._lost(self._window(plan.intervals))[:, None].to(enough.device), cv, cv2

    @cached_property
    def final(self) -> Window:
        """The final window."""
        return next(w for w in self.recording.plan.windows if w.name == FINAL)

    @cached_property
    def sampling(self) -> Sampling:
        """When the final window was sampled."""
        ends = (self.final.start, self.final.stop)
        return next(s for s in self.recording.plan.samplings if (s.start, s.stop) == ends)

    @cached_property
    def lost(self) -> Array:
        """Which points diverged, (P,)."""
        return (self.recording.fail_step >= 0).cpu().numpy()

    @cached_property
    def tau_max(self) -> Array:
        """Each point's slowest time constant, (P,), seconds."""
        assert self.program is not None
        points = self.recording.fail_step.shape[0]
        return np.broadcast_to(slowest(self.program).cpu().numpy(), (points,))

    def series(self, population: str) -> Series:
        """Return the samples of the final window; undefined where a point diverged."""
        rows = [i for i, n in enumerate(self.recording.trace_steps) if n in self.sampling]
        mean, cosine, sine = self.samples(population, rows)
        return Series(self.sampling.every * self.spec.dt, mean, cosine, sine)

    def samples(self, population: str, rows: Sequence[int]) -> tuple[Array, Array, Array]:
        """Return some of the traces' samples, (P, samples) each, in float64; see `Series`."""
        if not rows:  # all lanes diverged before
            empty = np.full((len(self.lost), 0), np.nan)
            return empty, empty, empty
        kept = self.recording.traces[population][:, list(rows)].double().cpu().numpy()
        kept = np.where(self.lost[:, None, None], np.nan, kept)
        mean, cosine, sine = (np.ascontiguousarray(kept[..., i]) for i in range(3))
        return mean, cosine, sine

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


def audible(value: Tensor, level: Tensor) -> Tensor:
    """Return a value, undefined where the level of rates that it is relative to is that of silence."""
    return torch.where(level < SILENT, torch.full_like(value, torch.nan), value)


def truth(value: Array, undefined: Array) -> Array:
    """Return truth values, None where they are undefined, (P,) objects."""
    found = value.astype(object)
    found[undefined] = None
    return found


def column(name: str, unit: str, doc: str) -> Column:
    """Return a column of real numbers."""
    return Column(name, "float", unit, doc)
