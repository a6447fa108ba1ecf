"""The covariance matrix adaptation evolution strategy, by the cmaes package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from neuroflame.sweep.search.learner import Learner, Source
from neuroflame.sweep.search.units import at_place, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.spec.resolved import ResolvedAxis
    from neuroflame.spec.search import CmaesSearch
    from neuroflame.sweep.points import Array, Assignments
    from neuroflame.sweep.search.archive import Row

_WARM = 10  # assignments of a warm start, for each axis, from which a covariance can be told
_RESTART = 3  # what random numbers are for; see `learner`


class Cmaes(Learner):
    """Samples a generation from a normal distribution in the unit cube, which moves to the better half.

    A generation is a batch. Listed and whole numbers are sampled with a margin, so that the distribution
    cannot freeze on one of them (Hamano et al. 2022). A strategy that has converged begins again, somewhere
    at random. From a warm start the first distribution is that of its best tenth (Nomura et al. 2021).
    """

    near: ClassVar[float] = 0.0

    def __init__(self, axes: Sequence[ResolvedAxis], spec: CmaesSearch) -> None:
        super().__init__(axes, spec, startup=0, least=0)
        self._sigma = spec.sigma
        self._own = 0  # position in the archive of the first assignment that is the search's own
        self._told = 0
        self._strategy: Any = None

    def warm(self, assignments: Assignments, told: Array) -> None:
        """Learn, before anything is asked, from assignments that are not this search's own."""
        super().warm(assignments, told)
        self._own = len(self.archive)

    def source(self, seed: int) -> Source:
        """Return what proposes the next batch."""
        if self._strategy is None:
            self._strategy = self._first()
        while self._own + (self._told + 1) * self.batch <= len(self.archive):
            self._learn()
        self._strategy.reseed_rng(seed)
        return _Normal(self.axes, self._strategy)

    def reach(self) -> str:
        """Return one line on how the search covers the space and what it costs."""
        return f"cmaes: {self.about()}, generations of {self.batch}, seed {self.seed}"

    def _learn(self) -> None:
        first = self._own + self._told * self.batch
        self._told += 1
        born = self.archive.part(np.arange(first, first + self.batch))
        units, losses = self._units(born.rows), born.losses()[:, 0]
        order = np.argsort(born.ranks())
        values = np.empty(self.batch)
        values[order] = np.maximum.accumulate(losses[order])  # those that lose are no better than who wins
        values[order] += np.arange(self.batch) * 1e-15 * (1.0 + np.abs(values[order]))
        self._strategy.tell(list(zip(units, values.tolist(), strict=True)))
        if self._strategy.should_stop():
            rng = np.random.default_rng([self.seed, self._told, _RESTART])
            self._strategy = self._make(rng.random(len(self.axes)), self._sigma, None)

    def _first(self) -> Any:
        from cmaes import get_warm_start_mgd

        known = self.archive.part(np.arange(self._own))
        if self._own < _WARM * len(self.axes):
            mean = np.full(len(self.axes), 0.5)
            if self._own:
                mean = self._units([known.rows[int(np.argmin(known.ranks()))]])[0]
            return self._make(mean, self._sigma, None)
        solutions = list(zip(self._units(known.rows), known.ranks().tolist(), strict=True))
        return self._make(*get_warm_start_mgd(solutions))

    def _make(self, mean: Array, sigma: float, cov: Array | None) -> Any:
        from cmaes import CMA, CMAwM

        bounds = np.tile([0.0, 1.0], (len(self.axes), 1))
        steps = np.array([_step(axis) for axis in self.axes])
        shared: dict[str, Any] = {
            "mean": np.clip(mean, 0.0, 1.0),
            "sigma": sigma,
            "bounds": bounds,
            "population_size": self.batch,
            "cov": cov,
            "seed": 0,
        }
        return CMAwM(**shared, steps=steps) if steps.any() else CMA(**shared)


class _Normal(Source):
    def __init__(self, axes: Sequence[ResolvedAxis], strategy: Any) -> None:
        self._axes, self._strategy = axes, strategy

    def propose(self, count: int) -> list[Row]:
        """Return so many proposals."""
        asked = [self._strategy.ask() for _ in range(count)]
        units = np.array([one[0] if isinstance(one, tuple) else one for one in asked])
        return rows_of({axis.path: at_place(axis, units[:, i]) for i, axis in enumerate(self._axes)})

    def refuse(self, rows: Sequence[Row], taken: Sequence[bool]) -> None:
        """Do nothing: what is sampled does not depend on what was sampled before."""


def _step(axis: ResolvedAxis) -> float:
    """Return how far apart values are in the unit interval; 0 where they are not evenly spaced."""
    if axis.count == 1 or (axis.levels is None and (axis.log or not axis.integer)):
        return 0.0
    return 1.0 / (axis.count - 1.0)
