"""The columns that ramps and kicks add to a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroflame.columns import Column
from neuroflame.core.protocols.chain import Chain
from neuroflame.core.protocols.ramp import loops_of, run_ramp
from neuroflame.core.protocols.recovery import recover
from neuroflame.spec import find_path
from neuroflame.spec.protocols import recovery_of
from neuroflame.spec.ramps import DIRECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from neuroflame.core.batch import Batch
    from neuroflame.core.state import State
    from neuroflame.spec.kicks import Perturbation
    from neuroflame.spec.ramps import Ramp

    Statistic = tuple[Column, np.ndarray]

_WAYS = {"up": "on the way from the first value to the last", "down": "on the way back"}


def measure_protocols(
    batch: Batch, final: State, executor: str, ramp: Ramp | None, perturb: Sequence[Perturbation]
) -> list[Statistic]:
    """Return the columns of a ramp and of kicks, each from the state in which the run ended.

    Parameters
    ----------
    batch : Batch
        P points.
    final : State
        Where their runs ended; undefined values at points that diverged give undefined numbers.
    executor : str
    ramp : Ramp, optional
    perturb : sequence of Perturbation
    """
    found: list[Statistic] = []
    if ramp is not None:
        found += _ramp(batch, final, executor, ramp)
    for kick in perturb:
        found += _recovery(batch, final, executor, kick)
    return found


def _recovery(batch: Batch, final: State, executor: str, kick: Perturbation) -> Iterator[Statistic]:
    found = recover(Chain.after(batch, final, kick.steps(batch.spec), executor), final, kick)
    name = recovery_of(kick)
    doc = "Time after the kick from which on the distance stays below its largest times the tolerance."
    yield Column(f"{name}.time", "float", "s", doc), found.time
    doc = (
        "Largest distance from the point without the kick, a bump turned back: root mean square over neurons."
    )
    yield Column(f"{name}.peak", "float", "Hz", doc), found.peak
    doc = "Largest relative difference of mean rates and bump ratios at the end from those without the kick."
    yield Column(f"{name}.difference", "float", "", doc), found.difference
    yield (
        Column(f"{name}.returned", "bool", "", "Whether that is the same state, a bump's place apart."),
        found.returned,
    )
    yield (
        Column(f"{name}.phase", "float", "degrees", "By how much the bump was displaced at the end."),
        found.phase,
    )


def _ramp(batch: Batch, final: State, executor: str, ramp: Ramp) -> Iterator[Statistic]:
    chain = Chain.after(batch, final, ramp.steps(batch.spec.dt), executor)
    course = run_ramp(chain, final, ramp)
    unit = find_path(batch.spec, ramp.path).unit
    values = np.tile(course.levels.astype(np.float32), (batch.points, 1))
    yield (
        Column("ramp.value", "series", unit, f"Levels of {ramp.path}, in the order of the way there."),
        rows(values),
    )
    for way, direction in enumerate(DIRECTIONS):
        for name, cells in course.statistics.items():
            doc = f"{name} at each level {_WAYS[direction]}."
            there = "" if name.endswith(".sd_t") else "Hz"
            yield (
                Column(f"ramp.{direction}.{name}", "series", there, doc),
                rows(cells[:, way].astype(np.float32)),
            )
    name = ramp.observable(batch.spec)
    found = loops_of(course, ramp, name)
    for direction, jump, error in (
        ("up", found.up_jump, found.up_error),
        ("down", found.down_jump, found.down_error),
    ):
        doc = f"Value of {ramp.path} at which {name} leaves the loop {_WAYS[direction]}."
        yield Column(f"ramp.{direction}.jump", "float", unit, doc), jump
        yield (
            Column(
                f"ramp.{direction}.jump.error", "float", unit, "Half the distance of the levels about it."
            ),
            error,
        )
    doc = "How much farther the way there gets than the way back; 0 without a loop."
    yield Column("ramp.hysteresis.width", "float", unit, doc), found.width
    doc = "Largest error of the width: the sum of those of the jumps."
    yield Column("ramp.hysteresis.width.error", "float", unit, doc), found.width_error
    doc = f"∫ |difference of the two ways in {name}| over the loop."
    yield Column("ramp.hysteresis.area", "float", f"Hz·{unit}" if unit else "Hz", doc), found.area
    yield (
        Column("ramp.diverged", "float", unit, "Level at which the point was seen to have diverged."),
        _diverged(course.levels, course.statistics[f"rate.{next(iter(batch.spec.populations))}.mean"]),
    )


def _diverged(levels: np.ndarray, course: np.ndarray) -> np.ndarray:
    """Return the first level at which points, (P, 2, L), have no rate, in the order of time; NaN where all have one."""
    lost = np.isnan(np.concatenate([course[:, 0], course[:, 1, ::-1]], axis=1))
    order = np.concatenate([levels, levels[::-1]])
    return np.where(lost.any(axis=1), order[lost.argmax(axis=1)], np.nan)


def rows(matrix: np.ndarray) -> np.ndarray:
    """Return a matrix as the cells of a series: an array of its rows."""
    found = np.empty(len(matrix), dtype=object)
    for i, row in enumerate(matrix):
        found[i] = row
    return found
