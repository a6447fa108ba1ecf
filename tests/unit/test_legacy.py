"""The importer of the original's files: every form of every key, and nothing dropped silently."""

import math

import pytest
import yaml

from neuroflame import Network, cli
from neuroflame.errors import SpecError
from neuroflame.spec import NetworkSpec
from neuroflame.spec.legacy import ImportRefused, import_legacy, to_yaml
from neuroflame.spec.legacy.keys import BOTH, KNOWN, MARKS_2026, ONLY_2024, ONLY_2026
from neuroflame.spec.loading import parse_yaml

BASE = {
    "VERBOSE": 0,
    "DT": 0.001,
    "DURATION": 0.5,
    "T_STEADY": 0.1,
    "T_WINDOW": 0.05,
    "TASK": "odr",
    "T_STIM_ON": [0.1, 0.3],
    "T_STIM_OFF": [0.2, 0.4],
    "I0": [0.5, -0.5],
    "PHI0": [180.0, 90.0],
    "SIGMA0": [1.0, 0.5],
    "N_POP": 2,
    "N_NEURON": 50,
    "K": 5.0,
    "frac": [0.8, 0.2],
    "TF_TYPE": "relu",
    "THRESH": [1.0, 2.0],
    "RATE_DYN": 1,
    "TAU": [0.04, 0.02],
    "SYN_DYN": 1,
    "TAU_SYN": [0.004, 0.002],
    "IF_NMDA": 0,
    "R_NMDA": 0.5,
    "TAU_NMDA": [0.1, 0.1],
    "LIVE_FF_UPDATE": 0,
    "Ja0": [1.5, 1.0],
    "M0": 2.0,
    "VAR_FF": [0.0, 0.0],
    "BUMP_SWITCH": [0, 0],
    "GAIN": 1.0,
    "Jab": [1.0, -1.5, 1, -1],
    "IF_STP": 0,
    "USE": 0.03,
    "TAU_FAC": 1.0,
    "TAU_REC": 0.2,
    "J_STP": 10.0,
    "STP_TYPE": "markram",
    "SEED": 3,
    "CON_TYPE": "sparse",
    "PROBA_TYPE": ["cosine"] * 4,
    "SIGMA": [0.0] * 4,
    "KAPPA": [1.0, 0.5, 0.25, 0.75],
    "PHASE": 0.0,
    "LR_TRAIN": 0,
    "LR_MEAN": [0.0, 0.0],
    "LR_COV": [[1.0, 0.0], [0.0, 1.0]],
}
LATE = dict.fromkeys(MARKS_2026, 0) | {
    "IS_STP": [1, 0, 0, 0],
    "IS_TRAIN": [0, 0, 0, 0],
    "LR_INI": 0.0,
    "W_STP": [1.0, 7.0, 6.0, 1.0],
    "STIM_EI": 0,
    "A_ADAPT": 0.25,
    "TAU_ADAPT": 50.0,
    "USE": [0.03, 0.5],
    "TAU_FAC": [2.0, 0.001],
    "TAU_REC": [0.2, 0.2],
}
AFFERENTS = {"FF_USE": 0.3, "TAU_FF_FAC": 0.2, "TAU_FF_REC": 1.0, "TAU_FF": 0.05, "A_FF_ADAPT": 0.1}
DELAYS = {"RANDOM_DELAY": 1, "MIN_DELAY": 0.05, "MAX_DELAY": 0.25}
ODOURS = {
    "TASK": "dual",
    "LR_MEAN": [0.0] * 4,
    "LR_COV": [[1, 0.5, 0, 0], [0.5, 4.0, 0, 0.6], [0, 0, 1, 0.5], [0, 0.6, 0.5, 1.0]],
}


@pytest.fixture
def legacy(tmp_path):
    def make(late=False, partial=False, defaults=None, **changes):
        values = BASE | (LATE if late else {}) | changes
        values = {key: value for key, value in values.items() if value is not ...}
        (tmp_path / "legacy.yml").write_text(yaml.safe_dump(values))
        if defaults is not None:
            (tmp_path / "defaults.yml").write_text(yaml.safe_dump(defaults))
        return import_legacy(tmp_path / "legacy.yml", partial=partial)

    return make


def texts(notes):
    return {note.key: note.text for note in notes}


# --- what carries over ------------------------------------------------------------------------------------


def test_a_network_of_2024(legacy):
    data = legacy().data
    assert data["integrator"] == "dt_over_tau"
    assert data["populations"] == {
        "E": {"size": 40, "tau": 0.04, "tau_syn": 0.004},  # its relu has no threshold
        "I": {"size": 10, "tau": 0.02, "tau_syn": 0.002},
    }
    kappa = {"EE": 1.0, "EI": 0.5, "IE": 0.25, "II": 0.75}
    assert data["connectivity"] == {
        "kind": "sparse",
        "K": 5.0,
        "seed": 3,
        "profile": {"kind": "cosine", "kappa": kappa},
    }
    assert data["J"] == {"EE": 1.0, "EI": -1.5, "IE": 1.0, "II": -1.0}
    assert (data["J0"], data["M0"], data["dt"], data["duration"]) == ({"E": 1.5, "I": 1.0}, 2.0, 0.001, 0.65)
    assert data["stimuli"] == [
        {"shape": "cosine", "strength": 0.5, "width": 1.0, "onset": 0.2, "offset": 0.3, "phase": 180.0},
        {"shape": "cosine", "strength": -0.5, "width": 0.5, "onset": 0.4, "offset": 0.5, "phase": 90.0},
    ]
    assert data["initial"] == {"kind": "normal"}
    assert not {"stp", "nmda", "noise"} & data.keys()


def test_the_same_file_as_of_2026(legacy):
    found = legacy(late=True)
    assert found.report.version == "2026"
    assert found.data["integrator"] == "exponential"
    assert found.data["populations"]["I"]["threshold"] == 2.0
    assert [s["strength"] for s in found.data["stimuli"]] == pytest.approx([0.25, -1 / 3])


@pytest.mark.parametrize(
    ("changes", "path", "value"),
    [
        ({"GAIN": 2.0}, "J.EI", -3.0),
        ({"RATE_DYN": 0}, "populations.E.tau", 0.0),
        ({"SYN_DYN": 0}, "populations.I.tau_syn", 0.0),
        ({"SYN_DYN": "no"}, "populations.I.tau_syn", 0.0),
        ({"TAU": 0.03}, "populations.I.tau", 0.03),
        ({"TAU": [0.03, 0.01, 9.0]}, "populations.I.tau", 0.01),
        ({"T_STIM_ON": 0.1, "T_STIM_OFF": 0.2, "PHI0": 45.0}, "stimuli.0.phase", 45.0),
        ({"IF_NMDA": 1}, "nmda.tau", 0.1),
        ({"IF_NMDA": 1, "TAU_NMDA": [0.3, 0.2]}, "nmda.tau.I", 0.2),
        ({"PHASE": 30.0}, "connectivity.profile.phase", 30.0),
        ({"PROBA_TYPE": ["cos_spec"] * 4}, "connectivity.profile.kind", "cosine_weak"),
        ({"PROBA_TYPE": ["cosine", "None", "", "cosine"]}, "connectivity.pairs.EI.profile.kind", "uniform"),
        ({"TF_TYPE": "sqrt"}, "transfer", "brunel"),
        ({"TF_TYPE": "sigmoid"}, "populations.I.rate_max", 2.0),
        ({"TF_TYPE": "erf"}, "populations.E.gain", math.sqrt(2 / math.pi)),
        ({"CON_TYPE": "all2all", "PROBA_TYPE": ["von_mises"] * 4}, "J.EI", -1.5 / (2 * math.pi)),
        ({"PROBA_TYPE": ["von_mises"] * 4}, "J.EI", -1.5 / math.sqrt(2 * math.pi)),
        ({"PROBA_TYPE": ["von_mises"] * 4}, "connectivity.pairs.EI.K", 5.0 / (2 * math.pi)),
        ({"IF_STP": 1}, "J.EE", 10.0),
        ({"IF_STP": 1, "USE": [0.05]}, "stp.EE.U", 0.05),
        ({"IF_STP": 1}, "stp.EE.kind", "markram_lagged"),
        ({"IF_STP": 1, "late": True}, "stp.EE.kind", "markram"),
        ({"IF_STP": 1, "late": True, "STP_TYPE": "markram_exp"}, "stp.EE.kind", "markram_exp"),
        ({"IF_STP": 1, "late": True}, "connectivity.pairs.EE.kind", "all_to_all"),
        ({"IF_STP": 1, "late": True, "IS_STP": [1, 1, 0, 0]}, "J.EI", -70.0),
        ({"IF_STP": 1, "late": True, "IS_STP": [1, 1, 0, 0]}, "stp.EI.U", 0.5),
        ({"late": True, "FRAC_K": 1}, "connectivity.K.I", 1.0),
        ({"late": True, "IF_ADAPT": 1}, "populations.E.adaptation.relative_to", "zero"),
        ({"late": True, "IF_ADAPT": 1, "TAU_ADAPT": [0.1, 0.1]}, "populations.E.adaptation.tau", 0.1),
        ({"late": True, "T_HEBB": 0.1}, "stimuli.0.onset", 0.3),
        ({"late": True, "PHI0": [1.0, 0.5]}, "stimuli.0.phase", math.degrees(1.0)),
        ({"late": True, "TASK": "odr_gauss"}, "stimuli.1.width", math.degrees(0.5)),
        ({"VAR_FF": [4.0, 0.0]}, "noise.0.sigma.E", 8.0),  # 2 M0²
        ({"VAR_FF": [4.0, 0.0], "LIVE_FF_UPDATE": 1}, "noise.0.sigma.E", 4.0 / math.sqrt(5)),
        ({"VAR_FF": [4.0, 0.0], "LIVE_FF_UPDATE": 1, "RATE_NOISE": 1}, "noise.0.on", "rates"),
        ({"late": True, "VAR_FF": [4.0, 0.0]}, "noise.0.sigma.E", 8.0 * math.sqrt(5)),
        ({"late": True, "VAR_FF": [4.0, 0.0], "LIVE_FF_UPDATE": 1}, "noise.0.sigma.E", 4.0 * math.sqrt(5)),
        ({"late": True, "RATE_NOISE": 1, "VAR_RATE": 1.0}, "noise.0.sigma", 1.0 / math.sqrt(5)),
        ({"BUMP_SWITCH": [0, 1]}, "stimuli.switch_I.strength", 1.0 / math.sqrt(5) - 1.0),
        ({"BUMP_SWITCH": [0, 1]}, "stimuli.switch_I.offset", 0.2),
        ({"SEED": "None"}, "connectivity.seed", 0),
        (
            {"DT": 0.01, "T_STIM_ON": [0.29, 0.3], "T_STIM_OFF": 0.4},
            "stimuli.0.onset",
            0.38,
        ),  # int(0.29 / 0.01) is 28
    ],
)
def test_a_key_lands_where_it_should(legacy, changes, path, value):
    spec = legacy(**changes).spec
    assert spec.get(path) == (pytest.approx(value) if isinstance(value, float) else value)


def test_stimuli_onto_both_populations(legacy):
    assert legacy(late=True, STIM_EI=1).spec.stimuli[0].populations == ("E", "I")
    assert legacy(late=True).spec.stimuli[0].populations == ()


def test_all_to_all_takes_k_for_one(legacy):
    found = legacy(CON_TYPE="all2all", K=500.0, BUMP_SWITCH=[1, 1])
    assert found.data["connectivity"]["kind"] == "all_to_all"
    assert "sets it to 1" in texts(found.report.no_effect)["K"]
    assert "BUMP_SWITCH" in texts(found.report.no_effect)


def test_a_share_of_k_scales_all_to_all_weights_too(legacy):
    found = legacy(late=True, CON_TYPE="all2all", FRAC_K=1)
    assert found.data["J"]["EI"] == pytest.approx(-1.5 / math.sqrt(0.2))
    assert found.data["M0"] == pytest.approx(2.0 * math.sqrt(0.8))


def test_a_single_plastic_pair_of_2026_draws_nothing(legacy):
    one = {"N_POP": 1, "frac": [1.0], "PROBA_TYPE": ["None"], "KAPPA": [0.0], "Jab": [1.0], "IS_STP": [1]}
    found = legacy(late=True, IF_STP=1, **one)
    assert found.spec.connectivity.kind == "all_to_all"
    assert found.data["M0"] == pytest.approx(2.0 * math.sqrt(5.0))
    assert found.data["J"] == {"EE": 10.0}


def test_a_negative_von_mises_concentration_turns_the_profile(legacy):
    found = legacy(PROBA_TYPE=["von_mises"] * 4, KAPPA=[-1.0, 0.5, 0.5, 0.5]).spec
    profile = found.connectivity.pairs["EE"].profile
    assert (profile.kappa, profile.phase) == (1.0, 180.0)


def test_live_stimuli_replace_each_other(legacy):
    times = {"T_STIM_ON": [0.1, 0.2, 0.3], "T_STIM_OFF": [0.4, 0.35, 0.3], "I0": [1, 2, 3], "PHI0": [0.0] * 3}
    live = legacy(LIVE_FF_UPDATE=1, SIGMA0=[1.0] * 3, **times).data["stimuli"]
    shown = [(s["strength"], round(s["onset"], 2), round(s["offset"], 2)) for s in live]
    assert shown == [(1.0, 0.2, 0.3), (2.0, 0.3, 0.4)]
    ahead = legacy(SIGMA0=[1.0] * 3, **times)
    shown = [(s["strength"], round(s["onset"], 2), round(s["offset"], 2)) for s in ahead.data["stimuli"]]
    assert shown == [(1.0, 0.2, 0.5), (2.0, 0.3, 0.45)]  # the third would end as it begins
    assert "1 of which" in texts(ahead.report.carried)["T_STIM_ON"]


def test_defaults_are_merged_in_and_told(legacy, tmp_path):
    found = legacy(
        defaults={"KAPPA": [9.0] * 4, "TASK": "dual", "LR_TRAIN": 1}, TASK=..., LR_TRAIN=..., partial=True
    )
    assert found.data["connectivity"]["profile"]["kappa"]["EE"] == 1.0
    assert "from defaults.yml" in texts(found.report.cannot)["TASK"]
    (tmp_path / "defaults.yml").unlink()
    (tmp_path / "elsewhere.yml").write_text(yaml.safe_dump({"TASK": "None"}))
    assert "stimuli" not in import_legacy(tmp_path / "legacy.yml", defaults=tmp_path / "elsewhere.yml").data


def test_the_version_is_told_by_the_keys_and_can_be_forced(legacy, tmp_path):
    assert legacy(late=True, T_HEBB=...).report.version == "2024"
    found = import_legacy(tmp_path / "legacy.yml", {"T_HEBB": 0}, version="2026")
    assert found.data["integrator"] == "exponential"
    with pytest.raises(SpecError, match="version: must be one of 2024, 2026, got '2025'"):
        import_legacy(tmp_path / "legacy.yml", version="2025")


def test_gaussian_weights_carry_over(legacy):
    found = legacy(CON_TYPE="all2all", PROBA_TYPE=["gaussian", "None", "gaussian_dense", "cosine"])
    assert found.data["connectivity"]["seed"] == 3
    own = found.spec.connectivity.pairs
    assert {name for name in own if own[name].profile.kind == "gaussian"} == {"EE", "IE"}
    J = found.data["J"]  # ours is J z/√N; theirs J z/N, or J z/√N if told to be dense
    assert J["EE"] == pytest.approx(1.0 / math.sqrt(40))
    assert J["IE"] == 1.0


def test_probabilities_that_are_clipped_normal_numbers_are_uniform_ones(legacy):
    import numpy as np

    found = legacy(PROBA_TYPE=["gaussian", "None", "None", "None"], K=8.0)
    degree = found.spec.connectivity.pairs["EE"].K
    z = np.random.default_rng(0).normal(size=1_000_000)
    assert degree == pytest.approx(40 * np.clip(8.0 / 40 * z, 0, 1).mean(), rel=5e-3)
    assert found.data["J"]["EE"] / math.sqrt(degree) == pytest.approx(1.0 / math.sqrt(8.0))
    assert "EI" not in found.data["connectivity"].get("pairs", {})


def test_low_rank_vectors_carry_over_with_their_order(legacy):
    covariance = [[1.0, 0.5, 0.1, 0.2], [0.5, 1.1, 0.3, 0.0], [0.1, 0.3, 1.0, 0.4], [0.2, 0.0, 0.4, 1.0]]
    lr = {"PROBA_TYPE": ["lr", "None", "None", "None"], "TASK": "dual", "LR_MEAN": [1.0, 2.0, 3.0, 4.0]}
    found = legacy(**lr, LR_COV=covariance, partial=True)
    profile = found.spec.connectivity.pairs["EE"].profile
    assert profile.means == [1.0, 3.0, 2.0, 4.0]  # theirs: m, n of the first rank, then of the second
    assert profile.covariances[0] == [1.0, 0.1, 0.5, 0.2]
    assert profile.covariances[2] == [0.5, 0.3, 1.1, 0.0]
    assert "drawn apart" in texts(found.report.cannot)["PROBA_TYPE"]  # the patterns there are the vectors
    equal = [[1.0, 1.0, 0.2, 0.2], [1.0, 1.0, 0.2, 0.2], [0.2, 0.2, 2.0, 2.0], [0.2, 0.2, 2.0, 2.0]]
    profile = legacy(**lr, LR_COV=equal, partial=True).spec.connectivity.pairs["EE"].profile
    assert (profile.symmetric, profile.means) == (True, [1.0, 3.0])
    assert profile.covariances == [[1.0, 0.2], [0.2, 2.0]]
    with pytest.raises(SpecError, match="LR_COV: must be a matrix of 4 by 4"):
        legacy(**lr)


def test_dynamics_of_the_external_input(legacy):
    on = {"IF_FF_DYN": 1, "IF_FF_STP": 1, "IF_FF_ADAPT": 1, "TAU_FF_ADAPT": 2.0, "VAR_FF": [0.1, 0.0]}
    found = legacy(late=True, **AFFERENTS, **on)
    plastic = {"U": 0.3, "tau_fac": 0.2, "tau_rec": 1.0, "kind": "markram", "static": 1.0}
    level = {"tau": 2.0, "strength": 0.1}
    assert found.data["feedforward"] == {
        "tau": 0.05,
        "stp": {"E": plastic, "I": plastic},
        "adaptation": {"E": level, "I": level},
    }
    assert found.spec.noise[0].on == "external"
    assert legacy(late=True, **AFFERENTS).spec.feedforward is None


def test_random_delays_are_whole_steps_each_as_likely(legacy):
    found = legacy(late=True, **DELAYS)
    first, second = found.spec.stimuli
    assert first.jitter is None
    assert (second.jitter.low, second.jitter.high, second.jitter.draw) == (0.0495, 0.2495, 0)
    assert second.onset == pytest.approx(0.301)  # one step after the first ends
    assert second.offset == pytest.approx(0.85)  # the end of the run
    assert found.spec.duration == pytest.approx(0.65 + 0.2)


def test_odours_have_the_covariance_of_the_file(legacy):
    first, second = legacy(**ODOURS).spec.stimuli
    assert (first.number, first.strength, first.like) == (0, 0.5 * 1.0 * 2.0, None)
    assert (second.number, second.strength, second.like) == (1, -0.5 * 0.5 * 1.0, 0)
    assert second.overlap == pytest.approx(0.3)
    alike = ODOURS | {"LR_COV": [[1.0, 1, 0, 0], [1, 1, 0, 0], [0.2, 0, 4.0, 0], [0, 0, 0, 1]]}
    first, second = legacy(**alike).spec.stimuli
    assert (first.strength, second.strength) == (0.5, -0.5)
    assert second.overlap == pytest.approx(0.1)


# --- what cannot ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "key", "text"),
    [
        ({"TASK": "dual_flow"}, "TASK", "random patterns"),
        ({"TASK": "odr_rand"}, "TASK", "random angle"),
        ({"TASK": "oddr"}, "TASK", "none of None, odr"),
        (
            {"TF_TYPE": "Relu"},
            "TF_TYPE",
            "none of relu, erf, sqrt, sigmoid; the original silently takes sigmoid",
        ),
        ({"PROBA_TYPE": ["vonMises"] * 4}, "PROBA_TYPE", "vonMises is none of cosine"),
        ({"PROBA_TYPE": ["lr", "None", "None", "None"]}, "LR_COV", "part of low-rank"),
        ({"PROBA_TYPE": ["None", "lr", "None", "None"], "TASK": "dual"}, "PROBA_TYPE", "beside the first"),
        ({"frac": [0.79, 0.21]}, "frac", "leaves 1 neurons without"),
        ({"LR_TRAIN": 1, "RANK": 2}, "RANK", "part of LR_TRAIN"),
        ({"LR_READOUT": 1}, "LR_READOUT", "readout"),
        ({"IF_BATCH_J": 1}, "IF_BATCH_J", "sweep J.EE instead"),
        ({"SPARSE": "semi"}, "SPARSE", "two of every four"),
        ({"IF_STP": 1, "STP_TYPE": "hansel"}, "STP_TYPE", "u x"),
        ({"IF_STP": 1, "STP_TYPE": "mato"}, "STP_TYPE", "intervals"),
        ({"IF_STP": 1, "STP_TYPE": "hansel", "late": True}, "STP_TYPE", "silently takes markram"),
        ({"IF_STP": 1, "late": True, "TAU_REC": 0.0}, "STP_TYPE", "time constant of 0"),
        ({"IF_STP": 1, "late": True, "LR_INI": 1.0}, "LR_INI", "normal number"),
        ({"IF_STP": 1, "late": True, "IS_STP": [0, 1, 0, 0]}, "IS_STP", "leaves out the first pair"),
        ({"IF_STP": 1, "late": True, "IS_STP": [1, 1, 0, 0], "IF_NMDA": 1}, "IS_STP", "last plastic pair"),
        ({"late": True, "IF_HEBB": 1, "ETA": 0.1}, "ETA", "part of IF_HEBB"),
        ({"late": True, **AFFERENTS, "IF_FF_STP": 1, "TAU_FF_REC": 0.0}, "STP_TYPE", "time constant of 0"),
        ({"late": True, "IF_OPTO": 1}, "IF_OPTO", "silencing"),
        ({"late": True, "TRAIN_EI": 1}, "IS_TRAIN", "part of TRAIN_EI"),
        ({"late": True, **DELAYS, "LIVE_FF_UPDATE": 1}, "MAX_DELAY", "part of RANDOM_DELAY"),
        ({"late": True, **DELAYS, "DELAY_LIST": [1.0, 2.0]}, "RANDOM_DELAY", "from a list"),
        ({"late": True, **DELAYS, "MAX_DELAY": 0.05}, "RANDOM_DELAY", "of which there are none"),
        (ODOURS | {"LR_MEAN": [0.0, 1.0, 0.0, 0.0]}, "LR_MEAN", "mean is not 0"),
        (ODOURS | {"LIVE_FF_UPDATE": 1}, "TASK", "random patterns"),
        ({"TASK": "dual"}, "TASK", "more stimuli than patterns"),
        ({"late": True, "RANDOM_ITI": 1}, "RANDOM_ITI", "random time"),
        ({"late": True, "SIGMA0": [2.0, 1.0]}, "SIGMA0", "cut off below 0"),
        ({"late": True, "IF_ADAPT": 1, "TF_TYPE": "sigmoid"}, "IF_ADAPT", "multiplies a sigmoid"),
        (
            {"TAU_SYNN": [1.0]},
            "TAU_SYNN",
            "not a key of the original, which ignores it; did you mean 'TAU_SYN'?",
        ),
    ],
)
def test_what_cannot_carry_over_is_refused_and_named(legacy, changes, key, text):
    with pytest.raises(ImportRefused) as caught:
        legacy(**changes)
    assert text in texts(caught.value.report.cannot)[key]
    named = [note.key for note in caught.value.report.cannot if not note.text.startswith("part of")]
    assert all(name in str(caught.value) for name in named)
    found = legacy(**changes, partial=True)
    assert isinstance(found.spec, NetworkSpec)
    assert not found.report.complete
    assert f"Not carried over: {key}" in to_yaml(found)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Jab": [1.0, 2.0]}, "Jab: must have 4 entries"),
        ({"KAPPA": [1.0] * 5}, "KAPPA: must have 4 entries"),
        ({"TAU": [0.04]}, "TAU: must have 2 entries"),
        ({"TAU": ["fast", 0.1]}, "TAU: must be numbers, got 'fast'"),
        ({"I0": [1.0]}, "I0: must have 2 entries"),
        ({"CON_TYPE": "dense"}, "CON_TYPE: must be sparse or all2all, got 'dense'"),
        ({"N_POP": 2.5}, "N_POP: must be a whole number"),
        ({"N_POP": 0}, "N_POP: must be from 1 to 10"),
        ({"IF_STP": [1]}, r"IF_STP: must be 0 or 1"),
        ({"IF_STP": 1, "Jab": [0.0, -1, 1, -1]}, "Jab: must not be 0 where synapses are plastic"),
        ({"TF_TYPE": "sigmoid", "THRESH": [0.0, 1.0]}, "THRESH: must be above 0"),
        ({"VAR_FF": [-1.0, 0.0]}, "VAR_FF: must be at least 0"),
        ({"Ja0": ...}, "Ja0: is required .give the original's defaults.yml too"),
        ({"K": 11.0}, "K: must be above 0 and at most the size of I, 10"),
        (
            {"late": True, "TASK": "odr_gauss", "SIGMA0": 0.0},
            "SIGMA0: must be above 0 where stimuli are Gaussian",
        ),
    ],
)
def test_wrong_values_are_errors_that_name_the_key(legacy, changes, message):
    with pytest.raises(SpecError, match=f"legacy.yml: .*{message}"):
        legacy(**changes)


# --- the report -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("on", [False, True])
def test_every_key_is_told_of_once(legacy, late, on):
    switches = {
        key: int(on) for key in KNOWN if key.startswith(("IF_", "RANDOM_")) or key in {"LR_TRAIN", "TRAIN_EI"}
    }
    rest = {key: 0 for key in KNOWN if key not in BASE and key not in LATE}
    found = legacy(late=late, partial=True, **{**rest, **switches})
    notes = [note.key for note in (*found.report.carried, *found.report.no_effect, *found.report.cannot)]
    assert sorted(notes) == sorted({*BASE, *(LATE if late else {}), *rest, *switches})
    shown = str(found.report)
    assert all(key in shown for key in notes)


def test_versions_read_different_keys():
    early, late, both = (set(keys.split()) for keys in (ONLY_2024, ONLY_2026, BOTH))
    assert not early & late
    assert not both & (early | late)
    assert late >= MARKS_2026


def test_the_text_is_the_network(legacy):
    for changes in (
        {},
        {"late": True, "IF_STP": 1, "IS_STP": [1, 1, 0, 0], "VAR_FF": [1.0, 0.5], "BUMP_SWITCH": [1, 1]},
    ):
        found = legacy(**changes)
        assert NetworkSpec.parse(parse_yaml(to_yaml(found))) == found.spec


# --- from the command line and from Python ----------------------------------------------------------------


def test_the_command_writes_a_file_that_runs(legacy, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    legacy()
    arguments = [
        "import-config",
        "legacy.yml",
        "-o",
        "ours.yml",
        "--set",
        "GAIN=0.5",
        "--set",
        "DURATION=0.01",
    ]
    assert cli.main(arguments) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "CANNOT CARRY OVER: 0 keys" in err
    assert cli.main(["validate", "ours.yml"]) == 0
    assert Network("ours.yml", device="cpu", duration=0.01, stimuli=[])().isfinite().all()
    assert cli.main(arguments) == 2
    assert "ours.yml: is there already" in capsys.readouterr().err
    assert cli.main([*arguments, "--force"]) == 0
    assert cli.main(["import-config", "legacy.yml", "--as-of", "2026", "-o", "nowhere/ours.yml"]) == 2
    assert "is required" in capsys.readouterr().err


def test_the_command_refuses_and_writes_nothing(legacy, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    legacy()
    arguments = ["import-config", "legacy.yml", "-o", "ours.yml", "--set", "TASK=dual_flow"]
    assert cli.main(arguments) == 2
    err = capsys.readouterr().err
    assert "CANNOT CARRY OVER: 6 keys" in err
    assert err.splitlines()[-1].startswith(
        "neuroflame-sweep: legacy.yml: cannot carry over: TASK (random patterns"
    )
    assert not (tmp_path / "ours.yml").exists()
    assert cli.main([*arguments[:2], *arguments[4:], "--partial"]) == 0
    assert capsys.readouterr().out.startswith("# Imported from legacy.yml")
    assert cli.main(["import-config", "legacy.yml", "--set", "TAUU=1"]) == 2
    assert "TAUU: is not a key of the original (did you mean 'TAU'?)" in capsys.readouterr().err


def test_from_legacy_runs(legacy, tmp_path):
    legacy()
    short = {"DURATION": 0.01, "T_STEADY": 0.0, "T_WINDOW": 0.0, "TASK": "None"}
    model = Network.from_legacy(tmp_path / "legacy.yml", device="cpu", precision="double", **short)
    assert tuple(model().shape) == (1, 10, 50)
    assert model.legacy_report.complete
    with pytest.raises(SpecError, match="cannot carry over: LR_TRAIN"):
        Network.from_legacy(tmp_path / "legacy.yml", device="cpu", **short, LR_TRAIN=1)
    with pytest.warns(UserWarning, match="not carried over: LR_TRAIN"):
        assert Network.from_legacy(tmp_path / "legacy.yml", device="cpu", partial=True, **short, LR_TRAIN=1)
