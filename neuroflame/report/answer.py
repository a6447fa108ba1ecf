"""What a sweep found, in one line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuroflame.conditions import Condition, Goal, front, parse_condition
from neuroflame.report.axes import mapping
from neuroflame.report.labels import number, quantity, span
from neuroflame.report.views import POINT_REGIME, View, view
from neuroflame.spec.objectives import goals_of

if TYPE_CHECKING:
    from neuroflame.report.views import Table

MOST_PLACED = 3
HOLDS_A_BUMP = ("{bump}.ratio > 0.1", "abs({bump}.trend) < 0.05")


@dataclass(frozen=True)
class Question:
    """What a sweep asks of each of its points.

    Parameters
    ----------
    label : str
        What a point does that meets the condition: ``hold a bump``.
    condition : Condition
    """

    label: str
    condition: Condition

    @property
    def but_for_trend(self) -> Condition | None:
        """The condition less what it asks of trends; None if it asks nothing of them."""
        trendless = self.condition.without(_is_trend)
        asks = any(_is_trend(name) for name in self.condition.names)
        return trendless if asks else None


@dataclass(frozen=True)
class Tally:
    """Which points of a table answer its question.

    Parameters
    ----------
    question : Question
    holds : ndarray of bool, (P,)
        Points that meet the condition.
    dissolving : ndarray of bool, (P,)
        Points that fail it only because what they hold is still shrinking: ghosts, not attractors.
    forming : ndarray of bool, (P,)
        Points that fail it only because what they hold is still growing.
    """

    question: Question
    holds: np.ndarray
    dissolving: np.ndarray
    forming: np.ndarray


def question(table: Table | View | str) -> Question | None:
    """Return what the sweep asks: its own ``answer``, or whether a bump is held where bumps were measured.

    Nothing where regimes were: the labels answer.
    """
    data = view(table)
    answer = mapping(mapping(data.manifest, "sweep"), "answer")
    if answer.get("where"):
        condition = parse_condition(answer["where"])
        return Question(str(answer.get("label") or "meet the condition"), condition)
    if data.points is not None:
        return None
    ratios = [name for name in data.statistics if name.startswith("bump.") and name.count(".") == 2]
    ratios = sorted((name for name in ratios if name.endswith(".ratio")), key=lambda n: n != "bump.E.ratio")
    if not ratios:
        return None
    bump = ratios[0].removesuffix(".ratio")
    asks = [text.format(bump=bump) for text in HOLDS_A_BUMP]
    condition = parse_condition(" and ".join(asks))
    return Question("hold a bump", condition.without(lambda name: name not in data.frame) or condition)


def tally(table: Table | View | str) -> Tally | None:
    """Return which points answer the sweep's question, None if it asks none."""
    data = view(table)
    asked = question(data)
    if asked is None:
        return None
    truth = asked.condition.truth(data.frame)
    holds = truth == 1.0
    moving = np.zeros(len(holds), dtype=bool)
    rising = moving.copy()
    if asked.but_for_trend is not None:
        moving = asked.but_for_trend.holds(data.frame) & (truth == 0.0)
        trends = [name for name in asked.condition.names if _is_trend(name)]
        slopes = np.nan_to_num([data.numbers(name) for name in trends if name in data.frame])
        largest = np.abs(slopes).argmax(axis=0)
        rising = np.take_along_axis(slopes, largest[None], axis=0)[0] > 0
    return Tally(asked, holds, moving & ~rising, moving & rising)


def summary(table: Table | View | str) -> str:
    """Say in one line what a sweep found.

    Parameters
    ----------
    table : Table or str
        From `neuroflame.store.open_table`, or a sweep's directory.

    Returns
    -------
    str
        How many points do what the sweep asks and where they lie, or the best or the extreme points; then
        how many diverged, failed or are yet to be computed.
    """
    data = view(table)
    if len(data.frame) == 0:
        return f"No point is computed yet{f' of {data.planned}' if data.planned else ''}."
    parts = []
    if border_sought(data) is not None:
        parts.append(_border(data))
    counted = tally(data)
    if counted is not None:
        parts.append(_answer(data, counted))
    if data.points is not None:
        parts.append(_regimes(data))
    if (counted is None and data.points is None) or goals(data):
        parts.append(_extremes(data))
    parts.extend(_losses(data))
    return "; ".join(part for part in parts if part) + "."


def goals(data: View) -> tuple[Goal, ...]:
    """Return what a search sought, of the columns that there are."""
    found = goals_of(mapping(mapping(data.manifest, "sweep"), "search"))
    return tuple(goal for goal in found if goal.column in data.frame)


def allowed(data: View) -> np.ndarray:
    """Return which points meet all constraints of the search, (P,)."""
    found = np.ones(len(data.frame), dtype=bool)
    for text in mapping(mapping(data.manifest, "sweep"), "search").get("constraints") or ():
        found &= parse_condition(text).holds(data.frame)
    return found


def scores(data: View, goal: Goal) -> np.ndarray:
    """Return the score of each point, (P,); NaN where it has none or misses a constraint."""
    return np.where(allowed(data), goal.score(data.numbers(goal.column)), np.nan)


def unbeaten(data: View) -> np.ndarray:
    """Return the points that no other beats in all that is sought, (P,)."""
    losses = [(-1.0 if goal.large else 1.0) * scores(data, goal) for goal in goals(data)]
    return front(np.column_stack(losses))


def objective(data: View) -> tuple[str, bool] | None:
    """Return the column that a search optimised and whether it was to be large; None without one such column."""
    found = goals(data)
    return (found[0].column, found[0].large) if len(found) == 1 and found[0].value is None else None


def border_sought(data: View) -> str | None:
    """Return what a search located the border of: a condition or a column of names; None without one."""
    on = mapping(mapping(data.manifest, "sweep"), "search").get("on")
    return on if isinstance(on, str) else None


def headline(data: View) -> str | None:
    """Return the statistic that a table is about: what was optimised, else what is asked, else regimes or the first."""
    sought = goals(data)
    if sought:
        return sought[0].column
    asked = question(data)
    if asked is None and data.points is not None:
        return next(name for name in (POINT_REGIME, "regime") if name in data.frame)
    wanted = [name for name in asked.condition.names if name in data.statistics] if asked else []
    found = [*wanted, *(name for name in data.statistics if not data.categorical(name)), *data.statistics]
    return next(iter(found), None)


def where_they_lie(data: View, rows: np.ndarray) -> str:
    """Return the ranges of the swept axes over some points: ``J.EE 7.1–10, J0.E 0.2–2.3 Hz``."""
    parts = []
    for axis in data.axes:
        values = data.frame[axis.column][rows].dropna()
        if len(values) == 0:
            continue
        if axis.named:
            kinds = [level for level in axis.levels if (values.astype(str) == level).any()]
            parts.append(f"{axis.path} {', '.join(kinds[:6])}{', …' if len(kinds) > 6 else ''}")
        else:
            parts.append(f"{axis.path} {span(values.to_numpy(dtype=float), axis.unit)}")
    return ", ".join(parts)


def _is_trend(name: str) -> bool:
    return name.endswith(".trend")


def _answer(data: View, counted: Tally) -> str:
    found, total = int(counted.holds.sum()), len(data.frame)
    label = agree(counted.question.label, found)
    text = f"{found} of {total} points {label} ({counted.question.condition.text})"
    lie = where_they_lie(data, counted.holds) if found else ""
    text += f": {lie}" if lie else ""
    ghosts, young = int(counted.dissolving.sum()), int(counted.forming.sum())
    if ghosts:
        kind = "is decaying: a ghost, not an attractor"
        text += f"; {ghosts} more would but "
        text += kind if ghosts == 1 else "are decaying: ghosts, not attractors"
    if young:
        text += f"; {young} more would but {'is' if young == 1 else 'are'} still growing"
    return text


def agree(label: str, count: int) -> str:
    """Return a label with its verb in the number that the count wants: ``holds a bump``, ``hold a bump``."""
    verb, _, rest = label.strip().partition(" ")
    plural = {"is": "are", "has": "have", "does": "do", "are": "are", "have": "have", "do": "do"}
    singular = {"are": "is", "have": "has", "do": "does"}
    if count == 1:
        verb = singular.get(verb, verb if verb.endswith("s") else f"{verb}s")
    elif verb in plural:
        verb = plural[verb]
    elif verb.endswith(("ches", "shes", "xes", "sses")):
        verb = verb[:-2]
    elif verb.endswith("s") and not verb.endswith("ss"):
        verb = verb[:-1]
    return f"{verb} {rest}".strip()


def _extremes(data: View) -> str:
    """Return the best point of an optimising search, or the range of the headline statistic."""
    name = headline(data)
    total = f"{len(data.frame)} points"
    if name is None or data.categorical(name):
        return total
    values = data.numbers(name)
    unit = data.columns[name].unit if name in data.columns else ""
    if not np.isfinite(values).any():
        return f"{total}, none with a value of {name}"

    def at(row: int) -> str:
        here = np.zeros(len(values), dtype=bool)
        here[row] = True
        lie = where_they_lie(data, here)
        return f" at {lie}" if lie else ""

    sought = goals(data)
    if len(sought) > 1:
        best_ones = unbeaten(data)
        count = int(best_ones.sum())
        lie = where_they_lie(data, best_ones) if count else ""
        return f"{count} of {total} are beaten by none in {', '.join(map(str, sought))}" + (
            f": {lie}" if lie else ""
        )
    if sought:
        found = scores(data, sought[0])
        if not np.isfinite(found).any():
            return f"{total}, none that meets all constraints"
        best = int(np.nanargmax(found) if sought[0].large else np.nanargmin(found))
        return f"best of {total}: {name} = {quantity(values[best], unit)}{at(best)}"
    low, high = int(np.nanargmin(values)), int(np.nanargmax(values))
    return f"{total}: {name} from {number(values[low])}{at(low)} to {quantity(values[high], unit)}{at(high)}"


def _border(data: View) -> str:
    """Return how well a border is known, where one was sought."""
    from neuroflame.border import border_of_table, unfollowed

    border, _ = border_of_table(data.table)
    on = border_sought(data)
    if not len(border.edges):
        return f"no border of {on} found"
    known = f"95 % of the border of {on} is known within {number(100 * border.quantile())} % of the range"
    left = unfollowed(data.table, border, len(data.frame))
    return f"{known}; {left}" if left else known


def _regimes(data: View) -> str:
    """Return how many points have which regime, and where the most frequent ones lie."""
    assert data.points is not None
    labels, groups = data.points["regime"], data.points["row"]
    counts = Counter(label for label in labels if label is not None)
    parts = []
    for k, (label, count) in enumerate(counts.most_common()):
        rows = np.zeros(len(data.frame), dtype=bool)
        rows[
            [row for found, group in zip(labels, groups, strict=True) if found == label for row in group]
        ] = True
        lie = where_they_lie(data, rows) if k < MOST_PLACED else ""
        parts.append(f"{count} {label}" + (f" ({lie})" if lie else ""))
    return f"regimes of {len(labels)} points: " + ", ".join(parts or ["none"])


def _losses(data: View) -> list[str]:
    counts = {name: int((data.status == name).sum()) for name in ("diverged", "failed")}
    parts = [f"{count} {name}" for name, count in counts.items() if count]
    if data.planned and data.planned > len(data.frame):
        parts.append(f"{len(data.frame)} of {data.planned} points of the sweep are computed so far")
    return parts
