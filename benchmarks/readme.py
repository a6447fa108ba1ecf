"""Write the README's table of speeds from the records in benchmarks/results."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS
from benchmarks.row import Row
from benchmarks.rows import BENCHMARKS

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- speed: python -m benchmarks.readme -->\n", "<!-- end -->\n"
BUSY = 1.25
"""Load per core beyond which it is told; what a benchmark leaves to the next one is at most 1."""


def lines() -> str:
    """Return a table for each device, and how its figures were made."""
    return "\n".join(text for device in ("cpu", "cuda") for text in _device(device))


def _device(device: str) -> list[str]:
    found = []
    for benchmark in BENCHMARKS:
        path = RESULTS / f"{benchmark.name}-{device}.json"
        if path.exists():
            record = json.loads(path.read_text(encoding="utf-8"))
            rows = [Row.of(row) for row in record["rows"]]
            found.append((_where(record), benchmark, [row for row in rows if row.measured is not None]))
    text = []
    for where, group in groupby(sorted(found, key=lambda one: one[0]), key=lambda one: one[0]):
        text += [
            f"{where}; `python -m benchmarks --device {device} --peer CHECKOUT` and the row's name:",
            "",
            "| row | | measured | target | × target | of the ceiling |",
            "|---|---|---|---|---|---|",
        ]
        for _, benchmark, rows in group:
            for row in rows:
                cells = row.shown()
                shown = [cells[key] for key in ("measured", "target", "× target")]
                ceiling = "–" if row.of_ceiling is None else f"{row.of_ceiling:.0%}"
                about = f"{benchmark.about}: {row.name}"
                text.append(f"| {' | '.join([f'`{benchmark.name}`', about, *shown, ceiling])} |")
        text.append("")
    return text


def _where(record: dict[str, Any]) -> str:
    machine, load = record["machine"], record.get("load_per_core_before", 0.0)
    busy = f", {load:.1f} processes a core before" if load > BUSY else ""
    return f"{machine['device']}, torch {machine['torch']}, commit {machine['commit']}{busy}"


def updated(readme: str) -> str:
    """Return the README with the tables renewed."""
    head, rest = readme.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}{lines()}\n{END}{tail}"


if __name__ == "__main__":
    README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")
