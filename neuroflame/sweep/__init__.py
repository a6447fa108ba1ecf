"""Sweeps: points, plans, searches, and what runs them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuroflame.sweep.planner import Plan as Plan
    from neuroflame.sweep.planner import make_plan as make_plan
    from neuroflame.sweep.robust import check_robust as check_robust
    from neuroflame.sweep.running import resume as resume
    from neuroflame.sweep.running import run_sweep as run_sweep
    from neuroflame.sweep.running import start as start

__all__ = ["Plan", "check_robust", "make_plan", "resume", "run_sweep", "start"]

_HOMES = {
    "Plan": "planner",
    "check_robust": "robust",
    "make_plan": "planner",
    "resume": "running",
    "run_sweep": "running",
    "start": "running",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: planning must answer at once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"neuroflame.sweep.{_HOMES[name]}"), name)
