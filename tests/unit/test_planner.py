"""Tiles, their cost, and the plan."""

import numpy as np
import pytest

from neuroflame.spec.sweep import SweepSpec
from neuroflame.sweep import cost
from neuroflame.sweep.cost import LONGEST_S, TARGET_S, CostModel, point_bytes
from neuroflame.sweep.planner import duration, make_plan
from neuroflame.sweep.tiles import GRAIN, TileQueue, make_tile, parse_ref
from tests.unit.test_points import block_of
from tests.unit.test_sweep_spec import sweep

SPEC = {"space": {"populations.I.size": [10, 20], "J.EE": [1, 2, 3]}, "repeat": {"graphs": 2, "seeds": 2}}


def tiles_of(queue, size):
    found = []
    while len(queue):
        found.append(queue.next(size))
    return found


@pytest.mark.parametrize("size", [1, 4, 5, 1000])
def test_tiles_stay_within_their_group(size):
    block = block_of(sweep(**SPEC))
    tiles = tiles_of(TileQueue(block), size)
    assert np.concatenate([tile.ranks for tile in tiles]).tolist() == list(range(len(block)))
    for tile in tiles:
        group = np.searchsorted(block.bounds, tile.ranks, side="right")
        assert len(set(group.tolist())) == 1
        assert len(tile) <= size


def test_only_what_is_pending_is_in_a_tile():
    block = block_of(sweep(**SPEC))
    pending = np.arange(len(block)) % 3 == 0
    tiles = tiles_of(TileQueue(block, 0, pending), 4)
    assert np.concatenate([tile.ranks for tile in tiles]).tolist() == np.flatnonzero(pending).tolist()


def test_an_exhausted_queue_says_so():
    with pytest.raises(IndexError):
        TileQueue(block_of(sweep()), 0, np.zeros(2, dtype=bool)).next(1)


def test_the_name_of_a_tile_is_that_of_its_points():
    block = block_of(sweep(**SPEC))
    whole, same, other = (make_tile(block, 0, np.arange(*ends)) for ends in [(0, 4), (0, 4), (0, 5)])
    assert whole.id == same.id != other.id
    more = block_of(sweep(**{**SPEC, "compute": {"actors": 7}}))
    assert make_tile(more, 0, np.arange(4)).id == whole.id


@pytest.mark.parametrize("ranks", [[0], [3, 4, 5], [0, 2, 3, 9], list(range(1000))])
def test_a_reference_tells_the_points(ranks):
    tile = make_tile(block_of(sweep(space={"J.EE": {"from": 0, "to": 1, "num": 1000}})), 3, np.array(ranks))
    back = parse_ref(tile.ref)
    assert (back.id, back.block, back.ranks.tolist()) == (tile.id, 3, ranks)
    assert len(tile.ref) < 60


def test_a_size_that_is_given_is_kept():
    cost = CostModel(sweep(compute={"tile": 7}), actors=2)
    cost.observe(7, 100.0)
    assert cost.size(1000) == 7


def run_model(start, slope, *, points=10**7, actors=2):
    """Return the sizes that the model chooses where a tile takes start + slope·points seconds."""
    cost, sizes = CostModel(sweep(), actors), []
    while points > 0:
        size = min(cost.size(points), points)
        sizes.append(size)
        points -= size
        cost.observe(size, start + slope * size, first=len(sizes) <= actors)
        if len(sizes) > 60:
            break
    return sizes


@pytest.mark.parametrize("slope", [0.001, 0.01, 0.1])
def test_tiles_come_to_take_the_time_aimed_at(slope):
    settled = run_model(0.0, slope)[15:30]
    assert all(0.5 * TARGET_S < size * slope < 2.5 * TARGET_S for size in settled)


def test_tiles_grow_where_points_cost_little_beside_the_tile():
    settled = run_model(5.0, 0.01)[15:30]
    assert all(5.0 + 0.01 * size <= 1.3 * LONGEST_S for size in settled)
    assert min(settled) > 1000  # of 400 points a tile would be overhead for the most part


def test_sizes_are_whole_grains_but_for_the_last():
    sizes = run_model(0.0, 0.01, points=5000)
    assert sum(sizes) == 5000
    assert all(size % GRAIN == 0 for size in sizes if size >= GRAIN)


def test_every_actor_gets_a_tile():
    cost = CostModel(sweep(), actors=4)
    cost.observe(1000, 0.001)
    assert cost.size(100) == 16
    assert cost.size(1000) == 240
    assert cost.size(8) == 16  # fewer would take as long


def test_memory_limits_a_tile():
    cost = CostModel(sweep(), actors=1)
    cost.observe(10_000, 1e-4)
    cost.observe(20_000, 2e-4)
    cost.shrink(100)
    assert cost.size(10**6) <= 50


def test_plan_tells_what_will_happen():
    spec = sweep(**SPEC, compute={"tile": 3, "actors": 2})
    plan = make_plan(spec)
    assert (plan.points, plan.groups, plan.tiles, plan.tile, plan.actors) == (24, 4, 8, 3, 2)
    text = str(plan)
    for word in ("populations.I.size  10, 20", "J.EE  1, 2, 3", "6 assignments × 2 graphs × 2 seeds", "grid"):
        assert word in text


@pytest.mark.parametrize(
    "search",
    [
        {"kind": "random", "trials": 40},
        {"kind": "sobol", "trials": 40},
        {"kind": "tpe", "trials": 40, "batch": 8, "maximise": "bump.E.m1"},
    ],
)
def test_plan_of_sampled_searches(search):
    plan = make_plan(sweep(space={"J.EE": {"low": 1, "high": 2}}, search=search, repeat={"graphs": 2}))
    assert plan.points == 80
    assert search["kind"] in plan.reach
    assert "J.EE  1 to 2" in str(plan)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.5, "a second"), (12.3, "12 s"), (240, "4 min"), (7200, "2.0 h"), (10**6, "12 days")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


LEARNING = {"hebbian.EE": {"rule": "hebb", "eta": 1.0}}


@pytest.mark.parametrize("dense", [False, True])
def test_a_point_whose_weights_learn_takes_memory_and_time_for_each_connection(dense):
    kind = {"connectivity.pairs.EE": {"kind": "all_to_all" if dense else "sparse"}}
    plain, learning = sweep(set=kind), sweep(set=kind | LEARNING)
    pair, size = learning.network.pairs[0], learning.network.populations["E"].size
    connections = size * (size if dense else pair.K)
    extra = point_bytes(learning, learning.network) - point_bytes(plain, plain.network)
    assert extra == 20 * 4 * connections
    double = sweep(set=kind | LEARNING, compute={"precision": "double"})
    assert point_bytes(double, double.network) - point_bytes(plain, plain.network) == 2 * extra
    slower = CostModel(learning, 1).seconds(1) - 30 * CostModel(plain, 1).seconds(1)
    assert slower == pytest.approx(3e-8 * connections * learning.network.steps)


def test_tiles_of_learning_networks_fit_the_memory(monkeypatch):
    monkeypatch.setattr(cost, "free_bytes", lambda: 10**9)
    dense = {"populations.E.size": 1000, "connectivity.pairs.EE": {"kind": "all_to_all"}}
    assert CostModel(sweep(set=dense), 1).size(1000) == 64
    assert CostModel(sweep(set=dense | LEARNING), 1).size(1000) == 4  # 40 % of it, 80 MB a point


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"stimuli.0.jitter": {"low": 0.0, "high": 0.01}}, "times of stimuli differ"),
        ({"feedforward": {"tau": 0.01}}, "dynamics of its own"),
        ({"connectivity.profile": {"kind": "low_rank", "kappa": 0.5, "rank": 1}}, None),
        ({"connectivity.profile": {"kind": "low_rank", "kappa": 0.5, "rank": 17}}, "of a rank above 16"),
        ({"hebbian.EE": {"rule": "hebb", "eta": 0.1}}, "learn"),
    ],
)
def test_the_plan_says_why_no_kernel_runs(change, reason):
    from neuroflame.core.executors import choose
    from neuroflame.core.recorder import RecordPlan
    from neuroflame.spec import NetworkSpec
    from neuroflame.spec.kernels import kernel_refusal
    from tests.gpu.helpers import points
    from tests.unit.test_trajectory import RING

    spec = NetworkSpec.parse(RING).with_values(change)
    found = kernel_refusal(spec, cuda=False)
    assert (found is None) if reason is None else (reason in found)
    program, _ = points(spec, {}, [0])
    executor = choose("auto", program, RecordPlan())
    assert executor.name == ("trajectory" if reason is None else "reference")


def test_sweeps_know_the_executors_of_networks():
    from typing import get_args

    from neuroflame.core.executors import EXECUTORS
    from neuroflame.spec.compute import Compute

    names = get_args(Compute.model_fields["executor"].annotation)
    assert set(names) == {"auto", *(executor.name for executor in EXECUTORS)}


@pytest.mark.parametrize("executor", ["trajectory", "stepped"])
def test_the_plan_and_the_run_refuse_an_executor_alike(executor, tmp_path):
    from neuroflame import Network
    from neuroflame.errors import SimulationError
    from neuroflame.sweep.running import start

    forced = sweep(
        compute={"executor": executor, "device": "cpu", "backend": "inline"},
        set={"feedforward": {"tau": 0.01}} if executor == "trajectory" else {},
    )
    said = []
    for attempt in (
        lambda: Network(forced.network, device="cpu", executor=executor)(),
        lambda: make_plan(forced, actors=1),
        lambda: start(forced, str(tmp_path / "out")),
    ):
        with pytest.raises(SimulationError) as error:
            attempt()
        said.append(str(error.value))
    assert len(set(said)) == 1
    assert said[0].startswith(f"the executor {executor} cannot run this: ")
    assert not (tmp_path / "out").exists()


def test_the_plan_looks_at_every_structure():
    from neuroflame.errors import SimulationError

    low_rank = {"profile": {"kind": "low_rank", "kappa": 1.0, "rank": 1}}
    network = {"populations": {"E": {"size": 8}}, "J": {"EE": 1.0}, "connectivity": low_rank}
    asked = {"network": network, "compute": {"executor": "trajectory", "device": "cpu"}}
    make_plan(SweepSpec.parse({**asked, "space": {"connectivity.profile.rank": [1, 16]}}), actors=1)
    above = SweepSpec.parse({**asked, "space": {"connectivity.profile.rank": [1, 17]}})
    with pytest.raises(SimulationError, match="the connectivity of EE is of a rank above 16"):
        make_plan(above, actors=1)
