"""What it takes to check the labels of a sweep: which points, in which sweeps, at what cost, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.errors import NeuroflameError, SpecError, StoreError
from neuroflame.regimes import CHECKS
from neuroflame.regimes.robust import keys_of
from neuroflame.spec.base import suggestion
from neuroflame.spec.overrides import override
from neuroflame.spec.search import ListSearch
from neuroflame.spec.sweep import SweepSpec
from neuroflame.store import ROBUST, SweepStore, below
from neuroflame.sweep.manifest import spec_hash, spec_of
from neuroflame.sweep.planner import duration, make_plan
from neuroflame.sweep.robust.checks import checking_sweep, factors_of
from neuroflame.sweep.robust.choose import Choice, choose

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from neuroflame.spec.network import NetworkSpec
    from neuroflame.store import Table
    from neuroflame.sweep.robust.checks import Row

Stretch = tuple[float, float | None]
"""How many times longer than the duration a run was, and its final window (s), None where it was not."""


@dataclass(frozen=True)
class CheckRun:
    """A sweep that checks labels, begun or not.

    Parameters
    ----------
    check : str
        ``dt``, ``n`` or ``t``.
    spec : SweepSpec
    directory : str
        Where it is, below the directory of the sweep that it checks.
    factors : mapping of str to float
        Its values of an axis as multiples of those of the sweep that it checks.
    left : int
        Points that are not computed yet.
    seconds : float
        Guess of the time that they take.
    """

    check: str
    spec: SweepSpec
    directory: str
    factors: Mapping[str, float]
    left: int
    seconds: float


@dataclass(frozen=True)
class RobustPlan:
    """What a check of labels will do.

    Parameters
    ----------
    uri : str
        The directory of the sweep that is checked.
    choice : Choice
        The assignments that are looked at.
    runs : tuple of CheckRun
        In the order in which they run.
    refused : mapping of str to NeuroflameError
        The checks that cannot be done, and why.
    paced : bool
        Whether times are by the pace of the sweep itself; else by a rough guess.
    """

    uri: str
    choice: Choice
    runs: tuple[CheckRun, ...]
    refused: Mapping[str, NeuroflameError]
    paced: bool

    @property
    def left(self) -> int:
        """Points that are not computed yet."""
        return sum(run.left for run in self.runs)

    def __str__(self) -> str:
        lines = [f"checked     {self.uri}", f"looked at   {self.choice}"]
        for check, what in CHECKS.items():
            mine = [run for run in self.runs if run.check == check]
            if check in self.refused:
                lines.append(f"{check:<12}{what}: cannot be done: {self.refused[check]}")
            elif mine:
                total = sum(run.spec.points for run in mine)
                graphs = len(mine[0].spec.repeat.graphs)
                text = f"{what}: {total:,} points" + (f" on {graphs} graphs" if graphs > 1 else "")
                left = sum(run.left for run in mine)
                text += ", done" if not left else f", {left:,} left" if left < total else ""
                if left:
                    text += f", about {duration(sum(run.seconds for run in mine))}"
                lines.append(f"{check:<12}{text}")
        if self.left:
            how = "by the pace of the sweep itself" if self.paced else "by a rough guess"
            whole = duration(sum(run.seconds for run in self.runs))
            lines.append(f"time        about {whole} for {self.left:,} points, {how}")
        return "\n".join(lines)


def plan_checks(
    uri: str,
    *,
    checks: Iterable[str] = tuple(CHECKS),
    points: int | None = None,
    where: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> RobustPlan:
    """Return how the labels of a sweep's points are to be checked. Nothing is run or written.

    What was begun before counts: sweeps that look at some of the chosen assignments are gone on with, and new ones look
    at the others.

    Parameters
    ----------
    uri : str
        The directory of a sweep that measured regimes.
    checks : iterable of str
        Among ``dt``, ``n`` and ``t``.
    points : int, optional
        Assignments to look at, at most; see `neuroflame.sweep.robust.choose.choose`.
    where : str, optional
        A condition that they meet.
    overrides : mapping, optional
        Where and how it runs: ``{"compute.actors": 4}``; by default like the sweep.

    Raises
    ------
    SpecError
        If there is no such check, the condition is wrong, or no check can be done.
    StoreError
        If there is no sweep, it is still running, or its table lacks the statistics that labels are made from.
    """
    wanted = [name for name in CHECKS if name in (asked := list(checks))]
    for name in asked:
        if name not in CHECKS:
            raise SpecError("is not a check", got=name, remedy=suggestion(name, list(CHECKS)), path="checks")
    if not wanted:
        raise SpecError("must name at least one of dt, n and t", got=asked, path="checks")
    store = SweepStore.open(uri)
    holder = store.holder()
    if holder is not None and holder.alive:
        raise StoreError(
            "is still running", file=uri, got=str(holder), remedy="wait until it is done, or stop it"
        )
    table, spec = store.table(), spec_of(store.manifest, file=uri)
    spec = SweepSpec.parse(override(spec.to_dict(), overrides or {}))
    choice = choose(table, spec.axes, points, where)
    pace = _pace(store)
    stretches = _stretches(table, spec, choice.rows) if "t" in wanted else {}
    runs: list[CheckRun] = []
    refused: dict[str, NeuroflameError] = {}
    for check in wanted:
        begun, covered = _begun(store, spec, check, set(choice.rows), pace)
        fresh = [row for row in choice.rows if row not in covered]
        try:
            runs += [*begun, *_fresh(spec, check, fresh, stretches, pace)]
        except SpecError as error:
            refused[check] = error
    if not runs:
        raise next(iter(refused.values()))
    return RobustPlan(str(uri), choice, tuple(runs), refused, pace is not None)


def _begun(
    store: SweepStore, spec: SweepSpec, check: str, chosen: set[Row], pace: float | None
) -> tuple[list[CheckRun], set[Row]]:
    """Return the sweeps of a check that were begun and look at some of the chosen assignments, and all that they do."""
    runs: dict[str, CheckRun] = {}
    covered: set[Row] = set()
    for record in store.read_records(ROBUST):
        directory = str(record.get("directory"))
        if record.get("check") != check or directory in runs:
            continue
        place = below(store.uri, directory)
        try:
            other = SweepStore.open(place)
        except (
            StoreError
        ):  # it is gone, of which who reads the table is warned: its points are looked at anew
            continue
        made = spec_of(other.manifest, file=place)
        made = SweepSpec.parse({**made.to_dict(), "compute": spec.to_dict()["compute"]})
        rows = set(_rows_of(made, record["factors"]))
        if rows & chosen:
            covered |= rows
            left = made.points - len(other.table())
            runs[directory] = CheckRun(
                check, made, directory, record["factors"], left, _seconds(made, spec, left, pace)
            )
    return list(runs.values()), covered


def _fresh(
    spec: SweepSpec,
    check: str,
    rows: Sequence[Row],
    stretches: Mapping[Row, Stretch],
    pace: float | None,
) -> list[CheckRun]:
    """Return the sweeps that look at assignments at which none has: one for each factor on the time."""
    groups: dict[Stretch, list[Row]] = {}
    for row in rows:
        groups.setdefault(stretches.get(row, (1, None)) if check == "t" else (1, None), []).append(row)
    runs = []
    for (stretch, window), mine in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or 0.0)):
        made = checking_sweep(spec, check, mine, stretch=stretch, window=window)
        factors = {p: f for p, f in factors_of(spec.network, check, stretch).items() if p in spec.space}
        seconds = _seconds(made, spec, made.points, pace)
        runs.append(CheckRun(check, made, f"robust/{check}-{spec_hash(made)}", factors, made.points, seconds))
    return runs


def _rows_of(made: SweepSpec, factors: Mapping[str, float]) -> list[Row]:
    """Return the assignments that a sweep checks, as the sweep has them that it checks."""
    search = made.search
    if not isinstance(search, ListSearch):
        return [()]
    paths = [axis.path for axis in made.axes]
    columns = {f"point.{path}": np.array(search.assignments[path], dtype=object) for path in paths}
    return keys_of(columns | {"graph": np.zeros(made.trials)}, paths, factors)


def _stretches(table: Table, spec: SweepSpec, rows: Sequence[Row]) -> dict[Row, Stretch]:
    """Return for each assignment how many times longer than the duration its longest run was, and that run's window.

    The window is None where no run was longer. Where the duration is an axis, times become longer by powers of two
    alone, so that its values, divided by them, are again what they were.
    """
    if "elapsed" not in table.columns:
        return {}
    axes = spec.axes
    data = table.to_arrow(["elapsed", *(f"point.{axis.path}" for axis in axes)]).to_pydict()
    longest: dict[Row, float] = {}
    for elapsed, *values in zip(*data.values(), strict=True):
        row = tuple(values)
        longest[row] = max(longest.get(row, 0.0), elapsed or 0.0)
    found: dict[Row, Stretch] = {}
    for row in rows:
        structural = {a.path: v for a, v in zip(axes, row, strict=True) if a.structural and v is not None}
        network = spec.network.with_values(structural) if structural else spec.network
        ratio = max(1.0, round(longest[row] / network.duration, 9))
        stretch = 2.0 ** np.ceil(np.log2(ratio)) if "duration" in spec.space else ratio
        found[row] = (stretch, ratio * _window(network, spec.window) if ratio > 1 else None)
    return found


def _window(network: NetworkSpec, asked: float | None) -> float:
    """Return the final window of a run that was not longer, seconds."""
    from neuroflame.core.statistics import final_window  # with torch: only where some run was

    return final_window(network, asked)


def _seconds(made: SweepSpec, spec: SweepSpec, left: int, pace: float | None) -> float:
    """Return a guess of the time of some points: by the sweep's own pace, times what a point costs more; else rough."""
    guess = make_plan(made).seconds / made.points
    if pace is not None:
        guess *= pace / (make_plan(spec).seconds / spec.points)
    return left * guess


def _pace(store: SweepStore) -> float | None:
    """Return the seconds that a point of a sweep took, by the records of its runs; None where they do not tell."""
    begun: dict[Any, int] = {}
    seconds, points = 0.0, 0
    for record in store.read_records("run"):
        key = (record.get("host"), record.get("process"))
        if record.get("event") == "start":
            begun[key] = int(record.get("done", 0))
        elif key in begun:
            seconds += float(record.get("seconds", 0.0))
            points += int(record.get("done", 0)) - begun.pop(key)
    return seconds / points if points > 0 and seconds > 0 else None
