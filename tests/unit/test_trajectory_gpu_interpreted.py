"""The trajectory kernels for GPUs, on a CPU in Triton's interpreter, against the reference."""

from functools import partial

import pytest
import torch

from neuroflame.core.program import Program
from neuroflame.core.recorder import RecordPlan, Sampling
from neuroflame.core.trajectory.gpu import GpuTrajectoryExecutor, TrajectoryExecutor
from neuroflame.core.trajectory.gpu_registers import warps_for
from neuroflame.core.trajectory.gpu_source import GpuSource
from neuroflame.core.trajectory.gpu_step import block_of
from neuroflame.core.trajectory.structure import shape_of
from neuroflame.spec import NetworkSpec
from tests.gpu.helpers import check_alone, check_divergence, check_halves, check_reference, plan_of, points
from tests.unit import interpreted as interpreter
from tests.unit.interpreted import VALUES, first_test, interpreted
from tests.unit.test_trajectory import CASES, RING

RINGS = [case for case in CASES if case not in ("sparse", "mixed")]
OURS = GpuTrajectoryExecutor()
small = partial(interpreter.small, sizes={"E": 18, "I": 7})


test_in_a_process_that_interprets = first_test(__file__)


@interpreted
@pytest.mark.parametrize("case", RINGS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
def test_recordings_are_those_of_the_reference(case, dtype, tolerance):
    program, state = points(small(case), VALUES, [0, 1], dtype=dtype)
    plan = plan_of(30)
    check_reference(OURS, program, state, plan, tolerance)


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
    program, state = points(small("ring", change=change, steps=13), VALUES, [0, 1])
    plan = plan_of(13)
    check_reference(OURS, program, state, plan, 1e-12)


@interpreted
def test_variables_windows_and_final_state_together():
    program, state = points(small("ring, everything on", steps=13), VALUES, [0, 1])
    plan = plan_of(13, variables=tuple(state.named()), variables_every=4, final_state=True)
    check_reference(OURS, program, state, plan, 1e-12)


@interpreted
@pytest.mark.parametrize("case", ["ring", "ring, everything on"])
def test_evidence_of_regimes(case):
    program, state = points(small(case, steps=13), VALUES, [0, 1])
    plan = plan_of(13, evidence=True, samplings=(Sampling(3, 13, 2),))
    assert check_reference(OURS, program, state, plan, 1e-12).plastic


@interpreted
def test_two_halves_are_the_whole_to_the_last_bit():
    program, state = points(small("ring, everything on", steps=13), VALUES, [0, 1], dtype=torch.float32)
    check_halves(OURS, program, state, 6)


@interpreted
def test_a_point_does_not_depend_on_its_tile():
    check_alone(OURS, small("ring, everything on", steps=13), VALUES, ([1], [2, 0]))


@interpreted
def test_a_diverging_point_is_labelled_and_touches_no_other():
    change = {"duration": 0.035, "populations.E.size": 9, "populations.I.size": 5}
    check_divergence(OURS, RING, change, [0.5, 80.0, 0.7])


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
