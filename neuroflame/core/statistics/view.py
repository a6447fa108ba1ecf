"""A recording read by population and window."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuroflame.columns import Column
from neuroflame.core.recorder import fourier_mode
from neuroflame.core.spike_record import Intervals
from neuroflame.core.statistics.windows import FINAL
from neuroflame.core.timescales import slowest
from neuroflame.core.torch_physics import mean_neurons
from neuroflame.spec.parts import ODD_TRANSFERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from neuroflame.core.program import Program
    from neuroflame.core.recorder import Recording, Sampling, Sums, Window
    from neuroflame.spec import NetworkSpec

SILENT = 1e-3
"""Hz. What is relative to the mean rate is undefined below it: rates decay towards 0 without reaching it."""

AT_ONCE = {"cpu": 2**18, "cuda": 2**26}
"""Numbers held at once while windows are reduced: points are taken in turn; on a CPU they stay in its cache."""

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
class Reduced:
    """A population's windows without its neurons: float64, on the CPU, undefined where a lane had diverged.

    Temporal variation is over steps; where the population spikes, over bins of `neuroflame.core.spike_record.BIN`.

    Attributes
    ----------
    modes : mapping of Tensor, (3, P), Hz
        By window: mean rate, and real and imaginary part of ⟨r e^{iθ}⟩ of the profile.
    level : mapping of Tensor, (P,), Hz
        By window, what relative statistics are relative to: the mean rate; where the transfer function takes both
        signs, the root mean square of the profile, in the final window of the rates over neurons and time.
    variance : Tensor, (P,), Hz²
        Over neurons of the final window's profile.
    own_sd, own_variance : Tensor, (P,), Hz and Hz²
        Means over neurons of their temporal standard deviations and variances in the final window.
    unstructured : Tensor, (P,), Hz²
        Half the mean square of what neighbours on the ring differ by, of the final window's profile.
    highest : Tensor, (P,), Hz
        The final window's highest time-mean rate of a neuron.
    mean_sd : Tensor, (P,), Hz
        Temporal standard deviation of the population's mean in the final window.
    """

    modes: Mapping[str, Tensor]
    level: Mapping[str, Tensor]
    variance: Tensor
    own_sd: Tensor
    own_variance: Tensor
    unstructured: Tensor
    highest: Tensor
    mean_sd: Tensor

    @property
    def mean(self) -> Tensor:
        """Mean rate over neurons and the final window, (P,), Hz."""
        return self.modes[FINAL][0]


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
    _reduced: dict[str, Reduced] = field(default_factory=dict, init=False, repr=False)

    def has(self, window: str) -> bool:
        """Whether the run has this window."""
        return any(w.name == window for w in self.recording.plan.windows)

    def steps(self, window: str) -> int | Tensor:
        """Return the number of states in a window; float64, (P,), where points have windows of their own."""
        steps = self._window(window).steps
        return steps.double() if isinstance(steps, Tensor) else steps

    def profile(self, population: str, window: str) -> Tensor:
        """Return each neuron's mean rate over a window, (P, N), Hz."""
        return self._masked(self._profile(population, window, slice(None)).mT, self._window(window)).mT

    def reduced(self, population: str) -> Reduced:
        """Return what is left of a population's neurons over the windows."""
        if population not in self._reduced:
            windows, kept = self.recording.plan.windows, self._queued[population].cpu()
            by_window = kept[: 4 * len(windows)].unflatten(0, (-1, 4))
            of_mean = _pooled_sd(self._parts(population, FINAL, self._mean_samples))
            of_neurons = self._masked(torch.cat([kept[4 * len(windows) :], of_mean[None]]), self.final)
            masked = {w.name: self._masked(some, w) for w, some in zip(windows, by_window, strict=True)}
            self._reduced[population] = Reduced(
                {name: some[:3] for name, some in masked.items()},
                {name: some[3] for name, some in masked.items()},
                *of_neurons.unbind(),
            )
        return self._reduced[population]

    @cached_property
    def _queued(self) -> dict[str, Tensor]:
        """What `_reduce` returns for all points, by population: all queued before the first is waited for.

        A GPU may still be at the run itself, so that queueing costs no time.
        """
        points, windows = len(self.recording.fail_step), len(self.recording.plan.windows)
        most = AT_ONCE[self.recording.fail_step.device.type]
        found = {}
        for name, population in self.spec.populations.items():
            at_once = max(1, most // (3 * population.size * windows))
            rows = [slice(first, first + at_once) for first in range(0, points, at_once)]
            found[name] = torch.cat([self._reduce(name, some) for some in rows], dim=1)
        return found

    def _reduce(self, population: str, rows: slice) -> Tensor:
        """Return modes and level of each window, then the other entries of `Reduced` but the last, (…, P)."""
        names = [w.name for w in self.recording.plan.windows]
        profiles = torch.stack([self._profile(population, name, rows) for name in names])
        modes, final = fourier_mode(profiles), names.index(FINAL)
        deviation = profiles[final] - modes[final, :, :1]
        between = profiles[final] - profiles[final].roll(1, dims=1)
        own = _pooled_sd(self._parts(population, FINAL, _samples, rows))
        of_neurons = mean_neurons(
            torch.stack([deviation * deviation, own, own * own, 0.5 * between * between])
        )
        level = modes[..., 0]
        if self.signed(population):
            square = mean_neurons(profiles * profiles)
            square[final] += of_neurons[2]
            level = torch.sqrt(square)
        by_window = torch.cat([modes.movedim(-1, 1), level[:, None]], dim=1).flatten(0, 1)
        return torch.cat([by_window, of_neurons, profiles[final].amax(dim=1)[None]])

    def _profile(self, population: str, window: str, rows: slice) -> Tensor:
        """Return `profile` of some points, whatever it is where a lane had diverged."""
        parts, steps = self._parts(population, window, _steps, rows), self.steps(window)
        mean = parts[0][1]
        if len(parts) > 1 or isinstance(steps, Tensor):
            of = _rows(steps[rows].to(mean.device) if isinstance(steps, Tensor) else steps, mean)
            mean = sum((n / of * part for n, part, _ in parts), torch.zeros_like(mean))
        return mean

    def signed(self, population: str) -> bool:
        """Whether a population's rates take both signs."""
        spiking = self.spec.populations[population].spiking is not None
        return not spiking and self.spec.transfer_of(population) in ODD_TRANSFERS

    def intervals(self, population: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return what `Intervals.cv` does for a population; where a point is lost, no neuron has enough."""
        plan, kept = self.recording.plan, self.recording.intervals.get(population)
        if kept is None:
            kept = Intervals.none(torch.zeros(len(self.recording.fail_step), 1))
        enough, cv, cv2 = kept.cv()
        return enough & ~self._lost(self._window(plan.intervals), enough.device)[:, None], cv, cv2

    @cached_property
    def final(self) -> Window:
        """The final window."""
        return next(w for w in self.recording.plan.windows if w.name == FINAL)

    @cached_property
    def sampling(self) -> Sampling:
        """When the final window was sampled."""
        ends = tuple(int(torch.as_tensor(end).reshape(-1)[0]) for end in (self.final.start, self.final.stop))
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

    def plastic_course(self, pair: str) -> Tensor:
        """Return the samples of the means of u and x of a plastic pair in the final window, (P, S, 2), float64."""
        rows = [i for i, n in enumerate(self.recording.plastic_steps) if n - 1 in self.sampling]
        if not rows:
            return torch.empty(len(self.lost), 0, 2, dtype=torch.float64)
        return self.recording.plastic[pair][:, rows, :2].double()

    def _window(self, name: str) -> Window:
        return next(w for w in self.recording.plan.windows if w.name == name)

    def _parts(
        self,
        population: str,
        window: str,
        moments: Callable[[Sums], Moments],
        rows: slice = slice(None),
    ) -> list[Part]:
        """Return samples, mean and squared deviations of the segments that make up a window, of some points.

        Where points have windows of their own, a segment that is not of a point's window has no steps there.
        """
        found = self._window(window)
        parts: list[Part] = []
        for segment, by_population in zip(self.recording.segments, self.recording.sums, strict=False):
            inside = (found.start <= segment.start) & (segment.stop <= found.stop)
            if not (inside.any() if isinstance(inside, Tensor) else inside):
                continue
            steps, first, total, squares = moments(by_population[population])
            if isinstance(steps, int) and not steps:  # shorter than a bin
                continue
            assert first is not None and total is not None  # noqa: PT018
            moved = total[rows].double()
            if isinstance(steps, Tensor):
                own = torch.where(torch.as_tensor(inside), steps, 0).double()[rows].to(moved.device)
                steps = _rows(own, moved)
            there = steps if isinstance(steps, int) else steps.clamp(min=1.0)
            spread = None if squares is None else squares[rows].double() - moved * moved / there
            parts.append((steps, first[rows].double() + moved / there, spread))
        if not parts:  # all lanes diverged before it began
            reduced = moments == self._mean_samples
            size = () if reduced else (self.spec.populations[population].size,)
            failed = self.recording.fail_step[rows]
            nothing = torch.full(
                (len(failed), *size),
                torch.nan,
                dtype=torch.float64,
                device="cpu" if reduced else failed.device,
            )
            parts = [(1, nothing, None)]
        return parts

    def _mean_samples(self, sums: Sums) -> Moments:
        """Return the moments of a population's mean rate, on the CPU."""
        unknown = torch.full((len(self.recording.fail_step),), torch.nan, dtype=torch.float64)
        moments = self._means.get(id(sums), (unknown,) * 3)
        return sums.steps if sums.bins is None else sums.bins.count, *moments

    @cached_property
    def _means(self) -> dict[int, tuple[Tensor, Tensor, Tensor]]:
        """Moments of the populations' mean rates, by their sums' identity: brought to the CPU in one copy."""
        every = [sums for row in self.recording.sums for sums in row.values()]
        found = [
            (sums, torch.stack([sums.mean_first, sums.mean_total, sums.mean_squares]))
            for sums in every
            if sums.mean_first is not None and sums.mean_total is not None and sums.mean_squares is not None
        ]
        rows = torch.stack([moments for _, moments in found]).cpu() if found else ()
        return {id(sums): (row[0], row[1], row[2]) for (sums, _), row in zip(found, rows, strict=True)}

    def _lost(self, window: Window, device: torch.device) -> Tensor:
        failed = self._failed if device.type == "cpu" else self.recording.fail_step
        stop = window.stop.to(device) if isinstance(window.stop, Tensor) else window.stop
        return (failed >= 0) & (failed <= stop)

    @cached_property
    def _failed(self) -> Tensor:
        return self.recording.fail_step.cpu()

    def _masked(self, value: Tensor, window: Window) -> Tensor:
        """Return values, (…, P), undefined where a lane had diverged."""
        return torch.where(self._lost(window, value.device), torch.nan, value)


def _steps(sums: Sums) -> Moments:
    return sums.steps, sums.first, sums.total, None


def _samples(sums: Sums) -> Moments:
    if sums.bins is None:
        return sums.steps, sums.first, sums.total, sums.squares
    return sums.bins.count, sums.first, sums.bins.total / sums.bins.steps, sums.squares


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
