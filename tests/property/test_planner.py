"""Whatever is swept and however it is cut: every point is in one tile, and is what the file says."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroflame.spec.sweep import SweepSpec
from neuroflame.sweep.planner import known_block
from neuroflame.sweep.search import make_search
from neuroflame.sweep.tiles import TileQueue, parse_ref
from tests.unit.test_sweep_spec import NETWORK

PATHS = {
    "J.EE": st.floats(-5, 5),
    "J0.E": st.floats(0, 9),
    "populations.E.size": st.integers(5, 9),
    "connectivity.K": st.floats(1, 5),
    "populations.E.tau": st.floats(0.001, 1),
}


@st.composite
def sweeps(draw):
    paths = draw(st.lists(st.sampled_from(sorted(PATHS)), unique=True, max_size=3))
    space = {path: draw(st.lists(PATHS[path], min_size=1, max_size=4, unique=True)) for path in paths}
    repeat = {
        "graphs": draw(st.integers(1, 3)),
        "seeds": draw(st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True)),
        "initial_conditions": draw(
            st.lists(st.sampled_from(["network", "cold", "hot", "cued"]), min_size=1, max_size=3, unique=True)
        ),
    }
    return SweepSpec.parse({"network": NETWORK, "space": space, "repeat": repeat})


@settings(max_examples=60, deadline=None)
@given(spec=sweeps(), data=st.data())
def test_tiles_partition_the_pending_points(spec, data):
    block = known_block(spec, make_search(spec))
    assert len(block) == spec.points
    pending = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(block), max_size=len(block))), dtype=bool
    )
    queue = TileQueue(block, 0, pending)
    tiles = []
    while len(queue):
        tiles.append(queue.next(data.draw(st.integers(1, 20))))
    ranks = np.concatenate([tile.ranks for tile in tiles]) if tiles else np.empty(0, dtype=int)
    assert ranks.tolist() == np.flatnonzero(pending).tolist()
    structural = [axis.path for axis in spec.axes if axis.structural]
    for tile in tiles:
        points = block.points(parse_ref(tile.ref).ranks)
        assert len(set(points.graph.tolist())) == 1
        assert all(len(set(points.values[path].tolist())) == 1 for path in structural)


@settings(max_examples=60, deadline=None)
@given(spec=sweeps())
def test_points_are_all_combinations_and_their_identities_differ(spec):
    points = known_block(spec, make_search(spec)).points(np.arange(spec.points))
    assert len(set(points.ids())) == spec.points
    for axis in spec.axes:
        assert set(points.values[axis.path].tolist()) == set(axis.levels)
    assert set(points.graph.tolist()) == set(spec.repeat.graphs)
    assert set(points.seed.tolist()) == set(spec.repeat.seeds)
    assert set(points.initial.tolist()) == set(spec.repeat.initial_conditions)


@settings(max_examples=40, deadline=None)
@given(spec=sweeps(), rest=st.integers(1, 3))
def test_identity_of_a_point_does_not_depend_on_the_others(spec, rest):
    """A sweep over a part of the values holds points of the same identities."""
    whole = known_block(spec, make_search(spec)).points(np.arange(spec.points))
    data = spec.to_dict()
    part = SweepSpec.parse(
        {
            **data,
            "space": {axis.path: list(axis.levels)[:rest] for axis in spec.axes},
            "repeat": {**data["repeat"], "seeds": data["repeat"]["seeds"][-rest:]},
        }
    )
    fewer = known_block(part, make_search(part)).points(np.arange(part.points))
    assert set(fewer.ids()) <= set(whole.ids())
