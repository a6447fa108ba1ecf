"""What the command line tells of files and directories without running anything."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.conditions import Goal, front, parse_condition
from neuroflame.errors import NeuroflameError, SpecError
from neuroflame.regimes import CHECKS
from neuroflame.spec.base import suggestion
from neuroflame.spec.loading import read_yaml
from neuroflame.spec.network import NetworkSpec, load_network
from neuroflame.spec.objectives import goals_of
from neuroflame.spec.overrides import load_sweep
from neuroflame.spec.sweep import SweepSpec
from neuroflame.sweep.planner import duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from neuroflame.store import Table
    from neuroflame.sweep.points import Array

_CAUSES = 5
_SWEEP_KEYS = {"network", "space", "search", "repeat", "measure", "answer", "compute"}


def read_file(path: str, overrides: Mapping[str, Any]) -> NetworkSpec | SweepSpec:
    """Return the network or the sweep of a file.

    Raises
    ------
    SpecError
        If it is not valid.
    """
    if _SWEEP_KEYS & read_yaml(path).keys():
        return load_sweep(path, overrides)
    return load_network(path, overrides)


def in_words(spec: NetworkSpec | SweepSpec) -> str:
    """Return in a line what a network or a sweep is."""
    if isinstance(spec, SweepSpec):
        return f"a sweep of {spec.points:,} points ({spec.search.kind} over {_listed(spec)})"
    sizes = ", ".join(f"{name} {population.size:,}" for name, population in spec.populations.items())
    return f"a network of {spec.size:,} neurons ({sizes}), {spec.steps:,} steps"


def _listed(spec: SweepSpec) -> str:
    return ", ".join(axis.path for axis in spec.axes) or "nothing"


def describe(uri: str) -> str:
    """Return how far the sweep of a directory is, and who runs it."""
    from neuroflame.store import SweepStore
    from neuroflame.sweep.causes import Causes
    from neuroflame.sweep.manifest import spec_of
    from neuroflame.sweep.progress import Status

    store = SweepStore.open(uri)
    table, holder = store.table(), store.holder()
    spec = spec_of(table.manifest, file=uri)
    frame = table.to_pandas(["status", "error"]) if len(table) else None
    counts = Counter(frame["status"].tolist() if frame is not None else ())
    causes = Causes()
    if frame is not None:
        causes.update((text, 1) for text in frame["error"].dropna().tolist())
    done = counts.total()
    last = next(iter(store.read_records("run")[-1:]), {})
    # A search may need fewer points than it may use.
    ended = last.get("event") == "complete" and done == last.get("done")
    share = f"of {spec.points:,} done ({100 * done / max(1, spec.points):.0f} %)"
    if ended and done < spec.points:
        share = f"done, of {spec.points:,} at most: the search has what it sought"
    lines = [
        f"sweep     {spec.name}: {spec.search.kind} over {_listed(spec)}",
        f"points    {done:,} {share}",
        f"          {counts['diverged']:,} diverged, {counts['failed']:,} failed",
        *(f"          {count:,} failed: {text}" for text, count in causes.top(_CAUSES)),
    ]
    running = holder is not None and holder.alive
    if holder is not None:
        now = Status.from_dict(holder.status) if holder.status else None
        if running:
            lines.append(f"running   {holder}, heard of {duration(holder.silence)} ago")
            lines += [f"now       {now}"] if now is not None else []
            if holder.status.get("dashboard"):
                lines.append(f"dashboard {holder.status['dashboard']}")
        else:
            bye = "ended" if holder.ended else "did not say goodbye: killed, or its machine went down"
            lines.append(f"last run  {holder}; {bye}")
            lines += [f"best      {now.best:.4g}"] if now is not None and now.best is not None else []
    lines += [
        f"table     {table.uri}",
        f"created   {table.manifest.get('created', '?')} by version {table.manifest.get('version', '?')}",
    ]
    if not running and not ended and done < spec.points:
        if last.get("why"):
            lines.append(f"stopped   {last['why']}")
        more = " --set stop=null" if last.get("why") else ""  # else it would stop at once again
        lines.append(f"go on     neuroflame-sweep resume {uri}{more}")
    if not running and counts["failed"]:
        lines.append(f"try again neuroflame-sweep resume {uri} --retry-failed")
    return "\n".join(lines + _checks(table))


def _checks(table: Table) -> list[str]:
    """Return how far the sweeps are that check the labels of a table."""
    from neuroflame.store import below, open_table
    from neuroflame.sweep.manifest import spec_of

    lines, left = [], False
    for one in table.checks:
        name = f"checked   {CHECKS[one.check]}"
        try:
            found = open_table(below(table.uri, one.directory))
            points = spec_of(found.manifest, file=found.uri).points
        except NeuroflameError as error:
            lines.append(f"{name}: {error}")
        else:
            lines.append(f"{name}: {len(found):,} of {points:,} points done")
            left |= len(found) < points
    if left:
        lines.append(f"go on     neuroflame-sweep robust {table.uri}")
    return lines


def relabel(uri: str, thresholds: Mapping[str, Any], out: str | None = None, *, force: bool = False) -> str:
    """Label a directory's sweep anew, and return how many rows have which label as lines.

    Parameters
    ----------
    uri : str
        The sweep's directory.
    thresholds : mapping of str to float
        Fields of `neuroflame.regimes.Thresholds`; the others have their defaults.
    out : str, optional
        What to write the labelled table to, as `neuroflame.sweep.export.export` does; its ending says what it is. By
        default a record is left in the sweep's directory, by which the table is read from then on.
    force : bool
        Replace `out` if it is there.

    Raises
    ------
    SpecError
        If there is no such threshold or ending.
    StoreError
        If the table lacks the statistics that labels are made from, or `out` is taken.
    """
    from neuroflame.store import FILES, RELABEL, SweepStore, open_table
    from neuroflame.sweep.export import write_table

    kinds = {ending: kind for kind, (ending, _) in FILES.items()}
    if out is not None and Path(out).suffix not in kinds:
        raise SpecError(f"must end in one of {', '.join(kinds)}", got=out, path="out")
    before = open_table(uri)
    after = before.relabel(**thresholds)
    if out is None:
        SweepStore.open(uri).append_record(RELABEL, {"thresholds": dict(thresholds)})
    else:
        write_table(after, kinds[Path(out).suffix], Path(out), force=force)
    old = before.to_pandas(["regime"])["regime"] if "regime" in before.columns else None
    new = after.to_pandas(["regime"])["regime"]
    counts = Counter(new.dropna().tolist())
    lines = [f"{count:>9,}  {label}" for label, count in counts.most_common()]
    if old is not None:
        lines.append(
            f"{int((old.fillna('') != new.fillna('')).sum()):,} of {len(new):,} rows have another label"
        )
    return "\n".join(lines)


def best_points(uri: str, by: str | None, number: int, *, smallest: bool = False) -> str:
    """Return the best points of a directory's sweep as lines; for several objectives all that no other beats.

    Points that are not ok, or miss a constraint of the search, are left out.

    Parameters
    ----------
    uri : str
        The sweep's directory.
    by : str or None
        The column that counts; None for what the search sought.
    number : int
        How many.
    smallest : bool
        Whether small values are good.
    """
    from neuroflame.store import open_table

    table = open_table(uri)
    goals = () if by is not None else goals_of(table.manifest.get("sweep", {}).get("search", {}))
    numeric = [name for name, column in table.columns.items() if column.kind in ("float", "int", "bool")]
    if by is None and not goals:
        raise NeuroflameError(
            "must be told what counts", file=uri, remedy=f"--by COLUMN, among {', '.join(numeric[:8])}, …"
        )
    goals = goals or (Goal(str(by), large=not smallest),)
    for goal in goals:
        if goal.column not in numeric:
            raise SpecError(
                "is not a numeric column", got=goal.column, file=uri, remedy=suggestion(goal.column, numeric)
            )
    frame, scores = _usable(table, goals, uri)
    losses = scores * [-1.0 if goal.large else 1.0 for goal in goals]
    chosen = np.flatnonzero(front(losses)) if len(goals) > 1 else np.arange(len(frame))
    chosen = chosen[np.lexsort(losses[chosen].T[::-1])][: None if len(goals) > 1 else number]
    if len(chosen) == 0:
        raise NeuroflameError("no point has a value", got=goals[0].column, file=uri)
    frame = frame.iloc[chosen]
    swept = [name for name in table.columns if name.startswith("point.")]
    repeats = [name for name in ("graph", "seed", "initial_condition") if len(frame[name].unique()) > 1]
    shown = frame[[*(goal.column for goal in goals), *swept, *repeats, "point_id"]]
    shown = shown.rename(columns={name: name.removeprefix("point.") for name in swept})
    lines = str(shown.to_string(index=False, float_format=lambda value: f"{value:.6g}"))
    return f"{_about(goals, len(chosen))}\n{lines}" if goals[0].value is not None or len(goals) > 1 else lines


def _usable(table: Table, goals: Sequence[Goal], uri: str) -> tuple[pd.DataFrame, Array]:
    """Return the rows that are ok, meet the search's constraints and have all scores, and the scores.

    NeuroflameError if some are ok and none of them meets the constraints.
    """
    frame = table.to_pandas([name for name, column in table.columns.items() if column.kind != "series"])
    constraints = table.manifest.get("sweep", {}).get("search", {}).get("constraints", ())
    good = np.array(frame["status"] == "ok", dtype=bool)
    count = int(good.sum())
    for text in constraints:
        good &= parse_condition(text).holds(frame)
    if count and not good.any():
        rule = f"no point meets the constraints: of {len(frame)} points {count} are ok, and none of these meets all"
        raise NeuroflameError(
            rule, got=" and ".join(constraints), file=uri, remedy="loosen search.constraints"
        )
    columns = (
        frame[goal.column].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan) for goal in goals
    )
    scores = np.column_stack([goal.score(column) for goal, column in zip(goals, columns, strict=True)])
    good &= np.isfinite(scores).all(axis=1)
    return frame[good].reset_index(drop=True), scores[good]


def _about(goals: Sequence[Goal], count: int) -> str:
    sought = ", ".join(map(str, goals))
    if len(goals) == 1:
        return f"sought: {sought}"
    points = "1 point that no other beats" if count == 1 else f"{count} points that no other beats"
    return f"{points} in all of: {sought}"
