"""The trajectory executor on a CUDA device against the reference on the same device."""

from pathlib import Path

import numpy as np
import pytest
import torch

from neuroflame.core.executors import REFERENCE, choose
from neuroflame.core.measure import measure_points
from neuroflame.core.recorder import RecordPlan, Sampling
from neuroflame.core.trajectory.gpu import GpuTrajectoryExecutor
from neuroflame.spec import NetworkSpec, load_network
from tests.gpu.helpers import plan_of, points, run, tensors, worst
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


def sweep(count):
    rng = np.random.default_rng(3)
    return {
        "J.EE": rng.uniform(2, 6, count),
        "J0.E": rng.uniform(0.5, 3, count),
        "populations.E.tau": rng.uniform(0.01, 0.03, count),
    }


@pytest.mark.parametrize("case", ["shipped", *RINGS])
@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_recordings_are_those_of_the_reference(case, dtype, tolerance):
    spec = network(case)
    program, state = points(spec, sweep(21), range(21), device="cuda", dtype=dtype)
    plan = plan_of(spec.steps)
    assert choose("auto", program, plan).name == "trajectory"
    ours, reference = (run(executor, program, state, plan) for executor in (OURS, REFERENCE))
    assert (reference.fail_step < 0).all()
    difference, where = worst(ours, reference)
    assert difference < tolerance, where


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
    plan = plan_of(program.spec.steps)
    difference, where = worst(run(OURS, program, state, plan), run(REFERENCE, program, state, plan))
    assert difference < tolerance, where


@pytest.mark.parametrize("sizes", [(1, 1), (33, 512), (1500, 400), (4096, 4096)])
def test_sizes(sizes):
    change = {"populations.E.size": sizes[0], "populations.I.size": sizes[1], "duration": 0.2}
    spec = NetworkSpec.parse(RING).with_values(change)
    program, state = points(spec, sweep(4), range(4), device="cuda", dtype=torch.float32)
    plan = plan_of(program.spec.steps)
    difference, where = worst(run(OURS, program, state, plan), run(REFERENCE, program, state, plan))
    assert difference < 1e-4, where


def test_variables_windows_and_final_state_together():
    program, state = points(network("ring, everything on"), sweep(6), range(6), device="cuda")
    plan = plan_of(program.spec.steps, variables=tuple(state.named()), variables_every=7, final_state=True)
    difference, where = worst(run(OURS, program, state, plan), run(REFERENCE, program, state, plan))
    assert difference < 1e-10, where


@pytest.mark.parametrize("every", [1, 4, 7])
def test_evidence_of_regimes(every):
    """Plastic pairs are sampled as the next step finds them; currents come back from their Fourier coefficients."""
    program, state = points(network("ring, everything on"), sweep(6), range(6), device="cuda")
    samplings = (Sampling(20, program.spec.steps, every), Sampling(5, 60, 3))
    plan = plan_of(program.spec.steps, evidence=True, samplings=samplings)
    ours = run(OURS, program, state, plan)
    assert ours.plastic
    difference, where = worst(ours, run(REFERENCE, program, state, plan))
    assert difference < 1e-10, where


def test_two_halves_are_the_whole_to_the_last_bit():
    program, state = points(
        network("ring, everything on"), sweep(3), range(3), device="cuda", dtype=torch.float32
    )
    plan = RecordPlan(final_state=True)
    whole = run(OURS, program, state, plan).final
    middle = run(OURS, program, state, plan, steps=83).final
    last = run(OURS, program, middle, plan, steps=program.spec.steps - 83).final
    for name, value in whole.named().items():
        assert torch.equal(last.named()[name], value), name


@pytest.mark.parametrize("case", ["shipped", *RINGS])
def test_a_point_does_not_depend_on_its_tile(case):
    spec, values = network(case), sweep(160)
    plan = plan_of(spec.steps)
    whole = dict(
        tensors(run(OURS, *points(spec, values, range(160), device="cuda", dtype=torch.float32), plan))
    )
    order = np.random.default_rng(0).permutation(160)
    for index in (np.array([4]), np.arange(3, 20), order):
        part = run(OURS, *points(spec, values, index, device="cuda", dtype=torch.float32), plan)
        for name, value in tensors(part):
            assert torch.equal(value, whole[name][torch.as_tensor(index, device="cuda")]), name


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
    values = {path: np.array(SPECIAL[path])}
    plan = plan_of(spec.steps)
    whole = dict(
        tensors(run(OURS, *points(spec, values, range(4), device="cuda", dtype=torch.float32), plan))
    )
    for i in range(4):
        alone = run(OURS, *points(spec, values, [i], device="cuda", dtype=torch.float32), plan)
        for name, value in tensors(alone):
            assert torch.equal(value[0], whole[name][i]), (name, i)


def test_a_diverging_point_is_labelled_and_touches_no_other():
    quiet = NetworkSpec.parse({key: value for key, value in RING.items() if key not in ("stp", "stimuli")})
    spec = quiet.with_values({"rate_limit": 500.0})
    values = {"J.EE": np.array([0.5, 60.0, 0.7])}
    plan = plan_of(spec.steps, final_state=True)
    ours, reference = (
        run(e, *points(spec, values, [0, 1, 2], device="cuda"), plan) for e in (OURS, REFERENCE)
    )
    assert ours.fail_step.tolist() == reference.fail_step.tolist()
    assert ours.fail_step[1] > 0
    alone = dict(tensors(run(OURS, *points(spec, values, [0, 2], device="cuda"), plan)))
    for name, value in tensors(ours):
        assert torch.equal(value[[0, 2]], alone[name]), name
    assert all(value[1].isnan().all() for value in ours.final.named().values())


def test_statistics_are_those_of_the_reference():
    found = {
        name: measure_points(
            network("shipped"),
            {"J.EE": np.array([6.0, 8.0, 10.0])},
            seeds=np.arange(3),
            initial=["network", "cued", "hot"],
            measure=["rates", "bump"],
            window=0.1,
            traces=True,
            device="cuda",
            precision="double",
            executor=name,
        )
        for name in ("auto", "reference")
    }
    assert found["auto"].executor == "trajectory"
    for name in ("rate.E.mean", "rate.I.max", "rate.E.sd_t", "bump.E.m1"):
        np.testing.assert_allclose(
            found["auto"].data[name], found["reference"].data[name], atol=1e-8, err_msg=name
        )
