"""What a sweep repeats, what it asks, and where it runs."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from neuroflame.errors import SpecError
from neuroflame.spec.base import Real, Spec, Whole, is_number, quantity
from neuroflame.spec.starts import Start, expanded_starts, origin_of, turn_of


class Repeat(Spec):
    """How often each assignment is simulated, and what differs between the times."""

    graphs: tuple[Whole, ...] = quantity(
        "Draws of the connectivity: a count, or a list of their numbers.", default=(0,), structural=True
    )
    seeds: tuple[Whole, ...] = quantity("Draws of the noise: a count, or a list of seeds.", default=(0,))
    initial_conditions: tuple[str, ...] = quantity(
        "Starts: `network` as its file says, `cold` and `hot` at low and high rates without stimuli, "
        "`cued` cold with the stimuli; `{cued: 8}` is cued at 8 phases, the stimuli turned by 0, 45, … degrees: "
        "`cued`, `cued@45`, …; `{kind: random, num: 8}` are starts drawn at random, `{kind: state, file: up.npz}` "
        "supplied ones, each with an optional `name`.",
        default=("network",),
    )
    starts: dict[str, Start] = quantity(
        "What the names of drawn and supplied starts mean; filled in from `initial_conditions`.", default={}
    )

    @model_validator(mode="before")
    @classmethod
    def _names(cls, data: Any) -> Any:
        return expanded_starts(data)

    @field_validator("graphs", "seeds", mode="before")
    @classmethod
    def _counted(cls, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            if value < 1:
                raise SpecError("must be at least 1", got=value)
            return tuple(range(value))
        return value

    @model_validator(mode="after")
    def _known(self) -> Self:
        used = {origin_of(name)[0] for name in self.initial_conditions}
        for i, name in enumerate(self.initial_conditions):
            turn_of(name, defined=self.starts, path=f"initial_conditions.{i}")
            base = origin_of(name)[0]
            start = self.starts.get(base)
            if start is not None and name not in {f"{base}{suffix}" for suffix in start.suffixes}:
                raise SpecError("is not one of the starts", got=name, path=f"initial_conditions.{i}")
        for name in self.starts:
            if name not in used:
                raise SpecError(
                    "has no effect: nothing starts so", path=f"starts.{name}", remedy="leave it out"
                )
        return self

    @field_validator("graphs", "seeds", "initial_conditions")
    @classmethod
    def _distinct(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if not value:
            raise SpecError("must hold at least one value", got=[])
        if len(set(value)) < len(value):
            raise SpecError("must not hold a value twice", got=list(value))
        if isinstance(value[0], int) and min(value) < 0:
            raise SpecError("must be at least 0", got=min(value))
        return value

    @property
    def count(self) -> int:
        """Points for each assignment."""
        return len(self.graphs) * len(self.seeds) * len(self.initial_conditions)


class Answer(Spec):
    """The question that the sweep answers: at which points does the network do something?"""

    label: str = quantity("What the network does there, such as `hold a bump`.")
    where: str = quantity("A condition on columns, such as `bump.E.ratio > 0.1`.")


class Compute(Spec):
    """Where and how a sweep runs. None of it changes which points there are."""

    tile: Literal["auto"] | Whole = quantity(
        "Points in a tile, at most; auto aims at a few seconds.", default="auto"
    )
    actors: Literal["auto"] | Whole = quantity(
        "Processes that simulate; auto is one for each share of a GPU, or for each core without GPUs.",
        default="auto",
    )
    gpus_per_actor: Literal["auto"] | Real = quantity(
        "GPUs, or a share of one, for each actor; auto is 1 where there are GPUs.", default="auto"
    )
    cpus_per_actor: Real = quantity("Cores for each actor, which uses as many threads.", default=1.0, gt=0)
    deadline: Literal["auto"] | Real = quantity(
        "Time that a worker may take for a tile, loading and compiling included, before it counts as hung and is "
        "ended; auto is twenty times what is expected, and two minutes. Not within this process.",
        default="auto",
        unit="s",
    )
    retries: Whole = quantity(
        "How often a tile is tried again whose worker died or hung; then its halves are, and at last a point "
        "alone is marked as failed.",
        default=2,
        ge=0,
    )
    device: Literal["auto", "cpu", "cuda"] = quantity("Where points are simulated.", default="auto")
    executor: Literal["auto", "reference", "stepped", "trajectory"] = quantity(
        "How the steps are executed; auto takes the fastest that can. `reference` runs everything; `trajectory` is one "
        "compiled program for the whole run, on a CPU or a GPU; `stepped` is for sparse, mixed and large networks on "
        "a GPU, and refused on a CPU, where `trajectory` runs them.",
        default="auto",
    )
    precision: Literal["exact", "fast", "double"] = quantity(
        "Arithmetic: float32 (exact), float64 (double), or float32 with recurrent inputs rounded to 11 bits where a "
        "GPU multiplies sparse connectivity (fast; elsewhere the same as exact).",
        default="exact",
    )
    backend: Literal["ray", "inline"] = quantity(
        "`ray`: processes on this machine or a cluster; `inline`: within this process.", default="ray"
    )

    @field_validator("tile", "actors", "gpus_per_actor", "deadline", mode="before")
    @classmethod
    def _auto_or_positive(cls, value: object, info: Any) -> object:
        if value == "auto":
            return value
        if not is_number(value) or value <= 0:  # type: ignore[operator]
            raise SpecError("must be auto or a positive number", got=value)
        if info.field_name in ("tile", "actors") and value % 1:  # type: ignore[operator]
            raise SpecError("must be auto or a whole number", got=value)
        return value
