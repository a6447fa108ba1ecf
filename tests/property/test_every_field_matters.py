"""A parameter that changes nothing is a bug: each field of a network changes what is simulated, or is refused."""

from functools import lru_cache

import numpy as np
import pytest

from neuroflame import Network
from neuroflame.errors import SpecError
from neuroflame.spec import NetworkSpec, paths
from neuroflame.spec.stimuli import is_time

RICH = {
    "dt": 0.001,
    "duration": 0.03,
    "populations": {
        "E": {
            "size": 24,
            "tau": 0.02,
            "tau_syn": 0.004,
            "threshold": 0.1,
            "adaptation": {"tau": 0.05, "strength": 0.2},
        },
        "I": {"size": 16, "tau": 0.01, "tau_syn": 0.002},
    },
    "transfer": {"E": "relu", "I": "tanh"},
    "connectivity": {
        "kind": "sparse",
        "K": {"E": 6},
        "seed": 1,
        "profile": {"kind": "cosine", "kappa": {"EE": 0.8, "IE": 0.5}, "phase": 15.0},
        "pairs": {
            "II": {"kind": "all_to_all", "profile": {"kind": "von_mises", "kappa": 1.0, "phase": 5.0}},
            "EI": {"K": 4, "profile": {"kind": "cosine_weak", "kappa": 0.5, "phase": 3.0}},
        },
    },
    "J": {"EE": 2.0, "EI": -1.0, "IE": 1.5, "II": -0.7},
    "J0": {"E": 1.0, "I": 0.8},
    "M0": 1.2,
    "stp": {
        "EE": {"U": 0.2, "tau_fac": 0.3, "tau_rec": 0.1},
        "IE": {"U": 0.4, "tau_fac": 0.2, "tau_rec": 0.2, "kind": "markram_exp"},
    },
    "nmda": {"ratio": 0.5, "tau": 0.05, "sources": ["E"]},
    "stimuli": [
        {"shape": "cosine", "onset": 0.005, "offset": 0.015, "strength": 0.5, "phase": 40.0, "width": 0.7},
        {
            "name": "bump",
            "shape": "gaussian",
            "onset": 0.01,
            "offset": 0.02,
            "strength": 0.5,
            "populations": ["I"],
        },
    ],
    "noise": [
        {"kind": "ou", "sigma": {"E": 0.2, "I": 0.1}, "tau": 0.01},
        {"kind": "white", "sigma": 0.02, "on": "rates"},
        {"kind": "per_step", "sigma": 0.1},
    ],
    "initial": {"kind": "uniform", "low": 0.5, "high": 2.0},
    "rate_limit": 1e4,
}
SPIKING = {
    "dt": 0.0005,
    "duration": 0.12,
    "populations": {
        "E": {
            "size": 24,
            "tau_syn": 0.004,
            "adaptation": {"tau": 0.05, "strength": 0.01},
            "spiking": {"V_rest": 0.1, "V_threshold": 0.9, "V_reset": 0.2, "tau_ref": 0.003},
        },
        "I": {"size": 16, "tau": 0.01, "spiking": {"V_start": 0.3}},
        "R": {"size": 5, "threshold": 0.1},
    },
    "J": {"EE": 0.02, "EI": -0.005, "IE": 0.02, "RE": 1.0},
    "J0": {"E": 1.5, "I": 1.2},
    "stp": {"EE": {"U": 0.2, "tau_fac": 0.3, "tau_rec": 0.1}},
    "noise": {"kind": "white", "sigma": 0.02},
    "initial": {"kind": "constant", "rate": {"E": 20.0, "R": 0.5}},
}
STARTS = [
    {"kind": "constant", "rate": {"E": 1.0, "I": 0.5}},
    {"kind": "constant", "rate": 1.0},
    {"kind": "normal"},
]
LOW_RANK = {"kind": "low_rank", "kappa": 0.7, "rank": 2, "background": 0.8, "mean": 0.2}
STRUCTURES = [
    {
        "profile": LOW_RANK | {"variance": 1.5, "overlap": 0.4, "vectors": "v"},
        "seed": 2,
        "pairs": {
            "EI": {"profile": {"kind": "gaussian"}},
            "IE": {"profile": {"kind": "gaussian", "seed": 3}},
            "II": {"profile": LOW_RANK | {"symmetric": True, "seed": 4}},
        },
    },
    {
        "kind": "sparse",
        "K": 6,
        "profile": LOW_RANK | {"kappa": {"EE": 1.5, "EI": 0.9, "IE": 0.5, "II": 0.7}},
    },
]
INPUTS = {
    "feedforward": {
        "tau": {"E": 0.01, "I": 0.02},
        "stp": {"E": {"U": 0.2, "tau_fac": 0.3, "tau_rec": 0.1, "static": 0.3}},
        "adaptation": {"E": {"tau": 0.05, "strength": 0.2}},
    },
    "stimuli": [
        {
            "shape": "cosine",
            "onset": 0.01,
            "duration": 0.003,
            "delay": 0.003,
            "strength": 0.5,
            "jitter": {"low": 0.001, "high": 0.009, "draw": 1},
        },
        {
            "shape": "pattern",
            "number": 3,
            "like": 7,
            "overlap": 0.5,
            "strength": 0.5,
            "onset": 0.0,
            "offset": 0.02,
        },
        {
            "shape": "pattern",
            "number": 1,
            "seed": 2,
            "density": 0.5,
            "strength": 0.4,
            "onset": 0.0,
            "offset": 0.02,
        },
        {
            "shape": "array",
            "over": "time",
            "values": [1.0, 0.5, 0.2, 0.9, 0.4],
            "sample_dt": 0.003,
            "strength": 0.5,
            "onset": 0.005,
            "populations": ["E"],
        },
    ],
    "noise": [{"kind": "ou", "sigma": 0.2, "tau": 0.01, "on": "external"}],
}
"""Inputs with times of each point, patterns, arrays and dynamics."""
LEARNING = [
    {"hebbian": {"EE": rule | {"eta": 20.0, "onset": 0.01, "decay": 1.0, "w_max": 2.05}, "II": anti}}
    for rule, anti in (
        ({"rule": "hebb"}, {"rule": "hebb", "eta": -1.0, "onset": 0.01}),
        ({"rule": "cov", "tau": 0.01}, {"rule": "cov", "eta": 50.0, "tau": 0.01, "onset": 0.01}),
        (
            {"rule": "bcm", "tau": 0.01, "target": 0.5},
            {"rule": "bcm", "eta": 5.0, "tau": 0.01, "onset": 0.01},
        ),
        (
            {"rule": "corr", "tau": 0.01, "sd_min": 0.1},
            {"rule": "corr", "eta": 5.0, "tau": 0.01, "onset": 0.01},
        ),
    )
]
"""Each rule on a sparse pair, whose weights saturate, and on one that is all to all."""
OTHER_NAMES = {
    "stimuli.3.over": "neurons",
    "feedforward.stp.E.kind": "markram_exp",
    "integrator": "dt_over_tau",
    "populations.E.adaptation.relative_to": "zero",
    "transfer.E": "erf_odd",
    "transfer.I": "brunel",
    "connectivity.kind": "all_to_all",
    "connectivity.pairs.II.kind": "sparse",
    "connectivity.profile.kind": "cosine_weak",
    "connectivity.profile.vectors": "w",
    "connectivity.pairs.II.profile.symmetric": False,
    "stp.EE.kind": "markram_exp",
    "stp.IE.kind": "markram",
    "noise.0.on": "rates",
    "noise.1.on": "input",
    "noise.2.on": "rates",
    "noise.1.kind": "per_step",
    "noise.2.kind": "white",
}
LABELS = {"stimuli.bump.name"}
"""Names that only label: they change nothing that is simulated."""


def rates(spec, **keys):
    """Return the rates, and with them the voltages of populations that spike: a train only tells of whole steps."""
    model = Network(spec, device="cpu", precision="double", executor="reference", seed=5, **keys)
    record = ["rates", "voltage"] if any(p.spiking for p in spec.populations.values()) else ["rates"]
    found = model.simulate(record=record, every=1)
    return np.concatenate([found[name][0] for name in record], axis=1)


@lru_cache(maxsize=8)
def rates_of(digest):
    return rates(SPECS[digest])


SPECS = {}


def base_rates(spec):
    SPECS[spec.digest()] = spec
    return rates_of(spec.digest())


def path_is_angle_of_a_draw(info):
    return info.structural and info.path.endswith("phase")


def changed(info):
    if info.integer:
        return info.value + 1
    if path_is_angle_of_a_draw(info):
        return info.value + 60.0
    if is_time(info.path):
        return info.value + 0.004  # some steps
    if info.numeric:
        return info.value * 0.9 if info.value else 0.1
    other = OTHER_NAMES.get(info.path)
    return other if other != info.value else None  # None where another kind is another set of keys


def cases():
    """Yield a network and a path into it: every value of the rich ones, and those of variants of their parts."""
    for path, info in paths(NetworkSpec.parse(SPIKING)).items():
        if changed(info) not in {None, info.value} and path != "rate_limit":
            yield SPIKING, path
    others = [("initial", start) for start in STARTS] + [("connectivity", own) for own in STRUCTURES]
    bases = [(RICH, ""), *((RICH | {part: own}, f"{part}.") for part, own in others)]
    bases += [(RICH | INPUTS, f"{part}.") for part in INPUTS]
    bases += [(RICH | learning, "hebbian.") for learning in LEARNING]
    for base, part in bases:
        for path, info in paths(NetworkSpec.parse(base)).items():
            if path.startswith(part) and path not in LABELS and changed(info) is not None:
                yield base, path


CASES = list(cases())


@pytest.mark.parametrize(("base", "path"), CASES, ids=[path for _, path in CASES])
def test_changing_a_field_changes_the_rates_or_is_refused(base, path):
    spec = NetworkSpec.parse(base)
    info = paths(spec)[path]
    value = 0.5 if path == "rate_limit" else changed(info)
    try:
        other = spec.with_values({path: value})
    except SpecError as error:
        assert not info.numeric or "has no effect" in str(error)  # noqa: PT017
        return
    before, after = base_rates(spec), rates(other)
    same = before.shape == after.shape and np.array_equal(before, after, equal_nan=True)
    assert not same, f"{path} = {value} changes nothing"


def test_lists_of_numbers_are_no_paths_and_change_the_rates():
    spec = NetworkSpec.parse(RICH | {"connectivity": STRUCTURES[0]})
    base = rates(spec)
    covariance = [[1.0, 0.1, 0.4, 0.0], [0.1, 1.0, 0.0, 0.0], [0.4, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    for change in ({"mean": [0.2, 0.2, 0.2, 0.3]}, {"overlap": [0.4, 0.3]}, {"covariance": covariance}):
        profile = {
            "kind": "low_rank",
            "kappa": 0.7,
            "rank": 2,
            "background": 0.8,
            "mean": 0.2,
            "vectors": "v",
        }
        own = profile | ({} if "covariance" in change else {"variance": 1.5, "overlap": 0.4}) | change
        other = NetworkSpec.parse(RICH | {"connectivity": STRUCTURES[0] | {"profile": own}})
        assert not np.array_equal(base, rates(other)), change
        assert not any(path.startswith("connectivity.profile.covariance") for path in paths(other))


def test_seed_and_graph_change_the_rates():
    spec = NetworkSpec.parse(RICH)
    base = rates(spec)
    assert not np.array_equal(base, rates(spec, graph=1))
    other = Network(spec, device="cpu", precision="double", executor="reference", seed=6)()[0].numpy()
    assert not np.array_equal(base, other)


def test_presence_of_each_option_changes_the_rates():
    base = rates(NetworkSpec.parse(RICH))
    for key in ("nmda", "stp", "stimuli", "noise", "M0", "J0", "transfer"):
        without = {name: value for name, value in RICH.items() if name != key}
        assert not np.array_equal(base, rates(NetworkSpec.parse(without))), key
    assert not np.array_equal(base, rates(NetworkSpec.parse(RICH | {"feedforward": INPUTS["feedforward"]})))
