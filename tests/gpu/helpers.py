"""Programs to run twice, and the difference between two recordings."""

import dataclasses

import numpy as np
import torch

from neuroflame.core.measure import EngineCache, start_states
from neuroflame.core.program import build_program
from neuroflame.core.recorder import RecordPlan, Window

STARTS = ["network", "hot", "cold", "cued"]


def points(spec, values, index, *, device="cpu", dtype=torch.float64):
    """Return the program and the first state of some of a sweep's points, with seeds and starts of their own."""
    place = torch.device(device)
    index = np.asarray(index)
    starts = [STARTS[i % len(STARTS)] for i in index]
    program = build_program(
        spec,
        EngineCache().operators(spec, 0, place, dtype),
        {path: torch.as_tensor(value[index], device=place) for path, value in values.items()},
        points=len(index),
        seeds=torch.as_tensor(index + 2**35, device=place),
        dtype=dtype,
        device=place,
        stimulated=torch.tensor([start not in ("hot", "cold") for start in starts], device=place),
    )
    return program, start_states(program, starts)


def plan_of(steps, **others):
    """Return a plan with windows that overlap, one of them with temporal variation, and traces."""
    a, b, c, d = (round(steps * part) for part in (0.2, 0.5, 0.7, 0.95))
    windows = (Window("early", a, c), Window("late", b, d))
    return RecordPlan(windows=windows, temporal=frozenset({"late"}), trace_every=max(1, steps // 9), **others)


def run(executor, program, state, plan, steps=None):
    with torch.no_grad():
        return executor.run(program, state, program.spec.steps if steps is None else steps, plan)


def tensors(recording):
    """Yield name and tensor of all that a recording holds, with the points along the first axis."""
    for i, row in enumerate(recording.sums):
        for population, sums in row.items():
            for field in dataclasses.fields(sums):
                value = getattr(sums, field.name)
                if isinstance(value, torch.Tensor):
                    yield f"sums {i} {population} {field.name}", value
    for group in ("traces", "plastic", "variables"):
        for name, value in getattr(recording, group).items():
            yield f"{group} {name}", value
    if recording.final is not None:
        for name, value in recording.final.named().items():
            yield f"final {name}", value
    yield "fail step", recording.fail_step


def worst(ours, reference):
    """Return the largest difference of two recordings, each tensor's relative to its largest entry, and where."""
    assert ours.trace_steps == reference.trace_steps
    assert ours.plastic_steps == reference.plastic_steps
    assert ours.variable_steps == reference.variable_steps
    found = []
    for (name, value), (other, expected) in zip(tensors(ours), tensors(reference), strict=True):
        assert name == other
        assert value.shape == expected.shape, name
        assert value.dtype == expected.dtype, name
        difference = (value.double() - expected.double()).abs().max() / expected.double().abs().max().clamp(
            min=1.0
        )
        found.append((float(difference.nan_to_num(float("inf"))), name))
    return max(found)
