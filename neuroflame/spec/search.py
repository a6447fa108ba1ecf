"""How a sweep's points are chosen: one frozen class for each kind of search."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, field_validator

from neuroflame.conditions import Condition, parse_condition
from neuroflame.errors import SpecError
from neuroflame.spec.axes import Level
from neuroflame.spec.base import Flag, Real, Spec, Whole, quantity
from neuroflame.spec.objectives import Seeking


class GridSearch(Spec):
    """Every combination of the listed values."""

    kind: Literal["grid"] = quantity("The search's name.", default="grid")


class ListSearch(Spec):
    """The assignments that are listed, and no others."""

    kind: Literal["list"] = quantity("The search's name.")
    assignments: dict[str, tuple[Level | None, ...]] = quantity(
        "Values of each axis, one for each assignment; null where the axis does not count.", min_length=1
    )


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


class Learning(Seeking):
    """What the searches share that learn from results."""

    trials: Whole = quantity("Number of assignments to try.", ge=1)
    batch: Whole = quantity("Assignments that are proposed at a time.", default=32, ge=1)
    seed: Whole = quantity("Seed of the proposals.", default=0, ge=0)
    constraints: tuple[str, ...] = quantity(
        "Conditions that an assignment must meet, such as `rate.I.mean < 60`, at each of its repetitions.",
        default=(),
    )
    warm_start: str | None = quantity(
        "A sweep's directory, or a Parquet file, whose rows are learnt from before anything is tried.",
        default=None,
    )

    @field_validator("constraints", mode="before")
    @classmethod
    def _listed_constraints(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The constraints, parsed."""
        return tuple(parse_condition(text) for text in self.constraints)


class TpeSearch(Learning):
    """Optuna's tree-structured Parzen estimator, in batches.

    A batch is proposed when the one before is complete, so that the points depend on the seed alone and not
    on how many machines there are or when they finish.
    """

    kind: Literal["tpe"] = quantity("The search's name.")
    startup: Whole = quantity("Assignments that are spread evenly at first.", default=32, ge=1)


class CmaesSearch(Learning):
    """The covariance matrix adaptation evolution strategy; a batch is a generation. Ordered axes only."""

    kind: Literal["cmaes"] = quantity("The search's name.")
    batch: Whole = quantity("Assignments of a generation.", default=32, ge=4)
    sigma: Real = quantity(
        "Standard deviation of the first generation, as a share of each axis.", default=0.25, gt=0, le=1
    )


class Nsga2Search(Learning):
    """The non-dominated sorting genetic algorithm NSGA-II, for several objectives and many trials."""

    kind: Literal["nsga2"] = quantity("The search's name.")
    population: Whole = quantity("Assignments of a generation.", default=32, ge=4)


class GpSearch(Learning):
    """Optuna's Gaussian process: fewest trials, costly proposals; for some hundred assignments."""

    kind: Literal["gp"] = quantity("The search's name.")
    batch: Whole = quantity("Assignments that are proposed at a time.", default=8, ge=1)
    startup: Whole = quantity("Assignments that are spread evenly at first.", default=16, ge=2)


class BoundarySearch(Spec):
    """Locates the border between labels in one to four axes, by refining where labels change.

    A label is what a condition says (`yes`, `no`), or a column of names. With several initial conditions it is
    that of all of them together, such as `no / yes` where a region is bistable. With several graphs or seeds a
    place is simulated in one draw of both, and again only where it decides the border and its majority is not
    clear. It stops when 95 % of the border is known within the tolerance.
    """

    kind: Literal["boundary"] = quantity("The search's name.")
    on: str = quantity("A condition such as `bump.E.m1 > 5`, or a column of names such as `status`.")
    points: Whole = quantity("Number of points to simulate at most, repetitions counted.", ge=1)
    tolerance: Real = quantity(
        "Error of the border to reach, as a fraction of each axis's range.", default=0.01, gt=0, le=0.25
    )
    batch: Whole = quantity("Assignments that are proposed at a time.", default=32, ge=1)
    start: Literal["auto"] | Whole = quantity(
        "Assignments that cover the space at first, corners included; auto is 16, 32, 64 or 128 by the number of axes.",
        default="auto",
    )
    explore: Real = quantity(
        "Share of the further assignments that look for borders elsewhere.", default=0.1, ge=0, le=1
    )
    confidence: Real = quantity(
        "Posterior probability of the majority at which a noisy label is clear.", default=0.9, gt=0.5, lt=1
    )
    seed: Whole = quantity("Seed of the first assignments.", default=0, ge=0)

    @field_validator("on")
    @classmethod
    def _well_formed(cls, value: str) -> str:
        if not is_column(value):
            parse_condition(value)
        return value

    @field_validator("start", mode="before")
    @classmethod
    def _auto_or_whole(cls, value: object) -> object:
        if value != "auto" and not (isinstance(value, int) and not isinstance(value, bool) and value > 0):
            raise SpecError("must be auto or a positive whole number", got=value)
        return value

    def first(self, axes: int) -> int:
        """Return how many assignments cover the space of so many axes at first: its corners at least."""
        corners = 1 << axes
        return 8 * corners if self.start == "auto" else max(self.start, corners)

    @property
    def column(self) -> str | None:
        """The column of names; None if `on` is a condition."""
        return self.on if is_column(self.on) else None


def is_column(text: str) -> bool:
    """Whether a text names a column and is no condition."""
    return all(part.isidentifier() for part in text.split(".")) and text not in (
        "and",
        "or",
        "not",
        "in",
        "abs",
    )


SearchSpec = Annotated[
    GridSearch
    | ListSearch
    | RandomSearch
    | SobolSearch
    | TpeSearch
    | CmaesSearch
    | Nsga2Search
    | GpSearch
    | BoundarySearch,
    Discriminator("kind"),
]
