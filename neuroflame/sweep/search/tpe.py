"""Optuna's tree-structured Parzen estimator, in batches (the only module that imports optuna)."""

from __future__ import annotations

import math
import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from neuroflame.sweep.points import Array, Assignments, dtype_of, size_of
from neuroflame.sweep.search.base import Search
from neuroflame.sweep.search.units import decode, rows_of, unseen

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna

    from neuroflame.spec.resolved import ResolvedAxis

_PATIENCE = 50


class Tpe(Search):
    """Proposes a batch where earlier results were good; the first `startup` assignments are random.

    The study is kept in memory and rebuilt by `replay`. The sampler's generator is seeded anew for each
    batch, from the seed and the number of the batch's first assignment, so that a rebuilt study goes on like
    the one that was lost.

    Parameters
    ----------
    axes : sequence of ResolvedAxis
        Ordered levels are searched by rank, unordered ones as categories.
    total, batch, startup, seed : int
        Assignments altogether, in a batch, at random; seed.
    maximise : bool
        Whether large objectives are good.
    """

    needs_results: ClassVar[bool] = True

    def __init__(
        self, axes: Sequence[ResolvedAxis], total: int, *, batch: int, startup: int, seed: int, maximise: bool
    ) -> None:
        super().__init__(axes, total)
        self.batch, self.startup, self.seed, self.maximise = batch, startup, seed, maximise
        self._untold: list[optuna.trial.Trial] = []
        self._seen: set[tuple[object, ...]] = set()

    def ask(self, count: int) -> Assignments:
        """Return the next batch, at most so many; nothing while the one before is untold."""
        count = min(count, self.batch, self.total - self.asked)
        if self._untold or count <= 0:
            return self.none()
        self._study.sampler = self._sampler()
        rng = np.random.default_rng([self.seed, self.asked, 1])
        rows = [self._propose(rng) for _ in range(count)]
        self.asked += count
        columns = zip(*rows, strict=True)
        return {
            axis.path: np.array(column, dtype=dtype_of(axis))
            for axis, column in zip(self.axes, columns, strict=True)
        }

    def tell(self, objective: Array) -> None:
        """Give the objective of the batch; NaN and infinite ones count as failed."""
        if len(objective) != len(self._untold):
            raise ValueError(f"{len(self._untold)} assignments are untold, got {len(objective)} objectives")
        from optuna.trial import TrialState

        for trial, value in zip(self._untold, objective.tolist(), strict=True):
            if math.isfinite(value):
                self._study.tell(trial, value)
            else:
                self._study.tell(trial, state=TrialState.FAIL)
        self._untold = []

    def replay(self, assignments: Assignments, objective: Array) -> None:
        """Take up where a search that asked and was told these had arrived."""
        from optuna.trial import TrialState, create_trial

        spaces = self._distributions()
        rows = rows_of(assignments)
        for row, value in zip(rows, objective.tolist(), strict=True):
            params = {axis.path: _param(axis, level) for axis, level in zip(self.axes, row, strict=True)}
            good = math.isfinite(value)
            self._study.add_trial(
                create_trial(
                    state=TrialState.COMPLETE if good else TrialState.FAIL,
                    value=value if good else None,
                    params=params,
                    distributions=spaces,
                )
            )
        self._seen.update(rows)
        self.asked += size_of(assignments)

    def reach(self) -> str:
        """Return one line on how the search covers the space and what it costs."""
        cost = self.total * (0.02 + 1e-5 * self.total)
        text = (
            f"tpe: {self.total:,} assignments in batches of {self.batch}, "
            f"the first {min(self.startup, self.total)} at random, seed {self.seed}; "
            f"its proposals take about {cost:.0f} s"
        )
        return f"{text}; slow beyond some thousand assignments" if self.total > 5000 else text

    def _propose(self, rng: np.random.Generator) -> tuple[object, ...]:
        """Ask the study for an assignment; one that came before is replaced by a random one."""
        from optuna.trial import TrialState

        spaces = self._distributions()
        for attempt in range(_PATIENCE + 2):
            trial = self._study.ask(fixed_distributions=spaces)
            row = tuple(_level(axis, trial.params[axis.path]) for axis in self.axes)
            if row not in self._seen:
                self._seen.add(row)
                self._untold.append(trial)
                return row
            self._study.tell(trial, state=TrialState.FAIL)
            if attempt < _PATIENCE:
                drawn = decode(self.axes, rng.random((1, len(self.axes))))
            else:
                drawn = unseen(self.axes, self._seen, 1, rng)
            levels = rows_of(drawn)[0]
            self._study.enqueue_trial(
                {axis.path: _param(axis, level) for axis, level in zip(self.axes, levels, strict=True)}
            )
        raise AssertionError("the specification allows no more assignments than there are")

    @cached_property
    def _study(self) -> optuna.Study:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        return optuna.create_study(
            direction="maximize" if self.maximise else "minimize", sampler=self._sampler()
        )

    def _sampler(self) -> Any:
        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import TPESampler

        seed = int(np.random.SeedSequence([self.seed, self.asked]).generate_state(1)[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return TPESampler(n_startup_trials=self.startup, multivariate=True, constant_liar=True, seed=seed)

    def _distributions(self) -> dict[str, Any]:
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        found: dict[str, Any] = {}
        for axis in self.axes:
            if axis.levels is None:
                found[axis.path] = (
                    IntDistribution(int(axis.low), int(axis.high), log=axis.log)
                    if axis.integer
                    else FloatDistribution(axis.low, axis.high, log=axis.log)
                )
            elif axis.ordered:
                found[axis.path] = IntDistribution(0, len(axis.levels) - 1)
            else:
                found[axis.path] = CategoricalDistribution(list(range(len(axis.levels))))
        return found


def _ranked(axis: ResolvedAxis) -> list[Any]:
    """Return the levels such that neighbours are alike, where they have an order."""
    levels: list[Any] = list(axis.levels or ())
    return sorted(levels) if axis.ordered else levels


def _level(axis: ResolvedAxis, param: Any) -> object:
    """Return the value of the axis that a parameter of the study stands for."""
    if axis.levels is not None:
        return _ranked(axis)[int(param)]
    return int(param) if axis.integer else float(param)


def _param(axis: ResolvedAxis, level: object) -> Any:
    """Return the parameter of the study that stands for a value of the axis."""
    return level if axis.levels is None else _ranked(axis).index(level)
