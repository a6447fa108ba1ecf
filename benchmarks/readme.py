"""Write the README's table of speeds from the records in benchmarks/results."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.record import RESULTS

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- speed: python -m benchmarks.readme -->\n", "<!-- end -->\n"
POINTS = {
    "ring": "ring, 400 points × 13,500 steps",
    "balanced ring": "balanced ring, 200 points × 11,500 steps",
}


def lines() -> str:
    """Return the table, and how its figures were made."""
    text = []
    for path in sorted(RESULTS.glob("published-*.json")):
        record = json.loads(path.read_text())
        machine = record["machine"]
        device = path.stem.split("-")[1]
        text += [
            f"{machine['device']}, torch {machine['torch']}, commit {machine['commit']}; "
            f"`make bench DEVICE={device} ARGS='--peer CHECKOUT'`:",
            "",
            "| sweep | executor | µs a step | whole sweep | × original |",
            "|---|---|---|---|---|",
        ]
        for row in record["rows"]:
            ratio = f"{row['× original']:.3g}" if row.get("× original") else "–"
            cells = [
                POINTS[row["sweep"]],
                row["what"],
                _short(row["µs/step"]),
                f"{row['sweep s']:,.3g} s",
                ratio,
            ]
            text.append(f"| {' | '.join(cells)} |")
        text.append("")
    return "\n".join(text)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def updated(readme: str) -> str:
    """Return the README with the table renewed."""
    head, rest = readme.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}{lines()}{END}{tail}"


if __name__ == "__main__":
    README.write_text(updated(README.read_text()))
