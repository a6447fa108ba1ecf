"""Figures and the HTML page of a sweep's table.

Every function takes what `neuroflame.store.open_table` returns, or the path of a sweep's directory. Axes,
units and levels come from the table's own columns. Figures are matplotlib `Figure` objects that no global
state knows of: nothing has to be closed, and no setting of the user's is changed.

Names are imported when they are first used, so that `summary` costs no matplotlib.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuroflame.conditions import Condition, parse_condition
    from neuroflame.report.answer import Question, Tally, objective, question, summary, tally
    from neuroflame.report.border import border_diagram
    from neuroflame.report.branch import plot_branch
    from neuroflame.report.choose import Chosen, choose_points, main_statistics
    from neuroflame.report.connectivity import plot_connectivity
    from neuroflame.report.diagrams import phase_diagram
    from neuroflame.report.history import search_front, search_history
    from neuroflame.report.loops import hysteresis
    from neuroflame.report.page import ReportPaths, build_report
    from neuroflame.report.panels import statistics_against_axes
    from neuroflame.report.predicted import draw_prediction, predicted_diagram, predicted_summary
    from neuroflame.report.series import traces
    from neuroflame.report.views import View, view

_HOMES = {
    "answer": ("Question", "Tally", "objective", "question", "summary", "tally"),
    "border": ("border_diagram",),
    "branch": ("plot_branch",),
    "choose": ("Chosen", "choose_points", "main_statistics"),
    "neuroflame.conditions": ("Condition", "parse_condition"),
    "connectivity": ("plot_connectivity",),
    "diagrams": ("phase_diagram",),
    "history": ("search_front", "search_history"),
    "loops": ("hysteresis",),
    "page": ("ReportPaths", "build_report"),
    "panels": ("statistics_against_axes",),
    "predicted": ("draw_prediction", "predicted_diagram", "predicted_summary"),
    "series": ("traces",),
    "views": ("View", "view"),
}

__all__ = [
    "Chosen",
    "Condition",
    "Question",
    "ReportPaths",
    "Tally",
    "View",
    "border_diagram",
    "build_report",
    "choose_points",
    "draw_prediction",
    "hysteresis",
    "main_statistics",
    "objective",
    "parse_condition",
    "phase_diagram",
    "plot_branch",
    "plot_connectivity",
    "predicted_diagram",
    "predicted_summary",
    "question",
    "search_front",
    "search_history",
    "statistics_against_axes",
    "summary",
    "tally",
    "traces",
    "view",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            module = home if "." in home else f"{__name__}.{home}"
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
