"""The stepped executor on a CUDA device against the reference on the same device."""

from pathlib import Path

import numpy as np
import pytest
import torch

from neuroflame.core.executors import REFERENCE, choose
from neuroflame.core.measure import measure_points
from neuroflame.core.recorder import RecordPlan
from neuroflame.core.stepped import SteppedExecutor
from neuroflame.core.stepped.tiling import Crew
from neuroflame.spec import NetworkSpec, load_network
from tests.gpu.helpers import plan_of, points, run, tensors, worst
from tests.unit.test_trajectory import CASES, RING, SPARSE

pytestmark = pytest.mark.gpu
pytest.importorskip("triton")

OURS = SteppedExecutor()
ROOT = Path(__file__).parents[2]
TOLERANCES = [(torch.float64, 1e-10), (torch.float32, 1e-4)]
THIN = SPARSE | {"connectivity": {"kind": "sparse", "K": 1.5, "profile": {"kind": "cosine", "kappa": 0.7}}}
SHIPPED = {"duration": 0.3, "stimuli.cue.onset": 0.1, "stimuli.cue.offset": 0.2}


def network(case):
    if case == "shipped":
        return load_network(ROOT / "conf" / "balanced_ring.yml").with_values({"duration": 0.3, "stimuli": []})
    if case == "few connections":
        return NetworkSpec.parse(THIN).with_values({"populations.E.size": 1000, "populations.I.size": 900})
    base, change = CASES[case]
    return NetworkSpec.parse(base).with_values(change)


NAMES = ["shipped", "few connections", *CASES]


def sweep(count):
    rng = np.random.default_rng(3)
    return {
        "J.EE": rng.uniform(2, 6, count),
        "J0.E": rng.uniform(0.5, 3, count),
        "populations.E.tau": rng.uniform(0.01, 0.03, count),
    }


@pytest.mark.parametrize("case", NAMES)
@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_recordings_are_those_of_the_reference(case, dtype, tolerance):
    spec = network(case)
    program, state = points(spec, sweep(45), range(45), device="cuda", dtype=dtype)
    plan = plan_of(spec.steps)
    ours, reference = (run(executor, program, state, plan) for executor in (OURS, REFERENCE))
    assert (reference.fail_step < 0).all()
    difference, where = worst(ours, reference)
    assert difference < tolerance, where


@pytest.mark.parametrize("sizes", [(1, 1), (33, 512), (2000, 500), (8000, 2000)])
def test_sizes(sizes):
    change = {"populations.E.size": sizes[0], "populations.I.size": sizes[1], "connectivity.K": 1.0}
    spec = NetworkSpec.parse(SPARSE).with_values({"connectivity.K": 1.0}).with_values(change)
    program, state = points(spec, sweep(4), range(4), device="cuda", dtype=torch.float32)
    plan = plan_of(program.spec.steps)
    difference, where = worst(run(OURS, program, state, plan), run(REFERENCE, program, state, plan))
    assert difference < 1e-4, where


@pytest.mark.parametrize("case", ["mixed", "sparse", "few connections"])
@pytest.mark.parametrize("crew", [Crew(1, 5), Crew(2, 1), Crew(3, 2)])
def test_who_advances_the_tiles_changes_no_bit(case, crew):
    spec = network(case)
    program, state = points(spec, sweep(130), range(130), device="cuda", dtype=torch.float32)
    plan = plan_of(spec.steps)
    usual = dict(tensors(run(OURS, program, state, plan)))
    for name, value in tensors(run(SteppedExecutor(crew), program, state, plan)):
        assert torch.equal(value, usual[name]), name


@pytest.mark.parametrize("case", NAMES)
def test_a_point_does_not_depend_on_its_tile(case):
    spec, values = network(case), sweep(160)
    plan = plan_of(spec.steps)
    whole = dict(
        tensors(run(OURS, *points(spec, values, range(160), device="cuda", dtype=torch.float32), plan))
    )
    order = np.random.default_rng(0).permutation(160)
    for index in (np.array([4]), np.arange(3, 70), order):
        part = run(OURS, *points(spec, values, index, device="cuda", dtype=torch.float32), plan)
        for name, value in tensors(part):
            assert torch.equal(value, whole[name][torch.as_tensor(index, device="cuda")]), name


@pytest.mark.parametrize("case", ["ring, everything on", "mixed"])
def test_variables_windows_and_final_state_together(case):
    program, state = points(network(case), sweep(6), range(6), device="cuda")
    plan = plan_of(program.spec.steps, variables=tuple(state.named()), variables_every=7, final_state=True)
    difference, where = worst(run(OURS, program, state, plan), run(REFERENCE, program, state, plan))
    assert difference < 1e-10, where


def test_two_halves_are_the_whole_to_the_last_bit():
    program, state = points(network("mixed"), sweep(3), range(3), device="cuda", dtype=torch.float32)
    plan = RecordPlan(final_state=True)
    whole = run(OURS, program, state, plan).final
    middle = run(OURS, program, state, plan, steps=83).final
    last = run(OURS, program, middle, plan, steps=program.spec.steps - 83).final
    for name, value in whole.named().items():
        assert torch.equal(last.named()[name], value), name


def test_a_diverging_point_is_labelled_and_touches_no_other():
    quiet = NetworkSpec.parse({key: value for key, value in SPARSE.items() if key not in ("stp", "stimuli")})
    spec = quiet.with_values({"rate_limit": 500.0})
    values = {"J.EE": np.array([0.5, 60.0, 0.7])}
    plan = plan_of(spec.steps, final_state=True)
    ours, reference = (
        run(e, *points(spec, values, [0, 1, 2], device="cuda"), plan) for e in (OURS, REFERENCE)
    )
    assert ours.fail_step.tolist() == reference.fail_step.tolist()
    assert ours.fail_step[1] > 0
    single = run(OURS, *points(spec, values, [0, 1, 2], device="cuda", dtype=torch.float32), plan)
    assert single.fail_step.tolist() == reference.fail_step.tolist()
    alone = dict(tensors(run(OURS, *points(spec, values, [0, 2], device="cuda"), plan)))
    for name, value in tensors(ours):
        assert torch.equal(value[[0, 2]], alone[name]), name
    assert all(value[1].isnan().all() for value in ours.final.named().values())


def test_it_is_what_auto_means_for_sparse_networks():
    program, _ = points(network("sparse"), sweep(2), range(2), device="cuda")
    assert choose("auto", program, plan_of(program.spec.steps)).name == "stepped"
    ring, _ = points(NetworkSpec.parse(RING), sweep(2), range(2), device="cuda")
    assert choose("auto", ring, plan_of(ring.spec.steps)).name == "trajectory"


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
    assert found["auto"].executor == "stepped"
    for name in ("rate.E.mean", "rate.I.max", "rate.E.sd_t", "bump.E.m1"):
        np.testing.assert_allclose(
            found["auto"].data[name], found["reference"].data[name], atol=1e-8, err_msg=name
        )
