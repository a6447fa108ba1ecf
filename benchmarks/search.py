"""Time that searches take for their proposals, beside points that cost nothing: python -m benchmarks.search."""

from __future__ import annotations

import argparse
import time

import numpy as np

from benchmarks import record
from neuroflame.spec.sweep import SweepSpec
from neuroflame.sweep.points import size_of
from neuroflame.sweep.search import make_search

NETWORK = {
    "dt": 0.001,
    "duration": 0.05,
    "populations": {"E": {"size": 20, "tau": 0.02}, "I": {"size": 10, "tau": 0.01}},
    "connectivity": {"kind": "all_to_all"},
    "J": {"EE": 1.0, "EI": -1.0, "IE": 1.0, "II": -1.0},
    "J0": {"E": 1.0, "I": 1.0},
}
AXES = ("J.EE", "J.EI", "J.IE", "J.II", "J0.E", "J0.I")
KINDS = {
    "random": {"trials": 100_000},
    "sobol": {"trials": 100_000},
    "cmaes": {"trials": 20_000, "batch": 64},
    "nsga2": {"trials": 2_000, "batch": 64, "population": 64},
    "tpe": {"trials": 1_000, "batch": 64},
    "gp": {"trials": 48, "batch": 8},
}
RATE = 1000.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(KINDS), help="kinds of search")
    rows = [measured(kind) for kind in parser.parse_args().kinds]
    print(record.table(rows))
    print(record.write("search", "cpu", rows))


def measured(kind: str) -> dict[str, object]:
    """Return the time of a search's proposals, of telling it, and of going on from the table."""
    search = {"kind": kind, **KINDS[kind]}
    if kind not in ("random", "sobol"):
        search["minimise"] = "rate.E.mean"
    space = {path: {"low": -2.0, "high": 2.0} for path in AXES}
    spec = SweepSpec.parse({"network": NETWORK, "space": space, "search": search})
    made = make_search(spec)
    batches = []
    begin = time.perf_counter()
    while not made.done:
        batch = made.ask(4096)
        loss = sum((column - 0.3) ** 2 for column in batch.values())
        made.tell(np.asarray(loss))
        batches.append((batch, np.asarray(loss)))
    taken = time.perf_counter() - begin
    again = make_search(spec)
    begin = time.perf_counter()
    for batch, loss in batches[:-1]:
        again.replay(batch, loss)
    assert size_of(again.ask(4096)) == size_of(batches[-1][0])
    each = taken / made.total
    return {
        "search": kind,
        "trials": made.total,
        "ms_a_point": 1e3 * each,
        "share_at_1000_points_a_second": each * RATE,
        "seconds_to_resume": time.perf_counter() - begin,
    }


if __name__ == "__main__":
    main()
