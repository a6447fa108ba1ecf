"""Tiles with a worker: deadlines, and what becomes of those whose worker died."""

import numpy as np
import pytest

from neuroflame.sweep import flights as module
from neuroflame.sweep.block import Block
from neuroflame.sweep.cost import CostModel
from neuroflame.sweep.flights import Flights
from neuroflame.sweep.tiles import make_tile
from tests.unit.test_sweep_spec import sweep


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def block():
    return Block(sweep(space={"J.EE": list(range(8))}), {"J.EE": np.arange(8.0)})


def test_time_counts_from_when_a_worker_begins(clock, block):
    flights, tile = Flights(retries=0), make_tile(block, 0, np.arange(8))
    flights.depart(tile, 10.0)
    clock[0] += 1000  # it waits for a machine
    assert flights.overdue() == []
    flights.begin(tile.id, "a")
    clock[0] += 9.9
    assert flights.overdue() == []
    clock[0] += 0.2
    assert [late.id for late in flights.overdue()] == [tile.id]
    assert flights.overdue() == []  # told once


def test_a_lost_tile_is_tried_again_and_then_its_halves(block):
    flights, tile = Flights(retries=2), make_tile(block, 0, np.arange(8))
    for losses in (1, 2):
        flights.depart(tile, 1.0)
        crash = flights.crash(tile.id, "killed", block)
        (tile,) = crash.again
        assert tile.losses == losses
        assert crash.reason == "its worker died: killed"
    flights.depart(tile, 1.0)
    halves = flights.crash(tile.id, "killed", block).again
    assert [half.ranks.tolist() for half in halves] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [half.losses for half in halves] == [0, 0]
    assert flights.crash(tile.id, "killed", block) is None
    assert len(flights) == 0


def test_halves_of_what_hung_are_tried_once(clock, block):
    """Each try costs a deadline."""
    flights, tile = Flights(retries=1), make_tile(block, 0, np.arange(2))
    for _ in range(2):
        flights.depart(tile, 5.0)
        flights.begin(tile.id, "a")
        clock[0] += 6
        assert flights.overdue()
        crash = flights.crash(tile.id, "", block)
        tile = crash.again[0]
    first, _ = crash.again
    assert first.losses == 1
    flights.depart(first, 5.0)
    flights.begin(first.id, "a")
    clock[0] += 6
    flights.overdue()
    crash = flights.crash(first.id, "", block)
    assert crash.again == []
    assert crash.reason == "no result within 5 s (compute.deadline)"


def test_another_attempt_has_another_name(block):
    ids = {make_tile(block, 0, np.arange(8), attempt).id for attempt in range(3)}
    assert len(ids) == 3


# --- how long a tile may take


def test_a_deadline_that_is_given_is_kept():
    cost = CostModel(sweep(compute={"deadline": 7}), actors=1)
    assert cost.deadline(1) == cost.deadline(10**6) == 7.0


def test_the_deadline_is_generous_and_follows_the_slowest_tile():
    cost = CostModel(sweep(), actors=4)
    assert cost.deadline(1) >= 120
    cost.observe(10, 10.0)
    cost.observe(10, 1.0)
    assert cost.deadline(10) == pytest.approx(120 + 20 * 10.0)
    assert cost.deadline(100) == pytest.approx(120 + 20 * 100.0)


def test_measures_of_dynamics_take_their_time():
    """They run long before any tile was seen; those of larger networks in proportion."""
    lyapunov = {"measure": ["lyapunov"], "dynamics": {"lyapunov": {"transient": 1.0, "duration": 9.0}}}
    space = {"populations.E.size": [20, 2000], "J.EE": [1.0, 2.0]}
    plain, dear = (CostModel(sweep(space=space, **more), actors=1) for more in ({}, lyapunov))
    assert dear.deadline(100) - 120 > 100 * (plain.deadline(100) - 120)
    block = Block(sweep(space=space), {"populations.E.size": np.array([2000]), "J.EE": np.array([1.0])})
    large = dear.group_of(block.points(np.array([0])))
    assert 20 < large.weight < 200
    assert dear.deadline(1, large) - 120 == pytest.approx(large.weight * (dear.deadline(1) - 120))


def test_larger_networks_have_smaller_tiles_and_longer_deadlines():
    """Points of one structural axis differ by orders of magnitude: what was measured of the small ones tells."""
    spec = sweep(space={"populations.E.size": [20, 2000], "J.EE": [1.0, 2.0]})
    cost = CostModel(spec, actors=1)
    block = Block(spec, {"populations.E.size": np.array([20, 2000]), "J.EE": np.array([1.0, 1.0])})
    small, large = (cost.group_of(block.points(np.array([rank]))) for rank in (0, 1))
    assert 20 < large.weight / small.weight < 200
    assert large.bytes > 10 * small.bytes
    for count in (1000, 2000, 4000):
        cost.observe(count, count * 1e-3, group=small)
    assert cost.size(10**6, small) > 20 * cost.size(10**6, large)
    assert cost.deadline(100, large) - 120 == pytest.approx(
        (cost.deadline(100, small) - 120) * large.weight / small.weight
    )


def test_what_was_too_much_for_the_memory_is_remembered_in_bytes():
    spec = sweep(space={"populations.E.size": [20, 2000], "J.EE": [1.0, 2.0]})
    cost = CostModel(spec, actors=1)
    block = Block(spec, {"populations.E.size": np.array([20, 2000]), "J.EE": np.array([1.0, 1.0])})
    small, large = (cost.group_of(block.points(np.array([rank]))) for rank in (0, 1))
    for count in (10_000, 20_000):
        cost.observe(count, count * 1e-6)
    cost.shrink(20_000, small)
    assert cost.size(10**6, small) <= 10_000
    assert cost.size(10**6, large) <= 10_000 * small.bytes / large.bytes
