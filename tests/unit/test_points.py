"""The identity of points and the order of the plan."""

import json
from hashlib import blake2b

import numpy as np
import pytest

from neuroflame.sweep.block import Block
from neuroflame.sweep.planner import known_block
from neuroflame.sweep.points import Points, point_columns, point_data
from neuroflame.sweep.search import make_search
from tests.unit.test_sweep_spec import sweep


def block_of(spec):
    return known_block(spec, make_search(spec))


def everything(block):
    return block.points(np.arange(len(block)))


def test_identity_is_the_hash_of_canonical_json():
    spec = sweep(
        space={
            "J.EE": {"from": 0.1, "to": 0.3, "num": 3},
            "transfer": ["relu", "tanh"],
            "connectivity.K": [5],
        },
        repeat={"graphs": [3], "seeds": [11], "initial_conditions": ["hot"]},
    )
    points = everything(block_of(spec))
    for i, (identity, text) in enumerate(zip(points.ids(), points.canonical(), strict=True)):
        swept = {path: column.tolist()[i] for path, column in points.values.items()}
        plain = {"point": swept, "graph": 3, "seed": 11, "initial_condition": "hot"}
        assert text == json.dumps(plain, sort_keys=True, separators=(",", ":"))
        assert identity == blake2b(text.encode(), digest_size=8).hexdigest()


def test_identity_of_a_known_point_never_changes():
    points = Points(
        np.array([0]),
        {"J.EE": np.array([0.1])},
        np.array([0]),
        np.array([0]),
        np.array(["network"], dtype=object),
    )
    assert points.canonical() == ['{"graph":0,"initial_condition":"network","point":{"J.EE":0.1},"seed":0}']
    assert points.ids() == ["890b337cc6436ba4"]


def test_per_cent_and_quotes_in_paths_are_harmless():
    points = Points(
        np.array([0]),
        {'a%s"b': np.array([1.0])},
        np.array([0]),
        np.array([0]),
        np.array(["cold"], dtype=object),
    )
    assert json.loads(points.canonical()[0])["point"] == {'a%s"b': 1.0}


def test_points_that_share_a_topology_are_neighbours():
    spec = sweep(
        space={"populations.I.size": [10, 20], "J.EE": [1, 2, 3]},
        repeat={"graphs": 2, "seeds": 2, "initial_conditions": ["cold", "hot"]},
    )
    block = block_of(spec)
    points = everything(block)
    assert len(points) == spec.points == 2 * 3 * 2 * 2 * 2
    keys = list(zip(points.values["populations.I.size"].tolist(), points.graph.tolist(), strict=True))
    assert block.groups == 4
    for first, last in zip(block.bounds[:-1], block.bounds[1:], strict=True):
        assert len(set(keys[first:last])) == 1
    assert len(set(keys)) == 4
    assert sorted(set(keys)) == list(dict.fromkeys(keys))
    assert points.index.tolist() == list(range(len(points)))


def test_every_combination_occurs_once():
    spec = sweep(
        space={"J.EE": [1, 2, 3], "J.II": [-1, -2]},
        repeat={"graphs": 2, "seeds": [5, 9], "initial_conditions": ["cold", "cued"]},
    )
    points = everything(block_of(spec))
    assert len(set(points.ids())) == len(points) == 3 * 2 * 2 * 2 * 2


def test_assignments_of_points_are_found_again():
    spec = sweep(space={"populations.I.size": [10, 20, 30], "J.EE": [1, 2]}, repeat={"graphs": 2, "seeds": 2})
    block = block_of(spec)
    ranks = np.arange(len(block))
    trial = block.trial_of(ranks)
    points = block.points(ranks)
    assert np.bincount(trial).tolist() == [4] * 6
    for i in range(6):
        chosen = trial == i
        assert len(set(points.values["J.EE"][chosen].tolist())) == 1
        assert len(set(points.values["populations.I.size"][chosen].tolist())) == 1


def test_ranks_go_on_from_block_to_block():
    spec = sweep(repeat={"seeds": 3})
    block = Block(spec, {"J.EE": np.array([7.0, 8.0])}, first=10)
    assert everything(block).index.tolist() == list(range(30, 36))


def test_nothing_swept_is_one_point():
    spec = sweep(space={}, repeat={"seeds": 2})
    points = everything(block_of(spec))
    assert len(points) == 2
    assert points.values == {}


def test_columns_carry_unit_and_type():
    spec = sweep(space={"populations.E.tau": [0.01, 0.02], "populations.I.size": [10], "transfer": ["relu"]})
    columns = {column.name: column for column in point_columns(spec.axes)}
    data = point_data(everything(block_of(spec)))
    assert list(columns) == list(data)
    assert (columns["point.populations.E.tau"].kind, columns["point.populations.E.tau"].unit) == (
        "float",
        "s",
    )
    assert columns["point.populations.I.size"].kind == "int"
    assert columns["point.transfer"].kind == "str"


@pytest.mark.parametrize("where", [slice(1, 3), np.array([3, 0])])
def test_taking_some(where):
    points = everything(block_of(sweep(repeat={"seeds": 3})))
    assert points.take(where).ids() == np.array(points.ids())[where].tolist()
