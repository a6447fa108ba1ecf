"""An axis together with what the network says of its path: unit, type, structural or batchable."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neuroflame.errors import SpecError
from neuroflame.spec.axes import ChoiceAxis, GridAxis, Level, ListAxis, SampledAxis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from neuroflame.spec.paths import PathInfo


@dataclass(frozen=True)
class ResolvedAxis:
    """An axis together with what the network says of its path.

    Parameters
    ----------
    path : str
        Dotted path in the network.
    unit : str
        SI unit.
    structural : bool
        Whether points that differ in it cannot share a tile.
    integer : bool
        Whether its values are whole numbers.
    levels : tuple or None
        The values in order; None for an interval.
    low, high : float
        Ends of the interval; NaN for listed values.
    log : bool
        Whether an interval is drawn from uniformly in the logarithm.
    ordered : bool
        Whether neighbouring levels are more alike than distant ones.
    doc : str
        What the path is.
    when : mapping of str to tuple
        Other axes and the values of theirs at which this one counts; empty if it always does.
    """

    path: str
    unit: str
    structural: bool
    integer: bool
    levels: tuple[Level, ...] | None
    low: float
    high: float
    log: bool
    ordered: bool
    doc: str
    when: Mapping[str, tuple[Level, ...]] = field(default_factory=dict)

    @property
    def text(self) -> bool:
        """Whether its values are names."""
        return self.levels is not None and isinstance(self.levels[0], str)

    @property
    def count(self) -> float:
        """Number of different values; infinite for an interval of real numbers."""
        if self.levels is not None:
            return len(self.levels)
        return self.high - self.low + 1 if self.integer else math.inf

    def takes(self, values: Iterable[object]) -> list[bool]:
        """Return which values it can take; None is one for an axis that does not always count."""
        if self.levels is not None:
            levels = {*self.levels, *((None,) if self.when else ())}
            return [value in levels for value in values]
        return [
            bool(self.when)
            if value is None
            else isinstance(value, int | float)
            and self.low <= value <= self.high
            and not (self.integer and value % 1)
            for value in values
        ]

    @property
    def ends(self) -> tuple[Level, ...]:
        """The values that a check of the whole axis should try."""
        if self.levels is None:
            return tuple(int(v) if self.integer else v for v in (self.low, self.high))
        if self.text:
            return self.levels
        return tuple(dict.fromkeys((min(self.levels), max(self.levels))))


def resolve_axis(axis: GridAxis | SampledAxis | ListAxis | ChoiceAxis, info: PathInfo) -> ResolvedAxis:
    """Join an axis with what the network says of its path.

    Raises
    ------
    SpecError
        If the values are not of the path's type.
    """
    levels: tuple[Level, ...] | None = None
    low = high = math.nan
    integer = info.integer
    if isinstance(axis, SampledAxis):
        low, high, integer = axis.low, axis.high, info.integer or axis.integer
        if integer and (low % 1 or high % 1):
            raise SpecError("must be whole numbers", got=[low, high])
        if not info.numeric:
            raise SpecError("must list names", got=f"{low:g} to {high:g}", remedy="use {choices: […]}")
    else:
        levels = axis.levels(integer=integer)
        if info.numeric == isinstance(levels[0], str):
            raise SpecError("must be numbers" if info.numeric else "must be names", got=levels[0])
    log = isinstance(axis, SampledAxis) and axis.log
    ordered = not isinstance(axis, ChoiceAxis) and info.numeric
    return ResolvedAxis(
        info.path, info.unit, info.structural, integer, levels, low, high, log, ordered, info.doc, axis.when
    )
