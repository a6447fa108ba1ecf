"""What a sweep costs beside its simulations: 100,000 cheap points on a local Ray, end to end.

Time until the first tile is done, from there to the last, between tiles of an actor, and the driver's peak memory.
"""

import tempfile
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.alone import alone, peak_gib
from benchmarks.row import Benchmark, Options, Outcome, Row

NETWORK = {
    "dt": 0.001,
    "duration": 0.05,
    "populations": {"E": {"size": 20, "tau": 0.02}, "I": {"size": 10, "tau": 0.01}},
    "connectivity": {"kind": "all_to_all", "profile": {"kind": "cosine", "kappa": 0.5}},
    "J": {"EE": 1.0, "EI": -1.5, "IE": 1.0, "II": -1.0},
    "J0": {"E": 1.0, "I": 0.5},
}
SHARE, TILES = 0.05, 400
TILE_SECONDS = 1.0
"""Length of the tiles for which the share is told."""
POINTS, ACTORS = 100_000, 2


def measure(options: Options) -> Outcome:
    """Run with tiles of 500 points for the time between tiles, and with tiles as the planner makes them."""
    points = 1_000 if options.smoke else POINTS
    backend = "inline" if options.smoke else "ray"
    fixed, own = (
        alone(cheap_sweep, points=points, tile=tile, actors=1 if options.smoke else ACTORS, backend=backend)
        for tile in ("500", "auto")
    )
    between = fixed["seconds_between_tiles"]
    rows = [
        Row("share of the time, with tiles of 1 s", between / (TILE_SECONDS + between), "", SHARE),
        Row(f"tiles for {points:,} points", float(own["tiles"]), "", TILES),
    ]
    return Outcome(rows, {"tiles of 500": fixed, "tiles auto": own})


def cheap_sweep(points: int, tile: str, actors: int, backend: str) -> dict[str, Any]:
    """Run a grid of so many points, in a process of its own, and return what it took."""
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
    clock, begin = Clock(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        outcome = start(spec, folder, backend=backend, progress=clock)
        end = time.perf_counter()
        if (outcome.status.done, outcome.status.failed) != (points, 0):
            raise AssertionError(f"of {points} points, {outcome.status.done} are done")
    waiting = actors * (clock.last - clock.first) - clock.simulating
    return {
        "points": points,
        "tiles": clock.tiles,
        "actors": actors,
        "seconds": end - begin,
        "seconds_to_first_tile": clock.first - begin,
        "seconds_from_first_to_last": clock.last - clock.first,
        "seconds_simulating": clock.simulating,
        "seconds_between_tiles": waiting / clock.tiles,
        "driver_gib": peak_gib("cpu"),
    }


BENCHMARK = Benchmark(
    "orchestration", "100,000 cheap points on a local Ray, two actors", measure, devices=("cpu",)
)
