"""One gradient through 1,000 steps of 1,000 neurons at 64 points: memory, and on a CPU time."""

import time
from typing import Any

import torch

from benchmarks import networks
from benchmarks.alone import alone, peak_gib
from benchmarks.record import synchronize
from benchmarks.row import Benchmark, Options, Outcome, Row
from neuroflame import Network

GIB, SECONDS = 8.0, 60.0


def measure(options: Options) -> Outcome:
    taken = alone(gradient, device=options.device, smoke=options.smoke)
    rows = [Row("memory", taken["peak_gib"], "GiB", GIB)]
    if options.device == "cpu":
        rows.append(Row("forward and backward", taken["seconds"], "s", SECONDS))
    return Outcome(rows, taken)


def gradient(device: str, smoke: bool) -> dict[str, Any]:
    """Return what a gradient took, in a process of its own."""
    sweep = networks.sparse(800, 200, 100, 64).cut(1000)
    if smoke:
        sweep = sweep.toy()
    model = Network(sweep.spec, device=device)
    coupling = torch.full((sweep.count,), 8.0, dtype=torch.float64, device=device, requires_grad=True)
    synchronize(device)
    begin = time.perf_counter()
    rates = model({"J.EE": coupling}, every=10)
    synchronize(device)
    forward = time.perf_counter() - begin
    rates[:, -20:].square().mean().backward()
    synchronize(device)
    both = time.perf_counter() - begin
    if coupling.grad is None or not coupling.grad.isfinite().all():
        raise AssertionError("the gradient is not finite")
    return {
        "neurons": sweep.spec.size,
        "points": sweep.count,
        "steps": sweep.spec.steps,
        "seconds_forward": forward,
        "seconds": both,
        "peak_gib": peak_gib(device),
    }


BENCHMARK = Benchmark("training", "gradient through 1,000 steps, 1,000 neurons, 64 points", measure)
