"""The axes of a sweep: which values a path of the network takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from neuroflame.errors import SpecError
from neuroflame.spec.base import Flag, Real, Spec, Whole, is_number, quantity, suggestion

Level = float | int | str
"""One value of an axis of listed values."""


class Conditional(Spec):
    """What every axis may have."""

    when: dict[str, tuple[Level, ...]] = quantity(
        "Other axes and the values at which this one counts, all at once; elsewhere its path keeps the "
        "network's value, and its column is empty.",
        default={},
    )

    @field_validator("when", mode="before")
    @classmethod
    def _listed_values(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {
            path: _listed(one if isinstance(one, list | tuple) else [one], str(path))
            for path, one in value.items()
        }


class GridAxis(Conditional):
    """Evenly spaced values, ends included."""

    from_: Real = Field(description="First value.", alias="from")
    to: Real = quantity("Last value.")
    num: Whole = quantity("Number of values.", ge=1)
    log: Flag = quantity("Whether the values are evenly spaced in their logarithm.", default=False)

    @model_validator(mode="after")
    def _spaced(self) -> Self:
        if self.num == 1 and self.from_ != self.to:
            raise SpecError("must be at least 2 to reach from one value to another", got=1, path="num")
        if self.num > 1 and self.from_ == self.to:
            raise SpecError("must differ from `from`", got=self.to, remedy="or give num: 1", path="to")
        if self.log and (self.from_ <= 0 or self.to <= 0):
            got = self.from_ if self.from_ <= 0 else self.to
            raise SpecError(
                "must be positive on a logarithmic axis", got=got, path="from" if got == self.from_ else "to"
            )
        return self

    def levels(self, *, integer: bool) -> tuple[Level, ...]:
        """Return the values in order.

        Parameters
        ----------
        integer : bool
            Whether the path takes whole numbers; then values that are not whole are an error.
        """
        spaced = (np.geomspace if self.log else np.linspace)(self.from_, self.to, self.num)
        if not integer:
            return tuple(float(value) for value in spaced)
        if self.log:
            return tuple(dict.fromkeys(round(float(value)) for value in spaced))
        rounded = [round(float(value)) for value in spaced]
        for value, whole in zip(spaced, rounded, strict=True):
            if abs(float(value) - whole) > 1e-9 * max(1.0, abs(whole)):
                raise SpecError(
                    "must give whole numbers",
                    got=float(value),
                    remedy="change num, or list the values",
                    path="num",
                )
        return tuple(rounded)


class SampledAxis(Conditional):
    """An interval that a sampled search draws from."""

    low: Real = quantity("Lowest value.")
    high: Real = quantity("Highest value.")
    log: Flag = quantity("Whether values are uniform in their logarithm.", default=False)
    integer: Flag = quantity("Whether values are whole numbers, both ends included.", default=False)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high <= self.low:
            raise SpecError("must be greater than low", got=self.high, path="high")
        if self.log and self.low <= 0:
            raise SpecError("must be positive on a logarithmic axis", got=self.low, path="low")
        for name in ("low", "high"):
            if self.integer and getattr(self, name) % 1:
                raise SpecError(
                    "must be a whole number on an integer axis", got=getattr(self, name), path=name
                )
        return self


class ListAxis(Conditional):
    """Listed values, in order."""

    values: tuple[Level, ...] = Field(description="The values.")

    def levels(self, *, integer: bool) -> tuple[Level, ...]:
        """Return the values in order, numbers as the path wants them."""
        return tuple(_as_level(value, integer=integer) for value in self.values)


class ChoiceAxis(Conditional):
    """Values without an order."""

    choices: tuple[Level, ...] = Field(description="The values.")

    def levels(self, *, integer: bool) -> tuple[Level, ...]:
        """Return the values, numbers as the path wants them."""
        return tuple(_as_level(value, integer=integer) for value in self.choices)


def _as_level(value: Level, *, integer: bool) -> Level:
    if isinstance(value, str):
        return value
    if not integer:
        return float(value)
    if value % 1:
        raise SpecError("must be a whole number", got=value)
    return int(value)


_SHAPES: dict[str, type[Spec]] = {
    "grid": GridAxis,
    "sampled": SampledAxis,
    "choices": ChoiceAxis,
    "list": ListAxis,
}
_MARKS = {
    "from": "grid", "to": "grid", "num": "grid", "low": "sampled", "high": "sampled", "integer": "sampled",
    "choices": "choices", "values": "list",
}  # fmt: skip
AXIS_KEYS = (*_MARKS, "log", "when")
"""Every key that a mapping under ``space.<path>`` may hold."""

_FORMS = "{from, to, num}, a list of values, {low, high} or {choices: […]}"


def _shaped(value: Any) -> Any:
    """Check the form of an axis before pydantic picks its class, so that errors speak of what was written."""
    if isinstance(value, Spec):
        return value
    if isinstance(value, list | tuple):
        return {"values": _listed(list(value), None)}
    if not isinstance(value, Mapping):
        remedy = "a single value belongs under set" if is_number(value) or isinstance(value, str) else None
        raise SpecError(f"must be {_FORMS}", got=value, remedy=remedy)
    for key in value:
        if key not in AXIS_KEYS:
            raise SpecError("is not a known key", path=str(key), remedy=suggestion(str(key), AXIS_KEYS))
    kinds = {_MARKS[key] for key in value if key in _MARKS}
    if len(kinds) != 1:
        raise SpecError(f"must be {_FORMS}", got=dict(value), remedy="one form at a time" if kinds else None)
    for key in ("choices", "values"):
        if key in value:
            return {**value, key: _listed(value[key], key)}
    return value


def _listed(values: Any, path: str | None) -> list[Any]:
    if not isinstance(values, list | tuple):
        raise SpecError("must be a list of values", got=values, path=path)
    if not values:
        raise SpecError("must hold at least one value", got=[], path=path)
    seen: set[Any] = set()
    for value in values:
        if not is_number(value) and not isinstance(value, str):
            raise SpecError("must hold numbers or names", got=value, path=path)
        if value in seen:
            raise SpecError("must not hold a value twice", got=value, path=path)
        seen.add(value)
    if len({isinstance(value, str) for value in values}) == 2:
        raise SpecError("must hold numbers only, or names only", got=list(values), path=path)
    return list(values)


def _tag(value: Any) -> str | None:
    if isinstance(value, Spec):
        return next(tag for tag, kind in _SHAPES.items() if isinstance(value, kind))
    return next((_MARKS[key] for key in value if key in _MARKS), None)


Axis = Annotated[
    Annotated[GridAxis, Tag("grid")]
    | Annotated[SampledAxis, Tag("sampled")]
    | Annotated[ChoiceAxis, Tag("choices")]
    | Annotated[ListAxis, Tag("list")],
    Discriminator(_tag),
    BeforeValidator(_shaped),
]
"""One axis, its class picked by the form that was written."""
