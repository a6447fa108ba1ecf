"""What is left of a cue: how far the bump is from it, and how long it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroflame.columns import Column
from neuroflame.core.statistics.view import SILENT, column
from neuroflame.core.statistics.windows import FINAL, after_cue
from neuroflame.regimes import COURSE_COLUMNS, Thresholds, lifetimes
from neuroflame.regimes.memory import course
from neuroflame.spec.measures import cue_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.core.statistics.view import Array, Statistic, View


def memory(view: View) -> Iterator[Statistic]:
    """Yield the bump's distance from the last cue at the end, and how long it stayed near; nothing without a cue.

    Both are of the first population that receives the cue. What other thresholds need is yielded besides.
    """
    found = cue_of(view.spec)
    if found is None:
        return
    name = view.spec.targets(found[1])[0]
    points = len(view.lost)
    turned = np.zeros(points) if view.cue is None else view.cue
    phase, offset = _last_cue(view, name)
    target = phase + turned
    reduced, signed = view.reduced(name), view.signed(name)
    mode = reduced.modes[FINAL].numpy()
    error = _away(np.arctan2(mode[2], mode[1]), target)
    error = np.where(reduced.level[FINAL].numpy() >= SILENT, error, np.nan)
    doc = f"Angle from the last cue to the bump of {name} in the final window, in (−180, 180]."
    yield column("memory.error", "degrees", doc), error

    assert view.program is not None
    steps, wanted = view.recording.trace_steps, after_cue(view.spec, own=not view.program.shared_times)
    rows = [i for i, n in enumerate(steps) if any(n in sampling for sampling in wanted)]
    mean, cosine, sine = view.samples(name, rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        amplitude = 2.0 * np.hypot(cosine, sine)
        ratio = amplitude if signed else np.where(mean >= SILENT, amplitude / mean, 0.0)
        times = (np.array([steps[i] for i in rows], dtype=float) - offset[:, None]) * view.spec.dt  # (P, S)
        first = np.argmax(times >= 0, axis=-1)[:, None] if rows else np.zeros((points, 1), dtype=int)
        strength = ratio / np.take_along_axis(ratio, first, axis=-1) if rows else ratio
        away = np.abs(_away(np.arctan2(sine, cosine), target[:, None]))
    cells = course(times, strength, away)
    for cell in cells:
        cell[np.isnan(target) | view.lost] = None
    lasted, censored = lifetimes(*cells, Thresholds())
    what = "amplitude" if signed else "ratio"
    doc = (
        f"Time from the cue's offset to the last moment at which the bump of {name} is within 30 degrees of it and its "
        f"{what} above half of that at the offset; both are thresholds."
    )
    yield column("memory.lifetime", "s", doc), lasted
    doc = "Whether that moment is the end of the run: the bump lives longer than was looked at."
    yield Column("memory.censored", "bool", "", doc), censored
    yield from zip(COURSE_COLUMNS, cells, strict=True)


def _last_cue(view: View, name: str) -> tuple[Array, Array]:
    """Return the phase of the last cue to a population that ends before each run does, and the step of its end, (P,).

    Phase in degrees; NaN where a point has no such cue.
    """
    assert view.program is not None
    spec, points = view.spec, len(view.lost)
    phase, end = np.full(points, np.nan), np.full(points, -np.inf)
    for i, (stimulus, timed) in enumerate(zip(spec.stimuli, view.program.stimuli, strict=True)):
        if stimulus.shape not in ("cosine", "gaussian") or spec.targets(stimulus)[0] != name:
            continue
        own = np.broadcast_to(timed.times.end.cpu().numpy(), (points,))
        later = (own < spec.duration) & (own > end)
        at = view.program.number(f"stimuli.{stimulus.name or i}.phase").cpu().numpy()
        phase, end = np.where(later, at, phase), np.where(later, own, end)
    return phase, np.where(np.isfinite(end), np.round(end / spec.dt), np.nan)


def _away(angle: Array, cue: Array) -> Array:
    """Return the angle from a cue, degrees in (−180, 180], to an angle in radians."""
    turn: Array = 180.0 - np.remainder(180.0 - (np.degrees(angle) - cue), 360.0)
    return turn
