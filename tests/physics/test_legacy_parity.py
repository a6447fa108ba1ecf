"""Imported networks against the original's update, written anew from its equations in NumPy and float64.

Connectivity that is drawn and the start are ours; weights, inputs and everything in a step follow the original's
keys, in the original's own scaling.
"""

import math

import numpy as np
import pytest
import torch
import yaml
from scipy.special import erf, i0

from neuroflame import Network
from neuroflame.core.measure import start_states
from tests.unit.test_legacy import BASE, LATE

STEPS = 1000
SHORT = BASE | {
    "T_STEADY": 0.05,
    "T_WINDOW": 0.0,
    "DURATION": STEPS / 1000 - 0.0495,  # cut off to whole steps
    "T_STIM_ON": [0.2, 0.5],
    "T_STIM_OFF": [0.4, 0.7],
    "THRESH": [0.5, 0.3],
    "IF_STP": 1,
    "J_STP": 4.0,
    "N_NEURON": 40,
    "frac": [0.75, 0.25],
}
SPARSE = {"CON_TYPE": "sparse", "K": 8.0}
RING = {"CON_TYPE": "all2all", "IF_NMDA": 1}
CASES = {
    "2024 sparse": SPARSE,
    "2024 sparse, live, switched on late": SPARSE | {"LIVE_FF_UPDATE": 1, "BUMP_SWITCH": [1, 0], "IF_STP": 0},
    "2024 ring": RING | {"TAU_SYN": [0.005, 0.002], "TAU_NMDA": [0.1, 0.06], "PHASE": 20.0},
    "2024 ring, von Mises, square root": RING | {"PROBA_TYPE": ["von_mises"] * 4, "TF_TYPE": "sqrt"},
    "2024 ring, instantaneous": RING | {"SYN_DYN": 0, "TF_TYPE": "erf", "GAIN": 0.5},
    "2026 sparse": LATE | SPARSE | {"IS_STP": [1, 0, 1, 0], "FRAC_K": 1},
    "2026 sparse, live, exact plasticity": LATE | SPARSE | {"LIVE_FF_UPDATE": 1, "STP_TYPE": "markram_exp"},
    "2026 ring, adaptive": LATE | RING | {"IF_ADAPT": 1, "TAU_ADAPT": 0.3, "A_ADAPT": 2.0},
    "2026 ring, both driven": LATE | RING | {"STIM_EI": 1, "TF_TYPE": "sigmoid", "THRESH": [3.0, 2.0]},
    "2026 ring, external input with dynamics": LATE
    | RING
    | {"IF_FF_DYN": 1, "TAU_FF": 0.05, "IF_FF_ADAPT": 1, "A_FF_ADAPT": 0.3, "TAU_FF_ADAPT": 0.4}
    | {"IF_FF_STP": 1, "FF_USE": 0.3, "TAU_FF_FAC": 0.2, "TAU_FF_REC": 0.6, "STP_TYPE": "markram_exp"},
    "2026 sparse, external input with dynamics": LATE
    | SPARSE
    | {"IF_FF_DYN": 1, "TAU_FF": 0.05, "IF_FF_STP": 1, "FF_USE": 0.3, "TAU_FF_FAC": 0.2, "TAU_FF_REC": 0.6},
    "2026 ring, Gaussian": LATE
    | RING
    | {"TASK": "odr_gauss", "PROBA_TYPE": ["cos_spec"] * 4, "TF_TYPE": "erf"},
}
SYNAPSES = {
    "USE": [0.03, 0.1, 0.3, 0.2],
    "TAU_FAC": [0.5, 0.1, 0.2, 0.1],
    "TAU_REC": [0.2, 0.1, 0.3, 0.1],
    "W_STP": [1.0, 1.0, 0.5, 1.0],
}
CASES = {name: SHORT | case | (SYNAPSES if "T_HEBB" in case else {}) for name, case in CASES.items()}


class Original:
    """The original's update for the values of a legacy file; ``links`` are the drawn 0/1 matrices by pair."""

    def __init__(self, keys, links):
        self.keys, self.late = keys, "T_HEBB" in keys
        self.count = [int(keys["N_NEURON"] * f) for f in keys["frac"]]
        full = "all2all" in keys["CON_TYPE"]
        k = 1.0 if full else keys["K"]
        self.k = [k * f if keys.get("FRAC_K") else k for f in keys["frac"]]
        self.afferent = {}
        self.angle = [2 * np.pi * np.arange(n) / n for n in self.count]
        self.plastic = [bool(b) for b in keys.get("IS_STP", [1, 0, 0, 0])] if keys["IF_STP"] else [False] * 4
        self.block = [links[q] if not full else self.profile(q) / self.count[q % 2] for q in range(4)]
        self.weight = [
            keys["GAIN"] * keys["Jab"][q] / math.sqrt(self.k[q % 2]) * self.block[q] for q in range(4)
        ]
        for q in range(4):
            if self.plastic[q]:
                self.weight[q] = self.plastic_weight(q)

    def each(self, key):
        """Return the value of each pair, whether or not the file has a list."""
        return np.broadcast_to(np.asarray(self.keys[key], dtype=float), 4)

    def profile(self, q):
        post, pre = divmod(q, 2)
        apart = self.angle[post][:, None] - self.angle[pre]
        kind, kappa = self.keys["PROBA_TYPE"][q], self.keys["KAPPA"][q]
        if kind == "von_mises":
            return np.exp(kappa * np.cos(apart)) / (2 * np.pi * i0(kappa))
        if kind == "cos_spec":
            return 1 + kappa / math.sqrt(self.k[pre]) * np.cos(apart)
        return 1 + kappa * np.cos(apart - np.deg2rad(self.keys["PHASE"]))

    def plastic_weight(self, q):
        strength, keys = self.keys["GAIN"] * self.keys["J_STP"], self.keys
        if not self.late:
            return strength / math.sqrt(self.k[0]) * self.block[0]
        if q == 0:
            return np.full((self.count[0], self.count[0]), strength / self.count[0])
        return (
            strength * keys["W_STP"][q] * np.sign(keys["Jab"][q]) / math.sqrt(self.k[q % 2]) * self.block[q]
        )

    def stimulus(self, i, population):
        keys = self.keys
        phase = np.deg2rad(keys["PHI0"][i])
        away = self.angle[population] - phase
        width = keys["SIGMA0"][i]
        if "gauss" in keys["TASK"]:
            return keys["I0"][i] * np.exp(-0.5 * ((np.mod(away + np.pi, 2 * np.pi) - np.pi) / width) ** 2)
        shape = 1 + width * np.cos(away)
        return keys["I0"][i] * (np.maximum(shape, 0) / (1 + width) if self.late else shape)

    def external(self, step):
        keys = self.keys
        lead = int(keys["T_STEADY"] / keys["DT"])
        on = [lead + int(t / keys["DT"]) for t in keys["T_STIM_ON"]]
        off = [lead + int(t / keys["DT"]) for t in keys["T_STIM_OFF"]]
        found = []
        for population in (0, 1):
            value = np.full(self.count[population], keys["Ja0"][population])
            if keys["BUMP_SWITCH"][population] and step < on[0]:
                value = value / math.sqrt(self.k[0])
            for i in range(len(on)):
                if on[i] <= step < off[i] and (population == 0 or keys.get("STIM_EI")):
                    value = value + self.stimulus(i, population)
            found.append(math.sqrt(self.k[0]) * keys["M0"] * value)
        return found

    def passed(self, population, external):
        """Step the dynamics of one population's external input; ``self.afferent`` holds what they remember."""
        keys, dt = self.keys, self.keys["DT"]
        if not self.late:
            return external
        kept = self.afferent.setdefault(
            population, {"u": keys.get("FF_USE", 0), "x": 1.0, "last": 0.0, "cut": 0.0}
        )
        if keys.get("IF_FF_STP"):
            scale = math.sqrt(self.k[0])
            values = (keys[key] for key in ("FF_USE", "TAU_FF_FAC", "TAU_FF_REC"))
            kept["u"], kept["x"], sent = self.advanced(kept["u"], kept["x"], abs(external) / scale, *values)
            external = external + np.sign(external) * sent * scale
        if keys["IF_FF_DYN"]:
            decay = math.exp(-dt / keys["TAU_FF"])
            external = kept["last"] = kept["last"] * decay + external * (1 - decay)
        if keys["IF_FF_ADAPT"]:
            decay = math.exp(-dt / keys["TAU_FF_ADAPT"])
            external = np.sign(external) * np.maximum(external - kept["cut"], 0)
            rise = np.maximum(external, 0) * keys["A_FF_ADAPT"]
            kept["cut"] = kept["cut"] * decay + rise * (1 - decay)
        return external

    def transfer(self, x, theta):
        kind = self.keys["TF_TYPE"]
        if kind == "sqrt":
            return np.where(x >= 1, np.sqrt(np.abs(4 * x - 3)), np.where(x >= 0, x * x, 0.0))
        if kind == "sigmoid":
            return theta * 0.5 * (1 + erf(x / math.sqrt(2)))
        above = x - theta if self.late else x
        return np.maximum(above, 0) if kind == "relu" else erf(above / math.sqrt(2))

    def transmitted(self, q, stp, r):
        """Step the plasticity of a pair; ``stp`` holds utilisation and resources."""
        values = (self.each(key)[q] for key in ("USE", "TAU_FAC", "TAU_REC"))
        *stp[q], sent = self.advanced(*stp[q], r, *values)
        return sent

    def advanced(self, u, x, r, use, fac, rec):
        """Return utilisation, resources and transmitted rate one step later."""
        dt = self.keys["DT"]
        if not self.late:  # u there decays to 0, and every spike first raises it by U (1 − u)
            bare = (u - use) / (1 - use)
            x = x + dt * ((1 - x) / rec - u * x * r)
            bare = bare - dt * bare / fac + dt * use * (1 - bare) * r
            return bare + use * (1 - bare), x, u * x * r
        if self.keys["STP_TYPE"] == "markram_exp":
            x = 1 + (x - 1) * math.exp(-dt / rec) - dt * u * x * r
            u = use + (u - use) * math.exp(-dt / fac) + dt * use * (1 - u) * r
        else:
            x = x + dt * ((1 - x) / rec - u * x * r)
            u = u + dt * ((use - u) / fac + use * (1 - u) * r)
        return u, x, u * x * r

    def run(self, r, h, g):
        keys, dt = self.keys, self.keys["DT"]
        rest = self.each("USE") if self.late else self.each("USE") * (2 - self.each("USE"))
        stp = [[np.full(self.count[q % 2], rest[q]), np.ones(self.count[q % 2])] for q in range(4)]
        theta = [np.full(n, keys["THRESH"][a]) for a, n in enumerate(self.count)]

        def toward(old, new, tau):
            share = 1 - math.exp(-dt / tau) if self.late else dt / tau
            return old * math.exp(-dt / tau) + new * share

        found = []
        for step in range(STEPS):
            part = [
                self.weight[q] @ (self.transmitted(q, stp, r[q % 2]) if self.plastic[q] else r[q % 2])
                for q in range(4)
            ]
            external = self.external(step)
            for a in (0, 1):
                total = part[2 * a] + part[2 * a + 1]
                h[a] = toward(h[a], total, keys["TAU_SYN"][a]) if keys["SYN_DYN"] else total
                net = self.passed(a, external[a]) + h[a]
                if keys["IF_NMDA"]:
                    g[a] = toward(g[a], keys["R_NMDA"] * part[2 * a], keys["TAU_NMDA"][a])
                    net = net + g[a]
                goal = self.transfer(net, theta[a])
                r[a] = toward(r[a], goal, keys["TAU"][a]) if keys["RATE_DYN"] else goal
            if keys.get("IF_ADAPT"):
                kept = math.exp(-dt / keys["TAU_ADAPT"])
                theta[0] = theta[0] * kept + r[0] * keys["A_ADAPT"] * (1 - kept)
            found.append(np.concatenate(r))
        return np.array(found)


def start_of(model):
    program = model.program({}, 1, torch.zeros(1, dtype=torch.int64))
    return start_states(program, ["network"])


def both(keys, tmp_path, precision, executor):
    (tmp_path / "legacy.yml").write_text(yaml.safe_dump(keys))
    model = Network.from_legacy(tmp_path / "legacy.yml", device="cpu", precision=precision, executor=executor)
    links = [
        model.operators[name].to_dense().numpy() if name in model.operators else None
        for name in ("EE", "EI", "IE", "II")
    ]
    start = start_of(model)
    first = [
        [group[a][0].double().numpy() for a in "EI"] if group else None
        for group in (start.rates, start.currents, start.slow)
    ]
    return model(initial=start)[0].numpy(), Original(keys, links).run(*first)


@pytest.mark.parametrize("name", CASES)
def test_the_trajectory_is_the_original_s(name, tmp_path):
    ours, theirs = both(CASES[name], tmp_path, "double", "reference")
    assert ours.shape == theirs.shape
    assert theirs.max() > 0.1
    np.testing.assert_allclose(ours, theirs, atol=1e-10 * theirs.max(), rtol=0)


@pytest.mark.parametrize("name", ["2024 sparse", "2024 ring", "2026 sparse", "2026 ring, adaptive"])
def test_in_single_precision_too(name, tmp_path):
    ours, theirs = both(CASES[name], tmp_path, "exact", "trajectory")
    assert abs(ours - theirs).max() <= 1e-5 * theirs.max()
