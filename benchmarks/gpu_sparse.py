"""Sparse networks by the stepped executor on a CUDA device: time of a step, beside that of the product alone.

    python benchmarks/gpu_sparse.py [--case NAME …] [--repetitions 5]

``product alone`` is the best of the dense products that torch offers for one step's recurrent input, float16 with
float32 sums, on both terms of the sources side by side. Parity with the reference is checked before anything is timed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.record import machine, table, write  # noqa: E402
from neuroflame.core.executors import REFERENCE  # noqa: E402
from neuroflame.core.measure import EngineCache, start_states  # noqa: E402
from neuroflame.core.program import Program, build_program  # noqa: E402
from neuroflame.core.recorder import RecordPlan, Window  # noqa: E402
from neuroflame.core.stepped import SteppedExecutor  # noqa: E402
from neuroflame.core.stepped.topology import reads_one_by_one  # noqa: E402
from neuroflame.spec import NetworkSpec, load_network  # noqa: E402
from tests.gpu.helpers import worst  # noqa: E402

BASE = ROOT / "conf" / "balanced_ring.yml"
CASES = {
    # neurons E, I; in-degree a pair; points; steps timed; steps checked; target µs/step
    "balanced ring": (2000, 500, 125, 200, 2000, 200, 28.0),
    "balanced ring, one point": (2000, 500, 125, 1, 2000, 200, 15.0),
    "30,720 neurons": (24576, 6144, 1024, 256, 60, 4, 1.5 * 1249),
    "100,000 neurons": (80000, 20000, 500, 256, 12, 2, 2 * 12883),
    "100,000 neurons, 64 points": (80000, 20000, 500, 64, 30, 0, float("nan")),
}


def build(case: str, steps: int) -> tuple[Program, float]:
    """Return the program of a case, and the seconds that its topology took."""
    excitatory, inhibitory, degree, points = CASES[case][:4]
    spec = load_network(BASE).with_values(
        {
            "populations.E.size": excitatory,
            "populations.I.size": inhibitory,
            "connectivity.K": degree,
            "stimuli": [],
            "duration": steps * 0.001,
        }
    )
    device = torch.device("cuda")
    torch.cuda.synchronize()
    begin = time.perf_counter()
    operators = EngineCache().operators(spec, 0, device)
    torch.cuda.synchronize()
    drawn = time.perf_counter() - begin
    rng = np.random.default_rng(0)
    values = {"J.EE": rng.uniform(5, 10, points), "J0.E": rng.uniform(1, 4, points)}
    program = build_program(
        spec,
        operators,
        {path: torch.as_tensor(value, device=device) for path, value in values.items()},
        points=points,
        seeds=torch.zeros(points, dtype=torch.int64, device=device),
        dtype=torch.float32,
        device=device,
    )
    return program, drawn


def again(program: Program, steps: int) -> Program:
    """Return the program with another duration."""
    from dataclasses import replace

    spec: NetworkSpec = program.spec.with_values({"duration": steps * 0.001})
    return replace(program, spec=spec)


def product_alone(neurons: int, points: int) -> float:
    """Return the microseconds of a dense float16 product of the network's size with two terms a point."""
    matrix = torch.randint(0, 2, (neurons, neurons), device="cuda", dtype=torch.float16)
    sent = torch.rand(neurons, 2 * points, device="cuda").half()
    taken = []
    for _ in range(8):
        begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begun.record()
        torch.mm(matrix, sent)
        ended.record()
        torch.cuda.synchronize()
        taken.append(begun.elapsed_time(ended) * 1e3)
    return statistics.median(taken[3:])


def case(name: str, repetitions: int) -> dict[str, object]:
    excitatory, inhibitory, _, points, steps, checked, target = CASES[name]
    neurons, executor = excitatory + inhibitory, SteppedExecutor()
    torch.cuda.reset_peak_memory_stats()
    program, drawn = build(name, max(steps, 2))
    difference = float("nan")
    if checked:
        short = again(program, checked)
        plan = RecordPlan(windows=(Window("all", 0, checked),), temporal=frozenset({"all"}), trace_every=1)
        with torch.no_grad():
            state = start_states(short, ["network"] * points)
            ours = executor.run(short, state, checked, plan)
            difference, _ = worst(ours, REFERENCE.run(short, state, checked, plan))
        del ours, short
    plan = RecordPlan(windows=(Window("final", steps - steps // 10, steps),))
    taken, crew = [], None
    with torch.no_grad():
        state = start_states(program, ["network"] * points)
        for _ in range(repetitions + 1):
            job = executor.prepare(program, state, steps, plan)
            begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            begun.record()
            compiled = job.launch()
            ended.record()
            torch.cuda.synchronize()
            taken.append(begun.elapsed_time(ended) * 1e3 / steps)
            crew = job._soonest()
            gathered = reads_one_by_one(program.pairs[0].operator, program.dtype)
            rate = float(job.recording(steps).sums[-1]["E"].first.mean())
            del job
    peak = torch.cuda.max_memory_allocated() / 2**30
    del program, state
    torch.cuda.empty_cache()
    alone = product_alone(neurons, points)
    return {
        "case": name,
        "points": points,
        "us/step": statistics.median(taken[1:]),
        "spread us": max(taken[1:]) - min(taken[1:]),
        "target us": target,
        "product alone us": alone,
        "ratio to product": statistics.median(taken[1:]) / alone,
        "difference from reference": difference,
        "topology s": drawn,
        "peak GiB": peak,
        "gathered": gathered,
        "crew": str(tuple(crew)),
        "registers": compiled.n_regs,
        "spills": compiled.n_spills,
        "mean rate Hz": rate,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    rows = []
    for name in options.case:
        rows.append(case(name, options.repetitions))
        print(table(rows[-1:]), flush=True)
        torch.cuda.empty_cache()
    print(", ".join(f"{key} {value}" for key, value in machine("cuda").items()))
    write("gpu_sparse", "cuda", rows)


if __name__ == "__main__":
    main()
