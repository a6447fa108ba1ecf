"""Stimuli: patterns, arrays, and times that differ between points."""

import numpy as np
import pytest
import torch
import yaml

from neuroflame import Network
from neuroflame.core.executors import choose
from neuroflame.core.measure import measure_points
from neuroflame.core.own_windows import own_segments, own_windows
from neuroflame.core.recorder import RecordPlan, Window
from neuroflame.errors import SimulationError, SpecError
from neuroflame.spec import NetworkSpec, SweepSpec, find_path, load_network, load_sweep
from neuroflame.sweep.planner import make_plan
from tests.unit.test_trajectory import RING

ON = {"onset": 0.0, "offset": 0.004}
BARE = {
    "dt": 0.001,
    "duration": 0.01,
    "populations": {"E": {"size": 4000, "tau": 0.0}, "I": {"size": 3000, "tau": 0.0}},
    "transfer": "tanh",
    "M0": 1e-3,
}
SMALL = BARE | {
    "populations": {"E": {"size": 3, "tau": 0.0}, "I": {"size": 2, "tau": 0.0}},
    "transfer": "relu",
    "M0": 1.0,
}


def received(*stimuli, base=BARE, **keys):
    """Return what each neuron receives, (steps, neurons), in units of M0."""
    model = Network(
        NetworkSpec.parse(base | {"stimuli": list(stimuli)}), device="cpu", precision="double", **keys
    )
    rates = model()[0].numpy()
    return np.arctanh(rates) / base["M0"] if base["transfer"] == "tanh" else rates


def pattern(number, **keys):
    return {"shape": "pattern", "number": number, "strength": 1.0, **ON, **keys}


# --- patterns ---------------------------------------------------------------------------------------------


def test_patterns_are_standard_normal_and_shared_by_their_number():
    odour, other = received(pattern(3))[0, :4000], received(pattern(4))[0, :4000]
    assert abs(odour.mean()) < 5 / np.sqrt(4000)
    assert odour.std() == pytest.approx(1.0, abs=0.05)
    assert abs(np.corrcoef(odour, other)[0, 1]) < 5 / np.sqrt(4000)
    later = received(pattern(4), pattern(3, onset=0.005, offset=0.008))
    np.testing.assert_allclose(later[5, :4000], odour, atol=1e-9)
    assert (later[4] == 0).all()
    assert not np.allclose(received(pattern(3, seed=1))[0, :4000], odour)
    assert np.array_equal(received(pattern(3), seed=9)[0, :4000], odour)  # not of the point's seed


def test_populations_draw_patterns_of_their_own():
    both = received(pattern(3, populations=["E", "I"]))[0]
    assert np.array_equal(both[:4000], received(pattern(3))[0, :4000])
    assert abs(np.corrcoef(both[:3000], both[4000:])[0, 1]) < 5 / np.sqrt(3000)


@pytest.mark.parametrize("density", [None, 0.2])
@pytest.mark.parametrize("overlap", [0.0, 0.6, 1.0])
def test_overlap_is_the_correlation_of_two_patterns(density, overlap):
    kind = {} if density is None else {"density": density}
    first = received(pattern(0, **kind))[0, :4000]
    second = received(pattern(1, like=0, overlap=overlap, **kind))[0, :4000]
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(overlap, abs=0.06)
    if density is not None:
        assert set(np.round(second, 9)) == {0.0, 1.0}
        assert second.mean() == pytest.approx(density, abs=0.04)


# --- arrays -----------------------------------------------------------------------------------------------


def array(over, values, **keys):
    return {"shape": "array", "over": over, "values": values, "onset": 0.002, **keys}


def test_an_array_over_neurons_time_or_both():
    neurons = received(array("neurons", [1.0, 2.0, 3.0], offset=0.004, strength=2.0), base=SMALL)
    expected = np.zeros((10, 5))
    expected[2:4, :3] = [2.0, 4.0, 6.0]
    np.testing.assert_array_equal(neurons, expected)
    time = received(array("time", [1.0, 2.0, 3.0], populations=["E", "I"]), base=SMALL)
    np.testing.assert_array_equal(time, np.outer([0, 0, 1, 2, 3, 0, 0, 0, 0, 0], np.ones(5)))
    both = received(array("both", [[1.0, 2.0], [3.0, 4.0]], populations=["I"], sample_dt=0.003), base=SMALL)
    np.testing.assert_array_equal(both[:, 3], [0, 0, 1, 1, 1, 3, 3, 3, 0, 0])
    np.testing.assert_array_equal(both[:, 4], [0, 0, 2, 2, 2, 4, 4, 4, 0, 0])
    cut = received(array("time", [1.0, 2.0, 3.0], duration=0.002), base=SMALL)
    np.testing.assert_array_equal(cut[:, 0], [0, 0, 1, 2, 0, 0, 0, 0, 0, 0])
    uneven = received(array("time", [1.0, 2.0, 3.0], sample_dt=0.0025), base=SMALL)
    np.testing.assert_array_equal(uneven[:, 0], [0, 0, 1, 1, 1, 2, 2, 3, 3, 3])


def test_arrays_over_neurons_and_patterns_run_in_the_fast_kernels():
    stimuli = [
        pattern(2, **ON),
        array("neurons", list(np.linspace(0, 1, 107 - 70)), offset=0.02, populations=["I"]),
    ]
    spec = NetworkSpec.parse(RING | {"duration": 0.03, "stimuli": stimuli})
    fast, slow = (
        Network(spec, device="cpu", precision="double", executor=name)().numpy()
        for name in ("trajectory", "reference")
    )
    np.testing.assert_allclose(fast, slow, atol=1e-10)
    assert not np.allclose(
        slow, Network(spec.with_values({"stimuli": []}), device="cpu", precision="double")()
    )
    course = spec.with_values({"stimuli": [array("time", [1.0])]})
    with pytest.raises(SimulationError, match="the external input has a time course"):
        Network(course, device="cpu", executor="trajectory")()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    np.save(tmp_path / "sub" / "x.npy", np.array([1.0, 2.0, 3.0]))
    np.save(tmp_path / "y.npy", np.array([1.0, 2.0, 4.0]))
    stimulus = {"shape": "array", "over": "neurons", "file": "sub/x.npy", "onset": 0.0, "offset": 0.004}
    (tmp_path / "net.yml").write_text(yaml.safe_dump(SMALL | {"stimuli": [stimulus]}))
    sweep = {"network": "net.yml", "space": {"stimuli.0.strength": [1.0, 2.0]}, "window": 0.004}
    (tmp_path / "sweep.yml").write_text(yaml.safe_dump(sweep))
    return tmp_path


def test_a_file_is_relative_to_the_network_s(folder, monkeypatch):
    monkeypatch.chdir("/")
    spec = load_network(folder / "net.yml")
    assert Network(spec, device="cpu")()[0, 0, :3].tolist() == [1.0, 2.0, 3.0]
    assert NetworkSpec.parse(spec.to_dict()).digest() == spec.digest()
    sweep = load_sweep(folder / "sweep.yml")
    assert sweep.network.digest() == spec.digest()
    assert make_plan(sweep, actors=1).groups == 1


def test_the_content_of_a_file_is_part_of_the_digest_and_its_place_is_not(folder):
    spec = load_network(folder / "net.yml")
    (folder / "elsewhere").mkdir()
    for name in ("net.yml", "sub"):
        (folder / name).rename(folder / "elsewhere" / name)
    moved = load_network(folder / "elsewhere" / "net.yml")
    assert moved.digest() == spec.digest()
    other = load_network(folder / "elsewhere" / "net.yml", {"stimuli.0.file": "../y.npy"})
    assert other.digest() != spec.digest()
    assert (
        SweepSpec.parse({"network": moved.to_dict()}).identity()
        == SweepSpec.parse({"network": moved}).identity()
    )


def test_a_file_that_changes_meanwhile_is_noticed(folder):
    data = load_network(folder / "net.yml").to_dict()
    np.save(folder / "sub" / "x.npy", np.array([1.0, 2.0, 3.5, 7.0]))
    with pytest.raises(SpecError, match="stimuli.0.file: has changed"):
        NetworkSpec.parse(data)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            lambda p: np.save(p, np.ones(4)),
            "must have one value for each of the 3 neurons of E, got 'shape .4,.'",
        ),
        (
            lambda p: np.save(p, np.ones((3, 3))),
            "must have 1 axis of at least one entry, as over: neurons says",
        ),
        (lambda p: np.save(p, np.array([1.0, np.nan, 0.0])), "must hold finite numbers"),
        (lambda p: np.save(p, np.array(["a", "b", "c"])), "must hold one array of real numbers, got '<U1'"),
        (lambda p: p.write_text("1, 2, 3"), "is not a .npy file of numbers"),
        (lambda p: p.unlink(), "there is no such file"),
    ],
)
def test_a_wrong_file_is_one_clear_line(folder, content, message):
    content(folder / "sub" / "x.npy")
    with pytest.raises(SpecError, match=rf"net.yml: stimuli.0.file: {message}"):
        load_network(folder / "net.yml")


@pytest.mark.parametrize(
    ("stimulus", "line"),
    [
        (array("time", [1.0, "a"]), "values: must be finite numbers, got 'a'"),
        (array("both", [[1.0], [1.0, 2.0]]), "values: must be lists of one length"),
        (array("both", [[1.0, 2.0]]), "values: must have one value for each of the 3 neurons of E"),
        (array("neurons", [1.0, 2.0, 3.0]), "offset: is required (or give a duration)"),
        (
            array("neurons", [1.0] * 3, offset=0.004, sample_dt=0.002),
            "sample_dt: has no effect on an array over neurons",
        ),
        (array("time", [1.0], sample_dt=1e-4), "sample_dt: must be at least a step, 0.001 s"),
        (array("time", [1.0], duration=0.004), "values: must last as long as the stimulus, 0.004 s"),
        (array("time", [1.0], file="x.npy"), "values: must be given, or a file: one of the two"),
        (array("time", []), "values: must be a list of numbers"),
        (pattern(0, overlap=0.3), "like: must come with overlap"),
        (pattern(0, overlap=0.3, like=0), "like: must be another pattern"),
        (
            pattern(0, overlap=-0.3, like=1, density=0.5),
            "overlap: must be at least 0 between patterns of 0 and 1",
        ),
        (pattern(0, duration=0.1), "duration: stands beside offset"),
        (pattern(0, delay=0.02), "delay: must leave the onset before the end of the run at 0.01 s"),
        (pattern(0, delay=-0.002), "delay: must leave the onset after the start of the run"),
        (pattern(0, jitter={"high": 0.02}), "jitter.high: must leave the onset before the end of the run"),
        (pattern(0, jitter={"low": 0.2, "high": 0.1}), "jitter.high: must be greater than low, got 0.1"),
        (pattern(0, jitter={"low": -0.2, "high": 0.001}), "jitter.low: must leave the onset after the start"),
    ],
)
def test_a_wrong_stimulus_is_one_clear_line(stimulus, line, tmp_path):
    np.save(tmp_path / "x.npy", np.ones(1))
    with pytest.raises(SpecError) as caught:
        NetworkSpec.parse(SMALL | {"stimuli": [stimulus]}, file=str(tmp_path / "net.yml"))
    assert str(caught.value).startswith(f"{tmp_path / 'net.yml'}: stimuli.0.{line}")


# --- times ------------------------------------------------------------------------------------------------

NOISY = NetworkSpec.parse(RING | {"noise": {"kind": "white", "sigma": 0.05}})
STATISTICS = ("rate.", "bump.")


def one(spec, **keys):
    keys = {"seeds": np.array([3]), "initial": ["network"], "measure": ["rates", "bump"]} | keys
    return measure_points(spec, keys.pop("values", {}), executor="reference", **keys)


@pytest.mark.parametrize("window", [None, 0.06, 0.2])
def test_a_swept_onset_gives_what_each_file_gives_alone(window):
    """To the last bit, windows included: also where they overlap, and where a point has none."""
    onset = np.array([0.0, 0.01, 0.05, 0.19])
    values = {"stimuli.cue.onset": onset, "stimuli.cue.offset": onset + 0.06}
    together = one(
        NOISY, values=values, seeds=np.full(4, 3), initial=["network"] * 3 + ["cold"], window=window
    ).data
    for i, at in enumerate(onset):
        alone = one(
            NOISY.with_values({"stimuli.cue.onset": float(at), "stimuli.cue.offset": float(at + 0.06)}),
            initial=["network" if i < 3 else "cold"],
            window=window,
        ).data
        for name, column in together.items():
            if name.startswith(STATISTICS):
                expected = alone[name][0] if name in alone else np.nan
                assert np.array_equal(column[i], expected, equal_nan=True), (name, at)
    assert np.isnan(together["bump.E.m1.before"][0])  # no time before an onset at 0
    assert np.isnan(together["bump.E.m1.after"][3])  # nor after an end at the end of the run
    assert np.isfinite(together["bump.E.m1.during"]).all()


def test_delay_and_duration_move_and_bound_an_epoch():
    spec = NOISY.with_values(
        {"stimuli": [{"shape": "cosine", "onset": 0.02, "duration": 0.05, "strength": 0.7}]}
    )
    moved = one(
        spec, values={"stimuli.0.delay": np.array([0.03]), "stimuli.0.duration": np.array([0.07])}
    ).data
    plain = {"stimuli": [{"shape": "cosine", "onset": 0.05, "offset": 0.12, "strength": 0.7}]}
    alone = one(NOISY.with_values(plain)).data
    assert moved.keys() == alone.keys()
    for name in moved.keys() - {"status"}:
        assert np.array_equal(moved[name], alone[name], equal_nan=True), name


def test_windows_follow_each_point_s_own_onset():
    onset = np.array([0.05, 0.12])
    values = {"stimuli.cue.onset": onset, "stimuli.cue.offset": onset + 0.06}
    model = Network(NOISY, device="cpu", precision="double", seed=3, executor="reference")
    table = model.measure(values, pairwise=True, window=0.06)
    course = model.simulate(values, pairwise=True, every=1)["rates"].to_numpy()[..., :70]
    theta = np.arange(70) * 2 * np.pi / 70
    for i, at in enumerate((onset * 1000).astype(int)):
        for epoch, span in {
            "before": (at - 30, at),
            "during": (at + 30, at + 60),
            "after": (at + 60, at + 90),
        }.items():
            mode = 2 * abs((course[i, slice(*span)].mean(axis=0) * np.exp(1j * theta)).mean())
            assert table[f"bump.E.m1.{epoch}"][i] == pytest.approx(mode, rel=1e-9)


JITTERED = NOISY.with_values({"stimuli.cue.jitter": {"low": -0.01, "high": 0.09}, "duration": 0.28})


def test_jitter_is_uniform_drawn_from_the_seed_and_told():
    seeds = np.arange(400)
    tiny = JITTERED.with_values(
        {"populations.E.size": 1, "populations.I.size": 1, "noise": [], "duration": 0.2}
    )
    table = one(tiny, seeds=seeds, initial=["network"] * 400, window=0.02)
    onset = table.data["stimulus.cue.onset"] - 0.05
    assert onset.min() > -0.01
    assert onset.max() <= 0.09
    ranks = np.sort((onset + 0.01) / 0.1)
    assert np.abs(ranks - (np.arange(400) + 0.5) / 400).max() < 1.63 / np.sqrt(400)  # Kolmogorov, 1 %
    again = one(tiny, seeds=seeds[::-1][:7].copy(), initial=["network"] * 7, window=0.02).data
    np.testing.assert_array_equal(again["stimulus.cue.onset"] - 0.05, onset[::-1][:7])


def test_a_jittered_point_is_the_same_in_any_tile():
    together = one(JITTERED, seeds=np.arange(9), initial=["network"] * 9, traces=True).data
    for i in (0, 4, 8):
        alone = one(JITTERED, seeds=np.array([i]), traces=True).data
        assert together.keys() == alone.keys()
        for name in together.keys() - {"status"}:
            assert np.array_equal(together[name][i], alone[name][0], equal_nan=True), name
        drawn = float(together["stimulus.cue.onset"][i])
        fixed = JITTERED.with_values(
            {
                "stimuli": [
                    {"shape": "cosine", "onset": drawn, "offset": drawn + 0.1, "strength": 0.7, "phase": 70.0}
                ]
            }
        )
        solo = one(fixed, seeds=np.array([i])).data
        assert solo["bump.E.m1.during"][0] == together["bump.E.m1.during"][i]


def test_stimuli_that_share_a_draw_move_together():
    cue = {"shape": "cosine", "strength": 1.0, "duration": 0.01}
    jitter = {"low": 0.0, "high": 0.05}

    def apart(first, second):
        stimuli = [cue | {"onset": 0.0, "jitter": first}, cue | {"onset": 0.1, "jitter": second}]
        found = one(NOISY.with_values({"stimuli": stimuli}), seeds=np.arange(8), initial=["network"] * 8).data
        return found["stimulus.1.onset"] - found["stimulus.0.onset"]

    np.testing.assert_allclose(apart(jitter | {"draw": 1}, jitter | {"draw": 1}), 0.1, atol=1e-12)
    assert np.ptp(apart(jitter, jitter)) > 0.01


def test_the_specification_decides_the_executor():
    def executor(spec, values, points=1):
        columns = {path: torch.full((points,), value) for path, value in values.items()}
        model = Network(spec, device="cpu")
        return choose("auto", model.program(columns, points, torch.arange(points)), RecordPlan()).name

    assert executor(NOISY, {}) == "trajectory"
    assert executor(NOISY, {"stimuli.cue.strength": 0.3}, 3) == "trajectory"
    assert executor(NOISY, {"stimuli.cue.onset": 0.05}) == "reference"  # the file's own value
    assert executor(NOISY, {"stimuli.cue.delay": 0.0}, 3) == "reference"
    assert executor(JITTERED, {}) == "reference"
    dynamic = NOISY.with_values({"feedforward": {"tau": 0.01}})
    assert executor(dynamic, {}) == "reference"


def test_times_are_batchable_and_a_sweep_of_them_is_one_group():
    for path in ("onset", "offset", "delay", "jitter.low", "jitter.high"):
        assert not find_path(JITTERED, f"stimuli.cue.{path}").structural, path
    assert find_path(
        JITTERED.with_values({"stimuli.cue.jitter.draw": 1}), "stimuli.cue.jitter.draw"
    ).structural
    space = {"stimuli.cue.onset": [0.01, 0.02, 0.03], "J.EE": [1.0, 2.0]}
    plan = make_plan(SweepSpec.parse({"network": NOISY, "space": space}), actors=1)
    assert (plan.points, plan.groups) == (6, 1)


@pytest.mark.parametrize(
    ("space", "line"),
    [
        ({"onset": [0.01, 0.4]}, "onset: is not allowed: stimuli.0.offset must be after onset, got 0.4"),
        (
            {"delay": [0.0, 0.4]},
            "delay: is not allowed: stimuli.0.delay must leave the onset before the end of",
        ),
        (
            {"onset": [0.01, 0.4], "offset": [0.1, 0.3]},
            "onset: is not allowed: stimuli.0.offset must be after",
        ),
        (
            {"delay": [0.0, -0.06]},
            "delay: is not allowed: stimuli.0.delay must leave the onset after the start",
        ),
    ],
)
def test_a_sweep_refuses_times_that_do_not_fit_the_run(space, line):
    axes = {f"stimuli.cue.{key}": levels for key, levels in space.items()}
    with pytest.raises(SpecError) as caught:
        SweepSpec.parse({"network": NOISY, "space": axes})
    assert str(caught.value).startswith(f"space.stimuli.cue.{line}")
    assert "\n" not in str(caught.value)


def test_times_that_only_fit_together_are_swept_together():
    space = {"stimuli.cue.onset": [0.01, 0.18], "stimuli.cue.offset": [0.05, 0.2]}
    assert SweepSpec.parse({"network": NOISY, "space": space}).points == 4


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"stimuli.cue.onset": [0.01, 0.2]}, "stimuli.cue.offset: must be after onset, got 0.15"),
        (
            {"stimuli.cue.delay": [0.0, 0.3]},
            "stimuli.cue.onset: must be before the end of the run at 0.25 s, got 0.35",
        ),
        (
            {"stimuli.cue.delay": [0.0, -0.3]},
            "stimuli.cue.onset: must be after the start of the run, got -0.25",
        ),
    ],
)
def test_points_whose_times_do_not_fit_are_one_clear_line(values, line):
    with pytest.raises(SpecError) as caught:
        Network(NOISY, device="cpu").measure(values)
    assert str(caught.value) == line


def test_no_gradient_is_lost_in_a_time():
    onset = torch.tensor([0.05], dtype=torch.float64, requires_grad=True)
    with pytest.raises(SpecError, match="rounded to whole steps"):
        Network(NOISY, device="cpu")({"stimuli.cue.onset": onset})


def test_two_halves_are_the_whole_with_times_of_each_point():
    spec = JITTERED.with_values({"stimuli": [*JITTERED.to_dict()["stimuli"], array("time", [0.5] * 60)]})
    model = Network(spec, device="cpu", precision="double")
    whole = model(seeds=[1, 2, 3], steps=120)
    first, state = model.simulate(seeds=[1, 2, 3], duration=0.05, every=1, return_state=True)
    second = model(seeds=[1, 2, 3], initial=state, steps=70)
    assert np.array_equal(first["rates"].values, whole[:, :50].numpy())
    assert torch.equal(second, whole[:, 50:])


def test_own_windows_are_cut_as_each_point_s_would_be():
    windows = own_windows(
        [[Window("a", 10, 30), Window("b", 20, 40)], [Window("a", 5, 9)], []], ["a", "b"], torch.device("cpu")
    )
    found = own_segments(RecordPlan(windows=windows, temporal=frozenset({"b"})))
    edges = [(s.start.tolist(), s.stop.tolist(), s.temporal) for s in found]
    assert edges == [
        ([10, 5, 0], [20, 9, 0], False),
        ([20, 0, 0], [30, 0, 0], True),
        ([30, 0, 0], [40, 0, 0], True),
    ]
