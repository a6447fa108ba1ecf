"""Processor time of the searches' proposals, for points that cost nothing: python -m benchmarks.search."""

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
    "nsga2": {"trials": 20_000, "batch": 64, "population": 64},
    "nsga2, two objectives": {"trials": 20_000, "batch": 64, "population": 64},
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


def measured(name: str) -> dict[str, object]:
    """Return the time of a search's proposals, of telling it, and of going on from the table."""
    kind, _, goals = name.partition(", ")
    search = {"kind": kind, **KINDS[name]}
    if goals:
        search["objective"] = [{"minimise": "rate.E.mean"}, {"minimise": "rate.I.mean"}]
    elif kind not in ("random", "sobol"):
        search["minimise"] = "rate.E.mean"
    space = {path: {"low": -2.0, "high": 2.0} for path in AXES}
    spec = SweepSpec.parse({"network": NETWORK, "space": space, "search": search})
    warm_up(make_search(spec), goals)
    made = make_search(spec)
    batches = []
    begin = time.process_time()
    while not made.done:
        batch = made.ask(4096)
        told = losses(batch, goals)
        made.tell(told)
        batches.append((batch, told))
    taken = time.process_time() - begin
    again = make_search(spec)
    begin = time.process_time()
    for batch, told in batches[:-1]:
        again.replay(batch, told)
    assert size_of(again.ask(4096)) == size_of(batches[-1][0])
    each = taken / made.total
    return {
        "search": name,
        "trials": made.total,
        "ms_a_point": 1e3 * each,
        "share_at_1000_points_a_second": each * RATE,
        "seconds_to_resume": time.process_time() - begin,
    }


def losses(batch, goals: str) -> np.ndarray:
    """Return squared distances from a place, or from two."""
    distances = [
        sum((column - at) ** 2 for column in batch.values()) for at in ((0.3, -0.3) if goals else (0.3,))
    ]
    return np.stack(distances, axis=1) if goals else distances[0]


def warm_up(search, goals: str) -> None:
    """Let a search propose twice, so that what it imports is not measured."""
    for _ in range(2):
        search.tell(losses(search.ask(4096), goals))


if __name__ == "__main__":
    main()
