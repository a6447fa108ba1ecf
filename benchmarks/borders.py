"""Points that borders take, against grids and against LearnerND: python -m benchmarks.borders [--slow] [--networks]."""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time

import numpy as np

from benchmarks.record import RESULTS, machine
from neuroflame.sweep.running import run_sweep
from tests.border_networks import NETWORKS, Known
from tests.borders import (
    CASES,
    CHAOS,
    DEAR,
    NOISY,
    THIN,
    Case,
    ball,
    drain,
    errors,
    grid_for,
    left_out,
    make,
    noisy_grid_for,
    plane,
)

SLOW = {"ball in four dimensions": Case(ball, 4, 0.05), "plane in four dimensions": Case(plane, 4, 0.1)}
FAST = {
    **CASES,
    "band": THIN["band"],
    **DEAR,
    "circle, noisy labels of 15 draws": NOISY,
    "onset of chaos in 31 finite graphs": CHAOS,
}


def measured(case: Case) -> dict[str, float]:
    """Return what a search took and reached, and the grid that reaches the same.

    `grid_bracket` has cells as wide as twice the tolerance, and all draws, so that it promises the same; `grid_same` is
    the smallest whose own border is as near to the true one. A noisy border is found from eight first batches: points
    and errors are means, but for the largest, and `within` is the share of them that keep the tolerance.
    """
    start = time.process_time()
    found = [one(case, seed) for seed in range(8 if case.draws > 1 else 1)]
    seconds = (time.process_time() - start) / len(found)
    near = float(np.mean([row["error_95"] for row in found]))
    means = {
        name: round(float(np.mean([row[name] for row in found])), 5)
        for name in ("points", "batches", "promised", "error_95", "volume_wrong")
    }
    more: dict[str, float] = {}
    if case.draws > 1:
        more = {"within": float(np.mean([row["error_95"] <= case.tolerance for row in found]))}
    return {
        **means,
        "error_most": round(max(row["error_most"] for row in found), 5),
        "grid_bracket": (round(0.5 / case.tolerance) + 1) ** case.d * case.draws,
        "grid_same": noisy_grid_for(case, near) if case.draws > 1 else grid_for(case, near),
        "seconds": round(seconds, 2),
        **more,
    }


def one(case: Case, seed: int) -> dict[str, float]:
    """Return what a search from one first batch took and reached."""
    search = make(case, total=6000, seed=seed)
    batches = drain(case, search)
    border = search.border()
    off = errors(case, border)
    return {
        "points": search.asked,
        "batches": len(batches),
        "promised": border.quantile(),
        "error_95": float(np.quantile(off, 0.95)),
        "error_most": float(off.max()),
        "volume_wrong": left_out(case, border) if case.d > 1 else 0.0,
    }


def simulated(known: Known) -> dict[str, float]:
    """Return what the search of a simulated network's borders took, and how near it came, by pair of labels."""
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        table = run_sweep(known.sweep, f"{folder}/sweep")
        border = table.border()
    search, repeat = known.sweep["search"], known.sweep.get("repeat", {})
    draws = repeat.get("graphs", 1) * len(repeat.get("initial_conditions", ["one"]))
    return {
        "points": len(table),
        "promised": round(float(border["error"].quantile(0.95)), 5),
        **{
            f"error_95 {pair}": round(float(np.quantile(off, 0.95)), 5)
            for pair, off in known.errors(border).items()
        },
        "grid_bracket": (round(0.5 / search["tolerance"]) + 1) ** len(known.paths) * draws,
        "seconds": round(time.process_time() - start, 1),
    }


def learner(case: Case, points: int) -> dict[str, float]:
    """Return what adaptive's LearnerND does with so many points of the label alone.

    Its border is taken as ours: the middles of its triangulation's edges between labels.
    """
    from adaptive import LearnerND

    from neuroflame.border import find_border, gather

    learning = LearnerND(lambda x: 0.0, bounds=[(0.0, 1.0)] * case.d)
    start = time.process_time()
    while learning.npoints < points:
        asked, _ = learning.ask(min(32, points - learning.npoints))
        labels = case.see(np.array(asked), np.zeros(len(asked)))["label"][:, 0] == "yes"
        learning.tell_many(asked, labels.astype(float).tolist())
    x = np.array(list(learning.data))
    border = find_border(gather(x, case.see(x, np.zeros(len(x)))), case.tolerance)
    return {
        "learner_points": len(x),
        "learner_error_95": round(float(np.quantile(errors(case, border), 0.95)), 5),
        "learner_promised": round(border.quantile(), 5),
        "learner_seconds": round(time.process_time() - start, 2),
    }


def main() -> None:
    """Measure every case and leave a record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slow", action="store_true", help="four dimensions too: some minutes")
    parser.add_argument("--networks", action="store_true", help="simulated networks too: two minutes")
    options = parser.parse_args()
    found = {}
    for name, case in {**FAST, **(SLOW if options.slow else {})}.items():
        found[name] = measured(case)
        if case.d in (2, 3) and case.draws == 1:
            found[name] |= learner(case, int(found[name]["points"]))
        saved = found[name]["grid_bracket"] / found[name]["points"]
        print(f"{name}: {found[name]}, {saved:.1f} times fewer points than the grid that brackets as well")
        assert math.isfinite(found[name]["error_95"])
    networks = {}
    for name, known in NETWORKS.items() if options.networks else ():
        networks[name] = simulated(known())
        print(f"{name}: {networks[name]}")
    RESULTS.mkdir(exist_ok=True)
    record = {"machine": machine("cpu"), "cases": found, "networks": networks}
    (RESULTS / "borders.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
