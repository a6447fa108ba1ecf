"""What a search seeks: columns to be large, small, or near a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Self

from pydantic import field_validator, model_validator

from neuroflame.conditions import Goal
from neuroflame.errors import SpecError
from neuroflame.spec.base import Real, Spec, quantity

_REMEDY = "name a column of the table, such as maximise: bump.E.m1"
_TARGETS = "for example target: {rate.E.mean: 5, tolerance: 1}, or target: rate.E.mean = 5 ± 1"
_NUMBER = r"\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?"
_EQUATION = re.compile(rf"([A-Za-z_][\w.]*)\s*==?\s*([+-]?(?:{_NUMBER}))(?:\s*(?:±|\+-|\+/-)\s*({_NUMBER}))?")
_EPOCH = re.compile(r"(\S+)\s+(before|during|after)\s+(?:the\s+)?cue\b")
"""What is said of a column's epoch: ``bump.E.m1 after cue`` is the column ``bump.E.m1.after``."""
SHORT = ("maximise", "minimise", "target")


class Sought(Spec):
    """One thing that is sought."""

    maximise: str | None = quantity(
        "The column to make large; `bump.E.m1 after cue` is the column bump.E.m1.after.", default=None
    )
    minimise: str | None = quantity("The column to make small.", default=None)
    target: dict[str, Real] | None = quantity(
        "A column and the value that it should have, and optionally a `tolerance`, as a mapping or as the text "
        "`rate.E.mean = 5 ± 1`: max(|column − value| − tolerance, 0) is made small.",
        default=None,
    )

    @field_validator("target", mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        found = _EQUATION.fullmatch(value.strip())
        if found is None:
            raise SpecError("must be a column and its value", got=value, remedy=_TARGETS)
        column, number, tolerance = found.groups()
        return {column: float(number), **({"tolerance": float(tolerance)} if tolerance else {})}

    @field_validator("maximise", "minimise", "target", mode="before")
    @classmethod
    def _in_epoch(cls, value: object) -> object:  # the one that is declared last comes first
        if isinstance(value, Mapping):
            return {_EPOCH.sub(r"\1.\2", str(name)): number for name, number in value.items()}
        return _EPOCH.sub(r"\1.\2", value.strip()) if isinstance(value, str) else value

    @field_validator("target")
    @classmethod
    def _one_column(cls, value: dict[str, float] | None) -> dict[str, float] | None:
        if value is None:
            return value
        columns = [name for name in value if name != "tolerance"]
        if len(columns) != 1:
            near = next((name for name in columns if get_close_matches(name, ["tolerance"])), None)
            remedy = f"did you mean tolerance for {near}?" if near else _TARGETS
            raise SpecError("must name one column and its value", got=value, remedy=remedy)
        if value.get("tolerance", 0.0) < 0:
            raise SpecError("must be at least 0", got=value["tolerance"], path="tolerance")
        return value

    @property
    def _given(self) -> tuple[str, ...]:
        return tuple(name for name in SHORT if getattr(self, name) is not None)

    @property
    def _goals(self) -> tuple[tuple[str, Goal], ...]:
        """What is sought here, each after the name of its field."""
        found = []
        for name in self._given:
            if name == "target":
                ((column, value),) = ((k, v) for k, v in (self.target or {}).items() if k != "tolerance")
                goal = Goal(column, False, value, (self.target or {}).get("tolerance", 0.0))
            else:
                goal = Goal(getattr(self, name), name == "maximise")
            found.append((name, goal))
        return tuple(found)


class Objective(Sought):
    """One of several things that a search seeks."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self._given) != 1:
            raise SpecError("must have one of maximise, minimise and target", remedy=_REMEDY)
        return self


class Seeking(Sought):
    """What a search seeks: one thing by a key of its own, or one or several under `objective`."""

    objective: tuple[Objective, ...] = quantity(
        "One mapping with one of maximise, minimise and target, or a list of them: several are sought at once.",
        default=(),
    )

    @field_validator("objective", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return [value] if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.objective and self._given:
            raise SpecError("stands beside objective", remedy="put all under objective", path=self._given[0])
        if not self.objective and len(self._given) != 1:
            remedy = "put several under objective" if self._given else _REMEDY
            raise SpecError("must have one of maximise, minimise and target", remedy=remedy, path="maximise")
        columns = [goal.column for goal in self.goals]
        if len(set(columns)) < len(columns):
            raise SpecError("must not seek a column twice", got=columns, path="objective")
        return self

    @property
    def goals(self) -> tuple[Goal, ...]:
        """What is sought."""
        return tuple(goal for _, goal in self.named_goals)

    @property
    def named_goals(self) -> tuple[tuple[str, Goal], ...]:
        """What is sought, each after its path below the search."""
        if not self.objective:
            return self._goals
        return tuple(
            (f"objective.{i}.{name}", goal)
            for i, one in enumerate(self.objective)
            for name, goal in one._goals
        )


def goals_of(search: Mapping[str, Any]) -> tuple[Goal, ...]:
    """Return what a search seeks that a manifest describes; nothing for a search that seeks nothing."""
    given = {name: search[name] for name in (*SHORT, "objective") if search.get(name)}
    return Seeking.parse(given).goals if given else ()
