"""How many actors fit on machines, and on which."""

import pytest

pytest.importorskip("ray")

from neuroflame.errors import BackendError
from neuroflame.spec.compute import Compute
from neuroflame.sweep import ray_nodes
from neuroflame.sweep.ray_backend import RayBackend


def count(monkeypatch, machines, bundle, **compute):
    nodes = [{"Alive": alive, "Resources": have} for alive, have in machines]
    monkeypatch.setattr("ray.nodes", lambda: nodes)
    backend = RayBackend(Compute(**compute))
    backend._bundle = bundle
    return backend._count()


@pytest.mark.parametrize(
    ("bundle", "expected"),
    [
        ({"CPU": 1.0}, 6),
        ({"CPU": 3.0}, 1),  # two cores here and one there are no three
        ({"CPU": 0.1}, 60),
        ({"CPU": 0.5, "GPU": 0.5}, 4),
        ({"CPU": 0.5, "GPU": 0.75}, 2),  # a share does not reach across two GPUs
        ({"CPU": 0.1, "GPU": 1 / 3}, 6),
        ({"CPU": 1.0, "GPU": 2.0}, 1),
        ({"CPU": 1.0, "GPU": 3.0}, 0),
    ],
)
def test_actors_are_counted_machine_by_machine(bundle, expected, monkeypatch):
    machines = [(True, {"CPU": 4.0, "GPU": 2.0}), (True, {"CPU": 2.0}), (False, {"CPU": 64.0, "GPU": 8.0})]
    assert count(monkeypatch, machines, bundle) == expected
    assert count(monkeypatch, machines, bundle, actors=2) == min(2, expected)


# --- nodes that come later


class Later:
    """Nodes that come and go, and what a look from them would find: None, a fault, or nothing yet."""

    def __init__(self, monkeypatch):
        self.nodes, self.found, self.reserved, self.told = {}, {}, [], []
        self.now = 0.0
        monkeypatch.setattr(ray_nodes, "_alive", lambda: list(self.nodes.values()))
        monkeypatch.setattr(ray_nodes, "_look_from", lambda node, uri: node["NodeID"])
        monkeypatch.setattr(ray_nodes, "_outcome", lambda look, patience: self.found[look])
        monkeypatch.setattr(
            ray_nodes.ray, "wait", lambda looks, timeout: ([x for x in looks if x in self.found], [])
        )
        monkeypatch.setattr(ray_nodes.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(ray_nodes, "placement_group", self._reserve)
        monkeypatch.setattr(ray_nodes, "remove_placement_group", self.reserved.remove)

    def _reserve(self, bundles, bundle_label_selector):
        ((where,), (what,)) = bundle_label_selector, bundles
        assert what == {"CPU": 4.0}
        self.reserved.append(where["ray.io/node-id"])
        return where["ray.io/node-id"]

    def add(self, name):
        resources = {"CPU": 4.0, "memory": 1e9}
        self.nodes[name] = {"NodeID": name, "NodeManagerAddress": f"at {name}", "Resources": resources}


@pytest.fixture
def later(monkeypatch):
    return Later(monkeypatch)


def used(nodes):
    return [node["NodeID"] for node in nodes.usable()]


BAD = ray_nodes._Fault("does not see it", "mount it")


def test_a_node_that_comes_is_reserved_until_it_was_found_good(later):
    later.add("a")
    later.found["a"] = None
    nodes = ray_nodes.Nodes("/out", later.told.append)
    nodes.check()
    later.add("b")
    assert used(nodes) == ["a"]
    assert later.reserved == ["b"]
    later.found["b"] = None
    assert used(nodes) == ["a", "b"]
    assert later.reserved == later.told == []


def test_a_node_that_is_not_good_stays_reserved_and_is_looked_at_again(later):
    nodes = ray_nodes.Nodes("/out", later.told.append)
    later.add("b")
    later.found["b"] = BAD
    for later.now in (0.0, 10.0, 31.0, 62.0):
        assert used(nodes) == []
    assert later.reserved == ["b"]
    assert later.told == ["node at b came and is not used: it does not see it"]
    later.found["b"] = None
    assert used(nodes) == ["b"]
    assert later.reserved == []


def test_what_is_reserved_is_given_back(later):
    """When the node goes, and when the sweep ends."""
    nodes = ray_nodes.Nodes("/out", later.told.append)
    later.add("b")
    later.add("c")
    assert used(nodes) == []
    del later.nodes["b"]
    assert used(nodes) == []
    assert later.reserved == ["c"]
    nodes.close()
    assert later.reserved == []


def test_of_the_first_nodes_all_must_be_good(later):
    later.add("a")
    later.found["a"] = BAD
    with pytest.raises(BackendError, match=r"node at a does not see it \(mount it\)"):
        ray_nodes.Nodes("/out", later.told.append).check()
