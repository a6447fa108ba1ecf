"""What searches that learn find, on functions that cost nothing.

No threshold here was fitted to what a search does. Each comes from one of three places:

- *Chance.* The median over seeds is to be better than 95 % of random searches with as many trials, whose distribution
  is computed. A search that is no better than chance passes with probability 4e-4 where there are eight seeds (four or
  more of eight below a 5 % quantile), 7e-3 where there are three.
- *Optuna's own sampler*, one trial after the other, on half as many trials: batches cost a search what it would have
  learnt within them, which must not be more than half.
- *Counts*: the 99.9 % quantile of the binomial distribution that drawing at random has.
"""

import numpy as np
import pytest
from scipy.stats import binom

from neuroflame.sweep.search.units import columns_of, rows_of
from tests.searches import (
    MIXED,
    OPTIONS,
    PLANE,
    SEEDS,
    SPACES,
    TWO,
    WHOLE_AREA,
    area,
    at_random,
    best_of_random,
    bowl,
    bowls,
    course,
    cube,
    optunas_own,
    searching,
    trade,
)

RANDOM = 200_000  # draws that the distribution of a random search is computed from


def above_chance(hits, size, share):
    return hits > binom.ppf(0.999, size, share)


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("space", SPACES)
def test_each_beats_chance(kind, space):
    found = [min(told.min() for _, told in batches) for batches in bowls(kind, space)]
    chance = best_of_random(bowl(at_random(SPACES[space], RANDOM)), OPTIONS[kind]["trials"], 0.05)
    assert np.median(found) < chance


@pytest.mark.parametrize("kind", OPTIONS)
def test_batches_cost_less_than_half_of_the_trials(kind):
    mine = [min(told.min() for _, told in batches) for batches in bowls(kind, "plane")]
    half = OPTIONS[kind]["trials"] // 2
    theirs = [optunas_own(kind, bowl, half, seed).min() for seed in SEEDS[kind]]
    assert np.median(mine) <= np.median(theirs)


@pytest.mark.parametrize("kind", ["cmaes", "nsga2"])
def test_many_trials_are_worth_a_hundred_times_as_many_random_draws(kind):
    """Where trials are many a search must converge: in four axes to a third of the distance at least."""
    found = [
        min(told.min() for _, told in course(searching(kind, MIXED, seed, trials=1000, batch=16), bowl))
        for seed in SEEDS[kind]
    ]
    losses = bowl(at_random(MIXED, 2_000_000))
    assert np.median(found) < best_of_random(losses, 100_000, 0.5)


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_batch_holds_no_near_duplicates(kind):
    """Also when the search has narrowed down.

    Of normal draws in the plane two are closer along both axes than a thousandth of the standard deviation with
    probability 3e-7: in 80 batches of 28 pairs with 7e-4.
    """
    for batches in bowls(kind, "plane"):
        for rows, _ in batches:
            unit = np.column_stack(cube(rows))
            apart = np.abs(unit[:, None] - unit[None]).max(axis=2)
            apart[np.diag_indices(len(apart))] = np.inf
            assert apart.min() > (1e-3 * unit.std(axis=0).max() if kind == "cmaes" else 1e-3)


@pytest.mark.parametrize("kind", OPTIONS)
def test_constraints_are_respected(kind):
    """The bottom of the bowl is not allowed: the best that is lies on the border J.EE = 4.

    A search that ignores the constraint ends at J.EE = 7. Convergence to a border is slower than to a minimum within:
    of those that must fit a density or a normal distribution four times as many trials are asked.
    """
    trials = OPTIONS[kind]["trials"] * (1 if kind == "gp" else 4)

    def bounded(rows):
        return np.column_stack([bowl(rows), rows[:, 0] - 4.0])

    best = []
    for seed in SEEDS[kind]:
        search = searching(kind, PLANE, seed, trials=trials, constraints=["rate.E.mean < 4"])
        loss, missed = np.concatenate([told for _, told in course(search, bounded)]).T
        best.append(loss[missed < 0].min())
    loss, missed = bounded(at_random(PLANE, RANDOM)).T
    chance = best_of_random(np.where(missed < 0, loss, np.inf), trials, 0.05)
    assert 0.3 < np.median(best) < chance


@pytest.mark.parametrize("kind", OPTIONS)
def test_what_failed_is_avoided(kind):
    """Half of the space fails."""

    def broken(rows):
        return np.where(rows[:, 0] < 5, np.nan, bowl(rows))

    best, late = [], []
    for seed in SEEDS[kind]:
        losses = np.concatenate([told for _, told in course(searching(kind, PLANE, seed), broken)])
        best.append(np.nanmin(losses))
        late += np.isfinite(losses[len(losses) // 2 :]).tolist()
    assert above_chance(sum(late), len(late), 0.5)
    chance = np.nan_to_num(broken(at_random(PLANE, RANDOM)), nan=np.inf)
    assert np.median(best) < best_of_random(chance, OPTIONS[kind]["trials"], 0.05)


@pytest.mark.parametrize("kind", ["tpe", "nsga2", "gp"])
def test_several_objectives_give_a_front(kind):
    """The area that the front beats is larger than of 95 % of random searches, and than of Optuna's half as long."""
    trials = 16 if kind == "gp" else OPTIONS[kind]["trials"]
    areas = []
    for seed in SEEDS[kind]:
        batches = course(searching(kind, PLANE, seed, objective=TWO, trials=trials), trade)
        areas.append(area(np.concatenate([told for _, told in batches])))
    assert max(areas) < WHOLE_AREA
    draws = trade(at_random(PLANE, 200 * trials)).reshape(200, trials, 2)
    assert np.median(areas) > np.quantile([area(scores) for scores in draws], 0.95)
    theirs = [area(optunas_own(kind, trade, trials // 2, seed, 2)) for seed in SEEDS[kind]]
    assert np.median(areas) >= np.median(theirs)


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_warm_start_is_learnt_from(kind):
    """No assignment is spent on spreading: the first batch is better than 95 % of random batches."""
    first = []
    for seed, known in zip(SEEDS[kind], bowls(kind, "plane"), strict=True):
        rows, told = (np.concatenate(part) for part in zip(*known, strict=True))
        search = searching(kind, PLANE, seed + 100)
        search.warm(columns_of(search.axes, [tuple(row) for row in rows.tolist()]), told)
        assert search.asked == 0
        first.append(bowl(np.array(rows_of(search.ask(10**6)), dtype=float)).min())
    chance = best_of_random(bowl(at_random(PLANE, RANDOM)), OPTIONS[kind]["batch"], 0.05)
    assert np.median(first) < chance


@pytest.mark.parametrize("seed", range(20, 23))
def test_a_converged_strategy_begins_again(seed):
    """Converged is a hundredth of the first standard deviation, 2.5; begun again a range of that size.

    Of eight normal draws the range is below one standard deviation with probability 1e-3.
    """
    batches = course(searching("cmaes", PLANE, seed, trials=2400), bowl)
    spread = [np.ptp(rows[:, 0]) for rows, _ in batches]
    assert min(spread) < 0.025
    assert max(spread[int(np.argmin(spread)) :]) > 2.5


@pytest.mark.parametrize("kind", ["tpe", "nsga2", "gp"])
def test_conditional_axes_are_searched_where_they_count(kind):
    """Only with tanh, one of three, does J.EE matter, and there the optimum is."""
    space = {
        "transfer": {"choices": ["relu", "tanh", "erf"]},
        "J.EE": {"low": 0.0, "high": 10.0, "when": {"transfer": "tanh"}},
    }
    best, late = [], []
    for seed in SEEDS[kind]:
        search = searching(kind, space, seed)
        found = []
        while not search.done:
            rows = rows_of(search.ask(10**6))
            assert all((value is None) == (name != "tanh") for name, value in rows)
            losses = np.array([0.9 if value is None else abs(value - 7) / 5 for _, value in rows])
            search.tell(losses)
            found += losses.tolist()
        best.append(min(found))
        late += [loss != 0.9 for loss in found[len(found) // 2 :]]
    rng = np.random.default_rng(0)
    losses = np.where(rng.random(RANDOM) < 1 / 3, np.abs(rng.random(RANDOM) * 10 - 7) / 5, 0.9)
    assert np.median(best) < best_of_random(losses, OPTIONS[kind]["trials"], 0.05)
    assert above_chance(sum(late), len(late), 1 / 3)
