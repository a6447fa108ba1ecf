"""The report of a sweep: its figures as PNG files and one page that needs nothing else."""

from __future__ import annotations

import io
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from neuroflame.conditions import parse_condition
from neuroflame.errors import StoreError
from neuroflame.report import content
from neuroflame.report.answer import border_sought, goals, headline, summary, tally
from neuroflame.report.border import border_diagram
from neuroflame.report.choose import choose_points, main_statistics
from neuroflame.report.contours import predicted_columns
from neuroflame.report.diagrams import phase_diagram
from neuroflame.report.history import search_front, search_history
from neuroflame.report.loops import hysteresis
from neuroflame.report.panels import curves, statistics_against_axes
from neuroflame.report.regions import regions
from neuroflame.report.robust import robust
from neuroflame.report.series import traces
from neuroflame.report.style import DPI, save
from neuroflame.report.views import POINT_REGIME, View, view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.figure import Figure

MOST_DIAGRAMS = 9
GALLERY = 5.2  # inches
SECTIONS = ("headline", "diagrams", "statistics", "traces", "history")


@dataclass(frozen=True)
class ReportPaths:
    """Where a report is.

    Parameters
    ----------
    folder : Path
    page : Path
        The HTML page, which holds all figures.
    figures : dict of str to Path
        PNG files by name; the headline diagram comes first.
    answer : str
        What the sweep found, in one line.
    """

    folder: Path
    page: Path
    figures: dict[str, Path]
    answer: str


@dataclass(frozen=True)
class Picture:
    """A figure of the page: its file's name, its place on the page, its text and how to draw it."""

    name: str
    section: str
    caption: str
    draw: Callable[[], Any]


def build_report(uri: str | os.PathLike[str], out: str | os.PathLike[str] | None = None) -> ReportPaths:
    """Draw the figures of a sweep and write its page.

    Files are written beside their final place and moved there, so that a report can be built again, also
    while the sweep runs: a table that is not complete is shown as far as it is, and says so.

    Parameters
    ----------
    uri : str or Path
        The sweep's directory, local or remote.
    out : str or Path, optional
        A local directory; by default ``report`` in the sweep's, which must then be local.

    Returns
    -------
    ReportPaths

    Raises
    ------
    StoreError
        If there is no sweep, or the report cannot be written.
    """
    from neuroflame.store import open_table

    table = open_table(uri)
    data = view(table)
    folder = Path(out) if out is not None else _folder_of(str(table.uri)) / "report"
    answer = summary(data)
    figures: dict[str, Path] = {}
    shown: dict[str, list[dict[str, str]]] = {section: [] for section in SECTIONS}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for picture in _pictures(data):
            png = _png(picture.draw())
            path = folder / f"{_file_name(picture.name)}.png"
            _replace(path, png)
            figures[picture.name] = path
            shown[picture.section].append(
                {
                    "source": content.data_uri(png, "image/png"),
                    "caption": picture.caption,
                    "text": f"{picture.name.replace('_', ' ')}. {picture.caption}".strip(),
                    "wide": "wide" if _width(png) > 1.4 * GALLERY * DPI else "",
                    "file": path.name,
                    "width": str(_width(png)),
                }
            )
        page = folder / "index.html"
        _replace(page, _page(data, answer, shown).encode())
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        why = error.strerror or str(error)
        raise StoreError(f"the report cannot be written: {why}", file=str(folder)) from error
    return ReportPaths(folder, page, figures, answer)


def _pictures(data: View) -> Iterator[Picture]:
    """Yield what the page shows, in its order."""
    if len(data.frame) == 0:
        return
    first, counted = headline(data), tally(data)
    if border_sought(data) is not None and data.axes:
        caption = (
            "Places in the colours of their labels, the border between them, and in grey what brackets it."
        )
        yield Picture("border", "headline", caption, lambda: border_diagram(data))
    if "ramp.value" in data.columns:
        caption = "What chosen points do as a value moves there and back; shaded is what brackets a jump."
        yield Picture("hysteresis", "headline", caption, lambda: hysteresis(data))
    regions: dict[str, Any] = {}
    short = regions
    if counted is not None:
        label = f"{counted.question.label}: {counted.question.condition.text}"
        regions = {"border": {label: counted.holds}, "shade": {"decaying: a ghost": counted.dissolving}}
        short = {"border": {counted.question.label: counted.holds}, "shade": {"decaying": counted.dissolving}}
    over: dict[str, Any] = {"contour": predicted_columns(data)}
    chosen = choose_points(data) if "trace.time" in data.columns else []
    marks = {point.letter: point.row for point in chosen}
    if data.axes and first is not None:
        letters = marks and (len(data.axes) == 2 or (data.gridded and len(data.axes) > 2))
        caption = "Letters mark the points whose time courses are shown below." if letters else ""
        yield Picture(
            f"phase_{first}",
            "headline",
            caption,
            lambda: phase_diagram(data, value=first, marks=marks, **regions, **over),
        )
    if data.axes:
        yield from _further_diagrams(data, first, {**short, **over})
        if curves(data, 1):
            caption = "Each statistic against each axis."
            yield Picture("statistics", "statistics", caption, lambda: statistics_against_axes(data))
    if chosen:
        caption = "Mean rates (solid) and bump amplitudes (dashed) of chosen points; stimuli are shaded."
        yield Picture("traces", "traces", caption, lambda: traces(data, chosen))
    sought = goals(data)
    if len(sought) > 1:
        caption = "What the search found: the points that no other beats, and the others."
        yield Picture("front", "history", caption, lambda: search_front(data))
    for goal in sought:
        caption = "What the search tried, in order, and the best so far."
        name = "history" if len(sought) == 1 else f"history_{goal.column}"
        yield Picture(name, "history", caption, lambda goal=goal: search_history(data, goal.column))  # type: ignore[misc]


def _further_diagrams(data: View, first: str | None, regions: dict[str, Any]) -> Iterator[Picture]:
    dense = not data.gridded and len(data.axes) > 2
    names = [name for name in main_statistics(data, 3 * MOST_DIAGRAMS) if name != first]
    few = 3 if dense else MOST_DIAGRAMS
    for name in [name for name in names if _means_something(data, name)][:few]:
        where = _where_it_means_something(data, name)
        yield Picture(
            f"phase_{name}",
            "diagrams",
            ""
            if not where
            else "Left out is what was not looked at."
            if name == "robust"
            else f"Only where {where}.",
            lambda name=name, where=where: phase_diagram(  # type: ignore[misc]
                data, value=name, where=where, width=GALLERY, **regions
            ),
        )
    if "initial_condition" in data.repeats and first is not None and data.gridded and len(data.axes) == 2:
        shown = "regime" if first == POINT_REGIME else first
        yield Picture(
            f"phase_{shown}_by_initial_condition",
            "diagrams",
            "One panel for each initial condition.",
            lambda: phase_diagram(data, value=shown, facet="initial_condition", **regions),
        )


def _where_it_means_something(data: View, name: str) -> str | None:
    """Return the condition under which a column says something: angles and trends need a bump, robust a check."""
    if name == "robust":
        return "robust in [yes, no, undecided]"
    parts = name.split(".")
    if parts[0] != "bump" or len(parts) < 3 or parts[2] not in ("phase", "trend", "velocity"):
        return None
    ratio = ".".join(["bump", parts[1], "ratio", *parts[3:]])
    return f"{ratio} > 0.1" if ratio in data.frame else None


def _means_something(data: View, name: str) -> bool:
    where = _where_it_means_something(data, name)
    return where is None or bool(parse_condition(where).holds(data.frame).any())


def _page(data: View, answer: str, shown: dict[str, list[dict[str, str]]]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from neuroflame.store import SweepStore

    environment = Environment(
        loader=PackageLoader("neuroflame.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sweep = content.sweep_file(data)
    records = list(SweepStore.open(data.uri).read_records())
    lists = [
        regions(data),
        robust(data),
        content.best_points(data),
        content.repeated(data),
        content.failures(data),
    ]
    return environment.get_template("page.html.j2").render(
        title=data.name,
        answer=answer,
        key_figures=content.key_figures(data),
        partial=data.planned is not None and len(data.frame) < data.planned,
        count=len(data.frame),
        planned=data.planned,
        shown=shown,
        listings=[one for one in lists if one is not None],
        constants=content.constants(data),
        provenance=content.provenance(data),
        runs=content.runs(records),
        stopped=content.stopped(records),
        definitions=content.definitions(data),
        sweep=sweep,
        sweep_uri=content.data_uri(sweep.encode(), "application/yaml"),
        file_name=_file_name(data.name),
        uri=content.shown_uri(data),
    )


def _png(fig: Figure) -> bytes:
    buffer = io.BytesIO()
    save(fig, buffer)
    return buffer.getvalue()


def _width(png: bytes) -> int:
    """Return the width that a PNG's header tells, in pixels."""
    return int.from_bytes(png[16:20], "big")


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole: beside its place, to the disk, then moved there."""
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _folder_of(uri: str) -> Path:
    if uri.lower().startswith("file://"):
        return Path(unquote(urlsplit(uri).path))
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", uri):
        raise StoreError("a report is written to a local directory", file=uri, remedy="name one with --out")
    return Path(uri)


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip(".")[:100] or "sweep"
