"""Steps that overwrite one state, and take their number from a tensor, against steps of their own."""

import pytest
import torch

from neuroflame.core.replay import Replay
from tests.replayed import check_replay, every_network


@every_network
def test_what_is_recorded_is_the_same(name):
    found = check_replay(name, "cpu", torch.float32)
    assert bool((found.fail_step >= 0).any()) == (name == "one that diverges")


def test_a_replay_holds_tensors_of_its_own():
    """Neither the state that it began from nor the inputs change, and inputs are read again when they are others."""
    start, once, twice = torch.zeros(3), torch.ones(1), torch.full((3,), 2.0)
    replay = Replay(
        lambda state, inputs, number: {"x": state["x"] + inputs["a"] * number},
        {"x": start},
        {"a": once.expand(3)},
        step=4,
    )
    for given, expected in ((once, 4.0), (once, 9.0), (twice, 21.0), (twice, 35.0), (once, 43.0)):
        replay.advance({"a": given})
        assert replay.state["x"].tolist() == [expected] * 3
    assert start.tolist() == [0.0] * 3
    replay.put({"x": start})
    replay.advance({"a": once})
    assert replay.state["x"].tolist() == [pytest.approx(9.0)] * 3
