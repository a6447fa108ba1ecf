"""When a sweep stops before all its points are computed."""

from __future__ import annotations

import re
from typing import Self

from pydantic import field_validator, model_validator

from neuroflame.errors import SpecError
from neuroflame.spec.base import Real, Spec, Whole, is_number, quantity

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)")


class NoImprovement(Spec):
    """Stops a search that no longer gets better."""

    points: Whole = quantity("Number of points without an improvement.", ge=1)
    by: Real = quantity("Least change of the best value that is an improvement.", default=0.0, ge=0)


class Stop(Spec):
    """Stops a sweep early, at whichever comes first. It can be resumed with a larger budget."""

    points: Whole | None = quantity("Number of points that are computed.", default=None, ge=1)
    time: Real | None = quantity(
        "Time of a run, in seconds or such as `90 s`, `30 min`, `2h`, `1 d`.", default=None, unit="s", gt=0
    )
    target: Real | None = quantity("Value of the objective that is good enough.", default=None)
    no_improvement: NoImprovement | None = quantity("Stop a search that gets no better.", default=None)

    @field_validator("time", mode="before")
    @classmethod
    def _in_seconds(cls, value: object) -> object:
        if value is None or is_number(value):
            return value
        found = _TIME.fullmatch(str(value).strip())
        if found is None:
            raise SpecError("must be a time", got=value, remedy="for example 90 s, 30 min, 2h or 1 d")
        return float(found[1]) * _UNITS[found[2]]

    @model_validator(mode="after")
    def _something(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise SpecError("must have one of points, time, target and no_improvement")
        return self

    @property
    def learns(self) -> tuple[str, ...]:
        """The criteria given that only a search with an objective can meet."""
        return tuple(name for name in ("target", "no_improvement") if getattr(self, name) is not None)
