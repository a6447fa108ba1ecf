"""Which colours stand for which values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize

from neuroflame.report.cells import cyclic
from neuroflame.report.limits import floor_of
from neuroflame.report.style import fitted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

    from neuroflame.report.views import View

# Regimes and states keep their colour from figure to figure; the palette is safe for colour-blind readers.
NAMED = {
    "ok": "#4daf8c",
    "diverged": "#b2182b",
    "runaway": "#b2182b",
    "failed": "#2b2b2b",
    "slow": "#b9a37e",
    "transient": "#b9a37e",
    "quiescent": "#c2c9d3",
    "homogeneous": "#8fb8de",
    "heterogeneous": "#4f7fb5",
    "bump": "#e69f00",
    "spontaneous bump": "#f3cf73",
    "ring attractor": "#d55e00",
    "travelling": "#cc79a7",
    "oscillating": "#009e73",
    "chaotic": "#6a3d9a",
    "fluctuating": "#b8a2d6",
    "multistable": "#f0e442",
    "unknown": "#ffffff",
    "yes": "#e69f00",
    "no": "#c2c9d3",
}
OF_COLUMN = {"robust": {"yes": "#009e73", "no": "#d55e00", "undecided": "#f0e442"}}
"""Colours of names in a column where they say something else."""
_ALIKE = 1e-5  # relative span of what differs by rounding in single precision
OTHERS = ("#56b4e9", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#f0e442", "#6a3d9a", "#a6761d", "#666666")


@dataclass(frozen=True)
class Scale:
    """A colour scale.

    Parameters
    ----------
    cmap : Colormap
    norm : Normalize
    extend : {"neither", "min", "max", "both"}
        On which side values lie beyond the scale.
    ticks : tuple of float, optional
    tick_names : tuple of str, optional
    names : tuple of str
        Of a categorical column: what 0, 1, … stand for.
    """

    cmap: Colormap
    norm: Normalize
    extend: str = "neither"
    ticks: tuple[float, ...] | None = None
    tick_names: tuple[str, ...] | None = None
    names: tuple[str, ...] = ()

    def colour(self, code: float) -> tuple[float, float, float, float]:
        """Return the colour of a value."""
        return self.cmap(self.norm(code))


def scale_of(view: View, value: str, values: np.ndarray, names: tuple[str, ...] = ()) -> Scale:
    """Return the colour scale that fits a column.

    Parameters
    ----------
    view : View
    value : str
        The column: angles get a cyclic map, signed numbers a diverging one centred at zero, small whole
        numbers and names steps, all others viridis.
    values : ndarray
        What is to be shown; the scale leaves out a few extreme values if they would take all its range.
    names : tuple of str
        Of a categorical column.
    """
    if names:
        return _named(names, NAMED | OF_COLUMN.get(value, {}))
    if cyclic(view, value):
        quarters = tuple(np.arange(5) * np.pi / 2)
        shown = ("0", r"$\pi/2$", r"$\pi$", r"$3\pi/2$", r"$2\pi$")
        return Scale(mpl.colormaps["twilight"], Normalize(0, 2 * np.pi), "neither", quarters, shown)
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return Scale(mpl.colormaps["viridis"], Normalize(0, 1))
    whole = np.unique(finite)
    if value in view.columns and view.columns[value].kind == "int" and np.all(whole == whole.round()):
        first, last = int(whole[0]), int(whole[-1])
        if last - first < 10:
            steps = np.arange(first, last + 2) - 0.5
            cmap = mpl.colormaps["viridis"].resampled(max(len(steps) - 1, 2))
            return Scale(cmap, BoundaryNorm(steps, cmap.N), "neither", tuple(range(first, last + 1)))
    low, high, extend = _limits(finite)
    floor = floor_of(value)
    if high - low < floor and low > -floor:
        low, high, extend = (min(low, 0.0), max(high, floor), "neither")
    signed = low < 0 < high and min(-low, high) > 0.03 * max(-low, high)
    if signed or value.rpartition(".")[2] in ("trend", "velocity", "alpha"):
        reach = max(abs(low), abs(high))
        return Scale(mpl.colormaps["RdBu_r"], Normalize(-reach, reach), extend)
    if 0 <= low < 0.35 * high and extend in ("neither", "max"):
        low = 0.0
    return Scale(mpl.colormaps["viridis"], Normalize(low, high), extend)


def colour_bar(
    fig: Figure, mappable: ScalarMappable, ax: Axes | list[Axes], scale: Scale, label: str, **where: object
) -> None:
    """Draw the labelled colour bar of a scale."""
    first = ax[0] if isinstance(ax, list) else ax
    height = first.get_position().height * fig.get_figheight()
    label = fitted(label, 1.05 * height * (len(ax) ** 0.5 if isinstance(ax, list) else 1.0))
    bar = fig.colorbar(mappable, ax=ax, extend=scale.extend, label=label, **where)  # type: ignore[arg-type]
    bar.outline.set_linewidth(0.6)
    if scale.ticks is not None:
        bar.set_ticks(list(scale.ticks), labels=list(scale.tick_names) if scale.tick_names else None)
        bar.minorticks_off()


def _named(names: tuple[str, ...], known: Mapping[str, str]) -> Scale:
    free = iter(OTHERS * (len(names) // len(OTHERS) + 1))
    taken = {known[name] for name in names if name in known}
    colours = [known.get(name) or next(c for c in free if c not in taken or len(names) > 9) for name in names]
    cmap = ListedColormap(colours)
    return Scale(cmap, BoundaryNorm(np.arange(len(names) + 1) - 0.5, len(names)), names=names)


def _limits(finite: np.ndarray) -> tuple[float, float, str]:
    """Return limits that a few extreme values do not stretch, and on which side there are such."""
    low, high = float(finite.min()), float(finite.max())
    near, far = np.percentile(finite, [2, 98])
    room = max(far - near, 1e-12 * max(abs(low), abs(high), 1e-300))
    beyond = (low < near - 1.5 * room, high > far + 1.5 * room)
    low, high = (float(near) if beyond[0] else low), (float(far) if beyond[1] else high)
    if high - low <= _ALIKE * max(abs(low), abs(high)):
        pad = 0.5 * abs(low) or 0.5
        return low - pad, high + pad, "neither"
    return low, high, {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[beyond]
