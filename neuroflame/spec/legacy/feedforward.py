"""Feed-forward dynamics, odours and random delays of a legacy file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from neuroflame.spec.base import is_number

if TYPE_CHECKING:
    from neuroflame.spec.legacy.reading import Legacy
    from neuroflame.spec.legacy.recurrent import Recurrent


def feedforward(legacy: Legacy, recurrent: Recurrent) -> dict[str, Any]:
    """Return the dynamics of the external input, which there are those of all populations."""
    if not legacy.late:
        return {}
    note = legacy.ledger
    found: dict[str, Any] = {}
    if legacy.flag("IF_FF_DYN"):
        note.carry("IF_FF_DYN", "feedforward.tau")
        found["tau"] = legacy.numbers("TAU_FF", 1, exact=True)[0]
        note.carry("TAU_FF", "feedforward.tau")
    if legacy.flag("IF_FF_STP"):
        plastic = _plasticity(legacy, recurrent)
        if plastic:
            found["stp"] = dict.fromkeys(recurrent.names, plastic)
    if legacy.flag("IF_FF_ADAPT"):
        found["adaptation"] = dict.fromkeys(recurrent.names, _adaptation(legacy))
    return found


def _plasticity(legacy: Legacy, recurrent: Recurrent) -> dict[str, Any]:
    note = legacy.ledger
    use, fac, rec = (legacy.numbers(key, 1, exact=True)[0] for key in ("FF_USE", "TAU_FF_FAC", "TAU_FF_REC"))
    if not use:
        note.idle("IF_FF_STP FF_USE TAU_FF_FAC TAU_FF_REC", "FF_USE is 0: plastic afferents add nothing")
        return {}
    kind = recurrent.stp_kind()
    note.carry("IF_FF_STP", "feedforward.stp, which adds to the input there: static is 1")
    for key, where in (("FF_USE", "U"), ("TAU_FF_FAC", "tau_fac"), ("TAU_FF_REC", "tau_rec")):
        note.carry(key, f"feedforward.stp.*.{where}")
    if kind != "markram_exp" and not (fac > 0 and rec > 0):
        note.lose("STP_TYPE", "markram with a time constant of 0, which there means never")
    return {"kind": kind, "U": use, "tau_fac": fac, "tau_rec": rec, "static": 1.0}


def _adaptation(legacy: Legacy) -> dict[str, Any]:
    note = legacy.ledger
    strength, tau = (legacy.numbers(key, 1, exact=True)[0] for key in ("A_FF_ADAPT", "TAU_FF_ADAPT"))
    if strength < 0 or (strength and tau <= 0):
        key, least = ("A_FF_ADAPT", "at least 0") if strength < 0 else ("TAU_FF_ADAPT", "above 0")
        raise legacy.fault(key, f"must be {least}", got=legacy.get(key))
    note.carry("IF_FF_ADAPT", "feedforward.adaptation, which also cuts off negative input")
    note.carry("A_FF_ADAPT", "feedforward.adaptation.*.strength")
    note.carry("TAU_FF_ADAPT", "feedforward.adaptation.*.tau")
    return {"tau": tau or 1.0, "strength": strength}  # without strength the time constant is no matter


def odours(legacy: Legacy, count: int, strengths: list[float], widths: list[float]) -> list[dict[str, Any]]:
    """Return the shapes of as many stimuli of the dual task: normal patterns with the file's covariance.

    There they are the columns 1 and 3 of a draw with mean LR_MEAN and covariance LR_COV; where the first two
    are one (LR_COV[0][0] is LR_COV[0][1]), the columns 0 and 2. Empty if they cannot carry over.
    """
    note = legacy.ledger
    mean, covariance = legacy.get("LR_MEAN"), legacy.get("LR_COV")
    rows = covariance if isinstance(covariance, list) else []
    square = all(isinstance(row, list) and len(row) == len(rows) and all(map(is_number, row)) for row in rows)
    if not rows or not square or not isinstance(mean, list) or len(mean) != len(rows):
        raise legacy.fault("LR_COV", "must be a square matrix as large as LR_MEAN", got=covariance)
    one = len(rows) > 1 and rows[0][0] == rows[0][1]
    columns = [0, 2] if one else [1, 3]
    if count > 2 or columns[count - 1] >= len(rows):
        note.lose("TASK", "more stimuli than patterns are drawn, at which the original stops")
        return []
    if any(mean[column] for column in columns[:count]):
        note.lose("LR_MEAN", "random patterns whose mean is not 0")
        return []
    note.carry("LR_MEAN LR_COV", "strength and overlap of the stimuli's patterns, drawn anew here")
    found: list[dict[str, Any]] = []
    for i, column in enumerate(columns[:count]):
        spread = math.sqrt(rows[column][column])
        found.append({"shape": "pattern", "number": i, "strength": strengths[i] * widths[i] * spread})
    shared = rows[columns[1]][columns[0]] if count == 2 else 0.0
    if shared:
        first, second = (rows[column][column] for column in columns)
        found[1] |= {"like": 0, "overlap": shared / math.sqrt(first * second)}
    return found


class RandomDelay:
    """Delays that are drawn for each copy of the network.

    Attributes
    ----------
    extra : int
        Steps by which the run is longer for them.
    """

    def __init__(self, legacy: Legacy, *, live: bool) -> None:
        self._legacy, self.extra, self.on = legacy, 0, False
        if legacy.late and legacy.flag("RANDOM_DELAY"):
            self._read(live=live)

    def _read(self, *, live: bool) -> None:
        legacy, note, task = self._legacy, self._legacy.ledger, self._legacy.text("TASK")
        dt, lost = legacy.number("DT"), ""
        shortest, longest = (legacy.number(key) / dt for key in ("MIN_DELAY", "MAX_DELAY"))
        self._low, self._high = int(shortest), int(longest)
        if legacy.values.get("DELAY_LIST") is not None:
            lost = "random delays from a list"
        elif live or "odr" not in task or "rand" in task or "dual" in task:
            lost = "a random delay for each copy of the network, but of cosine or Gaussian stimuli made ahead"
        elif self._high <= self._low or legacy.length("T_STIM_ON") < 2:
            lost = "random delays of which there are none, at which the original stops"
        if lost:
            note.lose("RANDOM_DELAY", lost)
            note.lose("MIN_DELAY MAX_DELAY DELAY_LIST", "part of RANDOM_DELAY")
            return
        self.on, self.extra = True, int(longest - shortest)
        note.carry("RANDOM_DELAY", "jitter of the stimuli after the first, one draw for all")
        note.carry("MIN_DELAY MAX_DELAY", "jitter; the run is longer by their difference")
        note.idle("DELAY_LIST", "none: delays are drawn between MIN_DELAY and MAX_DELAY")

    def move(self, on: list[int], off: list[int]) -> None:
        """Move the second stimulus to the end of the first, for a second, as the original does; in place."""
        if self.on:
            on[1] = off[0] + 1
            off[1] = on[1] + int(1.0 / self._legacy.number("DT"))

    def jitter(self, i: int) -> dict[str, Any]:
        """Return the jitter of a stimulus: every whole number of steps is as likely as there."""
        if not self.on or i == 0:
            return {}
        dt = self._legacy.number("DT")
        ends = {"low": (self._low - 0.5) * dt, "high": (self._high - 0.5) * dt}
        return {"jitter": {key: round(value, 12) for key, value in ends.items()} | {"draw": 0}}
