"""Many points at once give what each gives alone, for random networks and values."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroflame import Network
from neuroflame.spec import NetworkSpec

number = st.floats(-2, 4).map(lambda x: round(x, 3))
RULES = [
    {"rule": "hebb", "eta": 1.0, "decay": 0.5},
    {"rule": "cov", "eta": -2.0, "tau": 0.01},
    {"rule": "bcm", "eta": 1.0, "tau": 0.02, "onset": 0.01},
    {"rule": "corr", "eta": 5.0, "tau": 0.01, "w_max": 2.0},
]


@st.composite
def networks(draw):
    """A small network of one or two populations with a random set of features."""
    names = draw(st.sampled_from([["E"], ["E", "I"], ["PV", "SST"]]))
    pairs = [post + pre for post in names for pre in names if draw(st.booleans())]
    sparse = draw(st.booleans()) and bool(pairs)
    profile = draw(
        st.sampled_from(
            [
                {"kind": "uniform"},
                {"kind": "cosine", "kappa": 0.6, "phase": 12.0},
                {"kind": "von_mises", "kappa": 1.5},
                {"kind": "low_rank", "kappa": 0.7, "rank": 2, "overlap": 0.3},
                {"kind": "uniform" if sparse else "gaussian"},
            ]
        )
    )
    data = {
        "dt": 0.001,
        "duration": 0.02,
        "populations": {
            name: {
                "size": draw(st.integers(3, 20)),
                "tau": draw(st.sampled_from([0.0, 0.01])),
                "tau_syn": 0.003,
            }
            for name in names
        },
        "connectivity": {"kind": "sparse", "K": 3, "profile": profile} if sparse else {"profile": profile},
        "J": {pair: draw(number) for pair in pairs},
        "J0": {names[0]: 1.0},
        "transfer": draw(st.sampled_from(["relu", "tanh", "erf", "brunel"])),
    }
    if pairs and draw(st.booleans()):
        data["stp"] = {pairs[0]: {"U": 0.2, "tau_fac": 0.1, "tau_rec": 0.05}}
    spikes = draw(st.booleans())
    one_sign = profile["kind"] not in {"low_rank", "gaussian"}  # as learning wants them
    if pairs and one_sign and not spikes and draw(st.booleans()):
        data["hebbian"] = {pairs[-1]: draw(st.sampled_from(RULES))}
    if spikes:
        data["populations"][names[0]] |= {"tau": 0.01, "spiking": {"V_threshold": 0.5}}
        if len(names) == 1:
            del data["transfer"]
    if draw(st.booleans()):
        data["noise"] = {"kind": draw(st.sampled_from(["white", "per_step"])), "sigma": 0.1}
    return NetworkSpec.parse(data)


@settings(max_examples=25, deadline=None)
@given(networks(), st.lists(st.tuples(number, st.integers(0, 2**40)), min_size=2, max_size=9))
def test_batched_equals_solo_in_float64(spec, points):
    model = Network(spec, device="cpu", precision="double")
    drive, seeds = (np.array(column) for column in zip(*points, strict=True))
    path = f"J0.{next(iter(spec.populations))}"
    together = model({path: drive}, seeds=seeds.tolist()).numpy()
    for i in range(len(points)):
        alone = model({path: drive[i : i + 1]}, seeds=[int(seeds[i])]).numpy()
        assert np.array_equal(alone[0], together[i], equal_nan=True)
