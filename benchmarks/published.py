"""The two sweeps that the original publishes: each of our executors, and the original where it is at hand.

Wall time of the simulation of all points with their statistics; compilation apart. Slow ones are run for fewer
steps and scaled up, which the table says.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import peer
from benchmarks.record import median_seconds, write
from neuroflame.core.executors import EXECUTORS
from neuroflame.core.measure import EngineCache, measure_points
from neuroflame.errors import SimulationError
from neuroflame.spec import NetworkSpec, load_network

CONF = Path(__file__).parents[1] / "conf"
SWEEPS: dict[str, dict[str, Any]] = {
    "ring": {
        "file": "ring_EI.yml",
        "J.EE": np.linspace(5, 15, 20),
        "J0.E": np.linspace(0, 10, 20),
        "duration": 13.5,
    },
    "balanced ring": {
        "file": "balanced_ring.yml",
        "J.EE": np.linspace(5, 10, 20),
        "J0.E": np.linspace(0, 4, 10),
        "duration": 11.5,
    },
}
SHORT_STEPS = {"reference": {"cpu": 60, "cuda": 1000}, "trajectory": {"cpu": 1000}}
"""Steps that are run where the whole sweep would take minutes."""


def points(sweep: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the grid of a sweep, (P,) for each axis."""
    grid = np.meshgrid(sweep["J.EE"], sweep["J0.E"], indexing="ij")
    return {"J.EE": grid[0].ravel(), "J0.E": grid[1].ravel()}


def spec_of(sweep: dict[str, Any], steps: int | None) -> NetworkSpec:
    """Return the network of a sweep, cut to some steps."""
    spec = load_network(CONF / sweep["file"], {"duration": sweep["duration"]})
    if steps is None:
        return spec
    return spec.with_values({"duration": steps * spec.dt, "stimuli": []})


def seconds(
    sweep: dict[str, Any], executor: str, device: str, steps: int | None, repetitions: int
) -> dict[str, Any]:
    """Return the time of a sweep on one executor."""
    spec, values = spec_of(sweep, steps), points(sweep)
    count = len(values["J.EE"])
    engines = EngineCache()

    def run() -> None:
        measure_points(
            spec,
            values,
            seeds=np.zeros(count, dtype=np.int64),
            initial=["network"] * count,
            measure=["rates", "bump"],
            window=min(1.0, spec.duration / 2),
            device=device,
            executor=executor,
            engines=engines,
        )

    begin = time.perf_counter()
    run()
    first = time.perf_counter() - begin
    wall, taken = median_seconds(run, device, repetitions)
    per_step = wall / spec.steps
    whole = load_network(CONF / sweep["file"], {"duration": sweep["duration"]}).steps
    return {
        "µs/step": per_step * 1e6,
        "sweep s": per_step * whole,
        "steps run": spec.steps,
        "neuron-steps/s": spec.size * count / per_step,
        "spread %": 100 * (max(taken) - min(taken)) / wall,
        "first call s": first,
    }


def main(device: str, peer_path: str | None, repetitions: int) -> list[dict[str, Any]]:
    """Run all, print nothing, return the rows."""
    rows = []
    for name, sweep in SWEEPS.items():
        original = None
        if peer_path is not None:
            original = peer.seconds_per_step(peer_path, name, points(sweep), device)
            steps = spec_of(sweep, None).steps
            rows.append(
                {"sweep": name, "what": "original", "µs/step": original * 1e6, "sweep s": original * steps}
            )
        for executor in EXECUTORS:
            steps = SHORT_STEPS.get(executor.name, {}).get(device)
            if name == "ring" and executor.name == "trajectory":
                steps = None
            try:
                row = seconds(sweep, executor.name, device, steps, repetitions)
            except SimulationError:
                continue
            row = {"sweep": name, "what": executor.name} | row
            if original is not None:
                row["× original"] = original / (row["µs/step"] * 1e-6)
            rows.append(row)
            if device == "cuda":
                torch.cuda.empty_cache()
    write("published", device, rows)
    return rows
