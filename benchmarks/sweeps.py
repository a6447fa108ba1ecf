"""What a sweep costs beside the simulations: many cheap points on a local Ray, end to end.

`python -m benchmarks.sweeps` runs each size in a process of its own, so that its memory is its own, and records the
time until the first tile is done, from there to the last, between tiles of an actor, and the driver's peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

from benchmarks.record import machine, table, write

if TYPE_CHECKING:
    from collections.abc import Mapping

NETWORK = {
    "dt": 0.001,
    "duration": 0.05,
    "populations": {"E": {"size": 20, "tau": 0.02}, "I": {"size": 10, "tau": 0.01}},
    "connectivity": {"kind": "all_to_all", "profile": {"kind": "cosine", "kappa": 0.5}},
    "J": {"EE": 1.0, "EI": -1.5, "IE": 1.0, "II": -1.0},
    "J0": {"E": 1.0, "I": 0.5},
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweeps", description=__doc__)
    parser.add_argument("--points", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--tile", default="500", help="points in a tile, or auto")
    parser.add_argument("--actors", type=int, default=2)
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        print(json.dumps(measured(options.alone, options.tile, options.actors)))
        return
    rows = []
    for points in options.points:
        words = [sys.executable, "-m", "benchmarks.sweeps", "--alone", str(points)]
        words += ["--tile", options.tile, "--actors", str(options.actors)]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    print(", ".join(f"{key} {value}" for key, value in machine("cpu").items()))
    print(table(rows))
    print(f"record in {write('sweeps', 'cpu', rows)}")


def measured(points: int, tile: str, actors: int) -> dict[str, Any]:
    """Run a grid of so many points and return what it took."""
    from neuroflame.spec.sweep import SweepSpec
    from neuroflame.sweep.progress import Progress
    from neuroflame.sweep.running import start

    class Clock(Progress):
        first = last = simulating = 0.0
        tiles = 0

        def event(self, kind: str, data: Mapping[str, Any]) -> None:
            if kind != "tile":
                return
            self.last = time.perf_counter()
            self.first = self.first or self.last
            self.tiles += 1
            self.simulating += 0.0 if data["first"] else data["seconds"]

    spec = SweepSpec.parse(
        {
            "network": NETWORK,
            "space": {
                "J.EE": {"from": 0.1, "to": 2.0, "num": 100},
                "J0.E": {"from": 0.5, "to": 2.0, "num": points // 100},
            },
            "measure": ["rates"],
            "traces": False,
            "compute": {"tile": tile if tile == "auto" else int(tile), "actors": actors, "device": "cpu"},
        }
    )
    load = os.getloadavg()[0]
    clock, begin = Clock(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        outcome = start(spec, folder, backend="ray", progress=clock)
        end = time.perf_counter()
        assert outcome.status.done == points
        assert outcome.status.failed == 0
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "points": points,
        "tile": tile,
        "tiles": clock.tiles,
        "actors": actors,
        "total_s": end - begin,
        "start_s": clock.first - begin,
        "tiles_s": clock.last - clock.first,
        "simulating_s": clock.simulating,
        "between_tiles_ms": 1e3 * (actors * (clock.last - clock.first) - clock.simulating) / clock.tiles,
        "driver_MiB": memory,
        "load_before": load,
    }


if __name__ == "__main__":
    main()
