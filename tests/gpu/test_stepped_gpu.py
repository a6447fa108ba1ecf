"""The stepped executor on a CUDA device against the reference on the same device."""

from pathlib import Path

import numpy as np
import pytest
import torch

from neuroflame.core.executors import choose
from neuroflame.core.measure import measure_points
from neuroflame.core.recorder import Sampling
from neuroflame.core.stepped import SteppedExecutor
from neuroflame.core.stepped.tiling import Crew
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
    tensors,
)
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


@pytest.mark.parametrize("case", NAMES)
@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_recordings_are_those_of_the_reference(case, dtype, tolerance):
    program, state = points(network(case), sweep(45), range(45), device="cuda", dtype=dtype)
    check_reference(OURS, program, state, plan_of(program.spec.steps), tolerance)


@pytest.mark.parametrize("case", ["shipped", "sparse", "mixed"])
@pytest.mark.parametrize("every", [1, 7])
def test_evidence_of_regimes(case, every):
    """Plastic pairs are sampled as the next step finds them."""
    program, state = points(network(case), sweep(45), range(45), device="cuda")
    samplings = (Sampling(20, program.spec.steps, every), Sampling(5, 60, 3))
    plan = plan_of(program.spec.steps, evidence=True, samplings=samplings)
    assert check_reference(OURS, program, state, plan, 1e-10).plastic


def test_regimes_of_a_sparse_network_need_no_other_executor():
    spec = load_network(ROOT / "conf" / "balanced_ring.yml").with_values({"duration": 3.0, "stimuli": []})
    seeds, start = np.zeros(3, dtype=np.int64), ["network"] * 3
    found = measure_points(spec, sweep(3), seeds=seeds, initial=start, measure=["regime"], device="cuda")
    assert found.executor == "stepped"


@pytest.mark.parametrize("sizes", [(1, 1), (33, 512), (2000, 500), (8000, 2000)])
def test_sizes(sizes):
    change = {"populations.E.size": sizes[0], "populations.I.size": sizes[1], "connectivity.K": 1.0}
    spec = NetworkSpec.parse(SPARSE).with_values({"connectivity.K": 1.0}).with_values(change)
    program, state = points(spec, sweep(4), range(4), device="cuda", dtype=torch.float32)
    check_reference(OURS, program, state, plan_of(spec.steps), 1e-4)


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
    order = np.random.default_rng(0).permutation(160)
    check_alone(OURS, network(case), sweep(160), (np.array([4]), np.arange(3, 70), order), "cuda")


@pytest.mark.parametrize("case", ["ring, everything on", "mixed"])
def test_variables_windows_and_final_state_together(case):
    program, state = points(network(case), sweep(6), range(6), device="cuda")
    plan = plan_of(program.spec.steps, variables=tuple(state.named()), variables_every=7, final_state=True)
    check_reference(OURS, program, state, plan, 1e-10)


def test_two_halves_are_the_whole_to_the_last_bit():
    program, state = points(network("mixed"), sweep(3), range(3), device="cuda", dtype=torch.float32)
    check_halves(OURS, program, state, 83)


def test_a_diverging_point_is_labelled_and_touches_no_other():
    both = (torch.float64, torch.float32)
    check_divergence(OURS, SPARSE, {}, [0.5, 60.0, 0.7], "cuda", both)


def test_it_is_what_auto_means_for_sparse_networks():
    program, _ = points(network("sparse"), sweep(2), range(2), device="cuda")
    assert choose("auto", program, plan_of(program.spec.steps)).name == "stepped"
    ring, _ = points(NetworkSpec.parse(RING), sweep(2), range(2), device="cuda")
    assert choose("auto", ring, plan_of(ring.spec.steps)).name == "trajectory"


def test_statistics_are_those_of_the_reference():
    check_statistics(network("shipped"), "stepped")
