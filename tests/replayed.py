"""Networks with all that makes a step differ from the one before it, run by steps that overwrite one state."""

import dataclasses

import numpy as np
import pytest
import torch

from neuroflame.core import reference
from neuroflame.core.own_windows import OwnRecorder
from neuroflame.core.recorder import Recorder
from neuroflame.core.statistics import FINAL, program_windows, samplings
from neuroflame.spec import NetworkSpec
from tests.gpu.helpers import plan_of, points, tensors
from tests.property.test_every_field_matters import INPUTS, LEARNING, RICH
from tests.unit import test_trajectory, test_trajectory_spiking

NETWORKS = {
    **test_trajectory.CASES,
    **{f"spiking, {name}": case for name, case in test_trajectory_spiking.CASES.items()},
    "inputs with times of each point": (RICH | INPUTS, {}),
    **{f"weights that learn, {i}": (RICH | learning, {}) for i, learning in enumerate(LEARNING)},
    "one that diverges": (
        test_trajectory.RING | {"stp": {}, "stimuli": []},
        {"J.EE": 30.0, "rate_limit": 500.0},
    ),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def check_replay(name, device, dtype):
    """A run by replayed steps leaves what a run by steps of their own does, to the last bit."""
    base, change = NETWORKS[name]
    spec = NetworkSpec.parse(base).with_values(change)
    values = {"J0.E": np.array([0.5, 1.0, 2.0, 1.5, 0.7])}
    program, state = points(spec, values, range(5), device=device, dtype=dtype)
    own = not program.shared_times
    plan = plan_of(
        spec.steps, variables=tuple(state.named()), variables_every=7, final_state=True, evidence=True
    )
    if own:
        windows = program_windows(program, 0.01)
        sampled = samplings(spec, 0.01, ["oscillation"], own=True)
        plan = dataclasses.replace(plan, windows=windows, temporal=frozenset({FINAL}), samplings=sampled)
    if state.voltage:
        plan = dataclasses.replace(plan, intervals="late")

    def found(advance):
        recorder = OwnRecorder(program, plan) if own else Recorder(program, plan)
        with torch.no_grad():
            return recorder.finish(advance(program, state, spec.steps, recorder))

    ours, expected = found(reference.replay), found(reference.walk)
    assert ours.trace_steps == expected.trace_steps
    for (one, value), (other, wanted) in zip(tensors(ours), tensors(expected), strict=True):
        assert one == other
        assert torch.equal(value.nan_to_num(-7.0), wanted.nan_to_num(-7.0)), one
    for population, intervals in expected.intervals.items():
        for field in dataclasses.fields(intervals):
            kept = getattr(ours.intervals[population], field.name)
            assert torch.equal(kept, getattr(intervals, field.name)), field.name
    return expected
