"""How figures look: size, header, legend. Nothing here touches matplotlib's global state for good."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, NullLocator

from neuroflame.report.labels import escape, number, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from neuroflame.report.axes import Axis

DPI = 130
INK, MUTED, FAINT = "#1c1f24", "#5c6470", "#c9ced6"
RC: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.labelsize": 10.0,
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "hatch.linewidth": 0.7,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "text.usetex": False,
    "axes.unicode_minus": True,
    "figure.dpi": DPI,
}

P = ParamSpec("P")
R = TypeVar("R")


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Run a function with the report's own settings, whatever the user's are, and put those back."""

    @functools.wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(RC):
            return draw(*args, **kwargs)

    return inside


def new_figure(width: float, height: float, title: str = "", subtitle: str = "") -> Figure:
    """Return a figure with a header above the part that axes share out.

    Parameters
    ----------
    width, height : float
        Inches; the header comes on top of the height.
    title, subtitle : str
        Plain text, broken into lines where it is too long.
    """
    heads = wrap(title, width - 0.3, 12.0, bold=True)
    notes = wrap(subtitle, width - 0.3, 8.5)
    header = 0.1 + 0.215 * len(heads) + 0.16 * len(notes) + 0.08 if heads or notes else 0.0
    total = height + header
    engine = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.07, rect=(0.0, 0.0, 1.0, height / total))
    fig = Figure(figsize=(width, total), layout=engine)
    FigureCanvasAgg(fig)
    left, top = 0.12 / width, 1.0 - 0.1 / total
    kind: dict[str, Any] = {"va": "top", "ha": "left", "parse_math": False, "linespacing": 1.25}
    if heads:
        fig.text(left, top, "\n".join(heads), size=12.0, weight="bold", **kind)
    if notes:
        top -= 0.215 * len(heads) / total
        fig.text(left, top, "\n".join(notes), size=8.5, color=MUTED, **kind)
    return fig


def inches(line: str, size: float, *, bold: bool = False, math: bool = False) -> float:
    """Return how wide one line of text is at a font size in points."""
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    return float(text_to_path.get_text_width_height_descent(line, font, math)[0]) / 72.0 if line else 0.0


def wrap(text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
    """Break plain text into lines that are at most so many inches wide at a font size in points."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and inches(f"{line} {word}", size, bold=bold) > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
        while (wide := inches(line, size, bold=bold)) > width and len(line) > 1:
            cut = max(1, int(len(line) * width / wide) - 1)
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line] if line else lines


def fitted(label: str, room: float, size: float = 10.0) -> str:
    """Return a label for an axis that is so many inches long: in two lines, or shortened, if it must be."""
    if inches(label, size, math=True) <= room:
        return label
    cuts = [k for k, char in enumerate(label) if char == " " and label[:k].count("$") % 2 == 0]
    if cuts:
        cut = min(cuts, key=lambda k: abs(k - len(label) / 2))
        lines = [label[:cut], label[cut + 1 :]]
    else:
        lines = [label]
    return "\n".join(cut_to(line, room, size) for line in lines)


def cut_to(line: str, room: float, size: float) -> str:
    """Return a line cut to so many inches; one with mathematics stays whole, it is short."""
    plain = line.replace(r"\$", "")
    if "$" in plain:
        return line
    plain = line.replace(r"\$", "$")
    longest = len(plain)
    while longest > 6 and inches(shorten(plain, longest), size) > room:
        longest -= 1
    return escape(shorten(plain, longest))


def legend_below(fig: Figure, handles: Sequence[Artist], labels: Sequence[str], width: float) -> None:
    """Put a legend under all axes: in one row if it fits, else in as many columns as do."""
    if not handles:
        return
    lines = [wrap(label, width - 0.9, 8.5) for label in labels]
    widths = [max(inches(line, 8.5) for line in label) + 0.62 for label in lines]
    columns = next(
        n for n in range(len(widths), 0, -1) if n == 1 or _columns_width(widths, n) <= width - 0.25
    )
    clean = ["\n".join(escape(line) for line in label) for label in lines]
    fig.legend(handles, clean, loc="outside lower left", ncols=columns, borderaxespad=0.3, handlelength=1.8)


def _columns_width(widths: Sequence[float], columns: int) -> float:
    """Return how wide a legend is that matplotlib fills column by column."""
    rows, longer = divmod(len(widths), columns)
    heights = [rows + 1] * longer + [rows] * (columns - longer)
    starts = np.cumsum([0, *heights[:-1]])
    return float(sum(max(widths[a : a + n]) for a, n in zip(starts, heights, strict=True) if n))


def dress(ax: Axes, axis: Axis, which: Literal["x", "y"], label: str, *, crowded: bool = False) -> None:
    """Give one side of an axes its scale, its limits, its ticks at the table's levels, and its label.

    Parameters
    ----------
    ax : Axes
    axis : Axis
    which : {"x", "y"}
    label : str
    crowded : bool
        Whether there is room for a few ticks only.
    """
    if axis.log:
        getattr(ax, f"set_{which}scale")("log")
    limits = axis.limits
    getattr(ax, f"set_{which}lim")(limits)
    side = ax.xaxis if which == "x" else ax.yaxis
    side_length = ax.bbox.width if which == "x" else ax.bbox.height
    room = side_length / ax.figure.dpi
    side.set_label_text(fitted(label, 1.05 * room))
    most = 5 if crowded else 9
    places, names = axis.places, [tick_name(level) for level in axis.levels]
    few = len(places) <= 12 and _apart(places, limits, log=axis.log, least=0.75 / most)
    narrow = axis.log and axis.levels[-1] / axis.levels[0] < 100
    if axis.named or few or (narrow and not axis.sampled):
        if not few:
            keep = np.unique(np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(int))
            places, names = places[keep], [names[k] for k in keep]
        side.set_major_locator(FixedLocator(list(places)))
        side.set_major_formatter(FixedFormatter(names))
        side.set_minor_locator(NullLocator())
    elif narrow:
        decades = np.log10(axis.levels[-1] / axis.levels[0])
        side.set_major_locator(LogLocator(subs=(1.0,) if crowded and decades > 1 else (1.0, 2.0, 5.0)))
        side.set_major_formatter(FuncFormatter(lambda place, _: number(place)))
        side.set_minor_locator(NullLocator())
    elif not axis.log:
        ax.locator_params(axis=which, nbins=most - 1)
    if which == "x" and axis.named and max(map(len, names)) * len(names) > 40:
        ax.tick_params(axis="x", labelrotation=35)
        for label_text in ax.get_xticklabels():
            label_text.set(ha="right", rotation_mode="anchor")


def tick_name(level: object) -> str:
    """Return a level as it stands beside a tick."""
    return escape(shorten(level, 24)) if isinstance(level, str) else number(level, 4)


def save(fig: Figure, file: Path | BinaryIO) -> None:
    """Write a PNG."""
    fig.savefig(file, dpi=DPI, format="png", metadata={"Software": "NeuroFlame"})


def _apart(places: np.ndarray, limits: tuple[float, float], *, log: bool, least: float) -> bool:
    """Whether neighbouring levels keep a least share of the axis between their ticks."""
    if log:
        places, limits = np.log(places), (np.log(limits[0]), np.log(limits[1]))
    return len(places) < 2 or bool(np.diff(places).min() > least * (limits[1] - limits[0]))
