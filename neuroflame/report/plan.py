"""What a phase diagram shows: its axes, its panels, its points, its regions, its words."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import Normalize

from neuroflame.errors import SpecError
from neuroflame.report.answer import headline
from neuroflame.report.cells import gather
from neuroflame.report.conditions import Condition, parse_condition
from neuroflame.report.labels import escape, quantity, symbol
from neuroflame.report.scales import Scale, scale_of
from neuroflame.report.views import POINT_REGIME

if TYPE_CHECKING:
    from neuroflame.report.axes import Axis
    from neuroflame.report.views import View

Where = str | Condition | np.ndarray
Regions = Where | Mapping[str, Where]

MOST_PANELS = 12
_PLURAL = {"graph": "graphs", "seed": "seeds", "initial_condition": "initial conditions"}


@dataclass(frozen=True)
class Plan:
    """What a diagram shows.

    Parameters
    ----------
    data : View
    value : str
    axes : tuple of Axis
        One or two.
    further : tuple of Axis
        The axes of small multiples.
    use : ndarray of bool, (P,)
        The points to use.
    borders, shades : dict of str to ndarray, (P,)
        Truth of labelled conditions.
    reduce : str or None
    limits : (float, float) or None
        Ends of the colour scale.
    """

    data: View
    value: str
    axes: tuple[Axis, ...]
    further: tuple[Axis, ...]
    use: np.ndarray
    borders: dict[str, np.ndarray]
    shades: dict[str, np.ndarray]
    reduce: str | None
    limits: tuple[float, float] | None

    @property
    def scale(self) -> Scale:
        """The colour scale, one for all panels."""
        found = self._own_scale()
        if self.limits is None or found.names:
            return found
        return Scale(found.cmap, Normalize(*self.limits), "neither", found.ticks, found.tick_names)

    def _own_scale(self) -> Scale:
        if len(self.axes) == 1 or not self.data.gridded:
            if self.data.categorical(self.value):
                names = sorted(set(self.data.texts(self.value)[self.use]) - {None})
                return scale_of(self.data, self.value, np.array([]), tuple(names))
            return scale_of(self.data, self.value, self.data.numbers(self.value)[self.use])
        panels = [
            gather(self.data, self.value, *self.axes, rows=rows, use=self.use, reduce=self.reduce)
            for _, rows in self.panels
        ]
        values = np.concatenate([panel.value.ravel() for panel in panels])
        return scale_of(self.data, self.value, values, panels[0].names)

    @property
    def panels(self) -> list[tuple[str, np.ndarray]]:
        """Title and rows of each small multiple; one without a title if there are no further axes."""
        shown = _levels_shown(self.further)
        found = []
        for picks in itertools.product(*shown):
            rows, title = np.ones(len(self.data.frame), dtype=bool), []
            for axis, k in zip(self.further, picks, strict=True):
                rows &= axis.codes(self.data.frame) == k
                title.append(f"{symbol(axis.column)} = {escape(quantity(axis.levels[k], axis.unit))}")
            found.append((", ".join(title), rows))
        return found


def make_plan(
    data: View,
    x: str | None,
    y: str | None,
    value: str | None,
    reduce: str | None,
    regions: tuple[Regions | None, Regions | None],
    where: Where | None,
    facet: str | Sequence[str] | None,
    limits: tuple[float, float] | None,
    *,
    whole: bool,
) -> Plan:
    """Return what a diagram of a table shows; the arguments are those of `phase_diagram`.

    Parameters
    ----------
    regions : tuple
        What is outlined, and what is strewn with dots.
    whole : bool
        Whether there is a figure for it, with room for small multiples.
    """
    value = value or headline(data)
    if value is None:
        raise SpecError("the table must hold a statistic to draw", remedy="measure something in the sweep")
    data.need(value)
    facets = [data.axis(name) for name in ([facet] if isinstance(facet, str) else facet or ())]
    spare = [axis for axis in data.axes if axis.column not in [one.column for one in facets]]
    chosen = [data.axis(name) for name in (x, y) if name]
    spare = [axis for axis in spare if axis.column not in [one.column for one in chosen]]
    if x is None and spare:
        chosen.insert(0, spare.pop(0))
    if y is None and len(chosen) == 1 and spare:
        chosen.append(spare.pop(0))
    if not chosen:
        raise SpecError(
            "the table must have a swept axis to draw", got=[], remedy="add one under the sweep's space"
        )
    if len(chosen) == 2 and chosen[0].column == chosen[1].column:
        raise SpecError("x and y must be two axes", got=x)
    further = facets if facet is not None else (spare if whole and data.gridded else [])
    rows = np.ones(len(data.frame), dtype=bool)
    if where is not None:
        rows &= _truth(data, where) == 1.0
    borders, shades = (_truths(data, region) for region in regions)
    return Plan(data, value, tuple(chosen), tuple(further), rows, borders, shades, reduce, limits)


def _truths(data: View, regions: Regions | None) -> dict[str, np.ndarray]:
    """Return the truth of conditions by their labels; a condition without one is its own label."""
    if regions is None:
        return {}
    if isinstance(regions, Mapping):
        return {str(label): _truth(data, where) for label, where in regions.items()}
    label = "region" if isinstance(regions, np.ndarray) else parse_condition(regions).text
    return {label: _truth(data, regions)}


def _truth(data: View, where: Where) -> np.ndarray:
    if not isinstance(where, np.ndarray):
        return parse_condition(where).truth(data.frame)
    if where.shape != (len(data.frame),):
        raise SpecError("truth values must be one for each row of the table", got=where.shape)
    return where.astype(float)


def _levels_shown(further: Sequence[Axis]) -> list[list[int]]:
    """Return which levels of the further axes are drawn: all, or evenly spread ones if there are too many."""
    counts = [len(axis.levels) for axis in further]
    while math.prod(counts) > MOST_PANELS:
        counts[counts.index(max(counts))] -= 1
    return [
        [int(k) for k in np.linspace(0, len(axis.levels) - 1, count).round()]
        for axis, count in zip(further, counts, strict=True)
    ]


def subtitle(plan: Plan) -> str:
    """Say what the value is, what was averaged, and how many points there are of what kind."""
    data = plan.data
    parts = []
    doc = data.columns[plan.value].doc if plan.value in data.columns else ""
    drawn = {axis.column for axis in (*plan.axes, *plan.further)}
    drawn |= {"initial_condition"} if plan.value == POINT_REGIME else set()
    over = [f"{len(data.frame[name].unique())} {_PLURAL[name]}" for name in data.repeats if name not in drawn]
    over += [f"{len(axis.levels)} levels of {axis.path}" for axis in data.axes if axis.column not in drawn]
    if over and data.gridded:
        how = "most frequent" if data.categorical(plan.value) else (plan.reduce or "mean")
        parts.append(f"{how} over {' × '.join(over)}")
    total, every = math.prod(len(axis.levels) for axis in plan.further), len(plan.panels)
    if every < total:
        parts.append(f"{every} of {total} planes shown")
    count = int(plan.use.sum())
    points = (
        f"{count} of {data.planned} points" if data.planned and count < data.planned else f"{count} points"
    )
    lost = [
        f"{n} {name}" for name in ("diverged", "failed") if (n := int((data.status[plan.use] == name).sum()))
    ]
    parts.append(", ".join([points, *lost]))
    return " · ".join([doc.rstrip("."), *parts] if doc else parts)
