"""From points to the cells of a plane: averages over repeats, missing cells, borders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuroflame.errors import SpecError

if TYPE_CHECKING:
    from neuroflame.report.axes import Axis
    from neuroflame.report.views import View

MOST_NAMES = 40
REDUCTIONS = ("mean", "median", "min", "max", "sd", "se")


@dataclass(frozen=True)
class Cells:
    """One column over the plane of two axes.

    Parameters
    ----------
    x, y : Axis
    value : ndarray, (len(y.levels), len(x.levels))
        Reduced over the points of a cell: floats, NaN where there is none, or indices into `names`.
    counts, used : ndarray of int
        Points computed in each cell, and those of them that were to be used.
    failed, diverged : ndarray of int
        Those of them that have no result, by cause.
    silent : ndarray of int
        Those in which the population that the column is relative to does not fire.
    names : tuple of str
        Of a categorical column, else empty.
    """

    x: Axis
    y: Axis
    value: np.ndarray
    counts: np.ndarray
    used: np.ndarray
    failed: np.ndarray
    diverged: np.ndarray
    silent: np.ndarray
    names: tuple[str, ...] = ()

    @property
    def empty(self) -> np.ndarray:
        """Cells without any point yet."""
        return self.counts == 0

    @property
    def all_diverged(self) -> np.ndarray:
        """Cells without a value where points blew up."""
        return np.isnan(self.value) & (self.diverged > 0) & (self.failed == 0)

    @property
    def all_failed(self) -> np.ndarray:
        """Cells without a value where points failed."""
        return np.isnan(self.value) & (self.failed > 0)

    @property
    def undefined(self) -> np.ndarray:
        """Cells whose points ended well but have no such value."""
        lost = self.failed + self.diverged + self.silent
        return np.isnan(self.value) & (self.used > 0) & (lost == 0)

    @property
    def all_silent(self) -> np.ndarray:
        """Cells without a value where nothing fires."""
        return np.isnan(self.value) & (self.silent > 0) & (self.failed + self.diverged == 0)

    @property
    def left_out(self) -> np.ndarray:
        """Cells whose points were not to be used."""
        return (self.counts > 0) & (self.used == 0)

    @property
    def some_lost(self) -> np.ndarray:
        """Cells with a value from only part of their points, the others having failed or diverged."""
        return ~np.isnan(self.value) & (self.failed + self.diverged > 0)


def gather(
    view: View,
    value: str,
    x: Axis,
    y: Axis,
    *,
    rows: np.ndarray | None = None,
    use: np.ndarray | None = None,
    reduce: str | None = None,
) -> Cells:
    """Gather a column over the plane of two axes.

    Parameters
    ----------
    view : View
    value : str
        A statistic; a categorical one is reduced to its most frequent name.
    x, y : Axis
    rows : ndarray of bool, (P,), optional
        Which points the plane is made of.
    use : ndarray of bool, (P,), optional
        Which of those to use.
    reduce : {"mean", "median", "min", "max", "sd"}, optional
        Of numbers over the points of a cell; the mean by default, for angles the circular mean.
    """
    cell, shape = _cell_of_rows(view, x, y, rows)
    counts = np.bincount(cell[cell >= 0], minlength=shape[0] * shape[1]).reshape(shape)
    cell = cell if use is None else np.where(use, cell, -1)
    inside = cell >= 0
    size = shape[0] * shape[1]

    def count(mask: np.ndarray) -> np.ndarray:
        return np.bincount(cell[inside & mask], minlength=size).reshape(shape)

    names: tuple[str, ...] = ()
    told = value in ("status", "robust")  # of points that diverged too
    if view.categorical(value):
        names, codes = _categories(view.texts(value))
        votes = np.stack(
            [np.bincount(cell[inside & (codes == k)], minlength=size) for k in range(len(names))]
        )
        reduced = np.where(votes.sum(axis=0) > 0, votes.argmax(axis=0), np.nan)
        told = told or any(name in ("diverged", "runaway") for name in names)
    else:
        reduced = _reduce(
            view.numbers(value), np.where(inside, cell, -1), size, reduce, cyclic=cyclic(view, value)
        )
    failed = count((view.status == "failed") & (value != "status"))
    diverged = count((view.status == "diverged") & (not told))
    silent = count(view.silent(value))
    return Cells(x, y, reduced.reshape(shape), counts, count(inside), failed, diverged, silent, names)


def cyclic(view: View, value: str) -> bool:
    """Whether a column is an angle that repeats after 2π."""
    unit = view.columns[value].unit if value in view.columns else ""
    return unit == "rad" and "phase" in value


def share(view: View, truth: np.ndarray, x: Axis, y: Axis, *, rows: np.ndarray | None = None) -> np.ndarray:
    """Return in what share of each cell's points a condition is true.

    Parameters
    ----------
    truth : ndarray, (P,)
        1 true, 0 false, NaN unknown (of a point that failed or diverged: false).

    Returns
    -------
    ndarray, (len(y.levels), len(x.levels))
        NaN for cells without points.
    """
    cell, shape = _cell_of_rows(view, x, y, rows)
    inside = cell >= 0
    size = shape[0] * shape[1]
    total = np.bincount(cell[inside], minlength=size)
    true = np.bincount(cell[inside & (truth == 1.0)], minlength=size)
    with np.errstate(invalid="ignore"):
        return np.where(total > 0, true / total, np.nan).reshape(shape)


def border_segments(inside: np.ndarray, known: np.ndarray, x: Axis, y: Axis) -> np.ndarray:
    """Return the cell edges that part cells inside a region from those outside.

    Parameters
    ----------
    inside : ndarray of bool, (ny, nx)
    known : ndarray of bool, (ny, nx)
        Where it is known; an edge next to an unknown cell or at the rim of the plane is no border.

    Returns
    -------
    ndarray, (n, 2, 2)
        Straight segments, each from (x, y) to (x, y); edges in one line and next to each other are joined.
    """
    segments = []
    for across in (False, True):
        a, k = (inside.T, known.T) if across else (inside, known)
        lines, along = (y.edges, x.edges) if across else (x.edges, y.edges)
        crossing = (a[:, 1:] != a[:, :-1]) & k[:, 1:] & k[:, :-1]  # (along, lines - 2)
        for line in range(crossing.shape[1]):
            for first, last in _runs(crossing[:, line]):
                ends = [(lines[line + 1], along[first]), (lines[line + 1], along[last])]
                segments.append([end[::-1] if across else end for end in ends])
    return np.array(segments, dtype=float).reshape(-1, 2, 2)


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    steps = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(int), [0]))))
    return [(int(a), int(b)) for a, b in zip(steps[::2], steps[1::2], strict=True)]


def _cell_of_rows(
    view: View, x: Axis, y: Axis, rows: np.ndarray | None
) -> tuple[np.ndarray, tuple[int, int]]:
    shape = (len(y.levels), len(x.levels))
    ix, iy = x.codes(view.frame), y.codes(view.frame)
    cell = np.where((ix >= 0) & (iy >= 0), iy * shape[1] + ix, -1)
    return (cell if rows is None else np.where(rows, cell, -1)), shape


def _categories(texts: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    names = tuple(sorted(set(texts) - {None})) or ("none",)
    if len(names) > MOST_NAMES:
        raise SpecError(f"a column of names must hold at most {MOST_NAMES} different ones", got=names[0])
    lookup = {name: k for k, name in enumerate(names)}
    return names, np.array([lookup.get(text, -1) if text is not None else -1 for text in texts], dtype=int)


def _reduce(
    values: np.ndarray, cell: np.ndarray, size: int, reduce: str | None, *, cyclic: bool
) -> np.ndarray:
    if reduce is not None and reduce not in REDUCTIONS:
        raise SpecError(f"reduce must be one of {', '.join(REDUCTIONS)}", got=reduce)
    good = np.isfinite(values) & (cell >= 0)
    values, cell = values[good], cell[good]
    count = np.bincount(cell, minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        if cyclic and reduce in (None, "mean", "sd", "se"):
            turn = np.bincount(cell, np.cos(values), size) + 1j * np.bincount(cell, np.sin(values), size)
            if reduce in (None, "mean"):
                return np.where(count > 0, np.angle(turn) % (2 * np.pi), np.nan)
            spread = np.sqrt(-2.0 * np.log(np.minimum(np.abs(turn) / count, 1.0)) * count / (count - 1))
            return np.where(count > 1, spread if reduce == "sd" else spread / np.sqrt(count), np.nan)
        mean = np.bincount(cell, values, size) / count
        if reduce in (None, "mean"):
            return np.where(count > 0, mean, np.nan)
        if reduce in ("sd", "se"):
            variance = np.bincount(cell, (values - mean[cell]) ** 2, size) / (count - 1)
            spread = np.where(count > 1, np.sqrt(variance), np.nan)
            return spread if reduce == "sd" else spread / np.sqrt(count)
    order = np.lexsort((values, cell))
    values, start = values[order], np.concatenate(([0], np.cumsum(count)[:-1]))
    low, high = {"min": (0 * count, 0 * count), "max": (count - 1, count - 1)}.get(
        reduce, ((count - 1) // 2, count // 2)
    )
    padded = np.append(values, np.nan)
    pick = [np.where(count > 0, start + offset, len(values)) for offset in (low, high)]
    return (padded[pick[0]] + padded[pick[1]]) / 2
