"""Theory against closed forms and against random matrices; predictions as columns."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.special import i0

from neuroflame.errors import SpecError
from neuroflame.spec import NetworkSpec, load_network
from neuroflame.spec.base import merge
from neuroflame.theory import (
    NotCovered,
    balance,
    circular_law_radius,
    disc_growth,
    growth_of_eigenvalue,
    homogeneous_states,
    mean_field,
    mode_growth,
    nearest_fold,
    number_at,
    outliers,
    predict,
    predict_regime,
    scaled,
    transfer,
)
from neuroflame.theory import homogeneous as homogeneous_room
from tests.networks import FACILITATING, RING, coupling, transmitted
from tests.networks import PAIR as SMALL_PAIR

PAIR = merge(
    SMALL_PAIR,
    {"populations": {"E": {"size": 40, "tau_syn": 0.0}, "I": {"size": 30, "tau_syn": 0.0}}, "duration": 1.0},
)
SPARSE = {
    "connectivity": {"kind": "sparse", "K": 20},
    "J": {"EE": 1.0, "EI": -1.5, "IE": 1.0, "II": -1.0},
    "J0": {"E": 2.0, "I": 1.0},
}


def field_of(base, **changes):
    spec = NetworkSpec.parse(merge(base, changes))
    return mean_field(spec, number_at(spec, {}))


# --- homogeneous states -----------------------------------------------------------------------------------


def test_linear_pair_in_closed_form():
    (rates,) = homogeneous_states(field_of(PAIR)).rates
    W = np.array([[1.5, -2.0], [1.2, -0.5]])
    assert rates == pytest.approx(np.linalg.solve(np.eye(2) - W, [2.0, 0.4]), rel=1e-12)


def test_every_set_of_active_populations_is_tried():
    """Two populations that inhibit each other: one wins, or the other, or both hold the saddle."""
    found = homogeneous_states(
        field_of(
            {**PAIR, "J": {"EI": -2.0, "IE": -2.0}, "J0": {"E": 1.0, "I": 1.0}},
            populations={"I": {"threshold": 0.0}},
        )
    )
    expected = [[1 / 3, 1 / 3], [0.0, 1.0], [1.0, 0.0]]
    np.testing.assert_allclose(sorted(found.rates.tolist()), sorted(expected), rtol=1e-12)


def test_facilitation_gives_all_roots():
    found = homogeneous_states(field_of(FACILITATING))
    assert found.exhaustive
    fold = minimize_scalar(coupling, bounds=(1.0, 40.0), method="bounded").x
    low = brentq(lambda r: coupling(r) - 5.0, 1.0, fold)
    high = brentq(lambda r: coupling(r) - 5.0, fold, 200.0)
    assert found.rates[:, 0] == pytest.approx([0.0, low, high], rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_search_finds_what_polynomials_give(seed, monkeypatch):
    random = np.random.default_rng(seed)
    base = merge(load_network("conf/ring_EI.yml").to_dict(), {"J": {"EE": float(random.uniform(6, 12))}})
    base = merge(base, {"J0": {"E": float(random.uniform(1, 4))}, "rate_limit": 200.0})
    field = field_of(base)
    exact = homogeneous_states(field)
    searched = homogeneous_room._distinct(field, list(homogeneous_room._searched(field)))
    assert exact.exhaustive
    np.testing.assert_allclose(searched, exact.rates, rtol=1e-7)


@pytest.mark.parametrize(
    ("name", "J", "drive", "expected"),
    [
        ("tanh", 2.0, 0.0, [-0.9575040240772688, 0.0, 0.9575040240772688]),
        ("erf", 8.0, -4.0, None),
        ("erf_odd", 0.5, 0.3, None),
        ("brunel", 1.0, 0.3, None),
    ],
)
def test_one_population_of_each_kind_is_bracketed(name, J, drive, expected):
    base = {
        **FACILITATING,
        "transfer": name,
        "J": {"EE": J},
        "J0": {"E": drive},
        "stp": {},
        "rate_limit": 100.0,
    }
    found = homogeneous_states(field_of(base))
    line = np.linspace(-1.5, 99.0, 2_000_001)
    gap = transfer.value(name, J * line + drive) - line
    count = int(((gap[1:] > 0) != (gap[:-1] > 0)).sum())
    assert found.exhaustive
    assert len(found.rates) == count
    for rate in found.rates[:, 0]:
        assert transfer.value(name, np.array(J * rate + drive)) == pytest.approx(rate, abs=1e-9)
    if expected is not None:
        assert found.rates[:, 0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["relu", "erf", "erf_odd", "tanh", "brunel"])
def test_slopes_are_those_of_the_transfer_functions(name):
    x = np.array([-2.0, -0.3, 0.2, 0.9, 1.1, 3.0])
    measured = (transfer.value(name, x + 1e-6) - transfer.value(name, x - 1e-6)) / 2e-6
    assert transfer.slope(name, x) == pytest.approx(measured, abs=1e-8)


def test_states_beyond_the_limit_of_rates_are_left_out():
    assert len(homogeneous_states(field_of(FACILITATING, rate_limit=20.0)).rates) == 2


# --- balance ----------------------------------------------------------------------------------------------


def test_balance_is_the_linear_solution_and_the_limit_of_large_k():
    field = field_of(PAIR, **SPARSE)
    (rates,) = balance(field).rates
    assert rates == pytest.approx([1.0, 2.0], rel=1e-12)
    errors = []
    for factor in (100.0, 10_000.0):
        (finite,) = homogeneous_states(scaled(field, factor)).rates
        errors.append(np.abs(finite - rates).max())
    assert errors[0] / errors[1] == pytest.approx(10.0, rel=0.05)  # 1/√K


def test_no_balance_where_a_rate_would_be_negative():
    assert len(balance(field_of(PAIR, **merge(SPARSE, {"J0": {"E": 1.0, "I": 1.2}}))).rates) == 0


def test_balance_with_facilitation_has_two_solutions():
    spec = load_network("conf/balanced_ring.yml")
    found = balance(mean_field(spec, number_at(spec, {}))).rates
    assert len(found) == 2
    for rate, other in found:
        sent = transmitted(rate, 0.03, 1.0, 0.2)
        assert 10.0 * sent - 1.5 * other + 2.0 * 1.33 == pytest.approx(0.0, abs=1e-9)
        assert rate - other + 2.0 == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("changes", "why"), [({}, "sparse"), ({**SPARSE, "transfer": "tanh"}, "without bound")]
)
def test_balance_says_where_it_does_not_apply(changes, why):
    with pytest.raises(NotCovered, match=why):
        balance(field_of(PAIR, **changes))


def test_sparse_probabilities_are_clipped_as_they_are_drawn():
    """K/N (1 + κ cos Δ) beyond 0 and 1: mean and first mode of the clipped profile, by quadrature."""
    base = {**RING, "connectivity": {"kind": "sparse", "K": 40, "profile": {"kind": "cosine", "kappa": 1.5}}}
    (pair,) = field_of(base).pairs
    angle = np.linspace(0, 2 * np.pi, 400_001)[:-1]
    chance = np.clip(40 / 64 * (1 + 1.5 * np.cos(angle)), 0, 1)
    assert pair.mode(0).real == pytest.approx(0.6 / math.sqrt(40) * 64 * chance.mean(), rel=1e-6)
    assert pair.mode(1).real == pytest.approx(
        0.6 / math.sqrt(40) * 64 * (chance * np.cos(angle)).mean(), rel=1e-6
    )


# --- folds ------------------------------------------------------------------------------------------------


def test_distance_to_the_fold():
    fold = float(
        minimize_scalar(coupling, bounds=(1.0, 40.0), method="bounded", options={"xatol": 1e-10}).fun
    )
    spec = NetworkSpec.parse(FACILITATING)
    found = predict(spec, {"J.EE": [3.0, 5.0, 6.0]}, ["folds"], points=3, ranges={"J.EE": (2.0, 8.0)})
    assert found.data["theory.fold.J.EE"] == pytest.approx([fold - 3, fold - 5, fold - 6], abs=1e-5)


def test_the_nearer_fold_counts_and_none_is_undefined():
    def count(value):
        return 3 if 1.0 < value < 2.0 else 1

    assert nearest_fold(count, 1.2, 0.0, 4.0) == pytest.approx(-0.2, abs=1e-5)
    assert nearest_fold(count, 1.7, 0.0, 4.0) == pytest.approx(0.3, abs=1e-5)
    assert nearest_fold(count, 3.0, 0.0, 4.0) == pytest.approx(-1.0, abs=1e-5)
    assert math.isnan(nearest_fold(lambda _: 1, 3.0, 0.0, 4.0))


# --- random connectivity ----------------------------------------------------------------------------------


def test_radius_of_the_disc():
    random = np.random.default_rng(0)
    gains, sizes = np.array([[0.5, 1.2], [0.9, 0.3]]), (400, 200)
    blocks = [
        [gains[a, b] / np.sqrt(sizes[b]) * random.standard_normal((sizes[a], sizes[b])) for b in range(2)]
        for a in range(2)
    ]
    measured = np.abs(np.linalg.eigvals(np.block(blocks))).max()
    assert circular_law_radius(gains**2, np.ones(2)) == pytest.approx(measured, rel=0.05)
    assert circular_law_radius(np.array([[4.0]]), np.array([0.5])) == pytest.approx(1.0)


def test_outliers_of_low_rank():
    random = np.random.default_rng(1)
    means = np.array([0.3, -0.2, 0.5, 0.1])
    root = random.standard_normal((4, 4)) / 2
    covariance, n = root @ root.T, 20_000
    vectors = random.multivariate_normal(means, covariance, size=n).T
    left = np.vstack([np.ones(n), vectors[:2]])
    right = np.vstack([0.7 * np.ones(n), 1.3 * vectors[2:]])
    measured = np.linalg.eigvals(right @ left.T / n)
    expected = outliers(means, covariance, 1.3, 0.7)
    assert np.sort_complex(expected) == pytest.approx(np.sort_complex(measured), abs=0.05)


@pytest.mark.parametrize("tau_syn", [0.0, 0.01])
def test_rest_of_a_random_tanh_network_gives_way_at_a_radius_of_one(tau_syn):
    field = field_of(
        {**FACILITATING, "stp": {}, "J0": {}}, transfer="tanh", populations={"E": {"tau_syn": tau_syn}}
    )
    rest = np.zeros(1)
    growths = [disc_growth(field, rest, radius) for radius in (0.99, 1.01)]
    assert growths[0].alpha < 0 < growths[1].alpha
    assert growths[1].frequency == 0.0
    if tau_syn == 0.0:
        e = math.exp(-0.001 / 0.02)
        assert growth_of_eigenvalue(field, rest, 0.5).alpha == pytest.approx(
            math.log(e + (1 - e) * 0.5) / 0.001
        )


# --- regimes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "changes", "regime"),
    [
        (RING, {}, "bump"),
        (RING, {"connectivity": {"profile": {"kappa": 3.0}}}, "homogeneous"),
        (RING, {"J0": {"E": -1.0}}, "quiescent"),
        (RING, {"J": {"EE": 1.2}, "connectivity": {"profile": {"kappa": 0.1}}}, "runaway"),
        (FACILITATING, {}, "multistable"),
        (FACILITATING, {"J": {"EE": 3.0}}, "quiescent"),
    ],
)
def test_regimes(base, changes, regime):
    assert predict_regime(field_of(base, **changes)).regime == regime


def test_a_pattern_of_turned_profiles_is_not_called_a_bump():
    found = predict_regime(field_of(RING, connectivity={"profile": {"phase": 30.0}}))
    assert found.bumps is None
    assert found.regime == "travelling"
    assert any("turned" in note for note in found.notes)
    assert any("wave" in note for note in found.notes)


def test_bumps_of_a_von_mises_profile_solve_the_ring_neuron_by_neuron():
    base = {
        **PAIR,
        "populations": {"E": {"size": 64, "tau": 0.02}, "I": {"size": 64, "tau": 0.005}},
        "J": {"EE": 3.0, "EI": -3.0, "IE": 1.5},
        "connectivity": {"pairs": {"EE": {"profile": {"kind": "von_mises", "kappa": 2.0}}}},
    }
    found = predict_regime(field_of(base))
    assert found.regime == "bump"
    (bump,) = [one for one in found.bumps if one.growth.alpha < 0]
    theta = 2 * np.pi * np.arange(64) / 64
    weights = 3.0 * np.exp(2.0 * np.cos(theta[:, None] - theta)) / (64 * float(i0(2.0)))
    rates, others = bump.rates
    solved = np.maximum(weights @ rates - 3.0 * others.mean() + 2.0, 0.0)
    np.testing.assert_allclose(rates, solved, atol=1e-6)
    np.testing.assert_allclose(others, 1.5 * rates.mean() + 0.5, atol=1e-9)
    assert bump.ratio > 0.5


# --- columns ----------------------------------------------------------------------------------------------

KINDS = ["homogeneous", "modes", "balance", "folds"]


def test_predictions_are_those_of_each_points_own_network():
    spec = load_network("conf/ring_EI.yml")
    values = {
        "J.EE": [8.0, 10.0, 10.0],
        "connectivity.profile.kappa.EE": [1.0, 0.8, 1.2],
        "stp.EE.tau_fac": [0.65, 0.5, 0.65],
        "populations.I.tau": [0.02, 0.03, 0.02],
        "nmda.ratio": [1.0, 0.5, 1.0],
    }
    found = predict(spec, values, KINDS, points=3)
    for i in range(3):
        alone = predict(spec.with_values({path: v[i] for path, v in values.items()}), {}, KINDS, points=1)
        assert [column.name for column in found.columns] == [column.name for column in alone.columns]
        for name in found.data:
            assert found.data[name][i] == pytest.approx(alone.data[name][0], nan_ok=True), name
    assert len(set(found.data["theory.alpha.mode1"])) == 3


NOT_COVERED = [
    ({"stimuli": [{"shape": "cosine", "onset": 0.5, "offset": 1.0, "strength": 0.1}]}, "still on at the end"),
    ({"feedforward": {"tau": 0.01}}, "feedforward is not part"),
    (
        {"populations": {"E": {"size": 8}}, "connectivity": {"profile": {"kind": "von_mises", "kappa": 2.0}}},
        "neurons",
    ),
    ({"connectivity": {"profile": {"kind": "von_mises", "kappa": 150.0}}}, "Fourier modes"),
]


@pytest.mark.parametrize(("changes", "why"), NOT_COVERED)
def test_what_is_not_covered_is_unknown_with_a_reason(changes, why):
    found = predict(NetworkSpec.parse(merge(RING, changes)), {}, KINDS, points=2).data
    assert found["theory.regime"] == ["unknown"] * 2
    assert why in found["theory.reason"][0]
    numbers = [found[name] for name in found if name not in ("theory.regime", "theory.reason")]
    assert np.isnan(np.array(numbers)).all()


def test_what_is_neglected_is_told():
    noise = {"noise": {"kind": "white", "sigma": 0.1}}
    found = predict(NetworkSpec.parse(merge(merge(PAIR, SPARSE), noise)), {}, ["homogeneous"], points=1).data
    assert found["theory.reason"] == ["quenched disorder is neglected; noise is neglected"]
    plain = predict(NetworkSpec.parse(PAIR), {}, ["homogeneous"], points=1).data
    assert plain["theory.reason"] == [None]


def test_growth_of_the_homogeneous_mode_alone_is_the_same():
    spec = NetworkSpec.parse(FACILITATING)
    both = [predict(spec, {}, [kind], points=1).data for kind in ("homogeneous", "modes")]
    for name in ("theory.states", "theory.states.stable", "theory.rate.E", "theory.alpha.mode0"):
        assert both[0][name] == both[1][name]
    assert both[0]["theory.states"] == [3.0]
    assert both[0]["theory.alpha.mode0"][0] == pytest.approx(
        mode_growth(field_of(FACILITATING), np.zeros(1)).growth[0].alpha
    )


def test_one_population_is_needed_for_an_eigenvalue():
    with pytest.raises(ValueError, match="one population"):
        growth_of_eigenvalue(field_of(PAIR), np.zeros(2), 1.0)
    assert not issubclass(NotCovered, SpecError)
