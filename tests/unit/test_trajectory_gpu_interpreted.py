"""The trajectory kernels for GPUs, on a CPU in Triton's interpreter, against the reference."""

import numpy as np
import pytest
import torch

from neuroflame.core.executors import REFERENCE
from neuroflame.core.program import Program
from neuroflame.core.recorder import RecordPlan, Sampling
from neuroflame.core.trajectory.gpu import GpuTrajectoryExecutor, TrajectoryExecutor
from neuroflame.core.trajectory.gpu_source import GpuSource, block_of, warps_for
from neuroflame.core.trajectory.structure import shape_of
from neuroflame.spec import NetworkSpec
from tests.gpu.helpers import plan_of, points, run, tensors, worst
from tests.unit.interpreted import first_test, interpreted
from tests.unit.test_trajectory import CASES, RING

RINGS = [case for case in CASES if case not in ("sparse", "mixed")]
VALUES = {"J.EE": np.array([3.0, 5.0, 4.0]), "J0.E": np.array([1.0, 2.0, 0.5])}
OURS = GpuTrajectoryExecutor()


test_in_a_process_that_interprets = first_test(__file__)


def small(case, change=(), steps=30):
    """Return a case with few neurons and steps, whose stimulus is within them."""
    base, own = CASES[case]
    sizes = {"E": 18, "I": 7}
    populations = {name: base["populations"][name] | {"size": size} for name, size in sizes.items()}
    cue = base["stimuli"][0] | {"onset": 0.007, "offset": 0.019}
    changed = base | {"populations": populations, "duration": steps * 0.001, "stimuli": [cue]}
    return NetworkSpec.parse(changed).with_values({**own, **dict(change)})


@interpreted
@pytest.mark.parametrize("case", RINGS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
def test_recordings_are_those_of_the_reference(case, dtype, tolerance):
    program, state = points(small(case), VALUES, [0, 1], dtype=dtype)
    plan = plan_of(30)
    difference, where = worst(run(OURS, program, state, plan), run(REFERENCE, program, state, plan))
    assert difference < tolerance, where


@interpreted
@pytest.mark.parametrize("transfer", ["erf", "erf_odd", "tanh", "brunel"])
def test_transfer_functions_and_a_pattern_of_input(transfer):
    stimulus = {
        "shape": "gaussian",
        "onset": 0.005,
        "offset": 0.011,
        "strength": 0.7,
        "populations": ["E", "I"],
    }
    change = {"transfer": transfer, "stimuli": [stimulus], "stp.EE.kind": "markram_exp"}
    program, state = points(small("ring", change, steps=13), VALUES, [0, 1])
    plan = plan_of(13)
    difference, where = worst(run(OURS, program, state, plan), run(REFERENCE, program, state, plan))
    assert difference < 1e-12, where


@interpreted
def test_variables_windows_and_final_state_together():
    program, state = points(small("ring, everything on", steps=13), VALUES, [0, 1])
    plan = plan_of(13, variables=tuple(state.named()), variables_every=4, final_state=True)
    difference, where = worst(run(OURS, program, state, plan), run(REFERENCE, program, state, plan))
    assert difference < 1e-12, where


@interpreted
@pytest.mark.parametrize("case", ["ring", "ring, everything on"])
def test_evidence_of_regimes(case):
    program, state = points(small(case, steps=13), VALUES, [0, 1])
    plan = plan_of(13, evidence=True, samplings=(Sampling(3, 13, 2),))
    ours = run(OURS, program, state, plan)
    assert ours.plastic
    difference, where = worst(ours, run(REFERENCE, program, state, plan))
    assert difference < 1e-12, where


@interpreted
def test_two_halves_are_the_whole_to_the_last_bit():
    program, state = points(small("ring, everything on", steps=13), VALUES, [0, 1], dtype=torch.float32)
    plan = RecordPlan(final_state=True)
    whole = run(OURS, program, state, plan)
    middle = run(OURS, program, state, plan, steps=6).final
    assert middle.step == 6
    last = run(OURS, program, middle, plan, steps=7).final
    for name, value in whole.final.named().items():
        assert torch.equal(last.named()[name], value), name


@interpreted
def test_a_point_does_not_depend_on_its_tile():
    spec, plan = small("ring, everything on", steps=13), plan_of(13)
    whole = dict(tensors(run(OURS, *points(spec, VALUES, [0, 1, 2], dtype=torch.float32), plan)))
    for index in ([1], [2, 0]):
        for name, value in tensors(run(OURS, *points(spec, VALUES, index, dtype=torch.float32), plan)):
            assert torch.equal(value, whole[name][index]), name


@interpreted
def test_a_diverging_point_is_labelled_and_touches_no_other():
    quiet = NetworkSpec.parse({key: value for key, value in RING.items() if key not in ("stp", "stimuli")})
    spec = quiet.with_values(
        {"duration": 0.035, "rate_limit": 500.0, "populations.E.size": 9, "populations.I.size": 5}
    )
    values = {"J.EE": np.array([0.5, 80.0, 0.7])}
    plan = plan_of(35, final_state=True)
    ours, reference = (run(e, *points(spec, values, [0, 1, 2]), plan) for e in (OURS, REFERENCE))
    assert ours.fail_step.tolist() == reference.fail_step.tolist()
    assert ours.fail_step[1] > 0
    assert ours.fail_step[0] == ours.fail_step[2] == -1
    alone = dict(tensors(run(OURS, *points(spec, values, [0, 2]), plan)))
    for name, value in tensors(ours):
        assert torch.equal(value[[0, 2]], alone[name]), name
    assert all(value[1].isnan().all() for value in ours.final.named().values())


# --- without running a kernel -----------------------------------------------------------------------------------


def source_of(sizes, dtype=torch.float32, change=()):
    own = {"populations.E.size": sizes[0], "populations.I.size": sizes[1]}
    spec = NetworkSpec.parse(RING).with_values({**dict(change), **own})
    program, _ = points(spec, VALUES, [0], dtype=dtype)
    return GpuSource(shape_of(program, modal=True, temporal=True), sizes)


def test_warps_grow_with_the_state():
    assert [warps_for(source_of((n, n))) for n in (10, 500, 1000, 2000, 4096)] == [1, 1, 2, 4, 8]
    assert warps_for(source_of((500, 500), torch.float64)) == 2
    assert warps_for(source_of((4096, 4096), torch.float64)) is None
    assert [block_of(n) for n in (1, 16, 17, 500, 512, 513)] == [16, 16, 32, 512, 512, 1024]


def test_the_text_does_not_depend_on_the_numbers():
    assert source_of((70, 37)).text == source_of((70, 37), change={"J.EE": 7.0, "M0": 2.0}).text


def test_what_it_cannot_run_is_refused_with_the_reason():
    spec = NetworkSpec.parse(RING)
    program, _ = points(spec, VALUES, [0])
    assert "is on cpu" in OURS.refuses(program, RecordPlan())
    assert TrajectoryExecutor().refuses(program, RecordPlan()) is None
    reasons = {
        "sparse": (NetworkSpec.parse(CASES["sparse"][0]), "is sparse"),
        "large": (spec.with_values({"populations.E.size": 5000}), "more than 4096 neurons"),
        "modes": (
            spec.with_values({"connectivity.profile": {"kind": "von_mises", "kappa": 50.0}}),
            "Fourier modes",
        ),
        "double": (spec.with_values({"populations.E.size": 4096, "populations.I.size": 4096}), "registers"),
    }
    for name, (network, reason) in reasons.items():
        program, _ = points(network, VALUES, [0])
        assert reason in OURS.refuses(_as_if_on_cuda(program), RecordPlan()), name


def _as_if_on_cuda(program):
    class Elsewhere(Program):
        device = torch.device("cuda")

        def __init__(self):
            vars(self).update({key: value for key, value in vars(program).items() if key != "device"})

    return Elsewhere()
