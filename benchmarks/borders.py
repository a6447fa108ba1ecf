"""Points that borders take, against grids and against LearnerND: python -m benchmarks.borders [--slow]."""

from __future__ import annotations

import argparse
import json
import math
import time

import numpy as np

from benchmarks.record import RESULTS, machine
from tests.borders import CASES, DEAR, NOISY, Case, ball, drain, errors, grid_for, left_out, make, plane

SLOW = {"ball in four dimensions": Case(ball, 4, 0.05), "plane in four dimensions": Case(plane, 4, 0.1)}
FAST = {**CASES, **DEAR, "circle, noisy labels of 15 draws": NOISY}


def measured(case: Case) -> dict[str, float]:
    """Return what a search took and reached, and the grid that reaches the same.

    `grid_bracket` has cells as wide as twice the tolerance, so that it promises the same; `grid_same` is the
    coarsest whose own border is as near to the true one, labels taken as certain.
    """
    search = make(case, total=6000)
    start = time.process_time()
    batches = drain(case, search)
    seconds = time.process_time() - start
    border = search.border()
    off = errors(case, border)
    return {
        "points": search.asked,
        "batches": len(batches),
        "promised": round(border.quantile(), 5),
        "error_95": round(float(np.quantile(off, 0.95)), 5),
        "error_most": round(float(off.max()), 5),
        "volume_wrong": round(left_out(case, border), 5) if case.d > 1 else 0.0,
        "grid_bracket": (round(0.5 / case.tolerance) + 1) ** case.d,
        "grid_same": grid_for(case, float(np.quantile(off, 0.95))),
        "seconds": round(seconds, 2),
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
    slow = parser.parse_args().slow
    found = {}
    for name, case in {**FAST, **(SLOW if slow else {})}.items():
        found[name] = measured(case)
        if case.d in (2, 3) and not case.noise:
            found[name] |= learner(case, int(found[name]["points"]))
        saved = found[name]["grid_bracket"] / found[name]["points"]
        print(f"{name}: {found[name]}, {saved:.1f} times fewer points than the grid that brackets as well")
        assert math.isfinite(found[name]["error_95"])
    RESULTS.mkdir(exist_ok=True)
    record = {"machine": machine("cpu"), "cases": found}
    (RESULTS / "borders.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
