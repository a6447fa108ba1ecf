"""Where a benchmark ran, and the record it leaves."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(os.environ.get("NEUROFLAME_BENCH_OUT") or Path(__file__).parent / "results")

WARM_UP = 1.0
"""Seconds."""


def machine(device: str) -> dict[str, Any]:
    """Return what the figures depend on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=False,
    ).stdout.strip()
    name = torch.cuda.get_device_name() if device == "cuda" else _processor()
    return {
        "device": name,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: _version(name) for name in ("numba", "triton")},
        "commit": commit or None,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def load_per_core() -> float:
    """Return how many processes wanted each core in the last minute; well above 1 means a busy machine."""
    return round(os.getloadavg()[0] / (os.cpu_count() or 1), 2)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}" if names else platform.processor()


def synchronize(device: str) -> None:
    """Wait for the device's work."""
    if device == "cuda":
        torch.cuda.synchronize()


def forget_peak(device: str) -> None:
    """Let a CUDA device's peak of memory begin anew, with nothing kept that is not in use."""
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def median_seconds(run: Callable[[], object], device: str, repetitions: int) -> tuple[float, list[float]]:
    """Return the median wall time of some repetitions, after those that warm up, and all of them.

    A device that was idle runs at a lower clock at first: it is warmed up for `WARM_UP` seconds, once at least.
    """
    begin = time.perf_counter()
    run()
    while device == "cuda" and time.perf_counter() - begin < WARM_UP:
        run()
        synchronize(device)
    taken = []
    for _ in range(repetitions):
        synchronize(device)
        begin = time.perf_counter()
        run()
        synchronize(device)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken), taken


def write(name: str, device: str, rows: list[dict[str, Any]], **others: Any) -> Path:
    """Write a benchmark's record, with what else was seen, and return its path."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}-{device}.json"
    record = {"benchmark": name, "machine": machine(device), "rows": rows} | others
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows as aligned text."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [columns, *([_text(row.get(c)) for c in columns] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _text(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
