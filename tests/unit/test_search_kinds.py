"""What searches that learn find, on functions that cost nothing."""

import numpy as np
import pytest

from neuroflame.conditions import front, parse_condition, violation
from neuroflame.sweep.search import make_search
from neuroflame.sweep.search.archive import Archive
from neuroflame.sweep.search.units import columns_of, rows_of
from neuroflame.sweep.told import by_trial, told
from tests.unit.test_sweep_spec import sweep

PLANE = {"J.EE": {"low": 0.0, "high": 10.0}, "J0.E": {"low": 0.01, "high": 100.0, "log": True}}
MIXED = {**PLANE, "populations.I.size": {"low": 5, "high": 40}, "J.II": [-4, -3, -2, -1]}
OPTIONS = {
    "tpe": {"trials": 80, "batch": 8, "startup": 16},
    "cmaes": {"trials": 80, "batch": 8},
    "nsga2": {"trials": 160, "batch": 8, "population": 16},
    "gp": {"trials": 28, "batch": 4, "startup": 12},
}
UNBEATEN = ("tpe", "nsga2", "gp")


def options(kind, **more):
    return {"kind": kind, **OPTIONS[kind], "minimise": "bump.E.m1", **more}


def bowl(rows):
    """Return a loss that is 0 at J.EE 7, J0.E 10 (units of the cube)."""
    x, y = rows[:, 0] / 10, (np.log10(rows[:, 1].astype(float)) + 2) / 4
    loss = np.hypot(x - 0.7, 0.5 * (y - 0.75))
    if rows.shape[1] > 2:
        loss += 0.02 * np.abs(rows[:, 2] - 30) + 0.1 * np.abs(rows[:, 3] + 3)
    return loss


def course(search, function):
    """Run a search to its end; return rows and losses."""
    rows, losses = [], []
    while not search.done:
        batch = np.array(rows_of(search.ask(10**6)), dtype=float)
        loss = function(batch)
        search.tell(loss)
        rows.append(batch)
        losses.append(loss)
    return np.concatenate(rows), np.concatenate(losses)


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("space", [PLANE, MIXED], ids=["plane", "mixed"])
def test_each_beats_chance(kind, space):
    """The median of the best over seeds is lower than the tenth percentile of as many random draws."""
    if kind == "gp" and space is MIXED:
        space = {path: MIXED[path] for path in ("J.EE", "J0.E", "populations.I.size", "J.II")}
    seeds = range(2 if kind == "gp" else 5)
    found = [
        course(make_search(sweep(space=space, search=options(kind, seed=seed))), bowl)[1].min()
        for seed in seeds
    ]
    trials = OPTIONS[kind]["trials"]
    random = make_search(sweep(space=space, search={"kind": "random", "trials": 100 * trials}))
    chance = bowl(np.array(rows_of(random.ask(10**6)), dtype=float)).reshape(100, trials).min(axis=1)
    assert np.median(found) < np.quantile(chance, 0.1)


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_batch_holds_no_near_duplicates(kind):
    """Also when the search has narrowed down: half of the batch do not stand where the others do."""
    search = make_search(sweep(space=PLANE, search=options(kind)))
    while not search.done:
        batch = np.array(rows_of(search.ask(10**6)), dtype=float)
        unit = np.column_stack([batch[:, 0] / 10, (np.log10(batch[:, 1]) + 2) / 4])
        apart = np.abs(unit[:, None] - unit[None]).max(axis=2)
        apart[np.diag_indices(len(apart))] = np.inf
        assert apart.min() > (0 if kind == "cmaes" else 1e-3)
        if kind == "cmaes":  # as far apart as the distribution is wide
            assert apart.min() > 1e-3 * unit.std(axis=0).max()
        search.tell(bowl(batch))


@pytest.mark.parametrize("kind", OPTIONS)
def test_constraints_are_respected(kind):
    """The optimum is not allowed: the best that is allowed lies on the border J.EE = 4."""
    search = make_search(sweep(space=PLANE, search=options(kind, constraints=["rate.E.mean < 4"])))
    rows, losses = [], []
    while not search.done:
        batch = np.array(rows_of(search.ask(10**6)), dtype=float)
        loss = bowl(batch)
        search.tell(np.column_stack([loss, batch[:, 0] - 4.0]))
        rows.append(batch)
        losses.append(loss)
    x, loss = np.concatenate(rows)[:, 0], np.concatenate(losses)
    late = len(x) // 2
    assert (x[late:] < 4.2).mean() > 0.6  # of the cube, 0.42 are
    assert loss[x < 4].min() < 0.36  # 0.3 at the border


@pytest.mark.parametrize("kind", OPTIONS)
def test_what_failed_is_avoided(kind):
    """Half of the space fails."""

    def broken(rows):
        return np.where(rows[:, 0] < 5, np.nan, bowl(rows))

    search = make_search(sweep(space=PLANE, search=options(kind)))
    rows, losses = course(search, broken)
    assert np.nanmin(losses) < 0.12
    late = rows[len(rows) // 2 :, 0]
    assert (late < 5).mean() < 0.35


@pytest.mark.parametrize("kind", ["tpe", "nsga2", "gp"])
def test_several_objectives_give_a_front(kind):
    """Of x and (1 - x)² every x up to 1 is best; what misses y is beaten."""
    two = {
        "kind": kind,
        **OPTIONS[kind],
        "objective": [{"minimise": "rate.E.mean"}, {"maximise": "bump.E.m1"}],
    }

    def both(rows):
        x, y = rows[:, 0] / 10, (np.log10(rows[:, 1]) + 2) / 4
        return np.column_stack([x + 2 * y, -((1 - x) ** 2) - 2 * y])

    search = make_search(sweep(space=PLANE, search=two))
    _, scores = course(search, both)
    random = make_search(sweep(space=PLANE, search={"kind": "random", "trials": search.total}))
    chance = both(np.array(rows_of(random.ask(10**6)), dtype=float))
    assert covered(scores) > covered(chance)
    assert front(scores * [1, -1]).sum() >= 5


def covered(scores):
    """Return the area that a front beats below the corner (3, 3)."""
    losses = scores * [1, -1]
    best = losses[front(losses)]
    best = best[np.argsort(best[:, 0])]
    area, roof = 0.0, 3.0
    for x, y in best:
        area += max(0.0, 3.0 - x) * max(0.0, roof - y)
        roof = min(roof, y)
    return area


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_warm_start_is_learnt_from(kind):
    """After it no assignment is spent on spreading: the first batch is good already."""
    known = course(make_search(sweep(space=PLANE, search=options(kind, seed=5))), bowl)
    search = make_search(sweep(space=PLANE, search=options(kind, seed=6)))
    plain = make_search(sweep(space=PLANE, search=options(kind, seed=6)))
    search.warm(columns_of(search.axes, [tuple(row) for row in known[0].tolist()]), known[1])
    assert search.asked == 0
    first, cold = (bowl(np.array(rows_of(one.ask(10**6)), dtype=float)) for one in (search, plain))
    assert first.min() < 0.5 * cold.min()


def test_a_converged_strategy_begins_again():
    spec = sweep(space=PLANE, search={"kind": "cmaes", "trials": 2400, "batch": 8, "minimise": "bump.E.m1"})
    rows, _ = course(make_search(spec), bowl)
    spread = [np.ptp(batch[:, 0]) for batch in np.split(rows, 300)]
    assert min(spread) < 1e-3
    assert max(spread[150:]) > 3


def test_conditional_axes_are_searched_where_they_count():
    """Only with tanh does J.EE matter, and there the optimum is."""
    space = {
        "transfer": {"choices": ["relu", "tanh", "erf"]},
        "J.EE": {"low": 0.0, "high": 10.0, "when": {"transfer": "tanh"}},
    }
    search = make_search(sweep(space=space, search=options("tpe")))
    best = []
    while not search.done:
        rows = rows_of(search.ask(10**6))
        assert all((value is None) == (name != "tanh") for name, value in rows)
        search.tell(np.array([0.9 if v is None else abs(v - 7) / 5 for _, v in rows]))
        best += rows
    assert len(set(best)) == 80
    late = [value for name, value in best[40:] if name == "tanh"]
    assert len(late) > 20  # of 40; at random a third
    assert np.abs(np.array(late) - 7).min() < 0.2


# --- what they are told -----------------------------------------------------------------------------------

ROWS = {
    "status": ["ok", "ok", "diverged", "failed", "ok"],
    "rate.E.mean": [5.5, 8.0, 5.0, None, None],
    "bump.E.m1": [1.0, 2.0, np.nan, None, np.inf],
}


def learning(**more):
    return sweep(space=PLANE, search={"kind": "tpe", "trials": 4, **more}).search


def test_targets_and_statuses_are_told():
    search = learning(
        objective=[{"target": {"rate.E.mean": 5, "tolerance": 1}}, {"maximise": "bump.E.m1"}],
        constraints=["status == ok", "rate.E.mean < 6", "J.EE > 1"],
    )
    found = told(search, {**ROWS, "point.J.EE": [2.0, 2.0, 2.0, 2.0, 0.5]})
    nan = np.nan
    np.testing.assert_allclose(
        found,
        [
            [0.0, 1.0, 0.0, -0.5, -1.0],
            [2.0, 2.0, 0.0, 2.0, -1.0],
            [nan, nan, 1.0, -1.0, -1.0],
            [nan, nan, 1.0, nan, -1.0],
            [nan, nan, 0.0, nan, 0.5],
        ],
    )


def test_a_column_that_a_tile_lacks_is_missing():
    search = learning(maximise="bump.E.m1", constraints=["rate.E.mean < 6"])
    assert np.isnan(told(search, {"status": ["failed"]})).all()


def test_an_assignment_meets_a_constraint_if_all_its_repetitions_do():
    trial = np.array([0, 0, 1, 1, 2, 2])
    values = np.array([[1.0, -1], [3.0, -2], [5.0, -1], [np.nan, 2], [np.nan, -1], [np.nan, np.nan]])
    found = by_trial(trial, values, 1)
    np.testing.assert_array_equal(found, [[2.0, -1.0], [5.0, 2.0], [np.nan, np.nan]])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x < 2", [-1, 1e-12, 3, np.nan]),
        ("x <= 2", [-1, 0, 3, np.nan]),
        ("not x < 2", [1, 0, -3, np.nan]),
        ("x > 1 and x < 4", [1e-12, -1, 1, np.nan]),
        ("x > 4 or x < 2", [-1, 1e-12, -1, np.nan]),
        ("x == 2", [1, 0, 3, np.nan]),
        ("x != 2", [0, 1, 0, np.nan]),
        ("s == ok", [0, 1, 0, np.nan]),
        ("s in [ok, late]", [0, 0, 0, np.nan]),
        ("s not in [ok, late]", [1, 1, 1, np.nan]),
    ],
)
def test_by_how_much_a_condition_is_missed(text, expected):
    data = {
        "x": np.array([1.0, 2.0, 5.0, np.nan]),
        "s": np.array(["ok", "late", "ok", None], dtype=object),
    }
    condition = parse_condition(text)
    found = violation(condition, data)
    np.testing.assert_allclose(found, expected, atol=1e-15)
    np.testing.assert_array_equal(found <= 0, condition.holds(data))


def test_an_archive_ranks_what_is_allowed_first_and_failures_last():
    search = learning(maximise="bump.E.m1", constraints=["rate.E.mean < 6"])
    archive = Archive(search.goals, 1)
    archive.add([(i,) for i in range(5)], np.array([[1, -1], [9, 3], [2, 0], [np.nan, -1], [5, 1.0]]))
    assert archive.ranks().tolist() == [1, 3, 0, 4, 2]
    assert archive.losses()[:, 0].tolist() == [-1, -9, -2, -1, -5]
    archive.add([(i,) for i in range(5, 9)], np.array([[0, -1.0]] * 4))
    assert archive.window(4).tolist() == [2, 6, 7, 8]


def test_the_front_is_what_no_other_beats():
    rng = np.random.default_rng(0)
    losses = np.round(rng.random((200, 3)), 1)
    losses[7] = np.nan
    beaten = [
        any((other <= one).all() and (other < one).any() for other in losses) or np.isnan(one).any()
        for one in losses
    ]
    np.testing.assert_array_equal(front(losses), ~np.array(beaten))
