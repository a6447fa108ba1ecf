"""What the command line tells of files and directories without running anything."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuroflame.errors import NeuroflameError, SpecError
from neuroflame.spec.base import suggestion
from neuroflame.spec.loading import read_yaml
from neuroflame.spec.network import NetworkSpec, load_network
from neuroflame.spec.overrides import load_sweep
from neuroflame.spec.sweep import SweepSpec
from neuroflame.sweep.planner import duration

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    lines = [
        f"sweep     {spec.name}: {spec.search.kind} over {_listed(spec)}",
        f"points    {done:,} of {spec.points:,} done ({100 * done / max(1, spec.points):.0f} %)",
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
            ended = "ended" if holder.ended else "did not say goodbye: killed, or its machine went down"
            lines.append(f"last run  {holder}; {ended}")
            lines += [f"best      {now.best:.4g}"] if now is not None and now.best is not None else []
    lines += [
        f"table     {table.uri}",
        f"created   {table.manifest.get('created', '?')} by version {table.manifest.get('version', '?')}",
    ]
    if not running and done < spec.points:
        lines.append(f"go on     neuroflame-sweep resume {uri}")
    if not running and counts["failed"]:
        lines.append(f"try again neuroflame-sweep resume {uri} --retry-failed")
    return "\n".join(lines)


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
    """Return the best points of a directory's sweep as lines.

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
    search = table.manifest.get("sweep", {}).get("search", {})
    if by is None:
        by = search.get("maximise") or search.get("minimise")
        smallest = smallest or "minimise" in search
    numeric = [name for name, column in table.columns.items() if column.kind in ("float", "int", "bool")]
    if by is None:
        raise NeuroflameError(
            "must be told what counts", file=uri, remedy=f"--by COLUMN, among {', '.join(numeric[:8])}, …"
        )
    if by not in numeric:
        raise SpecError("is not a numeric column", got=by, file=uri, remedy=suggestion(by, numeric))
    frame = table.best(by, maximise=not smallest, n=number)
    if len(frame) == 0:
        raise NeuroflameError("no point has a value", got=by, file=uri)
    swept = [name for name in table.columns if name.startswith("point.")]
    repeats = [name for name in ("graph", "seed", "initial_condition") if frame[name].nunique() > 1]
    shown = frame[[by, *swept, *repeats, "point_id"]]
    shown = shown.rename(columns={name: name.removeprefix("point.") for name in swept})
    return str(shown.to_string(index=False, float_format=lambda value: f"{value:.6g}"))
