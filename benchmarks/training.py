"""Memory and time of one gradient through a long run: 1,000 neurons, 64 points, 1,000 steps.

    python benchmarks/training.py [--device cpu|cuda] [--steps 1000]

The target is 8 GiB. On a CPU it is the process's peak, libraries included; on a CUDA device what torch allocated.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.record import machine, synchronize, table, write  # noqa: E402
from neuroflame import Network  # noqa: E402
from neuroflame.spec import load_network  # noqa: E402

POINTS = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--steps", type=int, default=1000)
    options = parser.parse_args()
    sizes = {"populations.E.size": 800, "populations.I.size": 200, "connectivity.K": 100}
    spec = load_network(ROOT / "conf" / "balanced_ring.yml").with_values(
        {**sizes, "stimuli": [], "duration": options.steps * 0.001}
    )
    model = Network(spec, device=options.device)
    coupling = torch.full((POINTS,), 8.0, dtype=torch.float64, device=options.device, requires_grad=True)
    synchronize(options.device)
    begin = time.perf_counter()
    rates = model({"J.EE": coupling}, every=10)
    synchronize(options.device)
    forward = time.perf_counter() - begin
    rates[:, -20:].square().mean().backward()
    synchronize(options.device)
    both = time.perf_counter() - begin
    assert coupling.grad is not None
    assert coupling.grad.isfinite().all()
    peak = (
        torch.cuda.max_memory_allocated() / 2**30
        if options.device == "cuda"
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    )
    rows = [
        {
            "neurons": spec.size,
            "points": POINTS,
            "steps": options.steps,
            "forward s": forward,
            "forward and backward s": both,
            "peak GiB": peak,
            "target GiB": 8.0,
        }
    ]
    print(", ".join(f"{key} {value}" for key, value in machine(options.device).items()))
    print(table(rows))
    write("training", options.device, rows)


if __name__ == "__main__":
    main()
