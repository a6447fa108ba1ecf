"""Crossover and mutation of the genetic search against their densities."""

import numpy as np
import pytest
from scipy.stats import kstest

from neuroflame.sweep.search.nsga2 import crossed, mutated

COUNT = 20_000
LEVEL = 1e-3
"""Probability with which a right sample is refused."""


def uniform(seed):
    return np.random.default_rng(seed).random(COUNT)


@pytest.mark.parametrize("index", [2.0, 20.0])
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_spread_of_children_far_from_the_bounds(index, upper, seed):
    """F(β) = β^(η + 1)/2 up to 1, 1 − β^−(η + 1)/2 above; cut off at β = 19, which leaves out less than 1e-4."""
    child = crossed(np.full(COUNT, 0.475), np.full(COUNT, 0.525), uniform(seed), np.full(COUNT, upper), index)
    spread = np.abs(child - 0.5) / 0.025
    assert ((child > 0.5) == upper).all()

    def distribution(beta):
        power = np.maximum(beta, 1e-300) ** (index + 1)
        return np.where(beta <= 1, power / 2, 1 - 1 / (2 * power))

    assert kstest(spread, distribution).pvalue > LEVEL


@pytest.mark.parametrize("one", [0.0, 0.1, 0.97])
def test_children_keep_within_the_bounds_and_reach_both_parents_sides(one):
    child = crossed(np.full(COUNT, one), np.full(COUNT, 0.6), uniform(1), uniform(2) < 0.5, 2.0)
    assert 0 <= child.min() <= child.max() <= 1
    low, high = min(one, 0.6), max(one, 0.6)
    assert (child < low).any() == (low > 0)
    assert (child > high).any()
    twins = crossed(np.full(COUNT, one), np.full(COUNT, one), uniform(1), uniform(2) < 0.5, 2.0)
    np.testing.assert_allclose(twins, one, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_moves_of_a_mutation(seed):
    """In the middle of the axis the bounds, at |δ| = 1/2, leave out 2^−21."""
    move = mutated(np.full(COUNT, 0.5), uniform(seed), 20.0) - 0.5

    def distribution(delta):
        tail = (1 - np.abs(delta)) ** 21 / 2
        return np.where(delta < 0, tail, 1 - tail)

    assert kstest(move, distribution).pvalue > LEVEL


def test_a_mutation_at_a_bound_leads_inward():
    for at in (0.0, 1.0):
        moved = mutated(np.full(COUNT, at), uniform(0), 20.0)
        assert 0 <= moved.min() <= moved.max() <= 1
        assert (moved != at).mean() == pytest.approx(0.5, abs=0.02)
