"""The single-node API: shapes, labels, overrides, gradients, saving, continuing."""

import io

import numpy as np
import pytest
import torch

from neuroflame import Network, run_sweep
from neuroflame.errors import SimulationError, SpecError
from neuroflame.spec import NetworkSpec
from tests.unit.test_trajectory import RING, SPARSE


def ring(**keys):
    return Network(NetworkSpec.parse(RING), device="cpu", **keys)


def test_call_returns_the_rates():
    model = ring(duration=0.05, stimuli=[])
    rates = model()
    assert rates.shape == (1, 50, 107)
    assert rates.dtype == torch.float32
    assert model.slices == {"E": slice(0, 70), "I": slice(70, 107)}
    assert model({"J.EE": [1.0, 2.0, 3.0]}, every=10).shape == (3, 5, 107)


def test_overrides_both_ways():
    one = ring(J={"EE": 3.0}, duration=0.2)
    other = ring(**{"J.EE": 3.0, "duration": 0.2})
    assert one.spec == other.spec
    with pytest.raises(SpecError, match="did you mean"):
        ring(**{"J0.F": 3.0, "populatoins": {}})


def test_simulate_labels_everything():
    found = ring().simulate(
        {"J.EE": [1.0, 2.0], "J0.E": [1.0, 1.5, 2.0]}, record=["rates", "stp.EE.x"], every=50
    )
    assert found["rates"].dims == ("point", "time", "neuron")
    assert found["rates"].shape == (6, 5, 107)
    assert found["rates"].attrs["units"] == "Hz"
    np.testing.assert_array_equal(found["J.EE"], [1, 1, 1, 2, 2, 2])
    np.testing.assert_array_equal(found["J0.E"], [1, 1.5, 2, 1, 1.5, 2])
    np.testing.assert_allclose(found["time"], [0.05, 0.1, 0.15, 0.2, 0.25])
    assert found["time"].attrs["units"] == "s"
    assert list(found["population"].to_numpy()[[0, 70]]) == ["E", "I"]
    assert float(found["theta"][35]) == 180.0
    assert found["stp.EE.x"].shape == (6, 5, 70)
    pairwise = ring().simulate({"J.EE": [1.0, 2.0], "J0.E": [1.0, 1.5]}, pairwise=True, every=250)
    assert pairwise.sizes["point"] == 2


def test_a_sweep_point_is_what_the_override_gives():
    swept = ring().simulate({"J.EE": [1.0, 2.5]}, every=10)["rates"][1]
    single = ring(**{"J.EE": 2.5}).simulate(every=10)["rates"][0]
    np.testing.assert_array_equal(swept, single)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"record": ["rats"]}, "there is no such variable, got 'rats' (did you mean 'rates'?)"),
        ({"record": ["slow"]}, "there is no such variable"),
        ({"sweep": {"J.EF": [1.0]}}, "there is no such value in the network"),
        ({"sweep": {"populations.E.size": [1.0]}}, "is structural"),
        ({"sweep": {"J.EE": [[1.0]]}}, "must be a number or a vector"),
        ({"sweep": {"J.EE": [1.0, 2.0]}, "seeds": [1, 2, 3]}, "must have one value or 3"),
        ({"initial": "warm"}, "is not an initial condition"),
    ],
)
def test_wrong_requests_are_one_line(keys, line):
    with pytest.raises((SpecError, SimulationError)) as caught:
        ring().simulate(**keys)
    assert line in str(caught.value)


def test_initial_conditions():
    model = ring(duration=0.1, stimuli=[{"shape": "cosine", "onset": 0.0, "offset": 0.1, "strength": 5.0}])
    found = model({"J.EE": [4.0] * 4}, initial=["network", "cold", "hot", "cued"], every=1)
    mean = found[..., :70].mean(dim=2)
    assert float(mean[2, 0]) > 40
    assert float(mean[1, -1]) < 0.8 * float(mean[3, -1])  # cold has no stimulus, cued has
    assert float((found[0, -1] - found[3, -1]).abs().max()) < 0.05 * float(mean[0, -1])


def test_starts_drawn_at_random_are_those_of_a_sweep(tmp_path):
    """`random@k` of the seed, whether simulated, measured or swept; drawn and named starts stand side by side."""
    start = {"kind": "random", "num": 3, "low": 5.0, "high": 40.0, "spread": 0.2}
    model = ring(seed=4, duration=0.02, stimuli=[])
    drawn = model(initial=start, every=1)
    assert drawn.shape[0] == 3
    assert len({float(row[0].mean()) for row in drawn}) == 3
    mixed = model(initial=["cold", start, "cued"], every=1)
    assert torch.equal(mixed[1:4], drawn)
    assert torch.equal(mixed[0], model(initial="cold", every=1)[0])
    assert torch.equal(mixed[4], model(initial="cued", every=1)[0])
    assert ring(duration=0.1)(initial={"cued": 4}, every=100).shape[0] == 4
    measured = model.measure(initial=start, window=0.002)["rate.E.mean"]
    sweep = {
        "network": model.spec.to_dict(),
        "space": {"J0.E": [model.spec.get("J0.E")]},
        "repeat": {"initial_conditions": [start], "seeds": [4]},
        "measure": ["rates"],
        "window": 0.002,
        "compute": {"backend": "inline"},
    }
    swept = run_sweep(sweep, str(tmp_path / "out")).to_pandas()["rate.E.mean"]
    np.testing.assert_array_equal(measured, swept)
    last = model.simulate(initial=start, every=1)["rates"][:, -2:, :70].mean(dim=("time", "neuron"))
    np.testing.assert_allclose(last, measured, rtol=1e-5)


def test_starts_drawn_at_random_serve_the_tools_of_dynamics():
    model = ring(duration=0.02, stimuli=[])
    start = {"kind": "random", "num": 2, "low": 5.0, "high": 40.0}
    _, state = model.simulate(initial=start, return_state=True)
    found = model.lyapunov(start=start, transient=0.01, duration=0.02)
    expected = model.lyapunov(start=state, transient=0.01, duration=0.02)
    np.testing.assert_allclose(found["lyapunov.1"], expected["lyapunov.1"], rtol=1e-6)
    assert found["lyapunov.1"].nunique() == 2
    assert len(model.perturb("random", size=0.1, duration=0.05, initial=start)) == 2


@pytest.mark.parametrize(
    ("initial", "line"),
    [
        ({"kind": "randon"}, "initial.0.kind: must be random or state, got 'randon'"),
        ({"kind": "random", "low": -1.0}, "initial.0.low: must be greater than 0, got -1"),
        (["cold", {"kind": "random", "num": 0}], "initial.1.num: must be at least 1, got 0"),
        ("random@0", "initial: is not an initial condition, got 'random@0'"),
        ({"cued": 0}, "initial.0: must be a name"),
        ({"kind": "state", "file": "nowhere.npz"}, "initial.0.file"),
    ],
)
def test_wrong_starts_are_one_line(initial, line):
    with pytest.raises(SpecError) as caught:
        ring().simulate(initial=initial)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_run_without_a_sample_is_refused_and_one_that_goes_on_may_have_one():
    model = ring(duration=0.02, stimuli=[])
    with pytest.raises(
        SpecError, match=r"^every: must leave a sample: there is none in steps 1 to 20, got 21"
    ):
        model.simulate(every=21)
    with pytest.raises(SpecError, match="every: must leave a sample"):
        model(every=6, steps=5)
    _, state = model.simulate(every=20, return_state=True)
    assert model(initial=state, steps=10, every=30).shape[1] == 1  # the thirtieth step in all


def test_gradients_agree_with_finite_differences():
    spec = NetworkSpec.parse(SPARSE).with_values(
        {"transfer": "tanh", "stimuli.cue.onset": 0.0, "stimuli.cue.offset": 0.02, "duration": 0.03}
    )
    paths = ["J.EE", "J0.E", "populations.E.tau", "stp.EE.U", "stimuli.cue.strength"]
    model = Network(spec, device="cpu", precision="double")

    def loss(values):
        return (model(dict(zip(paths, values, strict=True)))[:, -1] ** 2).mean()

    start = [torch.tensor([float(spec.get(path))], dtype=torch.float64, requires_grad=True) for path in paths]
    gradients = torch.autograd.grad(loss(start), start)
    for i, gradient in enumerate(gradients):
        step = 1e-6 * max(1.0, abs(start[i].item()))
        ends = []
        for sign in (1, -1):
            moved = [v.detach() + (sign * step if j == i else 0.0) for j, v in enumerate(start)]
            ends.append(float(loss(moved)))
        assert float(gradient) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5), paths[i]


def test_topology_is_in_the_state_dict():
    model = Network(NetworkSpec.parse(SPARSE), device="cpu", graph=0)
    other = Network(NetworkSpec.parse(SPARSE), device="cpu", graph=1)
    assert not torch.equal(model.operators["EE"].offsets, other.operators["EE"].offsets)
    stored = io.BytesIO()
    torch.save(model.state_dict(), stored)
    stored.seek(0)
    loaded = torch.load(stored)
    for name, buffer in loaded.items():
        place, _, leaf = name.rpartition(".")  # of another length
        setattr(other.get_submodule(place), leaf, torch.empty_like(buffer))
    other.load_state_dict(loaded)
    assert torch.equal(other(every=250), model(every=250))


def test_measure_gives_a_table_with_units():
    table = ring().measure({"J.EE": [1.0, 2.0]}, window=0.05)
    assert list(table["J.EE"]) == [1.0, 2.0]
    assert table.attrs["units"]["rate.E.mean"] == "Hz"
    assert (table["status"] == "ok").all()


def test_state_can_be_saved_and_loaded(tmp_path):
    model = ring()
    whole = model.simulate(every=1)["rates"]
    _, state = model.simulate(duration=0.1, return_state=True)
    torch.save(state, tmp_path / "state.pt")
    loaded = torch.load(tmp_path / "state.pt", weights_only=False)
    rest = model.simulate(initial=loaded, duration=0.15, every=1)["rates"]
    np.testing.assert_array_equal(rest, whole[:, 100:])


def test_device_that_is_not_there():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(SimulationError, match="there is no CUDA device here"):
        Network(NetworkSpec.parse(RING), device="cuda")
