"""The network's specification: what is accepted, what is refused and in which words, what paths there are."""

import json
from pathlib import Path

import pytest

from neuroflame.errors import SpecError
from neuroflame.spec import NetworkSpec, find_path, load_network, paths
from neuroflame.spec.loading import parse_assignment, parse_yaml, read_yaml

CONF = Path(__file__).parents[2] / "conf"
RING = CONF / "ring_EI.yml"

REFUSED = [
    ({"popuations": {}}, "popuations: is not a known key (did you mean 'populations'?)"),
    ({"populations.E.size": -3}, "populations.E.size: must be greater than 0, got -3"),
    ({"populations.E.size": 2.5}, "populations.E.size: must be a whole number, got 2.5"),
    ({"populations.E.tua": 0.1}, "populations.E.tua: is not a known key (did you mean 'tau'?)"),
    ({"populations.E.rate_max": 2.0}, "populations.E.rate_max: has no effect on the transfer function relu"),
    ({"populations.EE": {"size": 3}}, "names of populations must make distinct pairs"),
    ({"dt": "x"}, "dt: must be a number, got 'x'"),
    ({"dt": float("nan")}, "dt: must be finite"),
    ({"duration": 0.0001}, "duration: must be at least one step of dt"),
    ({"J.EF": 1.0}, "J.EF: is not a pair (valid names: EE, EI, IE, II)"),
    ({"J": 3}, "J: must be a mapping of names to values, got 3"),
    ({"J.EE": None}, "J.EE: must be a number"),
    ({"J.EE.x": 3}, "J.EE: is a plain value, it has nothing below it"),
    ({"J..EE": 3}, "must be names joined by single dots"),
    ({"J0.F": 1.0}, "J0.F: is not a population"),
    ({"stp.EE.U": 2}, "stp.EE.U: must be at most 1, got 2"),
    ({"stp.EI": {"U": 0.1}}, "stp.EI.tau_fac: is required"),
    ({"transfer": "sigmoid"}, "transfer: must be one of 'relu', 'erf'"),
    ({"transfer": {"E": "relu", "I": "rel"}}, "transfer.I: must be one of"),
    ({"transfer": {"E": "relu"}}, "transfer: must have a value for each population (I is missing)"),
    (
        {"connectivity.kind": "sprase"},
        "connectivity.kind: must be one of 'sparse' or 'all_to_all', got 'sprase'",
    ),
    ({"connectivity.kind": "sparse"}, "connectivity.K: is required for sparse connectivity"),
    ({"connectivity.K": 3}, "connectivity.K: has no effect on all_to_all connectivity"),
    (
        {"connectivity": {"kind": "sparse", "K": 501}},
        "connectivity.K: must be above 0 and at most the size of E, 500",
    ),
    ({"connectivity.profile.kind": "cosin"}, "connectivity.profile.kind: must be one of"),
    ({"connectivity.profile.kappa": {"EF": 3.0}}, "connectivity.profile.kappa.EF: is not a pair"),
    ({"populations.X": {"size": 3}, "J.XX": 1.0}, "must have a value for each connected pair"),
    ({"connectivity.seed": 3}, "connectivity.seed: has no effect where nothing is drawn"),
    ({"connectivity.profile": {"kind": "von_mises", "kappa": -1.0}}, "kappa: must be at least 0"),
    (
        {"connectivity.pairs": {"EE": {"profile": {"kind": "uniform"}}}},
        "connectivity.profile.kappa.EE: has no effect",
    ),
    ({"connectivity": {"kind": "sparse", "K": {"E": 9, "I": 9}}, "J": None}, "J: must be a mapping"),
    ({"connectivity.pairs": {"EF": {}}}, "connectivity.pairs.EF: is not a pair that J connects"),
    (
        {"stimuli.0.shape": "cosin"},
        "stimuli.0.shape: must be one of 'cosine', 'gaussian', 'pattern', 'array', got 'cosin'",
    ),
    ({"stimuli.0.strenght": 1}, "stimuli.0.strenght: is not a known key (did you mean 'strength'?)"),
    ({"stimuli.0.offset": 0.5}, "stimuli.0.offset: must be after onset, got 0.5"),
    ({"stimuli.0.onset": 14.0, "stimuli.0.offset": 15.0}, "must be before the end of the run at 13.5 s"),
    ({"stimuli.cute.phase": 3}, "there is no such entry, got 'cute' (did you mean 'cue'?)"),
    ({"stimuli.0.populations": ["X"]}, "stimuli.0.populations.X: is not a population"),
    ({"noise": {"kind": "white", "sigma": {"F": 1.0}}}, "noise.0.sigma.F: is not a population"),
    ({"nmda": {"sources": ["X"]}}, "nmda.sources.X: is not a population"),
    ({"initial": {"kind": "constant", "rate": {"X": 1.0}}}, "initial.rate.X: is not a population"),
    ({"initial": {"kind": "hot"}}, "initial.kind: must be one of"),
]


@pytest.mark.parametrize(
    ("change", "line"), REFUSED, ids=[next(iter(c)) + str(i) for i, (c, _) in enumerate(REFUSED)]
)
def test_refusals_name_file_path_rule_and_remedy(change, line):
    with pytest.raises(SpecError) as caught:
        load_network(RING, change)
    text = str(caught.value)
    assert text.startswith(str(RING))
    assert line in text
    assert "\n" not in text


def test_round_trip_through_json():
    for path in CONF.glob("*.yml"):
        spec = load_network(path)
        again = NetworkSpec.parse(json.loads(json.dumps(spec.to_dict())))
        assert again == spec
        assert again.digest() == spec.digest()


def test_digest_tells_networks_apart():
    spec = load_network(RING)
    assert spec.digest() != spec.with_values({"J.EE": 10.5}).digest()


def test_overrides_by_dotted_path_and_by_mapping_are_the_same():
    dotted = load_network(RING, {"J.EE": 8.0, "stimuli.cue.strength": 0.5})
    nested = load_network(RING, {"J": {"EE": 8.0}, "stimuli.0": {"strength": 0.5}})
    assert dotted == nested
    assert dotted.get("J.EE") == 8.0
    assert dotted.J["EI"] == -1.5


def test_an_override_with_another_kind_replaces_the_whole():
    spec = load_network(RING, {"connectivity.profile": {"kind": "uniform"}, "initial": {"kind": "normal"}})
    assert spec.connectivity.profile.kind == "uniform"
    assert spec.initial.kind == "normal"


def test_overrides_do_not_change_what_they_are_given():
    spec, change = load_network(RING), {"J": {"EE": 8.0}}
    spec.with_values(change)
    assert change == {"J": {"EE": 8.0}}
    assert spec.J["EE"] == 10.0


def test_paths_have_units_and_tags():
    known = paths(load_network(RING))
    assert known["populations.E.tau"].unit == "s"
    assert known["populations.E.size"].structural
    assert known["populations.E.size"].integer
    assert not known["J.EE"].structural
    assert not known["connectivity.profile.kappa.EE"].structural
    assert not known["connectivity.kind"].numeric
    assert all(info.doc for info in known.values())


def test_kappa_is_structural_where_the_pair_is_sparse():
    known = paths(load_network(CONF / "balanced_ring.yml"))
    assert known["connectivity.profile.kappa.EE"].structural
    mixed = load_network(
        CONF / "balanced_ring.yml",
        {"connectivity.pairs": {"EE": {"kind": "all_to_all"}}},
    )
    assert not paths(mixed)["connectivity.profile.kappa.EE"].structural
    assert paths(mixed)["connectivity.profile.kappa.EI"].structural


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("J.EF", "did you mean"),
        ("stp.EE.taufac", "'stp.EE.tau_fac'"),
        ("populations.E.tau_sin", "'populations.E.tau_syn'"),
        ("J", "for example J.EE"),
    ],
)
def test_a_wrong_path_names_the_nearest(path, remedy):
    with pytest.raises(SpecError, match="the network|a group") as caught:
        find_path(load_network(RING), path)
    assert remedy in str(caught.value)


def test_pairs_carry_what_applies_to_them():
    spec = load_network(
        CONF / "balanced_ring.yml",
        {"connectivity.K": {"E": 100.0, "I": 50.0}, "connectivity.pairs": {"II": {"kind": "all_to_all"}}},
    )
    pairs = {pair.name: pair for pair in spec.pairs}
    assert pairs["EE"].K == 100.0
    assert pairs["EI"].K == 50.0
    assert pairs["II"].K is None
    assert spec.external_scale == 10.0


def test_yaml_scalars_are_those_of_yaml_1_2():
    data = parse_yaml("a: 1e-3\nb: on\nc: no\nd: 12\ne: true\nf: 0x1\ng: -1.5E2\nh: 010\n")
    assert data == {"a": 1e-3, "b": "on", "c": "no", "d": 12, "e": True, "f": "0x1", "g": -150.0, "h": 10}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1, 2", "is not valid YAML at line 1, column 9"),
        ("dt: 0.1\ndt: 0.2", "dt: stands twice (see line 2)"),
        ("- 1\n- 2", "must hold a mapping of keys to values, got 'list'"),
        ("", "must hold a mapping of keys to values, got 'nothing'"),
    ],
)
def test_files_that_are_no_network(tmp_path, text, line):
    path = tmp_path / "x.yml"
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: {line}")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(SpecError, match="there is no such file"):
        read_yaml(tmp_path / "none.yml")
    with pytest.raises(SpecError, match="is a directory"):
        read_yaml(tmp_path)
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(SpecError, match="is not a text file"):
        read_yaml(tmp_path / "binary.yml")


def test_assignments():
    assert parse_assignment("J.EE=8") == ("J.EE", 8)
    assert parse_assignment("a.b=[1, 2e-3]") == ("a.b", [1, 2e-3])
    for text in ("J.EE", "=3"):
        with pytest.raises(SpecError, match="must be PATH=VALUE"):
            parse_assignment(text)
