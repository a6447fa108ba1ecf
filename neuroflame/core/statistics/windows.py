"""Which stretches of a run the statistics look at, and how often its course is sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroflame.core.recorder import Sampling, Window
from neuroflame.core.timescales import shortest
from neuroflame.errors import SpecError
from neuroflame.spec.measures import cue_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neuroflame.spec import NetworkSpec

FINAL, FIRST_HALF, SECOND_HALF = "final", "final.1", "final.2"
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


def samplings(spec: NetworkSpec, asked: float | None, measure: Iterable[str]) -> tuple[Sampling, ...]:
    """Return when the populations' means and first Fourier modes are sampled for some measures.

    The final window at least every min(5 ms, the network's shortest time constant), back from the last step; what
    follows a cue at its offset and every 20 ms.
    """
    wanted, found = set(measure), []
    if wanted & _SAMPLED:
        final = windows(spec, asked)[0]
        every = max(1, int(min(LONGEST_STEP, shortest(spec)) / spec.dt + 1e-9))
        found.append(Sampling(final.start, final.stop, every))
    return (*found, *after_cue(spec)) if "memory" in wanted else tuple(found)


def after_cue(spec: NetworkSpec) -> tuple[Sampling, ...]:
    """Return when what follows the last cue is sampled: at its offset, and from there to the end; never without one."""
    cue = cue_of(spec)
    if cue is None:
        return ()
    offset = round(cue[1].offset / spec.dt)
    every = max(1, round(MEMORY_STEP / spec.dt))
    return Sampling(offset - 1, offset, 1), Sampling(offset, spec.steps, every)
