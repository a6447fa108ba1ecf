"""How a sweep's points are chosen: one frozen class for each kind of search."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, model_validator

from neuroflame.errors import SpecError
from neuroflame.spec.base import Flag, Spec, Whole, quantity


class GridSearch(Spec):
    """Every combination of the listed values."""

    kind: Literal["grid"] = quantity("The search's name.", default="grid")


class RandomSearch(Spec):
    """Independent draws, uniform (or log-uniform) over the axes."""

    kind: Literal["random"] = quantity("The search's name.")
    trials: Whole = quantity("Number of assignments to draw.", ge=1)
    seed: Whole = quantity("Seed of the draws.", default=0, ge=0)


class SobolSearch(Spec):
    """A Sobol sequence: draws that fill the space evenly, best in powers of two."""

    kind: Literal["sobol"] = quantity("The search's name.")
    trials: Whole = quantity("Number of assignments to draw.", ge=1)
    seed: Whole = quantity("Seed of the scrambling.", default=0, ge=0)
    scramble: Flag = quantity("Whether the sequence is scrambled.", default=True)


class TpeSearch(Spec):
    """Optuna's tree-structured Parzen estimator, in batches.

    A batch is proposed when the one before is complete, so that the points depend on the seed alone and not
    on how many machines there are or when they finish.
    """

    kind: Literal["tpe"] = quantity("The search's name.")
    trials: Whole = quantity("Number of assignments to try.", ge=1)
    batch: Whole = quantity("Assignments that are proposed at a time.", default=32, ge=1)
    startup: Whole = quantity("Assignments that are drawn at random at first.", default=32, ge=1)
    seed: Whole = quantity("Seed of the proposals.", default=0, ge=0)
    maximise: str | None = quantity("The column to make large.", default=None)
    minimise: str | None = quantity("The column to make small.", default=None)

    @model_validator(mode="after")
    def _one_objective(self) -> Self:
        if (self.maximise is None) == (self.minimise is None):
            raise SpecError(
                "must have one of maximise and minimise",
                remedy="name a column of the table, such as maximise: bump.E.m1",
                path="maximise",
            )
        return self

    @property
    def objective(self) -> str:
        """Name of the column that is sought."""
        return self.maximise or self.minimise or ""


SearchSpec = Annotated[GridSearch | RandomSearch | SobolSearch | TpeSearch, Discriminator("kind")]
