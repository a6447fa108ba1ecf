"""The contract of `Search`, held against every kind."""

import numpy as np
import pytest

from neuroflame.sweep.points import size_of
from neuroflame.sweep.search import KnownSearch, make_search
from neuroflame.sweep.search.units import columns_of, rows_of
from neuroflame.sweep.told import mean_by_trial
from tests.unit.test_sweep_spec import sweep

MIXED = {
    "J.EE": {"low": 0.5, "high": 50.0, "log": True},
    "J0.E": {"low": -1, "high": 1},
    "populations.I.size": {"low": 8, "high": 12},
    "J.II": [-3, -1, -2],
    "transfer": {"choices": ["relu", "tanh", "erf"]},
}
FINITE = {"J.EE": [1, 2, 3, 4], "populations.I.size": {"low": 5, "high": 9}}
LISTS = {"J.EE": [1, 2, 3, 4], "populations.I.size": [5, 6, 7, 8, 9], "transfer": ["relu", "tanh"]}
ORDERED = {path: axis for path, axis in MIXED.items() if path != "transfer"}
CONDITIONAL = {
    "transfer": {"choices": ["relu", "tanh", "erf"]},
    "J.EE": {"low": 0.5, "high": 50.0, "log": True, "when": {"transfer": ["tanh", "erf"]}},
    "populations.I.size": {"low": 8, "high": 12, "when": {"transfer": "tanh"}},
    "J0.E": {"low": -1, "high": 1, "when": {"populations.I.size": [8, 9]}},
}
CONDITIONAL_LISTS = {
    "J.EE": {"values": list(range(1, 15)), "when": {"transfer": "tanh"}},
    "transfer": ["relu", "tanh", "erf"],
    "J.II": {"values": [-1, -2], "when": {"J.EE": [1, 2]}},
}
KINDS = {
    "grid": ({"kind": "grid"}, LISTS),
    "random": ({"kind": "random", "trials": 50, "seed": 3}, MIXED),
    "random, finite": ({"kind": "random", "trials": 18, "seed": 3}, FINITE),
    "random, full": ({"kind": "random", "trials": 20, "seed": 3}, FINITE),
    "sobol": ({"kind": "sobol", "trials": 50, "seed": 3}, MIXED),
    "sobol, finite": ({"kind": "sobol", "trials": 20, "seed": 3}, FINITE),
    "tpe": (
        {"kind": "tpe", "trials": 50, "batch": 8, "startup": 10, "seed": 3, "maximise": "bump.E.m1"},
        MIXED,
    ),
    "cmaes": ({"kind": "cmaes", "trials": 50, "batch": 8, "seed": 3, "maximise": "bump.E.m1"}, ORDERED),
    "cmaes, finite": ({"kind": "cmaes", "trials": 20, "batch": 8, "minimise": "bump.E.m1"}, FINITE),
    "nsga2": (
        {"kind": "nsga2", "trials": 50, "batch": 8, "population": 12, "seed": 3, "maximise": "bump.E.m1"},
        MIXED,
    ),
    "nsga2, finite": (
        {"kind": "nsga2", "trials": 20, "batch": 8, "population": 4, "minimise": "bump.E.m1"},
        FINITE,
    ),
    "gp": (
        {"kind": "gp", "trials": 22, "batch": 8, "startup": 14, "seed": 3, "maximise": "bump.E.m1"},
        MIXED,
    ),
    "gp, finite": ({"kind": "gp", "trials": 20, "batch": 8, "startup": 12, "minimise": "bump.E.m1"}, FINITE),
    "tpe, conditional": (
        {"kind": "tpe", "trials": 40, "batch": 8, "startup": 8, "minimise": "bump.E.m1"},
        CONDITIONAL,
    ),
    "nsga2, conditional": (
        {"kind": "nsga2", "trials": 40, "batch": 8, "population": 8, "minimise": "bump.E.m1"},
        CONDITIONAL,
    ),
    "gp, conditional": (
        {"kind": "gp", "trials": 20, "batch": 8, "startup": 12, "minimise": "bump.E.m1"},
        CONDITIONAL,
    ),
    "random, conditional": ({"kind": "random", "trials": 40}, CONDITIONAL),
    "sobol, conditional": ({"kind": "sobol", "trials": 40}, CONDITIONAL),
    "grid, conditional": ({"kind": "grid"}, CONDITIONAL_LISTS),
    "tpe, finite": ({"kind": "tpe", "trials": 20, "batch": 8, "startup": 4, "minimise": "bump.E.m1"}, FINITE),
}


LEARNING = [name for name in KINDS if name.split(",")[0] in ("tpe", "cmaes", "nsga2", "gp")]
KNOWN = [name for name in KINDS if name not in LEARNING]
SEEDED = [name for name in KINDS if not name.startswith("grid")]
LONG = [
    name for name in KINDS if name not in ("random, finite", "grid, conditional")
]  # more than two batches of 8


@pytest.fixture(params=KINDS)
def make(request):
    """Return what makes a search of each kind; a test may name some kinds only."""
    search, space = KINDS[request.param]
    return lambda **changes: make_search(sweep(space=space, search={**search, **changes}))


def only(names):
    return pytest.mark.parametrize("make", names, indirect=True)


def value(row):
    """Return an objective of an assignment; some fail, one is infinite."""
    number = sum(len(x) if isinstance(x, str) else float(x or 0.0) for x in row)
    return np.nan if int(number * 7) % 5 == 0 else np.inf if int(number * 7) % 31 == 0 else number


def drain(search, counts):
    """Ask and tell to the end; return the rows and the objective."""
    rows, told = [], []
    for count in counts:
        before = search.asked
        assignments = search.ask(count)
        fresh = rows_of(assignments)
        assert search.asked - before == len(fresh) <= count
        objective = np.array([value(row) for row in fresh])
        if fresh:
            search.tell(objective)
        rows += fresh
        told += objective.tolist()
        if search.done:
            break
    assert search.done
    return rows, told


def endless(count):
    while True:
        yield count


def test_all_are_returned_once(make):
    search = make()
    rows, _ = drain(search, endless(7))
    assert len(rows) == search.total == search.asked
    assert len(set(rows)) == len(rows)
    assert size_of(search.ask(5)) == 0 or not search.axes


def test_values_are_of_the_axis_type_and_within_it(make):
    search = make()
    rows, _ = drain(search, endless(8))
    for axis, column in zip(search.axes, zip(*rows, strict=True), strict=True):
        assert (None in column) == bool(axis.when)
        column = [value for value in column if value is not None]
        if axis.text:
            assert set(column) <= set(axis.levels)
        elif axis.levels is not None:
            assert set(column) <= set(axis.levels)
            assert {type(v) for v in column} == {int if axis.integer else float}
        else:
            assert axis.low <= min(column) <= max(column) <= axis.high
            assert {type(v) for v in column} == {int if axis.integer else float}


def test_the_same_again(make):
    assert drain(make(), endless(8))[0] == drain(make(), endless(8))[0]


@only(SEEDED)
def test_another_seed_is_another_sample(make):
    assert drain(make(), endless(8))[0] != drain(make(seed=4), endless(8))[0]


@only(KNOWN)
def test_how_the_asking_is_split_does_not_matter(make):
    assert isinstance(make(), KnownSearch)
    whole, _ = drain(make(), [10**6])
    for counts in (endless(1), endless(3), iter([5, 1, 10**6])):
        assert drain(make(), counts)[0] == whole
    search = make()
    numbers = np.array([3, 0, search.total - 1])
    assert rows_of(search.take(numbers)) == [whole[i] for i in numbers]


def test_replay_goes_on_where_the_lost_search_was(make):
    rows, told = drain(make(), endless(8))
    for count in (8, 16):
        search = make()
        assignments = columns_of(search.axes, rows[:count])
        search.replay(assignments, np.array(told[:count]))
        assert search.asked == count
        rest, rest_told = drain(search, endless(8))
        assert rest == rows[count:]
        np.testing.assert_array_equal(rest_told, told[count:])


@only(LONG)
def test_replay_in_pieces(make):
    rows, told = drain(make(), endless(8))
    search = make()
    for first in (0, 8):
        assignments = columns_of(search.axes, rows[first : first + 8])
        search.replay(assignments, np.array(told[first : first + 8]))
    assert drain(search, endless(8))[0] == rows[16:]


@only(LEARNING)
def test_nothing_is_asked_while_results_are_awaited(make):
    search = make()
    assert search.needs_results
    first = search.ask(5)
    assert size_of(first) == 5
    assert size_of(search.ask(5)) == 0
    assert not search.done
    search.tell(np.zeros(5))
    assert size_of(search.ask(5)) == 5


@only(LEARNING)
def test_a_wrong_number_of_results_is_refused(make):
    search = make()
    search.ask(5)
    with pytest.raises(ValueError, match="untold"):
        search.tell(np.zeros(4))


def test_reach_is_a_line(make):
    text = make().reach()
    assert "\n" not in text
    assert f"{make().total}" in text


@pytest.mark.parametrize("seed", range(3))
def test_sobol_puts_as_many_points_in_each_square(seed):
    """A scrambled Sobol sequence is a (0, m, 2)-net: of its first 256 points four lie in each of 8 × 8 squares."""
    space = {"J.EE": {"low": 0.0, "high": 1.0}, "J0.E": {"low": 0.0, "high": 1.0}}
    search = make_search(sweep(space=space, search={"kind": "sobol", "trials": 256, "seed": seed}))
    rows = np.array(rows_of(search.take(np.arange(256))))
    counts = np.histogram2d(rows[:, 0], rows[:, 1], bins=8, range=[[0, 1], [0, 1]])[0]
    assert (counts == 4).all()


def test_log_axes_are_uniform_in_the_logarithm():
    search = make_search(
        sweep(
            space={"J.EE": {"low": 0.01, "high": 100, "log": True}}, search={"kind": "sobol", "trials": 1024}
        )
    )
    values = search.take(np.arange(1024))["J.EE"]
    assert np.histogram(np.log10(values), bins=4, range=(-2, 2))[0].tolist() == [256] * 4


def test_integer_axes_reach_both_ends_evenly():
    search = make_search(
        sweep(
            space={"populations.I.size": {"low": 6, "high": 9}, "J.EE": {"low": 0, "high": 1}},
            search={"kind": "sobol", "trials": 1024},
        )
    )
    values = search.take(np.arange(1024))["populations.I.size"]
    assert np.bincount(values)[6:].tolist() == [256] * 4


def test_objective_of_an_assignment_is_the_mean_of_what_is_finite():
    trial = np.array([0, 0, 1, 1, 2, 2])
    told = mean_by_trial(trial, np.array([1.0, 3.0, 5.0, np.nan, np.nan, np.nan]))
    np.testing.assert_array_equal(told, [2.0, 5.0, np.nan])
