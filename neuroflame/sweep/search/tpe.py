"""Optuna's tree-structured Parzen estimator and its Gaussian process, in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from neuroflame.sweep.search.learner import Learner, Source
from neuroflame.sweep.search.optuna_source import OptunaSource, made_quietly, make_study

if TYPE_CHECKING:
    from typing import Any

    from neuroflame.sweep.points import Array
    from neuroflame.sweep.search.archive import Row
    from neuroflame.sweep.search.optuna_source import Losses


class Windowed(Learner):
    """Proposes by a sampler that is told a window of the archive: the best quarter and the latest."""

    window: ClassVar[int]
    copies: ClassVar[int] = 1
    """How often an assignment is told of which an axis does not count, at different values of that axis."""

    def sampler(self, seed: int) -> Any:
        """Return the sampler of a batch."""
        raise NotImplementedError

    def source(self, seed: int) -> Source:
        """Return what proposes the next batch."""
        chosen = self.archive.window(self.window)
        rows, where = self.whole(chosen, self.copies)
        study = make_study(self.axes, self.sampler(seed), rows, self.archive.part(where))
        return OptunaSource(self.axes, study, self.known(chosen))

    def known(self, chosen: Array) -> dict[Row, Losses]:
        """Return what the sampler is told of an assignment that it proposes again."""
        return {}


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
    """Proposes by the expected improvement under a Gaussian process, running assignments taken into account.

    Where an axis does not count, the process does not know that its value is of no consequence, and proposes the
    same assignment with another one as often as that is uncertain: so it is told of each at several values, and
    again where it proposed it.
    """

    window: ClassVar[int] = 300
    retries: ClassVar[int] = 4
    copies: ClassVar[int] = 4

    def sampler(self, seed: int) -> Any:
        """Return the sampler of a batch."""
        from optuna.samplers import GPSampler

        return made_quietly(GPSampler, n_startup_trials=1, seed=seed)

    def known(self, chosen: Array) -> dict[Row, Losses]:
        """Return what the sampler is told of an assignment that it proposes again."""
        part = self.archive.part(chosen)
        told = zip(part.losses().tolist(), part.violations().tolist(), strict=True)
        return dict(zip(part.rows, told, strict=True))

    def reach(self) -> str:
        """Return one line on how the search covers the space and what it costs."""
        cost = self.total * min(0.002 * self.total, 0.6)
        text = f"gp: {self.about()}; its proposals take about {cost:.0f} s"
        return f"{text}; it learns from {self.window} at a time" if self.total > self.window else text
