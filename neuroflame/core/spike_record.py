"""What is kept of spike trains: counts between samples, rates in bins, interspike intervals."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.torch_physics import mean_neurons, physics

if TYPE_CHECKING:
    from neuroflame.core.recorder import Sums

BIN = 0.005
"""Seconds. Temporal variation of spike trains is that of their rates in bins of this length."""


def bin_steps(dt: float) -> int:
    """Return the steps of a bin."""
    return max(1, round(BIN / dt))


@dataclass(frozen=True)
class SpikeCount:
    """Sum of the trains of the populations that spike since the last sample: no spike falls between two samples."""

    steps: int = 0
    totals: dict[str, Tensor] = field(default_factory=dict)

    def after(self, trains: dict[str, Tensor]) -> SpikeCount:
        """Return the count with one step's trains, by population, added."""
        totals = {n: self.totals[n] + train if n in self.totals else train for n, train in trains.items()}
        return SpikeCount(self.steps + 1, totals)

    def rates(self) -> dict[str, Tensor]:
        """Return mean rates since the last sample, (P, N), Hz."""
        return {name: total / self.steps for name, total in self.totals.items()}


@dataclass(frozen=True)
class Bins:
    """Bins of a segment that are complete.

    Attributes
    ----------
    steps : int
        Length of a bin.
    count : int or Tensor, (P,)
        A tensor where each point has windows of its own.
    total : Tensor, (P, N)
        Σ r over the steps in them.
    """

    steps: int
    count: int | Tensor
    total: Tensor


def add_train(sums: Sums, train: Tensor) -> None:
    """Add one step of a population's spike train, (P, N), to a segment's sums, and at a bin's end the bin."""
    sums.steps += 1
    sums.total = sums.total + train
    if sums.bins is not None and sums.steps % sums.bins.steps == 0:
        _close_bin(sums, sums.bins, None)


def add_own_train(sums: Sums, inside: Tensor, train: Tensor) -> None:
    """Add one step of a spike train to the sums of the points, (P,), in whose own segment the step is."""
    sums.steps = sums.steps + inside
    sums.total = torch.where(inside[:, None], sums.total + train, sums.total)
    if sums.bins is not None:
        _close_bin(sums, sums.bins, inside & (sums.steps % sums.bins.steps == 0))


def _close_bin(sums: Sums, bins: Bins, points: Tensor | None) -> None:
    """Add the bin that ends to the sums over bins, of some points, (P,), or of all."""
    rate = (sums.total - bins.total) / bins.steps
    if points is not None:
        rate = torch.where(points[:, None], rate, 0.0)
    mean = mean_neurons(rate)
    assert sums.squares is not None and sums.mean_total is not None and sums.mean_squares is not None  # noqa: PT018
    sums.squares = sums.squares + rate * rate
    sums.mean_total, sums.mean_squares = sums.mean_total + mean, sums.mean_squares + mean * mean
    sums.bins = replace(
        bins,
        count=bins.count + (1 if points is None else points),
        total=sums.total if points is None else torch.where(points[:, None], sums.total, bins.total),
    )


@dataclass(frozen=True)
class Intervals:
    """Interspike intervals so far of each neuron, in steps; see `neuroflame.physics.spiking.note_interval`.

    Attributes
    ----------
    last : Tensor, (P, N)
        Step of the last spike, 0 before the first.
    previous, first : Tensor, (P, N)
        The last interval and the first one.
    count : Tensor, (P, N)
        Number of intervals.
    total, squares : Tensor, (P, N)
        Sums of their differences from the first one, and of the squares of these.
    local : Tensor, (P, N)
        Σ 2 |a − b| / (a + b) over neighbouring intervals a, b.
    """

    last: Tensor
    previous: Tensor
    first: Tensor
    count: Tensor
    total: Tensor
    squares: Tensor
    local: Tensor

    @classmethod
    def none(cls, like: Tensor) -> Intervals:
        """Return what is there before the first spike."""
        zero = torch.zeros_like(like, requires_grad=False)
        return cls(*[zero] * 7)

    def after(self, train: Tensor, step: int) -> Intervals:
        """Return the intervals after one step of the train, (P, N)."""
        now = torch.full((), float(step), dtype=train.dtype, device=train.device)
        return Intervals(
            *physics.note_interval(train > 0.0, now, *(getattr(self, f.name) for f in fields(self)))
        )

    def cv(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return which neurons have two intervals or more, their coefficients of variation, and their CV2, (P, N).

        CV2 is the mean of 2|a − b|/(a + b) over neighbouring intervals (Holt et al. 1996, J. Neurophysiol. 75:1806).
        """
        count, total, squares = self.count.double(), self.total.double(), self.squares.double()
        enough = count >= 2.0
        count = torch.where(enough, count, 2.0)
        mean = self.first.double() + total / count
        spread = torch.clamp(squares / count - (total / count) ** 2, min=0.0)
        return (
            enough,
            torch.sqrt(spread) / torch.where(enough, mean, 1.0),
            self.local.double() / (count - 1.0),
        )
