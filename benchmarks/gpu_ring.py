"""The published ring sweep by one program a point on a CUDA device: parity, then time by number of warps.

    python benchmarks/gpu_ring.py [--points 400 6400] [--warps 1 2 4] [--repetitions 7]

``kernel`` is the time of the launch between two events on the device; ``run`` is the wall time of the executor's
whole run, with its preparation on the host; ``measure`` that of `measure_points`, from numbers to statistics.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.record import machine, median_seconds, table, write  # noqa: E402
from neuroflame.core.executors import REFERENCE  # noqa: E402
from neuroflame.core.measure import EngineCache, measure_points, start_states  # noqa: E402
from neuroflame.core.program import Program, build_program  # noqa: E402
from neuroflame.core.recorder import RecordPlan  # noqa: E402
from neuroflame.core.statistics import FINAL, windows  # noqa: E402
from neuroflame.core.trajectory.gpu import GpuTrajectoryExecutor  # noqa: E402
from neuroflame.spec import NetworkSpec, load_network  # noqa: E402
from tests.gpu.helpers import worst  # noqa: E402

RING = ROOT / "conf" / "ring_EI.yml"
TARGET_SECONDS = 0.02
WINDOW = 1.0


def sweep(points: int) -> dict[str, np.ndarray]:
    """Return the plane of the published sweep, on a square grid."""
    side = math.isqrt(points)
    excitation, drive = np.meshgrid(np.linspace(6, 11, side), np.linspace(1, 5, side), indexing="ij")
    return {"J.EE": excitation.ravel(), "J0.E": drive.ravel()}


def build(spec: NetworkSpec, points: int, dtype: torch.dtype) -> tuple[Program, RecordPlan]:
    device = torch.device("cuda")
    values = {path: torch.as_tensor(value, device=device) for path, value in sweep(points).items()}
    seeds = torch.zeros(points, dtype=torch.int64, device=device)
    operators = EngineCache().operators(spec, 0, device)
    program = build_program(spec, operators, values, points=points, seeds=seeds, dtype=dtype, device=device)
    return program, RecordPlan(windows=windows(spec, WINDOW), temporal=frozenset({FINAL}))


def parity(points: int = 16) -> list[dict[str, object]]:
    """Compare with the reference on a run cut short."""
    spec = load_network(RING).with_values({"duration": 3.2})
    rows = []
    for dtype in (torch.float64, torch.float32):
        program, plan = build(spec, points, dtype)
        state = start_states(program, ["network"] * points)
        with torch.no_grad():
            ours = GpuTrajectoryExecutor().run(program, state, spec.steps, plan)
            reference = REFERENCE.run(program, state, spec.steps, plan)
        difference, where = worst(ours, reference)
        rows.append(
            {"precision": str(dtype)[6:], "steps": spec.steps, "largest difference": difference, "of": where}
        )
    return rows


def timing(points: int, warps: int, repetitions: int) -> dict[str, object]:
    """Return the times of the whole sweep with a number of warps."""
    spec = load_network(RING)
    program, plan = build(spec, points, torch.float32)
    state = start_states(program, ["network"] * points)
    executor = GpuTrajectoryExecutor(warps)
    with torch.no_grad():
        job = executor.prepare(program, state, spec.steps, plan)
        begin = time.perf_counter()
        compiled = job.launch()
        torch.cuda.synchronize()
        first = time.perf_counter() - begin
        taken = []
        for _ in range(repetitions):
            job = executor.prepare(program, state, spec.steps, plan)
            begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            begun.record()
            job.launch()
            ended.record()
            torch.cuda.synchronize()
            taken.append(begun.elapsed_time(ended) / 1e3)
        run, _ = median_seconds(lambda: executor.run(program, state, spec.steps, plan), "cuda", repetitions)
        recording = executor.run(program, state, spec.steps, plan)
    kernel = statistics.median(taken)
    neurons = sum(population.size for population in spec.populations.values())
    return {
        "points": points,
        "warps": warps,
        "kernel ms": 1e3 * kernel,
        "spread ms": 1e3 * (max(taken) - min(taken)),
        "us/step": 1e6 * kernel / spec.steps,
        "neuron-steps/s": neurons * points * spec.steps / kernel,
        "run ms": 1e3 * run,
        "first launch s": first,
        "registers": getattr(compiled, "n_regs", None),
        "spills": getattr(compiled, "n_spills", None),
        "diverged": int((recording.fail_step >= 0).sum()),
        "mean rate Hz": float(recording.sums[-1]["E"].first.mean()),
    }


def measured(points: int, repetitions: int) -> dict[str, object]:
    """Return the wall time from the points' numbers to their statistics."""
    spec, engines = load_network(RING), EngineCache()
    found = {}

    def run() -> None:
        found["executor"] = measure_points(
            spec,
            sweep(points),
            seeds=np.zeros(points, dtype=np.int64),
            initial=["network"] * points,
            measure=["rates", "bump"],
            window=WINDOW,
            device="cuda",
            engines=engines,
        ).executor

    seconds, _ = median_seconds(run, "cuda", repetitions)
    return {"points": points, "executor": found["executor"], "measure ms": 1e3 * seconds}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, nargs="+", default=[400, 6400])
    parser.add_argument("--warps", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--repetitions", type=int, default=7)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("there is no CUDA device here")
    import triton

    compared = parity()
    print(table(compared), flush=True)
    times = [
        timing(points, warps, options.repetitions) for points in options.points for warps in options.warps
    ]
    whole = [measured(points, options.repetitions) for points in options.points]
    write("gpu_ring", "cuda", [*compared, *times, *whole, {"triton": triton.__version__}])
    print(
        ", ".join(f"{key} {value}" for key, value in machine("cuda").items()), f"triton {triton.__version__}"
    )
    print(table(compared))
    print(table(whole))
    print(table(times))
    best = min(row["run ms"] for row in times if row["points"] == options.points[0]) / 1e3
    ratio = TARGET_SECONDS / best
    print(f"{options.points[0]} points: {best:.4f} s a run, target {TARGET_SECONDS} s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
