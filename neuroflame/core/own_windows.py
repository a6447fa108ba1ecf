"""Windows that each point has of its own: cut into stretches, and summed under a mask.

A point's stretches and sums are, to the last bit, those that it would have in a run alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.recorder import Recorder, RecordPlan, Segment, Sums, Window
from neuroflame.core.spike_record import Bins, add_own_train, bin_steps
from neuroflame.core.torch_physics import mean_neurons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.core.program import Program
    from neuroflame.core.state import State


def own_windows(
    by_point: Sequence[Sequence[Window]], names: Sequence[str], device: torch.device
) -> tuple[Window, ...]:
    """Return the windows of P points, each with the steps of every point; from 0 to 0 where a point has none.

    Parameters
    ----------
    by_point : sequence of sequence of Window
        Each point's windows.
    names : sequence of str
        Which windows there are.
    """
    found = []
    for name in names:
        mine = [next((w for w in windows if w.name == name), None) for windows in by_point]
        starts, stops = ([getattr(w, edge, 0) for w in mine] for edge in ("start", "stop"))
        found.append(Window(name, torch.tensor(starts, device=device), torch.tensor(stops, device=device)))
    return tuple(found)


def own_segments(plan: RecordPlan) -> tuple[Segment, ...]:
    """Cut each point's windows into stretches that do not overlap; the k-th of all points are one segment."""
    starts = torch.stack([torch.as_tensor(w.start) for w in plan.windows])  # (windows, P)
    stops = torch.stack([torch.as_tensor(w.stop) for w in plan.windows])
    temporal = torch.tensor([w.name in plan.temporal for w in plan.windows], device=starts.device)[
        :, None, None
    ]
    there = stops > starts
    edges = torch.cat([torch.where(there, starts, 0), torch.where(there, stops, 0)]).sort(dim=0).values
    begin, end = edges[:-1], edges[1:]  # (stretches, P)
    over = there[:, None] & (starts[:, None] <= begin) & (end <= stops[:, None]) & (end > begin)
    used = over.any(dim=0)
    order = (~used).to(torch.int8).argsort(dim=0, stable=True)  # those that are used, first
    kept = order[: int(used.sum(dim=0).max())]
    begin, end, used = (value.gather(0, kept) for value in (begin, end, used))
    varied = (over & temporal).any(dim=0).gather(0, kept)
    return tuple(
        Segment(
            torch.where(used[k], begin[k], 0),
            torch.where(used[k], end[k], 0),
            bool(varied[k].any()),
        )
        for k in range(len(kept))
    )


class OwnRecorder(Recorder):
    """Looks at each state of a run whose points have windows of their own.

    Parameters
    ----------
    program : Program
    plan : RecordPlan
    """

    def __init__(self, program: Program, plan: RecordPlan) -> None:
        super().__init__(program, plan)
        self._reach = [(int(s.start.min()), int(s.stop.max())) for s in self.segments]  # type: ignore[union-attr]
        self._sums = [
            {name: self._empty(name, segment) for name in program.populations} for segment in self.segments
        ]

    def _cut(self) -> tuple[Segment, ...]:
        return own_segments(self.plan)

    def _empty(self, name: str, segment: Segment) -> Sums:
        points, dtype, device = self.program.points, self.program.dtype, self.program.device
        zero = torch.zeros(points, self.program.populations[name].size, dtype=dtype, device=device)
        sums = Sums(torch.zeros(points, dtype=torch.int64, device=device), zero, zero)
        if segment.temporal:
            sums.squares = zero
            sums.mean_first = sums.mean_total = sums.mean_squares = torch.zeros(
                points, dtype=dtype, device=device
            )
            if self.program.populations[name].spiking is not None:
                sums.bins = Bins(
                    bin_steps(self.program.spec.dt),
                    torch.zeros(points, dtype=torch.int64, device=device),
                    zero,
                )
        return sums

    def _accumulate(self, state: State) -> None:
        n = state.step
        for segment, (begin, end), sums in zip(self.segments, self._reach, self._sums, strict=True):
            if begin < n <= end:
                inside = torch.as_tensor((segment.start < n) & (n <= segment.stop))
                for name, rates in state.rates.items():
                    add = _add if self.program.populations[name].spiking is None else add_own_train
                    add(sums[name], inside, rates)


def _add(sums: Sums, inside: Tensor, rates: Tensor) -> None:
    fresh, lanes = (inside & (sums.steps == 0))[:, None], inside[:, None]
    sums.steps = sums.steps + inside
    sums.first = torch.where(fresh, rates, sums.first)
    moved = rates - sums.first
    sums.total = torch.where(lanes, sums.total + moved, sums.total)
    if sums.squares is None:
        return
    assert sums.mean_first is not None
    assert sums.mean_total is not None
    assert sums.mean_squares is not None
    sums.squares = torch.where(lanes, sums.squares + moved * moved, sums.squares)
    mean = mean_neurons(rates)
    sums.mean_first = torch.where(fresh[:, 0], mean, sums.mean_first)
    drift = mean - sums.mean_first
    sums.mean_total = torch.where(inside, sums.mean_total + drift, sums.mean_total)
    sums.mean_squares = torch.where(inside, sums.mean_squares + drift * drift, sums.mean_squares)
