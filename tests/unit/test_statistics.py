"""Statistics of a recording against the same numbers from the whole time course."""

import numpy as np
import pytest
import torch

from neuroflame import Network
from neuroflame.core.measure import measure_points
from neuroflame.core.recorder import RecordPlan, Segment, Window, bump_amplitude, fourier_mode, segments
from neuroflame.core.statistics import final_window, windows
from neuroflame.errors import SimulationError, SpecError
from neuroflame.spec import NetworkSpec
from neuroflame.spec.measures import statistics
from tests.unit.test_trajectory import RING

SPEC = NetworkSpec.parse(RING).with_values({"noise": {"kind": "white", "sigma": 0.05}})
EXECUTORS = ["reference", "trajectory"]


def measured(spec, executor, **keys):
    keys = {
        "seeds": np.array([3]),
        "initial": ["network"],
        "measure": ["rates", "bump"],
        "window": 0.06,
    } | keys
    data = measure_points(spec, {}, precision="double", executor=executor, **keys).data
    return {name: column[0] for name, column in data.items()}


@pytest.mark.parametrize("executor", EXECUTORS)
def test_statistics_are_those_of_the_time_course(executor):
    found = measured(SPEC, executor)
    course = Network(SPEC, device="cpu", precision="double", seed=3).simulate(every=1)["rates"][0].to_numpy()
    for name, part in {"E": slice(0, 70), "I": slice(70, 107)}.items():
        rates = course[-60:, part]
        mean = rates.mean()
        theta = np.arange(rates.shape[1]) * 2 * np.pi / rates.shape[1]

        def mode(window, theta=theta):
            return (window.mean(axis=0) * np.exp(1j * theta)).mean()

        expected = {
            f"rate.{name}.mean": mean,
            f"rate.{name}.cv": rates.mean(axis=0).std() / mean,
            f"rate.{name}.sd_t": rates.mean(axis=1).std() / mean,
            f"rate.{name}.sd_i": rates.std(axis=0).mean() / mean,
            f"rate.{name}.max": rates.mean(axis=0).max(),
            f"bump.{name}.m1": 2 * abs(mode(rates)),
            f"bump.{name}.ratio": 2 * abs(mode(rates)) / mean,
            f"bump.{name}.phase": np.angle(mode(rates)) % (2 * np.pi),
            f"bump.{name}.m0.before": course[:50, part].mean(),
            f"bump.{name}.m1.during": 2 * abs(mode(course[100:150, part])),
            f"bump.{name}.m1.after": 2 * abs(mode(course[150:200, part])),
        }
        first, second = 2 * abs(mode(rates[:30])), 2 * abs(mode(rates[30:]))
        expected[f"bump.{name}.trend"] = (second - first) / (0.5 * (first + second) * 0.03)
        for key, value in expected.items():
            assert found[key] == pytest.approx(value, rel=1e-9), key


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_state_that_does_not_move_has_no_variation_at_all(executor):
    """Sums are kept relative to the first state: in float32 too a fixed point varies by exactly 0."""
    spec = NetworkSpec.parse(
        {"populations": {"E": {"size": 30, "tau": 0.0}}, "J0": {"E": 7.3}, "duration": 0.5, "dt": 0.001}
    )
    data = measure_points(
        spec, {}, seeds=np.zeros(1, int), initial=["network"], measure=["rates"], executor=executor
    ).data
    assert data["rate.E.sd_t"][0] == 0.0
    assert data["rate.E.sd_i"][0] == 0.0
    assert data["rate.E.mean"][0] == pytest.approx(7.3, rel=1e-7)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_what_is_relative_to_silence_is_undefined(executor):
    spec = NetworkSpec.parse(
        {"populations": {"E": {"size": 8}}, "duration": 0.5, "initial": {"kind": "constant", "rate": 1.0}}
    )
    found = measured(spec, executor, window=0.1)
    assert 0 < found["rate.E.mean"] < 1e-3
    assert found["bump.E.m1"] >= 0
    for name in ("rate.E.cv", "rate.E.sd_t", "rate.E.sd_i", "bump.E.ratio", "bump.E.trend", "bump.E.phase"):
        assert np.isnan(found[name]), name


@pytest.mark.parametrize("phase", [0.0, 0.5, np.pi, 6.0])
def test_a_cosine_decodes_to_its_phase(phase):
    theta = torch.arange(100).double() * 2 * torch.pi / 100
    mode = fourier_mode((3.0 + 2.0 * torch.cos(theta - phase))[None])
    assert float(mode[0, 0]) == pytest.approx(3.0)
    assert float(bump_amplitude(mode)[0]) == pytest.approx(2.0)
    angle = float(torch.atan2(mode[0, 2], mode[0, 1])) % (2 * np.pi)
    assert np.cos(angle - phase) == pytest.approx(1.0)


def test_windows_that_overlap_are_cut_into_segments():
    plan = RecordPlan(
        windows=(Window("a", 10, 30), Window("b", 20, 40), Window("c", 60, 70)), temporal=frozenset({"b"})
    )
    assert segments(plan) == (
        Segment(10, 20, False),
        Segment(20, 30, True),
        Segment(30, 40, True),
        Segment(60, 70, False),
    )


def test_default_windows():
    spec = NetworkSpec.parse(RING | {"duration": 20.0, "stimuli": []})
    assert final_window(spec, None) == pytest.approx(max(10 * 0.5, 2.0))
    assert final_window(NetworkSpec.parse(RING), None) == pytest.approx(0.05)  # half of what follows the cue
    names = {w.name: (w.start, w.stop) for w in windows(NetworkSpec.parse(RING), 0.06)}
    assert names == {
        "final": (190, 250),
        "final.1": (190, 220),
        "final.2": (220, 250),
        "before": (0, 50),
        "during": (100, 150),
        "after": (150, 200),
    }
    assert {w.name for w in windows(spec, None)} == {"final", "final.1", "final.2"}


def test_the_names_known_without_running_are_those_that_come_out():
    data = measure_points(
        SPEC, {}, seeds=np.zeros(1, int), initial=["network"], measure=["rates", "bump"], executor="reference"
    ).data
    assert sorted(statistics(SPEC, ["rates", "bump"])) == sorted(set(data) - {"status"})


def test_every_column_has_a_definition():
    measured_ = measure_points(
        SPEC, {}, seeds=np.zeros(1, int), initial=["network"], measure=["rates", "bump"], traces=True
    )
    assert [column.name for column in measured_.columns] == list(measured_.data)
    assert all(column.doc for column in measured_.columns)
    units = {column.name: column.unit for column in measured_.columns}
    assert units["rate.E.mean"] == "Hz"
    assert units["bump.E.phase"] == "rad"
    assert units["trace.time"] == "s"


def test_traces_are_samples_of_the_time_course():
    data = measure_points(
        SPEC, {}, seeds=np.array([3]), initial=["network"], measure=["rates"], traces=True
    ).data
    course = Network(SPEC, device="cpu", seed=3).simulate(every=1)["rates"][0, :, :70].to_numpy()
    steps = np.round(data["trace.time"][0] / 0.001).astype(int)
    np.testing.assert_allclose(data["trace.E.rate"][0], course[steps - 1].mean(axis=1), rtol=1e-5)


@pytest.mark.parametrize(
    ("keys", "error", "line"),
    [
        ({"measure": ["rate"]}, SpecError, "did you mean 'rates'"),
        ({"initial": ["coled"]}, SpecError, "did you mean 'cold'"),
        ({"precision": "half"}, SimulationError, "is not a precision"),
        ({"device": "gpu7"}, SimulationError, "there is no such device"),
        ({"window": 99.0}, SpecError, "window: must be at least two steps"),
        ({"executor": "refrence"}, SimulationError, "did you mean 'reference'"),
    ],
)
def test_wrong_names_are_refused(keys, error, line):
    base = {"seeds": np.zeros(1, int), "initial": ["network"], "measure": ["rates"]}
    with pytest.raises(error, match=line):
        measure_points(SPEC, {}, **(base | keys))


def test_structural_paths_cannot_be_vectors():
    with pytest.raises(SpecError, match=r"populations.E.size: is structural"):
        measure_points(
            SPEC,
            {"populations.E.size": np.array([3, 4])},
            seeds=np.zeros(2, int),
            initial=["network"] * 2,
            measure=["rates"],
        )


@pytest.mark.parametrize("size", [1, 2, 3])
def test_one_or_two_neurons_have_no_profile(size):
    """Their first mode is the mean, or what alternates."""
    spec = NetworkSpec.parse(
        {
            "populations": {"E": {"size": size, "tau": 0.02}},
            "J0": {"E": 1.0},
            "duration": 1.0,
            "dt": 0.001,
            "stimuli": [{"shape": "cosine", "onset": 0.1, "offset": 1.0, "strength": 0.5}],
        }
    )
    found = measure_points(spec, {}, seeds=[0], initial=["network"], measure=["regime"]).data
    assert np.isnan([found["bump.E.ratio"][0], found["bump.E.phase"][0]]).tolist() == [size < 3] * 2
    assert found["regime"][0] != "bump"  # of three neurons the floor is high
    assert found["bump.E.m1"][0] > 0
