"""Initial conditions by name: how a point starts, and where its cue points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from neuroflame.errors import SpecError
from neuroflame.spec.base import suggestion

STARTS = ("network", "cold", "hot", "cued")
"""What an initial condition may be; ``cued@45`` is ``cued`` with the stimuli turned by 45 degrees."""
TURNED = "cued@"
_MOST = 3600


def turn_of(name: str, *, path: str | None = None) -> float:
    """Return by how many degrees an initial condition turns the network's stimuli.

    Raises
    ------
    SpecError
        If there is no such initial condition.
    """
    if name in STARTS:
        return 0.0
    try:
        turn = float(name.removeprefix(TURNED)) if name.startswith(TURNED) else math.nan
    except ValueError:
        turn = math.nan
    if not math.isfinite(turn):
        raise SpecError("is not an initial condition", got=name, path=path, remedy=suggestion(name, STARTS))
    return turn


def starts_of(entry: Any) -> tuple[Any, ...]:
    """Return the names that one entry of ``initial_conditions`` stands for: ``{cued: 8}`` for eight phases.

    The first of them is the network file's own phase, ``cued``.
    """
    if not isinstance(entry, Mapping):
        return (entry,)
    count = entry.get("cued")
    if set(entry) != {"cued"} or not isinstance(count, int) or not 1 <= count <= _MOST:
        raise SpecError("must be a name, or {cued: N} for cues at N phases", got=dict(entry))
    return ("cued", *(f"{TURNED}{360 * k / count:g}" for k in range(1, count)))
