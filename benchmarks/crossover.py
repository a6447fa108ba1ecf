"""Density at which a product and reading sources one by one take the same time: python -m benchmarks.crossover."""

from __future__ import annotations

import sys

import numpy as np
import torch

from benchmarks import networks
from benchmarks.record import forget_peak, machine, table, write
from benchmarks.timing import a_step, build
from neuroflame.core.stepped import SteppedExecutor
from neuroflame.core.stepped.tiling import LARGE, SMALL, tiling_of

DENSITIES = (0.002, 0.004, 0.008, 0.016)
SIZES = {(4000, 1000): 400, (24000, 6000): 40, (64000, 16000): 12}
"""Excitatory and inhibitory neurons, and over how many steps they are timed."""
POINTS = 256
NAMES = {SMALL: "small tiles", LARGE: "large tiles"}


def times(excitatory: int, inhibitory: int, steps: int) -> list[dict[str, float | str]]:
    """Return by density the microseconds of a step by either way, of networks of one size."""
    found: list[dict[str, float | str]] = []
    for density in DENSITIES:
        degree = max(1, round(0.5 * density * (excitatory + inhibitory)))
        program = build(networks.sparse(excitatory, inhibitory, degree, POINTS), "cuda")
        present = sum(p.operator.indices.numel() for p in program.pairs)
        row: dict[str, float | str] = {
            "neurons": excitatory + inhibitory,
            "tiles": NAMES[tiling_of((excitatory, inhibitory))],
            "density": present / (excitatory + inhibitory) ** 2,
        }
        for way, least in (("product", 0.0), ("one by one", 1.0)):
            taken = a_step(program, steps, 2, SteppedExecutor(density_min=least))
            row[f"{way}, µs"] = taken["microseconds_a_step"]
        found.append(row)
        del program
        forget_peak("cuda")
    return found


def crossing(rows: list[dict[str, float | str]]) -> float:
    """Return the density at which both ways take the same time: reading takes a time that is linear in it."""
    density, product, reading = (
        np.array([float(row[key]) for row in rows]) for key in ("density", "product, µs", "one by one, µs")
    )
    slope, offset = np.polyfit(density, reading, 1)
    return float((np.median(product) - offset) / slope)


def main() -> int:
    """Measure, print, and leave a record."""
    if not torch.cuda.is_available():
        print("there is no CUDA device here", file=sys.stderr)
        return 1
    found = {size: times(*size, steps) for size, steps in SIZES.items()}
    rows = [row for part in found.values() for row in part]
    crossings = {str(sum(size)): crossing(part) for size, part in found.items()}
    print(", ".join(f"{key} {value}" for key, value in machine("cuda").items()))
    print(table(rows))
    print("crossing by number of neurons:", crossings)
    write("crossover", "cuda", rows, crossings=crossings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
