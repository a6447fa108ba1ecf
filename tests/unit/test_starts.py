"""Starts that are drawn at random or supplied as states."""

import shutil

import numpy as np
import pytest
import torch

from neuroflame import Network, open_table, run_sweep
from neuroflame.core.measure import measure_points
from neuroflame.core.reference import initial_state
from neuroflame.core.starts import start_states
from neuroflame.errors import SpecError, StoreError
from neuroflame.spec import NetworkSpec
from neuroflame.spec.starts import RandomStart
from neuroflame.spec.state_file import read_state_file, variable_sizes
from neuroflame.spec.sweep import SweepSpec
from neuroflame.sweep.manifest import spec_hash
from neuroflame.sweep.repro import reproduce
from neuroflame.sweep.running import resume
from tests.property.test_every_field_matters import INPUTS, LEARNING, RICH, SPIKING

RING = {
    "dt": 0.002,
    "duration": 0.4,
    "populations": {"E": {"size": 24, "tau": 0.02, "tau_syn": 0.01, "threshold": 0.5}},
    "connectivity": {"profile": {"kind": "cosine", "kappa": 0.7}},
    "J": {"EE": 2.0},
    "J0": {"E": 1.0},
    "M0": 2.0,
    "stp": {"EE": {"U": 0.1, "tau_fac": 0.5, "tau_rec": 0.1}},
}
EXECUTORS = ["reference", "trajectory"]


def measured(starts, initial, executor="reference", seeds=None, **network):
    found = measure_points(
        NetworkSpec.parse(RING | network),
        {},
        seeds=np.arange(len(initial)) if seeds is None else np.array(seeds),
        initial=initial,
        starts=starts,
        measure=["rates", "bump"],
        window=0.004,
        executor=executor,
    )
    return {c.name: np.asarray(found.data[c.name]) for c in found.columns if c.kind == "float"}


def program(points=400, **network):
    model = Network(NetworkSpec.parse(RING | network), device="cpu", precision="double")
    return model.program({}, points, torch.arange(points))


# --- drawn starts -----------------------------------------------------------------------------------------


def test_draws_have_the_distribution_that_is_documented():
    start = RandomStart(kind="random", num=2, low=1.0, high=100.0, modulation=0.5)
    state = start_states(program(), ["random@0"] * 400, {"random": start})
    rates = state.rates["E"].numpy()
    mean = rates.mean(axis=1)
    ratio = 2 * np.abs((rates * np.exp(2j * np.pi * np.arange(24) / 24)).mean(axis=1)) / mean
    level = np.log(mean) / np.log(100.0)
    for uniform in (
        level,
        ratio / 0.5,
        (state.u["EE"][:, 0].numpy() - 0.1) / 0.9,
        state.x["EE"][:, 0].numpy(),
    ):
        assert uniform.min() >= 0
        assert uniform.max() <= 1
        below = np.sort(uniform)
        assert np.abs(below - (np.arange(400) + 0.5) / 400).max() < 1.63 / 20  # Kolmogorov–Smirnov at 1 %
    assert np.ptp(state.u["EE"].numpy(), axis=1).max() == 0
    assert not state.currents["E"].any()


def test_neurons_spread_about_the_profile():
    start = RandomStart(kind="random", low=10.0, high=10.0, modulation=0.0, spread=0.3)
    rates = start_states(program(), ["random@1"] * 400, {"random": start}).rates["E"].numpy() / 10.0
    assert 0.7 <= rates.min() < 0.71
    assert 1.29 < rates.max() <= 1.3
    assert rates.std() == pytest.approx(0.3 / np.sqrt(3), rel=0.03)


@pytest.mark.parametrize(
    "change",
    [{"low": 0.2}, {"high": 50.0}, {"modulation": 0.5}, {"spread": 0.1}, {"stp": False}, {"stimuli": True}],
)
def test_every_field_of_a_draw_matters(change):
    cue = {"shape": "cosine", "onset": 0.1, "offset": 0.2, "strength": 0.1}
    base, other = (
        measured({"random": RandomStart(kind="random", **own)}, ["random@0"] * 2, stimuli=[cue], duration=0.2)
        for own in ({}, change)
    )
    assert not np.array_equal(base["rate.E.mean"], other["rate.E.mean"])


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_draw_does_not_depend_on_its_tile(executor):
    starts = {"random": RandomStart(kind="random", spread=0.5), "b": RandomStart(kind="random")}
    names = ["cold", "random@0", "random@3", "b@0", "hot", *["random@1"] * 16]
    seeds = [0, 5, 5, 5, 5, *range(16)]
    together = measured(starts, names, executor, seeds)
    for i in (1, 2, 3, 9, 20):
        alone = measured(starts, names[i : i + 1], executor, seeds[i : i + 1])
        for name, column in together.items():
            assert np.array_equal(column[i : i + 1], alone[name], equal_nan=True), (name, i)
    means = together["bump.E.m1"][1:4]
    assert len(set(means.tolist())) == 3  # the number and the name of a draw are part of its key


def test_random_starts_of_spiking_neurons_fire_at_the_rates_drawn():
    model = Network(NetworkSpec.parse(SPIKING), device="cpu")
    start = RandomStart(kind="random", low=40.0, high=40.0, modulation=0.0)
    state = start_states(model.program({}, 200, torch.arange(200)), ["r@0"] * 200, {"r": start})
    expected = 40.0 * 0.02  # spikes at step 0 with probability r τ
    assert float((state.rates["E"] > 0).double().mean()) == pytest.approx(expected, abs=0.03)


# --- supplied states --------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", [RICH, RICH | INPUTS, SPIKING, *(RICH | rule for rule in LEARNING)])
def test_variables_of_a_network_are_known_without_torch(base):
    spec = NetworkSpec.parse(base)
    model = Network(spec, device="cpu")
    named = initial_state(model.program({}, 1, torch.zeros(1, dtype=torch.int64))).named()
    sizes = variable_sizes(spec)
    assert set(sizes) == set(named)
    assert all(size in {None, named[name].shape[1]} for name, size in sizes.items())
    connections = {name for name, size in sizes.items() if size is None}
    assert connections == {n for n in named if n.startswith("weights.") or n.endswith(".product")}


@pytest.mark.parametrize("base", [RICH, RICH | INPUTS, RICH | LEARNING[3], SPIKING])
def test_a_saved_state_continues_to_the_last_bit(base, tmp_path):
    spec = NetworkSpec.parse(base)
    model = Network(spec, device="cpu", seed=3)
    whole = model.simulate(every=1)["rates"].values[:, 20:]
    _, state = model.simulate(every=1, duration=20 * spec.dt, return_state=True)
    model.save_state(tmp_path / "state.npz", state)
    again = Network(spec, device="cpu", seed=3)
    left = (spec.steps - 20) * spec.dt
    found = again.simulate(every=1, duration=left, initial=again.load_state(tmp_path / "state.npz"))
    assert np.array_equal(found["rates"].values, whole)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_sweep_goes_on_from_supplied_states_to_the_last_bit(executor, tmp_path):
    spec = NetworkSpec.parse(RING)
    model = Network(spec, device="cpu", executor=executor)
    _, state = model.simulate(
        {"J0.E": [1.0, 1.4]}, initial="hot", every=100, return_state=True, pairwise=True
    )
    model.save_state(tmp_path / "two.npz", state)
    starts = [{"kind": "state", "file": str(tmp_path / "two.npz"), "rows": [1, 0]}, "cold"]
    sweep = SweepSpec.parse(
        {
            "network": RING,
            "set": {"J0.E": 1.2},
            "repeat": {"initial_conditions": starts},
            "window": 0.004,
            "compute": {"backend": "inline", "executor": executor},
        }
    )
    frame = run_sweep(sweep, tmp_path / "out").to_pandas().set_index("initial_condition")
    assert list(frame.index) == ["two@1", "two@0", "cold"]
    later = (
        model.simulate({"J0.E": [1.2, 1.2]}, initial=state, every=1, pairwise=True)["rates"]
        .values[:, -2:]
        .astype(np.float64)
    )
    for row in (0, 1):
        expected = later[row].mean()
        assert frame.loc[f"two@{row}", "rate.E.mean"] == pytest.approx(expected, rel=1e-7)
    alone = measured({}, ["cold"], executor, [0], J0={"E": 1.2})
    assert frame.loc["cold", "rate.E.mean"] == pytest.approx(alone["rate.E.mean"][0], rel=1e-6)


@pytest.fixture
def saved(tmp_path):
    """A folder with a sweep's file and the state that it starts from."""
    folder = tmp_path / "project"
    folder.mkdir()
    model = Network(NetworkSpec.parse(RING), device="cpu")
    _, state = model.simulate(initial="hot", every=100, return_state=True)
    model.save_state(folder / "up.npz", state)
    return folder


def sweep_of(folder, **changes):
    data = {
        "network": RING,
        "space": {"J0.E": [1.0, 1.1, 1.2]},
        "repeat": {"initial_conditions": ["cold", {"kind": "state", "file": "up.npz"}]},
        "compute": {"backend": "inline", "tile": 1},
    }
    return SweepSpec.parse({**data, **changes}, file=str(folder / "sweep.yml"))


def test_the_content_of_the_file_is_in_the_hash_and_its_place_is_not(saved, tmp_path):
    first = sweep_of(saved)
    shutil.copytree(saved, tmp_path / "elsewhere")
    assert spec_hash(sweep_of(tmp_path / "elsewhere")) == spec_hash(first)
    model = Network(NetworkSpec.parse(RING), device="cpu")
    _, state = model.simulate(initial="hot", every=10, duration=0.1, return_state=True)
    model.save_state(tmp_path / "elsewhere" / "up.npz", state)
    assert spec_hash(sweep_of(tmp_path / "elsewhere")) != spec_hash(first)
    assert SweepSpec.parse(first.to_dict()) == first


def test_a_sweep_that_was_moved_is_resumed_without_its_file(saved, tmp_path):
    spec = sweep_of(saved)
    whole = run_sweep(spec, saved / "whole").to_pandas()
    short = sweep_of(saved, stop={"points": 2})
    run_sweep(short, saved / "part")
    shutil.move(saved / "part", tmp_path / "moved")
    shutil.rmtree(saved)
    resume(str(tmp_path / "moved"), overrides={"stop": None})
    frame = open_table(tmp_path / "moved").to_pandas()
    assert frame["point_id"].tolist() == whole["point_id"].tolist()
    assert np.array_equal(frame["rate.E.mean"], whole["rate.E.mean"])
    again = reproduce(str(tmp_path / "moved"), frame["point_id"][1])
    assert again.equal
    assert again.tolerance == 0


def test_another_content_is_another_sweep(saved):
    run_sweep(sweep_of(saved), saved / "out")
    model = Network(NetworkSpec.parse(RING), device="cpu")
    _, state = model.simulate(every=10, duration=0.1, return_state=True)
    model.save_state(saved / "up.npz", state)
    with pytest.raises(StoreError, match=r"holds a different sweep: repeat\.starts\.up\.content"):
        run_sweep(sweep_of(saved), saved / "out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"set": {"populations.E.size": 12}},
            r"up\.file: must hold 12 values of rates\.E for each state, got 24",
        ),
        ({"space": {"populations.E.size": [24, 12]}}, r"must hold 12 values of rates\.E"),
        ({"network": RING | {"stp": {}}}, r"holds stp\.EE\.u, which is not a variable of the network"),
        (
            {"repeat": {"initial_conditions": [{"kind": "state", "file": "up.npz", "rows": [1]}]}},
            r"initial_conditions\.0\.rows\.0: must be one of the file's states, 0 to 0, got 1",
        ),
        (
            {"repeat": {"initial_conditions": [{"kind": "state", "file": "down.npz"}]}},
            r"initial_conditions\.0\.file: there is no such file",
        ),
        (
            {"repeat": {"initial_conditions": [{"kind": "state", "file": "up.npz", "name": "cold"}]}},
            r"initial_conditions\.0\.name: must be letters, digits, - and _, and none of network, cold",
        ),
        (
            {"repeat": {"initial_conditions": [{"kind": "random", "low": 5, "high": 1}]}},
            r"initial_conditions\.0\.high: must be at least low, got 1",
        ),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(saved, changes, message):
    with pytest.raises(SpecError, match=message) as caught:
        sweep_of(saved, **changes)
    assert "\n" not in str(caught.value)


def test_files_that_hold_something_else(tmp_path):
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(SpecError, match="is not a .npz file of arrays"):
        read_state_file(tmp_path / "text.npz")
    np.savez(tmp_path / "nan.npz", **{"rates.E": np.full(3, np.nan)})
    with pytest.raises(SpecError, match="must hold finite numbers"):
        read_state_file(tmp_path / "nan.npz")
    np.savez(tmp_path / "odd.npz", **{"rates.E": np.zeros((2, 3)), "rates.I": np.zeros((3, 3))})
    with pytest.raises(SpecError, match="of one number of states"):
        read_state_file(tmp_path / "odd.npz")
    np.savez(tmp_path / "empty.npz")
    with pytest.raises(SpecError, match="of one number of states"):
        read_state_file(tmp_path / "empty.npz")


def test_a_file_of_rates_alone_is_enough_for_a_sweep(saved):
    np.savez(saved / "up.npz", **{"rates.E": np.full(24, 7.0)})
    sweep = sweep_of(saved, set={"duration": 0.004}, window=0.004)
    frame = run_sweep(sweep, saved / "out").to_pandas()
    up = frame[frame["initial_condition"] == "up"]
    assert (up["rate.E.mean"] > 5).all()
