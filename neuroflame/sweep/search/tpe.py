"""Optuna's tree-structured Parzen estimator and its Gaussian process, in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from neuroflame.sweep.search.learner import Learner, Source
from neuroflame.sweep.search.optuna_source import OptunaSource, made_quietly, make_study

if TYPE_CHECKING:
    from typing import Any


class Windowed(Learner):
    """Proposes by a sampler that is told a window of the archive: the best quarter and the latest."""

    window: ClassVar[int]

    def sampler(self, seed: int) -> Any:
        """Return the sampler of a batch."""
        raise NotImplementedError

    def source(self, seed: int) -> Source:
        """Return what proposes the next batch."""
        chosen = self.archive.window(self.window)
        study = make_study(self.axes, self.sampler(seed), self.whole(chosen), self.archive.part(chosen))
        return OptunaSource(self.axes, study)


class Tpe(Windowed):
    """Proposes where the density of good assignments is high beside that of the others; running ones count as bad."""

    window: ClassVar[int] = 1000

    def sampler(self, seed: int) -> Any:
        """Return the sampler of a batch."""
        from optuna.samplers import TPESampler

        return made_quietly(TPESampler, n_startup_trials=1, multivariate=True, constant_liar=True, seed=seed)

    def reach(self) -> str:
        """Return one line on how the search covers the space and what it costs."""
        cost = self.total * min(0.02 + 1e-5 * self.total, 0.03) * len(self.goals) ** 2
        return f"tpe: {self.about()}; its proposals take about {cost:.0f} s"


class Gp(Windowed):
    """Proposes by the expected improvement under a Gaussian process, running assignments taken into account."""

    window: ClassVar[int] = 300
    retries: ClassVar[int] = 1

    def sampler(self, seed: int) -> Any:
        """Return the sampler of a batch."""
        from optuna.samplers import GPSampler

        return made_quietly(GPSampler, n_startup_trials=1, seed=seed)

    def reach(self) -> str:
        """Return one line on how the search covers the space and what it costs."""
        cost = self.total * min(0.002 * self.total, 0.6)
        text = f"gp: {self.about()}; its proposals take about {cost:.0f} s"
        return f"{text}; it learns from {self.window} at a time" if self.total > self.window else text
