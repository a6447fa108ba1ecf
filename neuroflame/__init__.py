"""NeuroFlame: where in its parameter space does a recurrent network do what?"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuroflame.network import Network as Network
    from neuroflame.store import open_table as open_table
    from neuroflame.sweep import run_sweep as run_sweep

__version__ = "0.1.0"
__all__ = ["Network", "__version__", "open_table", "run_sweep"]

_HOMES = {"Network": "neuroflame.network", "open_table": "neuroflame.store", "run_sweep": "neuroflame.sweep"}


def __getattr__(name: str) -> Any:
    """Import the heavy rooms only when they are used: the command line must answer at once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
