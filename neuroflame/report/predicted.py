"""The phase diagram that theory predicts, without a simulation: its lines of text and its figure."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuroflame.errors import StoreError
from neuroflame.report.answer import where_they_lie
from neuroflame.report.contours import predicted_columns
from neuroflame.report.diagrams import phase_diagram
from neuroflame.report.style import save
from neuroflame.report.views import view

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neuroflame.report.views import Table

_REASONS = 4


def draw_prediction(table: Table, path: str | os.PathLike[str]) -> str:
    """Write the figure of `predicted_diagram` to a file and return the lines of `predicted_summary`.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    try:
        save(predicted_diagram(table), Path(path))
    except OSError as error:
        raise StoreError("cannot be written", got=error.strerror, file=os.fspath(path)) from None
    return predicted_summary(table)


def predicted_diagram(table: Table) -> Figure:
    """Draw the predicted regimes over the swept axes, and where modes 0 and 1 begin to grow."""
    data = view(table)
    lines = tuple(name for name in predicted_columns(data) if name != "theory.regime")
    return phase_diagram(data, value="theory.regime", contour=lines)  # type: ignore[return-value]


def predicted_summary(table: Table) -> str:
    """Return how many points have which predicted regime, where they lie, and what theory leaves out, in lines."""
    data = view(table)
    regimes, reasons = data.texts("theory.regime"), data.texts("theory.reason")
    lines = []
    for name, count in Counter(regimes).most_common():
        where = where_they_lie(data, np.asarray(regimes == name))
        lines.append(f"{name:<12}{count:>7,}  {where}".rstrip())
    told = Counter(reason for reason in reasons if reason is not None)
    for reason, count in told.most_common(_REASONS):
        lines.append(f"of {count:,}: {reason}")
    if len(told) > _REASONS:
        lines.append(f"and {len(told) - _REASONS} more reasons, in the column theory.reason")
    return "\n".join(lines)
