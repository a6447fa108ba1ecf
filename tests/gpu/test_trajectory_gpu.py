"""The trajectory executor on a CUDA device against the reference on the same device."""

from pathlib import Path

import numpy as np
import pytest
import torch

from neuroflame.core.executors import choose
from neuroflame.core.recorder import Sampling
from neuroflame.core.trajectory.gpu import GpuTrajectoryExecutor
from neuroflame.spec import NetworkSpec, load_network
from tests.gpu.helpers import (
    check_alone,
    check_divergence,
    check_halves,
    check_reference,
    check_statistics,
    plan_of,
    points,
    run,
    sweep,
    worst,
)
from tests.unit.test_trajectory import CASES, RING

pytestmark = pytest.mark.gpu
pytest.importorskip("triton")

OURS = GpuTrajectoryExecutor()
ROOT = Path(__file__).parents[2]
SHORT = {"duration": 0.6, "stimuli.cue.onset": 0.1, "stimuli.cue.offset": 0.3}
RINGS = [case for case in CASES if case not in ("sparse", "mixed")]
TOLERANCES = [(torch.float64, 1e-10), (torch.float32, 1e-4)]


def network(case):
    if case == "shipped":
        return load_network(ROOT / "conf" / "ring_EI.yml").with_values(SHORT)
    base, change = CASES[case]
    return NetworkSpec.parse(base).with_values(change)


@pytest.mark.parametrize("case", ["shipped", *RINGS])
@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_recordings_are_those_of_the_reference(case, dtype, tolerance):
    program, state = points(network(case), sweep(21), range(21), device="cuda", dtype=dtype)
    plan = plan_of(program.spec.steps)
    assert choose("auto", program, plan).name == "trajectory"
    check_reference(OURS, program, state, plan, tolerance)


@pytest.mark.parametrize("warps", [1, 2, 4, 8])
def test_any_number_of_warps_computes_the_same(warps):
    spec = network("shipped")
    program, state = points(spec, sweep(5), range(5), device="cuda", dtype=torch.float64)
    plan = plan_of(spec.steps)
    difference, where = worst(
        run(GpuTrajectoryExecutor(warps), program, state, plan), run(OURS, program, state, plan)
    )
    assert difference < 1e-11, where


@pytest.mark.parametrize("transfer", ["erf", "erf_odd", "tanh", "brunel"])
@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_transfer_functions_and_a_pattern_of_input(transfer, dtype, tolerance):
    stimulus = {
        "shape": "gaussian",
        "onset": 0.05,
        "offset": 0.15,
        "strength": 0.7,
        "populations": ["E", "I"],
    }
    change = {"transfer": transfer, "stimuli": [stimulus], "stp.EE.kind": "markram_exp"}
    program, state = points(
        NetworkSpec.parse(RING).with_values(change), sweep(6), range(6), device="cuda", dtype=dtype
    )
    check_reference(OURS, program, state, plan_of(program.spec.steps), tolerance)


@pytest.mark.parametrize("sizes", [(1, 1), (33, 512), (1500, 400), (4096, 4096)])
def test_sizes(sizes):
    change = {"populations.E.size": sizes[0], "populations.I.size": sizes[1], "duration": 0.2}
    spec = NetworkSpec.parse(RING).with_values(change)
    program, state = points(spec, sweep(4), range(4), device="cuda", dtype=torch.float32)
    check_reference(OURS, program, state, plan_of(program.spec.steps), 1e-4)


def test_variables_windows_and_final_state_together():
    program, state = points(network("ring, everything on"), sweep(6), range(6), device="cuda")
    plan = plan_of(program.spec.steps, variables=tuple(state.named()), variables_every=7, final_state=True)
    check_reference(OURS, program, state, plan, 1e-10)


@pytest.mark.parametrize("every", [1, 4, 7])
def test_evidence_of_regimes(every):
    """Plastic pairs are sampled as the next step finds them; currents come back from their Fourier coefficients."""
    program, state = points(network("ring, everything on"), sweep(6), range(6), device="cuda")
    samplings = (Sampling(20, program.spec.steps, every), Sampling(5, 60, 3))
    plan = plan_of(program.spec.steps, evidence=True, samplings=samplings)
    assert check_reference(OURS, program, state, plan, 1e-10).plastic


def test_two_halves_are_the_whole_to_the_last_bit():
    program, state = points(
        network("ring, everything on"), sweep(3), range(3), device="cuda", dtype=torch.float32
    )
    check_halves(OURS, program, state, 83)


@pytest.mark.parametrize("case", ["shipped", *RINGS])
def test_a_point_does_not_depend_on_its_tile(case):
    order = np.random.default_rng(0).permutation(160)
    check_alone(OURS, network(case), sweep(160), (np.array([4]), np.arange(3, 20), order), "cuda")


SPECIAL = {
    "connectivity.profile.phase": [0.0, 20.0, 0.0, 0.0],
    "populations.E.gain": [1.0, 1.3, 1.0, 1.0],
    "populations.I.rate_max": [1.0, 1.0, 2.0, 1.0],
    "connectivity.profile.kappa": [0.3, 0.0, 2.0, 0.01],
}


@pytest.mark.parametrize("path", SPECIAL)
@pytest.mark.parametrize("size", [70, 500])
def test_a_point_with_more_terms_changes_no_bit_of_the_others(path, size):
    spec = network("von Mises" if path.endswith("kappa") else "ring").with_values(
        {"populations.E.size": size}
    )
    check_alone(OURS, spec, {path: np.array(SPECIAL[path])}, [[i] for i in range(4)], "cuda")


def test_a_diverging_point_is_labelled_and_touches_no_other():
    check_divergence(OURS, RING, {}, [0.5, 60.0, 0.7], "cuda")


def test_statistics_are_those_of_the_reference():
    check_statistics(network("shipped"), "trajectory")
