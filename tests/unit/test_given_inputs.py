"""External input and starts that a caller gives as arrays."""

import numpy as np
import pytest
import torch

from neuroflame import Network
from neuroflame.core.reference import initial_state
from neuroflame.core.starts import given_state
from neuroflame.errors import SimulationError, SpecError
from neuroflame.spec import NetworkSpec

SPEC = {
    "dt": 0.001,
    "duration": 0.012,
    "populations": {"E": {"size": 5, "tau": 0.01, "tau_syn": 0.004}, "I": {"size": 3, "tau": 0.0}},
    "transfer": "tanh",
    "J": {"EE": 1.0, "EI": -0.5, "IE": 0.7},
    "J0": {"E": 0.5},
    "stp": {"EE": {"U": 0.2, "tau_fac": 0.1, "tau_rec": 0.1}},
    "noise": {"kind": "ou", "sigma": 0.1, "tau": 0.01},
}
DYNAMICS = {
    "tau": {"E": 0.01},
    "stp": {"E": {"U": 0.3, "tau_fac": 0.2, "tau_rec": 0.5}},
    "adaptation": {"E": {"tau": 0.05, "strength": 0.3}},
}


def network(**changes):
    return Network(NetworkSpec.parse(SPEC | changes), device="cpu", precision="double", seed=2)


@pytest.fixture(scope="module")
def drive():
    return np.random.default_rng(0).uniform(0.1, 1.0, (2, 12, 5))


def test_every_shape_says_the_same(drive):
    model = network()
    both = model(inputs={"E": drive})
    for i in range(2):
        assert torch.equal(model(inputs={"E": drive[i]})[0], both[i])
        assert torch.equal(model(inputs={"E": drive[i : i + 1]})[0], both[i])
    constant = np.broadcast_to(drive[0, 0], (12, 5))
    assert torch.equal(model(inputs={"E": drive[0, 0]}), model(inputs={"E": constant}))
    assert not torch.equal(both[0], both[1])


def test_inputs_are_added_to_the_external_input():
    rates = network(noise=[], J={}, stp={})(inputs={"I": np.array([0.1, 0.2, 0.3])})
    np.testing.assert_allclose(rates[0, 0, 5:], np.tanh([0.1, 0.2, 0.3]))


def test_inputs_replace_an_equal_stimulus(drive):
    stimulus = {"shape": "array", "over": "both", "values": drive[0].tolist(), "onset": 0.0}
    assert torch.equal(network()(inputs={"E": drive[0]}), network(stimuli=[stimulus])())


@pytest.mark.parametrize("feedforward", [None, DYNAMICS])
def test_two_halves_are_the_whole(drive, feedforward):
    model = network(**({"feedforward": feedforward} if feedforward else {}))
    whole = model(inputs={"E": drive[0]})
    first, state = model.simulate(inputs={"E": drive[0, :7]}, duration=0.007, every=1, return_state=True)
    second = model(inputs={"E": drive[0, 7:]}, initial=state, steps=5)
    assert np.array_equal(first["rates"].values, whole[:, :7].numpy())
    assert torch.equal(second, whole[:, 7:])


@pytest.mark.parametrize("feedforward", [None, DYNAMICS])
def test_gradients_through_inputs_and_start(drive, feedforward):
    model = network(**({"feedforward": feedforward} if feedforward else {}))
    inputs = torch.tensor(drive[0], requires_grad=True)
    start = torch.full((5,), 0.2, dtype=torch.float64, requires_grad=True)

    def last(inputs, start):
        return model(inputs={"E": inputs}, initial={"rates.E": start})[0, -1]

    assert torch.autograd.gradcheck(last, (inputs, start))


def test_a_start_replaces_what_it_names_and_nothing_else():
    model = network()
    program = model.program({}, 2, torch.tensor([2, 2]))
    usual = initial_state(program).named()
    given = {"rates.E": np.arange(5.0) / 10, "stp.EE.u": np.full((2, 5), 0.4), "noise.0.I": np.zeros(3)}
    for name, value in given_state(program, given).named().items():
        if name in given:
            np.testing.assert_array_equal(value, np.broadcast_to(given[name], value.shape))
        else:
            assert torch.equal(value, usual[name]), name


def test_points_of_a_start_are_points_of_the_run():
    model = network()
    rows = np.random.default_rng(1).uniform(0, 1, (3, 5))
    together = model(initial={"rates.E": rows})
    assert together.shape[0] == 3
    for i in range(3):
        assert torch.equal(model(initial={"rates.E": rows[i]})[0], together[i])


def test_the_trajectory_executor_refuses_arrays(drive):
    model = Network(NetworkSpec.parse(SPEC), device="cpu", executor="trajectory")
    with pytest.raises(SimulationError, match="the external input has a time course"):
        model(inputs={"E": drive})
    start = torch.zeros(5, requires_grad=True)
    with pytest.raises(SimulationError, match="gradients through the start are asked for"):
        model(initial={"rates.E": start})


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"inputs": {"X": np.ones(5)}}, r"inputs\.X: is not a population .valid names: E, I"),
        (
            {"inputs": {"E": np.ones(4)}},
            r"E: must have the shape \(5,\), \(12, 5\) or \(1, 12, 5\), got 'shape \(4,\)'",
        ),
        ({"inputs": {"E": np.ones((11, 5))}}, r"inputs\.E: must have the shape .* got 'shape \(11, 5\)'"),
        ({"inputs": {"E": np.ones((2, 12, 5))}, "seeds": [1, 2, 3]}, r"inputs\.E: must have one value or 3"),
        ({"inputs": {"E": [[1.0], [1.0, 2.0]]}}, r"inputs\.E: must be an array of numbers"),
        ({"initial": {"rates.X": np.ones(5)}}, r"initial\.rates\.X: is not a variable .did you mean"),
        ({"initial": {"rates.E": np.ones(4)}}, r"initial\.rates\.E: must have the shape \(5,\) or \(1, 5\)"),
        ({"initial": {"rates.E": 1.0}}, r"initial\.rates\.E: must have the shape"),
        (
            {"initial": {"rates.E": np.ones((2, 5))}, "seeds": [1, 2, 3]},
            r"initial\.rates\.E: must have one value or 3",
        ),
    ],
)
def test_what_does_not_fit_is_named(keys, message):
    with pytest.raises(SpecError, match=message) as caught:
        network()(**keys)
    assert "\n" not in str(caught.value)
