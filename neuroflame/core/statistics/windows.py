"""Which stretches of a run the statistics look at, and how often its course is sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from neuroflame.core.own_windows import own_windows
from neuroflame.core.recorder import Sampling, Window
from neuroflame.core.timescales import shortest
from neuroflame.errors import SpecError
from neuroflame.spec.measures import cue_of, spike_step
from neuroflame.spec.stimuli import Span, span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from neuroflame.core.program import Program
    from neuroflame.spec import NetworkSpec

_WINDOWS = FINAL, FIRST_HALF, SECOND_HALF = "final", "final.1", "final.2"
EPOCHS = {
    "before": "before the first stimulus",
    "during": "at the end of the last stimulus",
    "after": "right after the last stimulus",
}
LONGEST_STEP = 0.005
"""Seconds between two samples of the final window, at most."""
MEMORY_STEP = 0.02
"""Seconds between two samples of what follows a cue."""
_SAMPLED = {"oscillation", "convergence", "stp"}


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
    found = list(final_windows(steps, wide))
    if spans:
        onset = round(min(s.begin for s in spans) / dt)
        last = max(spans, key=lambda s: s.end)
        begin, end = round(last.begin / dt), min(steps, round(last.end / dt))
        short = max(1, min(wide, (end - begin) // 2))
        found.append(Window("before", max(0, onset - short), onset))
        found.append(Window("during", end - short, end))
        found.append(Window("after", end, min(steps, end + short)))
    return tuple(window for window in found if window.stop > window.start)


def final_windows(stop: int, wide: int) -> tuple[Window, ...]:
    """Return the window of the last steps before ``stop``, and its two halves."""
    half = wide // 2
    return (
        Window(FINAL, stop - wide, stop),
        Window(FIRST_HALF, stop - wide, stop - wide + half),
        Window(SECOND_HALF, stop - half, stop),
    )


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


def samplings(
    spec: NetworkSpec, asked: float | None, measure: Iterable[str], *, own: bool = False
) -> tuple[Sampling, ...]:
    """Return when the populations' means and first Fourier modes are sampled for some measures.

    The final window at least every min(5 ms, the network's shortest time constant), back from the last step, where
    populations spike at least every `spike_step`; what follows a cue at its offset and every 20 ms; the whole run every
    20 ms where points have times of their own.
    """
    wanted, found = set(measure), []
    if wanted & _SAMPLED:
        final = windows(spec, asked)[0]
        every = max(1, int(min(LONGEST_STEP, shortest(spec), spike_step(spec)) / spec.dt + 1e-9))
        found.append(Sampling(int(final.start), int(final.stop), every))
    return (*found, *after_cue(spec, own=own)) if "memory" in wanted else tuple(found)


def after_cue(spec: NetworkSpec, *, own: bool = False) -> tuple[Sampling, ...]:
    """Return when what follows the last cue is sampled: at its offset, and from there to the end; never without one.

    Where each point has an offset of its own, moments do not depend on it: they are counted back from the end.
    """
    cue = cue_of(spec)
    if cue is None:
        return ()
    offset = round(span(cue[1], spec.dt).end / spec.dt)
    every = max(1, round(MEMORY_STEP / spec.dt))
    if own:
        return (Sampling(0, spec.steps, every),)
    return Sampling(offset - 1, offset, 1), Sampling(offset, spec.steps, every)
