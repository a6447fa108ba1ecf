"""From steady states and their stability to the name of the regime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.theory.bump import Bump, bumps
from neuroflame.theory.homogeneous import States, homogeneous_states, slopes
from neuroflame.theory.meanfield import NotCovered
from neuroflame.theory.modes import Modes, mode_growth
from neuroflame.theory.transfer import BOUNDED

if TYPE_CHECKING:
    from neuroflame.theory.meanfield import MeanField

Array = np.ndarray[Any, Any]

QUIESCENT = 1e-3
"""Hz: rates below it, with input below threshold, are those of a quiescent network."""


@dataclass(frozen=True)
class Prediction:
    """What theory says of one point.

    Parameters
    ----------
    regime : str
        quiescent, homogeneous, bump, multistable, oscillating, travelling, runaway or unknown.
    states : States
        Homogeneous steady states.
    modes : tuple of Modes
        Growth about each of them.
    bumps : tuple of Bump or None
        Stationary bumps; None where they were not sought.
    notes : tuple of str
        What was not looked at.
    """

    regime: str
    states: States
    modes: tuple[Modes, ...]
    bumps: tuple[Bump, ...] | None
    notes: tuple[str, ...]

    @property
    def reference(self) -> int | None:
        """The homogeneous state of lowest rates among the stable ones, else of all; None if there is none."""
        return reference(self.modes)


def reference(modes: tuple[Modes, ...]) -> int | None:
    """Return the first stable state, else the first; None if there is none."""
    stable = [i for i, one in enumerate(modes) if one.stable]
    return stable[0] if stable else 0 if modes else None


def predict_regime(field: MeanField) -> Prediction:
    """Return what theory says of one point.

    Two or more stable states, homogeneous or bumps: `multistable`. One: `quiescent`, `homogeneous` or `bump`. None: the
    leading mode about the homogeneous state tells, mode 0 at a frequency `oscillating`; a pattern that grows where
    bumps were not sought `bump`, as a wave `travelling`; all else is a `runaway` where a transfer function has no
    bound, and `unknown` elsewhere.
    """
    states = homogeneous_states(field)
    modes = tuple(mode_growth(field, rates) for rates in states.rates)
    notes = [] if states.exhaustive else ["steady states were searched, not enumerated"]
    found: tuple[Bump, ...] | None
    try:
        found = tuple(bumps(field))
    except NotCovered as why:
        found = None
        notes.append(str(why))
    stable = [i for i, one in enumerate(modes) if one.stable]
    held = [bump for bump in found or () if bump.growth.alpha < 0.0]
    if len(stable) + len(held) > 1:
        label = "multistable"
    elif stable:
        label = "quiescent" if _quiescent(field, states.rates[stable[0]]) else "homogeneous"
    elif held:
        label = "bump"
    else:
        label, note = _without_stable_state(field, modes, found)
        notes.append(note)
    return Prediction(label, states, modes, found, tuple(notes))


def _quiescent(field: MeanField, rates: Array) -> bool:
    return bool((np.abs(rates) < QUIESCENT).all() and (slopes(field, rates) == 0.0).all())


def _without_stable_state(
    field: MeanField, modes: tuple[Modes, ...], found: tuple[Bump, ...] | None
) -> tuple[str, str]:
    """Return the label and its reason where nothing is stable."""
    at = reference(modes)
    elsewhere = "unknown" if all(name in BOUNDED for name in field.transfer) else "runaway"
    if at is None:
        return elsewhere, "there is no homogeneous steady state"
    k = modes[at].leading
    frequency = modes[at].growth[k].frequency
    if k == 0 and frequency > 0.0:
        return "oscillating", "by the linear instability of mode 0"
    if k > 0 and frequency == 0.0 and found is None:
        return "bump", f"by the linear instability of mode {k}"
    if k > 0 and frequency > 0.0:
        return "travelling", f"mode {k} grows as a wave"
    return elsewhere, f"mode {k} grows and no stationary state is stable"
