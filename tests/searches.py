"""Functions to search whose optima are known, and what else finds them: chance, and Optuna's own samplers."""

from functools import cache

import numpy as np

from neuroflame.conditions import front
from neuroflame.sweep.search import make_search
from neuroflame.sweep.search.units import decode, rows_of
from tests.unit.test_sweep_spec import sweep

PLANE = {"J.EE": {"low": 0.0, "high": 10.0}, "J0.E": {"low": 0.01, "high": 100.0, "log": True}}
MIXED = {**PLANE, "populations.I.size": {"low": 5, "high": 40}, "J.II": [-4, -3, -2, -1]}
SPACES = {"plane": PLANE, "mixed": MIXED}
OPTIONS = {
    "tpe": {"trials": 80, "batch": 8, "startup": 16},
    "cmaes": {"trials": 80, "batch": 8},
    "nsga2": {"trials": 160, "batch": 8, "population": 16},
    "gp": {"trials": 24, "batch": 4, "startup": 8},
}
SEEDS = {"tpe": range(20, 28), "cmaes": range(20, 28), "nsga2": range(20, 28), "gp": range(20, 23)}
TWO = [{"minimise": "rate.E.mean"}, {"maximise": "bump.E.m1"}]
CORNER = 3.0
WHOLE_AREA = 26 / 3
"""Area below the corner (3, 3) that the front of `trade` beats: 9 − 1/3."""


def searching(kind, space, seed, **more):
    """Return a search of the smallest bump.E.m1, or of what `more` names."""
    sought = {} if "objective" in more else {"minimise": "bump.E.m1"}
    options = {"kind": kind, **OPTIONS[kind], **sought, "seed": seed, **more}
    return make_search(sweep(space=space, search=options))


def cube(rows):
    """Return J.EE and J0.E of some assignments in the unit square."""
    return rows[:, 0].astype(float) / 10, (np.log10(rows[:, 1].astype(float)) + 2) / 4


def bowl(rows):
    """Return a loss that is 0 at J.EE 7, J0.E 10; with more axes at 30 neurons and J.II −3 besides."""
    x, y = cube(rows)
    loss = np.hypot(x - 0.7, 0.5 * (y - 0.75))
    if rows.shape[1] > 2:
        loss += 0.02 * np.abs(rows[:, 2] - 30) + 0.1 * np.abs(rows[:, 3] + 3)
    return loss


def trade(rows):
    """Return x + 2y, small, and −(1 − x)² − 2y, large: every x with y = 0 is on the front."""
    x, y = cube(rows)
    return np.column_stack([x + 2 * y, -((1 - x) ** 2) - 2 * y])


def area(scores):
    """Return the area that the front of `trade` beats below the corner: its hypervolume."""
    losses = scores * [1, -1]
    best = losses[front(losses)]
    best = best[np.argsort(best[:, 0])]
    total, roof = 0.0, CORNER
    for x, y in best:
        total += max(0.0, CORNER - x) * max(0.0, roof - y)
        roof = min(roof, y)
    return total


def course(search, function):
    """Run a search to its end; return the rows and what was told, batch by batch."""
    batches = []
    while not search.done:
        rows = np.array(rows_of(search.ask(10**6)), dtype=float)
        told = function(rows)
        search.tell(told)
        batches.append((rows, told))
    return batches


@cache
def bowls(kind, space):
    """Return the course of each seed's search for the bottom of the bowl."""
    return [course(searching(kind, SPACES[space], seed), bowl) for seed in SEEDS[kind]]


def at_random(space, count, seed=0):
    """Return so many random assignments."""
    axes = sweep(space=space, search={"kind": "random", "trials": 1}).axes
    units = np.random.default_rng(seed).random((count, len(axes)))
    return np.array(rows_of(decode(axes, units)), dtype=float)


def best_of_random(losses, trials, share):
    """Return the loss that the best of so many random draws is below with probability `share`.

    The best is below c with probability 1 − (1 − F(c))ⁿ, F being the distribution of the loss of one draw.
    """
    return np.quantile(losses, 1 - (1 - share) ** (1 / trials))


def sampler(kind, seed):
    """Return Optuna's own sampler with the options of a search."""
    from optuna import samplers

    from neuroflame.sweep.search.optuna_source import made_quietly

    given = OPTIONS[kind]
    if kind == "tpe":
        return made_quietly(samplers.TPESampler, n_startup_trials=given["startup"], seed=seed)
    if kind == "cmaes":
        return made_quietly(samplers.CmaEsSampler, popsize=given["batch"], seed=seed)
    if kind == "nsga2":
        return samplers.NSGAIISampler(population_size=given["population"], seed=seed)
    return made_quietly(samplers.GPSampler, n_startup_trials=given["startup"], seed=seed)


def optunas_own(kind, function, trials, seed, objectives=1):
    """Return what Optuna's sampler finds on the plane, one trial after the other: (trials, objectives)."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    directions = ["minimize"] if objectives == 1 else ["minimize", "maximize"]
    study = optuna.create_study(directions=directions, sampler=sampler(kind, seed))

    def once(trial):
        row = [trial.suggest_float("J.EE", 0, 10), trial.suggest_float("J0.E", 0.01, 100, log=True)]
        return tuple(np.ravel(function(np.array([row]))).tolist())

    study.optimize(once, n_trials=trials)
    return np.array([trial.values for trial in study.trials])
