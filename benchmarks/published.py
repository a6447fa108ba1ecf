"""A published sweep, held to the reference, timed from numbers to statistics, and beside the original."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks import peer
from benchmarks.row import Options, Outcome, Row
from benchmarks.timing import build, difference, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.networks import Sweep


def outcome(
    sweep: Sweep, options: Options, row: Row, *, of: str, times: Mapping[str, float], checked: int
) -> Outcome:
    """Return a sweep's figure and how many times faster than the original it is.

    Parameters
    ----------
    row : Row
        What the figure is held to.
    of : str
        Which entry of `benchmarks.timing.whole` the figure is.
    times : mapping
        By device, how many times faster than the original it shall be.
    checked : int
        Steps that are compared with the reference.
    """
    if options.smoke:
        sweep = sweep.toy()
    apart = difference(build(sweep.cut(checked).some(4), options.device), checked)
    taken = whole(sweep, options.device, options.repetitions)
    beside, original = peer.beside(
        options,
        sweep,
        taken["microseconds_a_step"] * 1e-6,
        times[options.device],
        5 if options.smoke else None,
    )
    rows = [replace(row, measured=taken[of]), beside]
    return Outcome(rows, taken | original | {"difference_from_reference": apart})
