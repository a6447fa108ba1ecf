"""Programs to run twice, the difference between two recordings, and what every fast executor has to keep."""

import dataclasses

import numpy as np
import torch

from neuroflame.core.executors import REFERENCE
from neuroflame.core.measure import EngineCache, measure_points, start_states
from neuroflame.core.program import build_program
from neuroflame.core.recorder import RecordPlan, Window
from neuroflame.spec import NetworkSpec

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


# --- what every executor that is not the reference has to keep ---------------------------------------------------


def sweep(count):
    """Return points that differ in what a sweep usually varies."""
    rng = np.random.default_rng(3)
    return {
        "J.EE": rng.uniform(2, 6, count),
        "J0.E": rng.uniform(0.5, 3, count),
        "populations.E.tau": rng.uniform(0.01, 0.03, count),
    }


def check_reference(executor, program, state, plan, tolerance):
    """Recordings are those of the reference, of which no point diverges; return the executor's."""
    ours, reference = (run(e, program, state, plan) for e in (executor, REFERENCE))
    assert (reference.fail_step < 0).all(), "the reference diverges"
    difference, where = worst(ours, reference)
    assert difference < tolerance, f"{where}: {difference}"
    return ours


def check_halves(executor, program, state, first):
    """A run that goes on from its middle is the whole run, to the last bit."""
    plan = RecordPlan(final_state=True)
    whole = run(executor, program, state, plan).final
    middle = run(executor, program, state, plan, steps=first).final
    assert middle.step == first, middle.step
    last = run(executor, program, middle, plan, steps=program.spec.steps - first).final
    for name, value in whole.named().items():
        assert torch.equal(last.named()[name], value), name


def check_alone(executor, spec, values, indices, device="cpu"):
    """Points give the same bits in any company and order."""
    plan, count = plan_of(spec.steps), len(next(iter(values.values())))

    def found(index):
        return tensors(run(executor, *points(spec, values, index, device=device, dtype=torch.float32), plan))

    whole = dict(found(range(count)))
    for index in indices:
        for name, value in found(index):
            assert torch.equal(value, whole[name][torch.as_tensor(index, device=device)]), (name, index)


def check_divergence(executor, base, change, coupling, device="cpu", dtypes=(torch.float64,)):
    """A point that diverges is labelled at the reference's step, undefined at the end, and touches no other.

    Of three points with these values of J.EE only the middle one diverges.
    """
    quiet = {key: value for key, value in base.items() if key not in ("stp", "stimuli")}
    spec = NetworkSpec.parse(quiet).with_values({"rate_limit": 500.0, **change})
    values, plan = {"J.EE": np.array(coupling)}, plan_of(spec.steps, final_state=True)

    def found(e, index, dtype=torch.float64):
        return run(e, *points(spec, values, index, device=device, dtype=dtype), plan)

    failed = found(REFERENCE, [0, 1, 2]).fail_step.tolist()
    assert failed[1] > 0, failed
    assert failed[0] == failed[2] == -1, failed
    for dtype in dtypes:
        assert found(executor, [0, 1, 2], dtype).fail_step.tolist() == failed, dtype
    ours, alone = found(executor, [0, 1, 2]), dict(tensors(found(executor, [0, 2])))
    for name, value in tensors(ours):
        assert torch.equal(value[[0, 2]], alone[name]), name
    assert all(value[1].isnan().all() for value in ours.final.named().values()), "defined after divergence"


def check_statistics(spec, name):
    """`measure_points` on a GPU runs an executor, and its statistics are the reference's."""
    found = {
        executor: measure_points(
            spec,
            {"J.EE": np.array([6.0, 8.0, 10.0])},
            seeds=np.arange(3),
            initial=["network", "cued", "hot"],
            measure=["rates", "bump"],
            window=0.1,
            traces=True,
            device="cuda",
            precision="double",
            executor=executor,
        )
        for executor in ("auto", "reference")
    }
    assert found["auto"].executor == name, found["auto"].executor
    for column in ("rate.E.mean", "rate.I.max", "rate.E.sd_t", "bump.E.m1"):
        np.testing.assert_allclose(
            found["auto"].data[column], found["reference"].data[column], atol=1e-8, err_msg=column
        )
