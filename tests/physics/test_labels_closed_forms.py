"""Labels of random points against closed forms: at least 99 in 100 right, farther than 2 % from where they change.

A point is near a border if a change of any of its parameters by 2 % changes what the closed form says.
"""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from neuroflame.core.measure import measure_points
from neuroflame.regimes import label_points
from neuroflame.spec import NetworkSpec

NEAR = 0.02
LONGEST = 60.0


def labels_of(network, values, start, *, measure=("regime",)):
    count = len(next(iter(values.values())))
    return measure_points(
        NetworkSpec.parse(network),
        values,
        seeds=np.arange(count),
        initial=[start] * count,
        measure=list(measure),
        longest=LONGEST,
    ).data


def known(truth, points):
    """Return what is true of each point, None of those that are near a border; points are rows of parameters."""
    found = []
    for point in points:
        here = truth(*point)
        moved = [
            truth(*(point + sign * NEAR * abs(point[k]) * np.eye(len(point))[k]))
            for k in range(len(point))
            for sign in (-1, 1)
        ]
        found.append(here if all(other == here for other in moved) else None)
    return np.array(found, dtype=object)


def check(expected, labels, least):
    far = expected != None  # noqa: E711 (element by element)
    wrong = far & (expected != labels)
    assert far.sum() >= least
    assert wrong.sum() <= 0.01 * far.sum(), list(zip(expected[wrong], labels[wrong], strict=True))
    return far


# --- the threshold-linear ring: homogeneous, bump, runaway ------------------------------------------------


def half_width(mode):
    return brentq(lambda c: mode * (c - np.sin(2 * c) / 2) / np.pi - 1, 1e-6, np.pi)


def ring_truth(mean, mode):
    """Weights (A + 2 B cos Δ)/N: Ben-Yishai, Bar-Or & Sompolinsky 1995, as in test_ring_phases."""
    if mode < 1:
        return "homogeneous" if mean < 1 else "runaway"
    width = half_width(mode)
    critical = -np.cos(width) / ((np.sin(width) - width * np.cos(width)) / np.pi)
    return "bump" if mean < critical else "runaway"


@pytest.mark.parametrize("start", ["cold", "hot", "cued@40"])
def test_the_ring(start):
    rng = np.random.default_rng(1)
    points = np.stack([rng.uniform(-4.0, 1.6, 150), rng.uniform(0.2, 3.0, 150)], axis=1)
    ring = {
        "dt": 0.001,
        "duration": 7.0,
        "populations": {"E": {"size": 128, "tau": 0.02}},
        "J0": {"E": 1.5},
        "J": {"EE": 1.0},
        "connectivity": {"profile": {"kind": "cosine", "kappa": 1.0}},
        "stimuli": [{"shape": "cosine", "onset": 0.0, "offset": 0.5, "strength": 0.5, "phase": 50.0}],
    }
    values = {"J.EE": points[:, 0], "connectivity.profile.kappa": 2 * points[:, 1] / points[:, 0]}
    found = labels_of(ring, values, start)
    expected = known(ring_truth, points)
    far = check(expected, found["regime"], least=130)
    assert {"homogeneous", "bump", "runaway"} == set(expected[far])
    if start != "cued@40":  # exactly alike, neurons would rest at a state that is unstable
        assert found["apart"][far & (expected == "bump")].all()


# --- excitation and inhibition: rest or a rhythm ----------------------------------------------------------

TAU, DT = 0.02, 0.001
KEPT = np.exp(-DT / TAU)


def pair_modes(excitation, loop, inhibition):
    """Return the eigenvalues of the step of rates under tanh about rest, weights [[a, −b], [b, −d]]."""
    return np.linalg.eigvals(
        KEPT * np.eye(2) + (1 - KEPT) * np.array([[excitation, -loop], [loop, -inhibition]])
    )


def oscillator_truth(excitation, loop, inhibition):
    return "oscillating" if np.abs(pair_modes(excitation, loop, inhibition)).max() > 1 else "quiescent"


OSCILLATOR = {
    "dt": DT,
    "duration": 7.0,
    "populations": {"E": {"size": 12, "tau": TAU}, "I": {"size": 12, "tau": TAU}},
    "transfer": "tanh",
    "J": {"EE": 1.0, "EI": -1.0, "IE": 1.0, "II": -1.0},
}


def oscillators(points):
    a, b, d = points.T
    return {"J.EE": a, "J.EI": -b, "J.IE": b, "J.II": -d}


def test_the_oscillator():
    """Both signs of rates, no input: their means are 0 at rest and over a cycle."""
    rng = np.random.default_rng(2)
    points = np.stack(
        [rng.uniform(0.5, 3.5, 150), rng.uniform(2.6, 6, 150), rng.uniform(0.1, 1, 150)], axis=1
    )
    found = labels_of(OSCILLATOR, oscillators(points), "cold")
    expected = known(oscillator_truth, points)
    far = check(expected, found["regime"], least=120)
    assert {"oscillating", "quiescent"} == set(expected[far])


def test_its_frequency_near_onset_is_that_of_the_eigenvalue():
    rng = np.random.default_rng(3)
    b, d = rng.uniform(2.2, 6.0, 30), rng.uniform(0.1, 1.0, 30)
    on_border = np.array(
        [
            brentq(lambda a, b=b, d=d: np.abs(pair_modes(a, b, d)).max() - 1, 0.0, 2 * b)
            for b, d in zip(b, d, strict=True)
        ]
    )
    points = np.stack([on_border + 0.02, b, d], axis=1)
    found = labels_of(OSCILLATOR, oscillators(points), "cold")
    assert set(found["regime"]) == {"oscillating"}
    exact = [np.abs(np.angle(pair_modes(*point))).max() / (2 * np.pi * DT) for point in points]
    np.testing.assert_allclose(found["osc.E.frequency"], exact, rtol=0.02)


# --- facilitation: one state or two -----------------------------------------------------------------------


def fold_of(U, fac, rec, drive):
    """Return the coupling from which r = J u* x* r + I has a solution above 0, I < 0 (Markram, Wang & Tsodyks 1998)."""

    def needed(logr):
        r = np.exp(logr)
        u = U * (1 + fac * r) / (1 + U * fac * r)
        return (r - drive) * (1 + u * rec * r) / (u * r)

    return minimize_scalar(needed, bounds=(-4, 7), method="bounded").fun


def plastic_truth(U, fac, rec, coupling, drive):
    return "multistable" if coupling > fold_of(U, fac, rec, drive) else "quiescent"


def test_facilitation_makes_two_states_between_folds():
    rng = np.random.default_rng(4)
    count = 150
    U, fac = rng.uniform(0.02, 0.1, count), rng.uniform(0.4, 1.5, count)
    rec, drive = rng.uniform(0.02, 0.15, count), -rng.uniform(0.2, 2.0, count)
    fold = np.array([fold_of(*row) for row in zip(U, fac, rec, drive, strict=True)])
    points = np.stack([U, fac, rec, fold * rng.uniform(0.7, 1.4, count), drive], axis=1)
    network = {
        "dt": 0.001,
        "duration": 25.0,
        "populations": {"E": {"size": 4, "tau": 0.02}},
        "J": {"EE": 1.0},
        "J0": {"E": -1.0},
        "stp": {"EE": {"U": 0.05, "tau_fac": 1.0, "tau_rec": 0.1}},
        "stimuli": [{"shape": "cosine", "onset": 0.0, "offset": 4.0, "strength": 60.0, "width": 0.0}],
    }
    values = {
        "stp.EE.U": U,
        "stp.EE.tau_fac": fac,
        "stp.EE.tau_rec": rec,
        "J.EE": points[:, 3],
        "J0.E": drive,
    }
    rows = [labels_of(network, values, start) for start in ("cold", "cued")]
    joined = {name: np.concatenate([part[name] for part in rows]) for name in rows[0]}
    joined["initial_condition"] = np.repeat(np.array(["cold", "cued"], dtype=object), count)
    joined |= {f"point.{path}": np.tile(value, 2) for path, value in values.items()}
    found = label_points(joined)
    expected = known(plastic_truth, points)
    far = check(expected, found["regime"], least=110)
    assert {"multistable", "quiescent"} == set(expected[far])


# --- two threshold-linear populations: rest, rhythm, runaway ----------------------------------------------


def couples_truth(points):
    """Iterate the two means alone for 60 s, from where the network starts; points are rows, (P, 6)."""
    ee, ei, ie, ii, e0, i0 = points.T
    e, i = np.full(len(points), 1e-3), np.full(len(points), 1e-3)
    kept_e, kept_i = np.exp(-DT / 0.02), np.exp(-DT / 0.01)
    low, high, lost = (
        np.full((2, len(points)), np.inf),
        np.zeros((2, len(points))),
        np.zeros(len(points), bool),
    )
    for n in range(60000):
        e, i = (
            kept_e * e + (1 - kept_e) * np.maximum(ee * e - ei * i + e0, 0.0),
            kept_i * i + (1 - kept_i) * np.maximum(ie * e - ii * i + i0, 0.0),
        )
        lost |= (e > 1e4) | (i > 1e4)
        e, i = np.where(lost, 0.0, e), np.where(lost, 0.0, i)
        if n >= 58000:
            low, high = np.minimum(low, [e, i]), np.maximum(high, [e, i])
    top = high.max(axis=0)
    moves = (high - low).max(axis=0) > 0.02 * np.maximum(top, 1e-3)
    still = np.where(top < 1e-3, "quiescent", "homogeneous")
    return np.where(lost, "runaway", np.where(moves, "oscillating", still)).astype(object)


def test_two_populations():
    rng = np.random.default_rng(5)
    count = 150
    low, high = [0.2, 0.3, 0.3, 0.0, 0.3, -1.0], [4.0, 5.0, 4.0, 2.0, 3.0, 1.5]
    points = rng.uniform(low, high, (count, 6))
    stack = [points] + [
        points + sign * NEAR * np.abs(points) * np.eye(6)[k] for k in range(6) for sign in (-1, 1)
    ]
    truths = couples_truth(np.concatenate(stack)).reshape(len(stack), count)
    expected = np.where((truths == truths[0]).all(axis=0), truths[0], None)
    network = {
        "dt": DT,
        "duration": 7.0,
        "populations": {"E": {"size": 12, "tau": 0.02}, "I": {"size": 10, "tau": 0.01}},
        "J": {"EE": 1.0, "EI": -1.0, "IE": 1.0, "II": -1.0},
        "J0": {"E": 1.0, "I": 1.0},
    }
    ee, ei, ie, ii, e0, i0 = points.T
    values = {"J.EE": ee, "J.EI": -ei, "J.IE": ie, "J.II": -ii, "J0.E": e0, "J0.I": i0}
    found = labels_of(network, values, "cold")
    far = check(expected, found["regime"], least=120)
    assert {"homogeneous", "oscillating", "runaway"} <= set(expected[far])
