"""Proposals by a sampler of Optuna, from a study in memory that is made anew for each batch."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from neuroflame.sweep.search.learner import Source
from neuroflame.sweep.search.units import ranked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import optuna

    from neuroflame.spec.resolved import ResolvedAxis
    from neuroflame.sweep.search.archive import Archive, Row

    Losses = tuple[list[float], list[float]]  # and by how much each constraint is missed


class OptunaSource(Source):
    """Asks a study for proposals; those of the batch that are running are known to the sampler as such.

    Parameters
    ----------
    axes : sequence of ResolvedAxis
        Ordered levels are searched by rank, others as categories.
    study : optuna.Study
        The study.
    known : mapping of tuple to (losses, violations)
        What is told of a proposal that was refused since it had come before; of others that they failed.
    """

    def __init__(
        self, axes: Sequence[ResolvedAxis], study: optuna.Study, known: Mapping[Row, Losses] | None = None
    ) -> None:
        self._axes, self._study, self._known = axes, study, known or {}
        self._spaces = {axis.path: _distribution(axis) for axis in axes}
        self._latest: list[optuna.trial.Trial] = []

    def propose(self, count: int) -> list[Row]:
        """Return so many proposals."""
        self._latest = [self._study.ask(fixed_distributions=self._spaces) for _ in range(count)]
        return [tuple(_level(axis, trial.params[axis.path]) for axis in self._axes) for trial in self._latest]

    def refuse(self, rows: Sequence[Row], taken: Sequence[bool]) -> None:
        """Take note of which of the latest proposals were taken, given with no value where an axis does not count."""
        from optuna.trial import TrialState

        for trial, row, good in zip(self._latest, rows, taken, strict=True):
            if good:
                continue
            if row in self._known:
                losses, violations = self._known[row]
                for i, missed in enumerate(violations):
                    trial.set_constraint(str(i), missed)
                self._study.tell(trial, losses)
            else:
                self._study.tell(trial, state=TrialState.FAIL)


def make_study(
    axes: Sequence[ResolvedAxis],
    sampler: Any,
    rows: Sequence[Row],
    known: Archive,
    attributes: Sequence[Mapping[str, Any]] = (),
) -> optuna.Study:
    """Return a study in memory that holds some assignments as complete trials, in order.

    Parameters
    ----------
    axes : sequence of ResolvedAxis
        The axes.
    sampler : optuna.samplers.BaseSampler
        What will propose.
    rows : sequence of tuple
        Assignments, no value missing.
    known : Archive
        What was told of them.
    attributes : sequence of mapping
        System attributes of the trials.
    """
    import optuna
    from optuna.trial import create_trial

    losses, violations = known.losses(), known.violations()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["minimize"] * losses.shape[1], sampler=sampler)
    spaces = {axis.path: _distribution(axis) for axis in axes}
    ranks = {
        axis.path: {level: rank for rank, level in enumerate(ranked(axis))} for axis in axes if axis.levels
    }
    study.add_trials(
        [
            create_trial(
                values=values,
                params={
                    axis.path: ranks[axis.path][level] if axis.levels else level
                    for axis, level in zip(axes, row, strict=True)
                },
                distributions=spaces,
                constraints={str(i): missed for i, missed in enumerate(misses)} or None,
                system_attrs=dict(attributes[number]) if attributes else None,
            )
            for number, (row, values, misses) in enumerate(
                zip(rows, losses.tolist(), violations.tolist(), strict=True)
            )
        ]
    )
    return study


def made_quietly(make: Any, **options: Any) -> Any:
    """Return a sampler; that some of its options are experimental is known."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return make(**options)


def _distribution(axis: ResolvedAxis) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.levels is None:
        if axis.integer:
            return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
        return FloatDistribution(axis.low, axis.high, log=axis.log)
    if axis.ordered:
        return IntDistribution(0, len(axis.levels) - 1)
    return CategoricalDistribution(list(range(len(axis.levels))))


def _level(axis: ResolvedAxis, param: Any) -> object:
    """Return the value of the axis that a parameter of the study stands for."""
    if axis.levels is not None:
        return ranked(axis)[int(param)]
    return int(param) if axis.integer else float(param)
