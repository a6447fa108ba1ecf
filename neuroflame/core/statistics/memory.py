"""What is left of a cue: how far the bump is from it, and how long it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroflame.columns import Column
from neuroflame.core.statistics.view import SILENT, column, truth
from neuroflame.core.statistics.windows import FINAL, after_cue
from neuroflame.spec.measures import cue_of
from neuroflame.spec.stimuli import span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.core.statistics.view import Array, Statistic, View

FAR = 30.0
"""Degrees from the cue at which it counts as forgotten."""


def memory(view: View) -> Iterator[Statistic]:
    """Yield the bump's distance from the last cue at the end, and how long it stayed near; nothing without a cue.

    Both are of the first population that receives the cue.
    """
    found = cue_of(view.spec)
    if found is None:
        return
    path, cue = found
    name = view.spec.targets(cue)[0]
    assert view.program is not None
    points = len(view.lost)
    turned = np.zeros(points) if view.cue is None else view.cue
    target = view.program.number(f"{path}.phase").cpu().numpy() + turned
    mode = view.reduced(name).modes[FINAL].numpy()
    error = _away(np.arctan2(mode[2], mode[1]), target)
    error = np.where(mode[0] >= SILENT, error, np.nan)
    doc = f"Angle from the last cue to the bump of {name} in the final window, in (−180, 180]."
    yield column("memory.error", "degrees", doc), error

    offset = round(span(cue, view.spec.dt).end / view.spec.dt)
    steps, wanted = view.recording.trace_steps, after_cue(view.spec)
    rows = [i for i, n in enumerate(steps) if any(n in sampling for sampling in wanted)]
    mean, cosine, sine = view.samples(name, rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(mean >= SILENT, 2.0 * np.hypot(cosine, sine) / mean, 0.0)
        held = (ratio > 0.5 * ratio[:, :1]) & (np.abs(_away(np.arctan2(sine, cosine), target[:, None])) < FAR)
    times = np.array([(steps[i] - offset) * view.spec.dt for i in rows])
    undefined = np.isnan(turned) | view.lost
    lasted = np.where(held, times, 0.0).max(axis=-1, initial=0.0)
    doc = (
        f"Time from the cue's offset to the last moment at which the bump of {name} is within {FAR:g} degrees of it "
        "and its ratio above half of that at the offset."
    )
    yield column("memory.lifetime", "s", doc), np.where(undefined, np.nan, lasted)
    doc = "Whether that moment is the end of the run: the bump lives longer than was looked at."
    lives = held[:, -1] if rows else np.zeros(points, dtype=bool)
    yield Column("memory.censored", "bool", "", doc), truth(lives, undefined)


def _away(angle: Array, cue: Array) -> Array:
    """Return the angle from a cue, degrees in (−180, 180], to an angle in radians."""
    turn: Array = 180.0 - np.remainder(180.0 - (np.degrees(angle) - cue), 360.0)
    return turn
