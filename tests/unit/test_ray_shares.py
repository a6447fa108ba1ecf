"""How many actors fit on machines."""

import pytest

pytest.importorskip("ray")

from neuroflame.spec.compute import Compute
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
