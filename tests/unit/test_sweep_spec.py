"""Sweep files: axes, overrides, identity."""

import math

import pytest
import yaml

from neuroflame.errors import SpecError
from neuroflame.spec.axes import AXIS_KEYS
from neuroflame.spec.measures import statistics
from neuroflame.spec.overrides import load_sweep, override
from neuroflame.spec.sweep import SweepSpec

NETWORK = {
    "dt": 0.001,
    "duration": 0.05,
    "populations": {"E": {"size": 20, "tau": 0.02}, "I": {"size": 10, "tau": 0.01}},
    "connectivity": {"kind": "sparse", "K": 5, "profile": {"kind": "cosine", "kappa": 0.5}},
    "J": {"EE": 1.0, "EI": -1.5, "IE": 1.0, "II": -1.0},
    "J0": {"E": 1.0, "I": 0.5},
    "stimuli": [{"name": "cue", "shape": "cosine", "onset": 0.01, "offset": 0.02, "strength": 0.1}],
}


def sweep(**changes):
    return SweepSpec.parse({"network": NETWORK, "space": {"J.EE": [1, 2]}, **changes})


@pytest.fixture
def files(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "conf" / "net.yml").write_text(yaml.safe_dump(NETWORK))
    path = tmp_path / "sweeps" / "first.yml"
    path.write_text(
        "network: ../conf/net.yml\nset: {J.II: -2}\n"
        "space:\n  J.EE: {from: 1, to: 3, num: 5}\n  J0.E: [1, 2]\nrepeat: {graphs: 2, seeds: [7, 9]}\n"
    )
    return path


def test_file_with_a_network_relative_to_it(files):
    spec = load_sweep(files)
    assert spec.name == "first"
    assert spec.network.get("J.II") == -2.0
    assert spec.points == 5 * 2 * 2 * 2
    assert spec.repeat.seeds == (7, 9)


def test_plain_data_makes_an_equal_sweep(files):
    spec = load_sweep(files)
    again = SweepSpec.parse(spec.to_dict())
    assert again == spec
    assert again.digest() == spec.digest()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"from": 1, "to": 2, "num": 3}, (1.0, 1.5, 2.0)),
        ({"from": 2, "to": 1, "num": 2}, (2.0, 1.0)),
        ({"from": 1, "to": 100, "num": 3, "log": True}, (1.0, 10.0, 100.0)),
        ({"from": 3, "to": 3, "num": 1}, (3.0,)),
        ([1, 5, 2], (1.0, 5.0, 2.0)),
        ({"choices": [4, 2]}, (4.0, 2.0)),
    ],
)
def test_listed_values(given, expected):
    (axis,) = sweep(space={"J.EE": given}).axes
    assert axis.levels == pytest.approx(expected)
    assert all(type(level) is float for level in axis.levels)
    assert axis.ordered == (not isinstance(given, dict) or "choices" not in given)


def test_whole_numbers_stay_whole():
    (axis,) = sweep(space={"populations.E.size": {"from": 10, "to": 40, "num": 4}}).axes
    assert axis.levels == (10, 20, 30, 40)
    assert all(type(level) is int for level in axis.levels)
    assert axis.structural


def test_names_can_be_swept():
    (axis,) = sweep(space={"transfer": ["relu", "tanh"]}).axes
    assert axis.text
    assert axis.structural


def test_interval():
    search = {"kind": "random", "trials": 4}
    (axis,) = sweep(space={"J.EE": {"low": 1, "high": 10, "log": True}}, search=search).axes
    assert (axis.low, axis.high, axis.log, axis.levels) == (1.0, 10.0, True, None)
    assert math.isinf(axis.count)


def test_counts_are_lists_of_numbers():
    assert sweep(repeat={"graphs": 3}).repeat.graphs == (0, 1, 2)


@pytest.mark.parametrize(
    ("path", "value", "reads"),
    [
        ("J.EE", 8.0, None),
        ("set.J.EI", -3.0, lambda s: s.network.get("J.EI") == -3.0),
        ("J.EI", -3.0, lambda s: s.network.get("J.EI") == -3.0),
        ("network.J.EI", -3.0, lambda s: s.network.get("J.EI") == -3.0),
        ("stimuli.cue.strength", 2.0, lambda s: s.network.stimuli[0].strength == 2.0),
        ("space.J.EE.num", 3, lambda s: s.axes[0].levels == (1.0, 2.0, 3.0)),
        ("space.J.EE", [4], lambda s: s.axes[0].levels == (4.0,)),
        ("space.J.EE", None, lambda s: [a.path for a in s.axes] == ["J0.E"]),
        ("space.J.IE", [4, 5], lambda s: [a.path for a in s.axes] == ["J.EE", "J0.E", "J.IE"]),
        ("space", {"J.IE": [4, 5]}, lambda s: [a.path for a in s.axes] == ["J.IE"]),
        ("search", {"kind": "sobol", "trials": 4}, lambda s: s.search.trials == 4),
        ("window", 0.01, lambda s: s.window == 0.01),
        ("repeat.graphs", 5, lambda s: s.repeat.graphs == (0, 1, 2, 3, 4)),
        ("compute.tile", 7, lambda s: s.compute.tile == 7),
        ("name", "other", lambda s: s.name == "other"),
    ],
)
def test_overrides(files, path, value, reads):
    if reads is None:  # swept and set at once
        with pytest.raises(SpecError, match="swept"):
            load_sweep(files, {path: value})
    else:
        assert reads(load_sweep(files, {path: value}))


def test_overrides_leave_the_data_alone():
    data = {"space": {"J.EE": {"from": 1, "to": 2, "num": 3}}, "set": {"dt": 0.001}}
    override(data, {"space.J.EE.num": 9, "J.EI": -1, "search.kind": "grid"})
    assert data == {"space": {"J.EE": {"from": 1, "to": 2, "num": 3}}, "set": {"dt": 0.001}}


def test_identity_leaves_out_what_does_not_matter():
    plain = sweep().identity()
    assert sweep(name="x", compute={"tile": 3, "actors": 2, "backend": "inline"}).identity() == plain
    assert sweep(compute={"deadline": 7, "retries": 0}).identity() == plain
    assert sweep(answer={"label": "x", "where": "rate.E.mean > 1"}).identity() == plain
    assert sweep(space={"J.EE": [1, 3]}).identity() != plain
    assert sweep(set={"J.EI": -1}).identity() != plain
    assert sweep(compute={"precision": "double"}).identity() != plain
    assert sweep(traces=False).identity() != plain


def test_setting_a_value_equals_writing_it_into_the_network():
    changed = {**NETWORK, "duration": 0.06}
    assert sweep(set={"duration": 0.06}).identity() == sweep(network=changed).identity()


def test_traces_are_kept_in_small_sweeps():
    assert sweep().keeps_traces
    assert not sweep(space={"J.EE": {"from": 0, "to": 1, "num": 2001}}).keeps_traces
    assert not sweep(traces=False).keeps_traces


def test_names_of_statistics_are_those_that_are_computed():
    import numpy as np

    from neuroflame.core.measure import measure_points

    spec = sweep()
    measured = measure_points(
        spec.network,
        {"J.EE": np.array([1.0])},
        seeds=np.array([0]),
        initial=["network"],
        measure=spec.measure,
    )
    computed = {c.name for c in measured.columns if c.kind != "series"} - {"status"}
    assert computed == set(statistics(spec.network, spec.measure))


def test_a_conflict_between_two_swept_values_is_no_fault_of_either():
    spec = sweep(
        space={"populations.I.size": [5, 100], "connectivity.K": [5, 50], "populations.E.size": [100]}
    )
    assert spec.points == 4


def test_axis_keys_are_those_of_the_models():
    from neuroflame.spec.axes import ChoiceAxis, GridAxis, ListAxis, SampledAxis

    names = {
        info.alias or name
        for model in (GridAxis, SampledAxis, ListAxis, ChoiceAxis)
        for name, info in model.model_fields.items()
    }
    assert names == set(AXIS_KEYS)
