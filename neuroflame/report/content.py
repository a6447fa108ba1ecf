"""What the page of a sweep says in words and tables."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import yaml

from neuroflame.repeats import REPEATS, over_repeats
from neuroflame.report.answer import agree, goals, headline, scores, tally, unbeaten, where_they_lie
from neuroflame.report.axes import mapping
from neuroflame.report.choose import main_statistics, varies
from neuroflame.report.labels import number, plain_label, shorten, span
from neuroflame.report.views import POINT_REGIME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neuroflame.report.views import View


@dataclass(frozen=True)
class Listing:
    """A table of texts.

    Parameters
    ----------
    title : str
    heads : tuple of str
        Column heads, units included.
    rows : tuple of tuple of str
    note : str
        What to read below the title.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def key_figures(data: View) -> list[tuple[str, str]]:
    """Return the few numbers that head the page, each with what it counts."""
    counted = tally(data)
    points = f"{len(data.frame)}"
    if data.planned and data.planned > len(data.frame):
        points += f" of {data.planned}"
    found = [(points, "points computed")]
    if counted is not None and len(data.frame):
        holds = int(counted.holds.sum())
        found.append((str(holds), agree(counted.question.label, holds)))
        if counted.dissolving.any():
            found.append((str(int(counted.dissolving.sum())), "decaying (ghosts)"))
        if counted.forming.any():
            found.append((str(int(counted.forming.sum())), "still growing"))
    for name in ("diverged", "failed"):
        count = int((data.status == name).sum())
        if count or name == "failed":
            found.append((str(count), name))
    return found


def best_points(data: View, most: int = 10) -> Listing | None:
    """Return the points that answer the sweep's question best, or a sample; None without points."""
    if len(data.frame) == 0:
        return None
    name, sought, counted = headline(data), goals(data), tally(data)
    goal = sought[0] if sought else None
    rows = np.arange(len(data.frame))
    title, note = "A sample of the points", ""
    if name is None or data.categorical(name):
        rows = rows[:: max(1, len(rows) // most)]
    else:
        values = data.numbers(name) if goal is None else scores(data, goal)
        large = goal is None or goal.large
        rows = rows[np.isfinite(values)]
        title = f"{'Highest' if large else 'Lowest'} {name}"
        if len(sought) > 1:
            rows = np.flatnonzero(unbeaten(data))
            title = f"Points that no other beats in {', '.join(map(str, sought))}"
        elif goal is not None and goal.value is not None:
            title = f"Closest: {goal}"
        if goal is None and counted is not None and counted.holds.any():
            rows = rows[counted.holds[rows]]
            note = f"among the points that meet {counted.question.condition.text}"
        rows = rows[np.argsort((-1.0 if large else 1.0) * values[rows], kind="stable")]
    shown = [axis.column for axis in data.axes] + list(data.repeats)
    shown += [stat for stat in main_statistics(data, 5) if stat not in shown]
    shown += ["point_id"] if "point_id" in data.frame else []
    lines = tuple(tuple(number(data.frame[column].iloc[row], 4) for column in shown) for row in rows[:most])
    heads = tuple(plain_label(column, data.columns) for column in shown)
    return Listing(title, heads, lines, note) if lines else None


def repeated(data: View, most: int = 24) -> Listing | None:
    """Return means and standard errors over draws of connectivity and noise; None where there is one of each."""
    over = [name for name in data.repeats if name in ("graph", "seed")]
    if not over:
        return None
    names = [name for name in main_statistics(data, 5) if name != POINT_REGIME]
    kept = [axis.column for axis in data.axes] + list(data.repeats) + names
    found, _ = over_repeats(data.frame[kept], {name: data.columns[name] for name in names}, over)
    keys = [name for name in found if name.startswith("point.") or name in REPEATS]
    lines = []
    for row in range(min(most, len(found["repeats"]))):
        cells = [number(found[name][row], 4) for name in (*keys, "repeats")]
        for name in names:
            if f"{name}.share" in found:
                cells.append(f"{number(found[name][row])} ({number(found[f'{name}.share'][row], 2)})")
                continue
            cell = f"{number(found[name][row], 4)} ± {number(found[f'{name}.se'][row], 2)}"
            fewer = found[f"{name}.n"][row] < found["repeats"][row]
            cells.append(f"{cell} ({found[f'{name}.n'][row]})" if fewer else cell)
        lines.append(tuple(cells))
    heads = (*(plain_label(name, data.columns) for name in keys), "rows")
    note = (
        f"over {' and '.join(over)}: mean ± standard error, in brackets of how many rows where not of all; names with "
        "their share of the rows"
    )
    if len(found["repeats"]) > most:
        note += f"; the first {most} of {len(found['repeats'])}, all in export --to csv --over-repeats"
    return Listing(
        "Means over repetitions",
        (*heads, *(plain_label(name, data.columns) for name in names)),
        tuple(lines),
        note,
    )


def failures(data: View) -> Listing | None:
    """Return what went wrong, by cause; None if nothing did."""
    causes: dict[tuple[str, str], list[int]] = {}
    errors = data.texts("error") if "error" in data.frame else np.full(len(data.frame), None)
    for row in np.flatnonzero(~np.isin(data.status, ("ok",))):
        first = str(errors[row] or "").strip().split("\n")[0]
        default = "rates grew without bound" if data.status[row] == "diverged" else "no message"
        causes.setdefault((str(data.status[row]), first or default), []).append(int(row))
    lines = []
    for (status, cause), rows in sorted(causes.items(), key=lambda item: -len(item[1])):
        where = np.zeros(len(data.frame), dtype=bool)
        where[rows] = True
        when = data.numbers("t_fail")[where] if "t_fail" in data.frame else np.array([])
        when = when[np.isfinite(when)]
        ids = data.frame["point_id"].iloc[rows[:3]] if "point_id" in data.frame else rows[:3]
        lines.append(
            (
                str(len(rows)),
                status,
                shorten(cause, 160),
                span(when, "s") if when.size else "–",
                where_they_lie(data, where) or "–",
                ", ".join(map(str, ids)) + (", …" if len(rows) > 3 else ""),
            )
        )
    heads = ("points", "status", "cause", "when", "where", "point_id")
    return Listing("Points without a result", heads, tuple(lines)) if lines else None


def constants(data: View) -> list[str]:
    """Return the statistics that do not vary, or by too little to matter, with their value or range."""
    found = []
    for name in data.statistics:
        if varies(data, name):
            continue
        if data.categorical(name):
            kinds = sorted(set(data.texts(name)) - {None})
            found.append(f"{name}: {kinds[0] if kinds else 'no value'}")
            continue
        values = data.numbers(name)
        values = values[np.isfinite(values)]
        unit = data.columns[name].unit
        found.append(f"{name}: {span(values, unit, 4) if values.size else 'no value'}")
    return found


def definitions(data: View) -> Listing:
    """Return the columns of the table with their units and meanings."""
    rows = tuple((c.name, c.unit or "–", c.kind, c.doc) for c in data.columns.values())
    return Listing("Columns", ("column", "unit", "type", "meaning"), rows)


def provenance(data: View) -> list[tuple[str, str]]:
    """Return where the table comes from: labels and texts."""
    about, sweep = data.manifest, mapping(data.manifest, "sweep")
    tiles: Mapping[str, Mapping[str, str]] = getattr(data.table, "metadata", None) or {}

    def told(key: str) -> str:
        values = dict.fromkeys([str(tile[key]) for tile in tiles.values() if tile.get(key)])
        if not values and about.get(key):
            values = dict.fromkeys([str(about[key])])
        return ", ".join(list(values)[:6]) + (", …" if len(values) > 6 else "")

    repeat, search = mapping(sweep, "repeat"), mapping(sweep, "search")
    entries = [
        ("Sweep", data.name),
        ("Created", _moment(about.get("created"))),
        ("NeuroFlame", told("version") or told("neuroflame")),
        ("Git commit", told("git_commit")),
        ("Hash of the specification", str(about.get("spec_hash") or "")),
        (
            "Search",
            ", ".join(f"{key} {value}" if key != "kind" else str(value) for key, value in search.items()),
        ),
        ("Measures", ", ".join(map(str, sweep.get("measure") or ()))),
        ("Connectivity draws", _listed(repeat.get("graphs"))),
        ("Noise seeds", _listed(repeat.get("seeds"))),
        ("Initial conditions", _listed(repeat.get("initial_conditions"))),
        ("Seed", str(about["seed"]) if about.get("seed") is not None else ""),
        ("Device", told("device")),
        ("Executor", told("executor")),
        ("Precision", told("precision")),
        ("Tiles on disk", str(len(tiles)) if tiles else ""),
        ("Table", shown_uri(data)),
        ("Report written", _moment(datetime.now(UTC).isoformat())),
    ]
    return [(label, text) for label, text in entries if text]


def runs(records: Iterable[Mapping[str, Any]]) -> Listing | None:
    """Return what happened to the sweep, oldest first; None without records."""
    lines = []
    for record in records:
        details = [f"{k}: {_brief(v)}" for k, v in record.items() if k not in ("kind", "time", "traceback")]
        lines.append((_moment(record.get("time")), str(record.get("kind", "")), "; ".join(details)))
    return Listing("Runs", ("time", "kind", "details"), tuple(lines[-40:])) if lines else None


def stopped(records: Iterable[Mapping[str, Any]]) -> str:
    """Return why the latest run stopped early; empty if it did not."""
    last = next(iter([record for record in records if record.get("kind") == "run"][-1:]), {})
    return str(last.get("why", "")) if last.get("event") == "stopped" else ""


def sweep_file(data: View) -> str:
    """Return a sweep file that runs this sweep again, as YAML."""
    sweep = dict(mapping(data.manifest, "sweep"))
    network = data.manifest.get("network")
    if not isinstance(sweep.get("network"), Mapping) and isinstance(network, Mapping):
        sweep["network"] = network
    if not sweep:
        return ""
    plain = json.loads(json.dumps(sweep, default=str))
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None))


def shown_uri(data: View) -> str:
    """Return where the table is, without user, password and query."""
    if "://" not in data.uri:
        return data.uri
    parts = urlsplit(data.uri)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def data_uri(content: bytes, kind: str) -> str:
    """Return content as an address that needs no file."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _listed(values: Any) -> str:
    if isinstance(values, list | tuple):
        shown = ", ".join(map(str, values[:8])) + (", …" if len(values) > 8 else "")
        return f"{len(values)} ({shown})"
    return "" if values is None else str(values)


def _brief(value: Any) -> str:
    if isinstance(value, float):
        return number(value, 4)
    return shorten(value if isinstance(value, str) else json.dumps(value, default=str), 90)


def _moment(text: Any) -> str:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return str(text or "")
    return moment.strftime("%Y-%m-%d %H:%M:%S %Z").strip()
