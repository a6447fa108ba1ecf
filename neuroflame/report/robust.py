"""Which labels of a sweep are robust, as a table of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroflame.regimes import CHECKS, ROBUST_COLUMNS, robustness
from neuroflame.regimes.robust import YES
from neuroflame.report.content import Listing

if TYPE_CHECKING:
    from collections import Counter

    from neuroflame.report.views import View

_MOST = 3


def robust(data: View) -> Listing | None:
    """Return for each label how many of its points were checked, and what they become; None where none was."""
    if "robust" not in data.columns or data.points is None:
        return None
    firsts = [rows[0] for rows in data.points["row"]]
    names = [column.name for column in ROBUST_COLUMNS]
    points = {"regime": data.points["regime"], **{name: data.texts(name)[firsts] for name in names}}
    lines = [
        (
            line["regime"],
            str(line["points"]),
            str(line["robust"]),
            str(line["no"]),
            str(line["undecided"]),
            *(_cell(line[check]) for check in CHECKS),
        )
        for line in robustness(points)
    ]
    if not lines:
        return None
    looked = sum(int(line[1]) for line in lines)
    note = (
        f"The labels of {looked} of {len(firsts)} points were compared with those at half the step, in twice the "
        "neurons (of random connectivity with the same K, in several draws) and for twice the time: yes where they are "
        "the same, else what they become. Robust is what is the same in all three, undecided what is so far. Each "
        "point's own: columns robust and robust.*"
    )
    return Listing(
        "Robust labels",
        ("label", "looked at", "robust", "not", "undecided", *CHECKS.values()),
        tuple(lines),
        note,
    )


def _cell(told: Counter[str]) -> str:
    if not told:
        return "–"
    changed = [(name, count) for name, count in told.most_common() if name != YES]
    text = "; ".join(f"{count} {name}" for name, count in changed[:_MOST])
    more = sum(count for _, count in changed[_MOST:])
    parts = [f"{told[YES]} yes"] + ([text] if text else []) + ([f"{more} others"] if more else [])
    return "; ".join(parts)
