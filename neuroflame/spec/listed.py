"""Checks of a search whose assignments are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroflame.errors import SpecError
from neuroflame.spec.base import suggestion
from neuroflame.spec.conditional import active

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.spec.resolved import ResolvedAxis
    from neuroflame.spec.search import ListSearch

_WHERE = "search.assignments"


def check_listed(axes: Sequence[ResolvedAxis], search: ListSearch) -> None:
    """Raise SpecError unless a list has one value of each axis that counts for each assignment, and none twice."""
    given = search.assignments
    known = {axis.path: axis for axis in axes}
    for path in given:
        if path not in known:
            raise SpecError(
                "is no axis of this sweep", path=f"{_WHERE}.{path}", remedy=suggestion(path, list(known))
            )
    for path in known:
        if path not in given:
            raise SpecError("must have values for each axis", path=_WHERE, remedy=f"{path} is missing")
    first, count = next(iter((path, len(values)) for path, values in given.items()))
    if not count:
        raise SpecError("must hold at least one assignment", got=[], path=f"{_WHERE}.{first}")
    for path, values in given.items():
        if len(values) != count:
            rule = f"must hold as many values as {first}, {count}"
            raise SpecError(rule, got=len(values), path=f"{_WHERE}.{path}")
        for i, fits in enumerate(known[path].takes(values)):
            if not fits:
                raise SpecError("is not a value of that axis", got=values[i], path=f"{_WHERE}.{path}.{i}")
    columns = {path: np.array(values, dtype=object) for path, values in given.items()}
    for path, counts in active(axes, columns).items():
        for i in np.flatnonzero(counts != (columns[path] != None)).tolist():  # noqa: E711 (element by element)
            rule = (
                "is required: the axis counts there"
                if counts[i]
                else "must be null: the axis does not count there"
            )
            raise SpecError(rule, got=given[path][i], path=f"{_WHERE}.{path}.{i}")
    seen: dict[tuple[object, ...], int] = {}
    for i, row in enumerate(zip(*given.values(), strict=True)):
        if seen.setdefault(row, i) != i:
            raise SpecError(f"is assignment {seen[row]} again", got=list(row), path=f"{_WHERE}.{first}.{i}")
