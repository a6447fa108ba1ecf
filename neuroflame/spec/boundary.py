"""What a sweep must be for borders to be located in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroflame.conditions import parse_condition
from neuroflame.errors import SpecError
from neuroflame.spec.base import suggestion

if TYPE_CHECKING:
    from neuroflame.spec.search import BoundarySearch
    from neuroflame.spec.sweep import SweepSpec

MOST_AXES = 4


def check_boundary(spec: SweepSpec, search: BoundarySearch) -> None:
    """Raise SpecError if a sweep's axes, columns or number of points do not fit a search for borders."""
    count = len(spec.axes)
    if not 1 <= count <= MOST_AXES:
        raise SpecError(
            f"must have 1 to {MOST_AXES} axes in a boundary search",
            got=count,
            remedy="fix the other values under set",
            path="space",
        )
    for axis in spec.axes:
        if axis.when:
            raise SpecError(
                "must count everywhere in a boundary search",
                remedy="drop its when: a border is sought among all axes at once",
                path=f"space.{axis.path}.when",
            )
        if axis.text or not axis.ordered:
            raise SpecError(
                "must be numbers in order in a boundary search",
                remedy="a border lies between neighbours: write {low, high} or a list of numbers",
                path=f"space.{axis.path}",
            )
        if axis.count < 2:
            raise SpecError("must have at least 2 values in a boundary search", path=f"space.{axis.path}")
    _check_on(spec, search)
    first = search.first(count) * len(spec.repeat.initial_conditions)
    if search.points < first:
        raise SpecError(
            f"must be at least the {first} points that cover the space at first",
            got=search.points,
            remedy="raise it, or lower search.start",
            path="search.points",
        )


def _check_on(spec: SweepSpec, search: BoundarySearch) -> None:
    if search.column is None:
        try:
            spec.check_condition(parse_condition(search.on))
        except SpecError as error:
            error.path = "search.on"
            raise
        return
    numbers = spec.number_columns
    if search.column in numbers:
        raise SpecError(
            "must be a condition or a column of names",
            got=search.column,
            remedy=f"compare it with a number: {search.column} > 0.1",
            path="search.on",
        )
    names = ["status", *(name for name in ("regime",) if name in spec.measure)]
    if search.column not in names:
        remedy = suggestion(search.column, [*names, *numbers]) or f"columns of names: {', '.join(names)}"
        raise SpecError("is not a column of this sweep", got=search.column, remedy=remedy, path="search.on")
