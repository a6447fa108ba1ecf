"""Optuna's non-dominated sorting genetic algorithm, in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.sweep.search.learner import Learner, Source
from neuroflame.sweep.search.optuna_source import OptunaSource, made_quietly, make_study

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna

    from neuroflame.spec.resolved import ResolvedAxis
    from neuroflame.spec.search import Nsga2Search
    from neuroflame.sweep.points import Array


class Nsga2(Learner):
    """Crosses and mutates parents, which are the best that there were at the end of each generation.

    A generation is `population` assignments in the order of their numbers, those of a warm start first. Its
    parents are chosen from it and the parents before by rank and crowding (Deb et al. 2002). Only parents are
    in the study that proposes, so that a proposal costs the same however long the search has been.
    """

    def __init__(self, axes: Sequence[ResolvedAxis], spec: Nsga2Search) -> None:
        super().__init__(axes, spec, startup=spec.population, least=spec.population)
        self._population = spec.population
        self._parents: Array = np.empty(0, dtype=np.int64)
        self._generations = 0

    def source(self, seed: int) -> Source:
        """Return what proposes the next batch."""
        while (self._generations + 1) * self._population <= len(self.archive):
            self._select()
        return OptunaSource(self.axes, self._study([self._parents], seed))

    def reach(self) -> str:
        """Return one line on how the search covers the space and what it costs."""
        cost = self.total * 2e-3
        return (
            f"nsga2: {self.about()}, generations of {self._population}; its proposals take about {cost:.0f} s"
        )

    def _select(self) -> None:
        """Choose the parents at the end of the next generation, knowing nothing of what came later."""
        first = self._generations * self._population
        born = np.arange(first, first + self._population)
        self._generations += 1
        if len(self._parents) == 0:
            self._parents = born
            return
        study = self._study([self._parents, born], 0)
        sampler: Any = study.sampler
        chosen = sampler.get_parent_population(study, 2)
        both = np.concatenate([self._parents, born])
        self._parents = both[[trial.number for trial in chosen]]

    def _study(self, generations: Sequence[Array], seed: int) -> optuna.Study:
        """Return a study whose trials are some generations, the first being its own parents."""
        from optuna.samplers import NSGAIISampler
        from optuna.samplers.nsgaii import SBXCrossover

        sampler: Any = made_quietly(
            NSGAIISampler, population_size=self._population, crossover=made_quietly(SBXCrossover), seed=seed
        )
        chosen = np.concatenate(generations)
        key = sampler._get_generation_key()
        ages = [{key: age} for age, group in enumerate(generations) for _ in group]
        return make_study(self.axes, sampler, self.whole(chosen), self.archive.part(chosen), ages)
