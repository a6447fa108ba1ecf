"""Times of a sweep and of a step, and how far a fast executor is from the reference."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.record import median_seconds, synchronize
from neuroflame.core.executors import REFERENCE, choose
from neuroflame.core.measure import EngineCache, measure_points, start_states
from neuroflame.core.program import Program, build_program
from neuroflame.core.recorder import RecordPlan, Window
from tests.gpu.helpers import worst

if TYPE_CHECKING:
    from benchmarks.networks import Sweep
    from neuroflame.core.executors import Executor

TOLERANCE = 1e-3
"""Largest relative difference from the reference, in float32 over some steps, with which a time is worth telling."""


def run_all(sweep: Sweep, device: str, engines: EngineCache | None = None) -> str:
    """Simulate all points and reduce them to statistics; return what ran them."""
    return measure_points(
        sweep.spec,
        sweep.values,
        seeds=np.zeros(sweep.count, dtype=np.int64),
        initial=["network"] * sweep.count,
        measure=["rates", "bump"],
        window=min(1.0, sweep.spec.duration / 2),
        device=device,
        engines=engines,
    ).executor


def whole(sweep: Sweep, device: str, repetitions: int) -> dict[str, Any]:
    """Return the wall time of a sweep, from the points' numbers to their statistics, and of its first call."""
    engines = EngineCache()
    begin = time.perf_counter()
    executor = run_all(sweep, device, engines)
    first = time.perf_counter() - begin
    seconds, taken = median_seconds(lambda: run_all(sweep, device, engines), device, repetitions)
    return {
        "executor": executor,
        "points": sweep.count,
        "steps": sweep.spec.steps,
        "seconds": seconds,
        "microseconds_a_step": 1e6 * seconds / sweep.spec.steps,
        "neuron_steps_a_second": sweep.spec.size * sweep.count * sweep.spec.steps / seconds,
        "spread": (max(taken) - min(taken)) / seconds,
        "seconds_of_first_call": first,
    }


def build(sweep: Sweep, device: str) -> Program:
    """Return the program of a sweep in float32."""
    place = torch.device(device)
    return build_program(
        sweep.spec,
        EngineCache().operators(sweep.spec, 0, place),
        {path: torch.as_tensor(value, device=place) for path, value in sweep.values.items()},
        points=sweep.count,
        seeds=torch.zeros(sweep.count, dtype=torch.int64, device=place),
        dtype=torch.float32,
        device=place,
    )


def difference(program: Program, steps: int) -> float:
    """Return how far the fastest executor is from the reference after some steps, of each variable's largest value."""
    short = _cut(program, steps)
    plan = RecordPlan(windows=(Window("all", 0, steps),), temporal=frozenset({"all"}), trace_every=1)
    with torch.no_grad():
        state = start_states(short, ["network"] * short.points)
        ours = choose("auto", short, plan).run(short, state, steps, plan)
        apart, where = worst(ours, REFERENCE.run(short, state, steps, plan))
    if apart > TOLERANCE:
        raise AssertionError(f"{where} is {apart:.1e} away from the reference after {steps} steps")
    return apart


def a_step(
    program: Program, steps: int, repetitions: int, executor: Executor | None = None
) -> dict[str, Any]:
    """Return the time of a step: of two runs of different length, so that what does not grow with steps drops out.

    By the fastest executor, or by one that is given.
    """
    taken: dict[int, list[float]] = {steps: [], 3 * steps: []}
    name = ""
    with torch.no_grad():
        for repetition in range(repetitions + 1):
            for count, times in taken.items():
                short = _cut(program, count)
                plan = RecordPlan(windows=(Window("final", count - max(1, count // 10), count),))
                state = start_states(short, ["network"] * short.points)
                chosen = executor or choose("auto", short, plan)
                synchronize(program.device.type)
                begin = time.perf_counter()
                chosen.run(short, state, count, plan)
                synchronize(program.device.type)
                name = chosen.name
                if repetition:  # the first compiles
                    times.append(time.perf_counter() - begin)
    short, long = (statistics.median(times) for times in taken.values())
    return {
        "executor": name,
        "points": program.points,
        "steps": [steps, 3 * steps],
        "microseconds_a_step": 1e6 * (long - short) / (2 * steps),
    }


def product_alone(neurons: int, points: int, device: str) -> float:
    """Return the microseconds of a dense float16 product of a network's size with two terms a point."""
    matrix = torch.randint(0, 2, (neurons, neurons), device=device, dtype=torch.float16)
    sent = torch.rand(neurons, 2 * points, device=device).half()
    seconds, _ = median_seconds(lambda: torch.mm(matrix, sent), device, 5)
    return 1e6 * seconds


def _cut(program: Program, steps: int) -> Program:
    return replace(program, spec=program.spec.with_values({"duration": steps * program.spec.dt}))
