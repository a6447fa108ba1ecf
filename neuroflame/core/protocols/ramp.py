"""A value that moves through levels there and back, the state carried over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuroflame.core.protocols.loop import Loops, loops
from neuroflame.core.recorder import bump_amplitude
from neuroflame.core.statistics import FIRST_HALF, MEASURES, SECOND_HALF
from neuroflame.spec.ramps import DIRECTIONS, LEVEL_STATISTICS

if TYPE_CHECKING:
    from neuroflame.core.protocols.chain import Chain
    from neuroflame.core.state import State
    from neuroflame.core.statistics.view import View
    from neuroflame.spec.ramps import Ramp

Array = np.ndarray


@dataclass(frozen=True)
class RampCourse:
    """What the points did at each level of a ramp.

    Attributes
    ----------
    levels : ndarray, (L,)
        Values, in the order of the way there.
    statistics : mapping of ndarray, (P, 2, L)
        By name, `LEVEL_STATISTICS`; the way there and the way back, both in the order of the levels. Undefined from
        where a point has diverged.
    drift : mapping of ndarray, (P, 2, L)
        By name of a mean rate or of a bump's amplitude: how much it changed from one half of the level's window to the
        other.
    """

    levels: Array
    statistics: dict[str, Array]
    drift: dict[str, Array]


def run_ramp(chain: Chain, state: State, ramp: Ramp) -> RampCourse:
    """Move a value through its levels and back.

    Parameters
    ----------
    chain : Chain
        The points, with room for ``ramp.steps`` more steps.
    state : State
        Where they are, at the first value.
    ramp : Ramp
    """
    dt = chain.batch.spec.dt
    pieces, window = ramp.pieces_steps(dt), ramp.window_steps(dt)
    values = np.array(ramp.levels)
    statistics: dict[str, Array] = {}
    drift: dict[str, Array] = {}
    shape = (chain.batch.points, len(DIRECTIONS), len(values))
    for way in range(len(DIRECTIONS)):
        order = range(len(values)) if way == 0 else range(len(values) - 1, -1, -1)
        before: int | None = None
        for k in order:
            here = values[k]
            there = here if before is None else values[before]
            for m in range(len(pieces)) if before is not None else [len(pieces) - 1]:
                last = m == len(pieces) - 1
                value = here if last else there + (here - there) * (m + 1) / len(pieces)
                state, view = chain.at(ramp.path, float(value)).run(state, pieces[m], window if last else 0)
            for name, found in _statistics(view).items():
                statistics.setdefault(name, np.full(shape, np.nan))[:, way, k] = found
            for name, found in _drift(view).items():
                drift.setdefault(name, np.full(shape, np.nan))[:, way, k] = found
            before = k
    return RampCourse(values, statistics, drift)


def loops_of(course: RampCourse, ramp: Ramp, name: str) -> Loops:
    """Return the loops of a statistic; with a rate no level counts as moving, since the value itself does."""
    drift = course.drift.get(name) if ramp.hold is not None else None
    return loops(course.levels, course.statistics[name], ramp.same, drift)


def _statistics(view: View) -> dict[str, Array]:
    wanted = {name.format(a) for name in LEVEL_STATISTICS for a in view.spec.populations}
    kinds = dict.fromkeys(
        {"rate": "rates", "bump": "bump"}[name.partition(".")[0]] for name in LEVEL_STATISTICS
    )
    return {
        column.name: np.asarray(value)
        for kind in kinds
        for column, value in MEASURES[kind](view)
        if column.name in wanted
    }


def _drift(view: View) -> dict[str, Array]:
    found = {}
    for name in view.spec.populations:
        modes = view.reduced(name).modes
        early, late = modes[FIRST_HALF], modes[SECOND_HALF]
        found[f"rate.{name}.mean"] = (late[0] - early[0]).numpy()
        found[f"bump.{name}.m1"] = (bump_amplitude(late.mT) - bump_amplitude(early.mT)).numpy()
    return found
