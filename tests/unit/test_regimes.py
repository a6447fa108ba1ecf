"""Labels of end states and of points, on rows made for the purpose."""

import numpy as np
import pandas as pd
import pytest

from neuroflame.errors import SpecError
from neuroflame.regimes import LABELS, Thresholds, basins, label_end_states, label_points, same_states
from neuroflame.regimes.basins import wilson

REST = {
    "status": "ok",
    "rate.E.mean": 10.0,
    "rate.E.cv": 1e-6,
    "rate.E.sd_t": 1e-7,
    "rate.E.sd_i": 1e-7,
    "rate.E.active": 1.0,
    "rate.E.trend": 1e-6,
    "rate.E.crossings": 1.0,
    "bump.E.ratio": 1e-6,
    "bump.E.trend": 0.3,
    "bump.E.floor": 1e-6,
    "bump.E.velocity": 1.0,
    "bump.E.velocity.se": 2.0,
    "sync.E": np.nan,
    "osc.E.q": np.nan,
    "osc.E.growth": np.nan,
    "osc.E.growth.se": np.nan,
    "residual": 1e-6,
    "residual.window": 1e-6,
    "residual.rotating": 1e-6,
    "residual.tolerance": 1e-3,
    "noisy": False,
    "growth": 1e-6,
    "elapsed": 10.0,
}
SILENT = dict.fromkeys(("rate.E.cv", "rate.E.sd_t", "rate.E.sd_i", "rate.E.trend", "bump.E.ratio"), np.nan)
SILENT |= {"rate.E.mean": 1e-6, "rate.E.active": 0.0, "bump.E.floor": np.nan, "bump.E.velocity": np.nan}
MOVES = {"residual": 0.1, "residual.window": 0.2, "residual.rotating": 0.2, "rate.E.crossings": 2.0}
BUMP = {
    "bump.E.ratio": 0.9,
    "rate.E.cv": 0.6,
    "bump.E.floor": 0.05,
    "bump.E.velocity": 0.0,
    "bump.E.trend": 0.0,
}
WAVES = MOVES | {
    "rate.E.sd_t": 0.3,
    "rate.E.sd_i": 0.3,
    "rate.E.crossings": 40.0,
    "sync.E": 0.9,
    "osc.E.q": 0.8,
    "osc.E.growth": 0.01,
    "osc.E.growth.se": 0.01,
}
ERRATIC = WAVES | {"osc.E.q": 0.3}
TRAVELS = BUMP | {
    "residual": 0.1,
    "residual.window": 0.2,
    "bump.E.velocity": 0.5,
    "bump.E.velocity.se": 0.001,
}
TRAINS = {
    "residual": np.nan,
    "residual.window": np.nan,
    "residual.rotating": np.nan,
    "noisy": True,
    "rate.E.sd_t": 0.2,
    "rate.E.sd_i": 2.0,
    "rate.E.cv": 0.4,
    "rate.E.crossings": 200.0,
    "bump.E.floor": 0.02,
    "sync.E": 0.001,
    "spikes.E.sync": 0.001,
    "spikes.E.cv": 0.9,
}
TOGETHER = {"sync.E": 0.6, "spikes.E.sync": 0.6, "osc.E.q": 0.2}
RINGS = {
    "runaway": {"status": "diverged"},
    "slow": MOVES | BUMP,
    "quiescent": SILENT,
    "travelling": TRAVELS,
    "bump": BUMP,
    "homogeneous": {},
    "heterogeneous": {"rate.E.cv": 0.2, "bump.E.floor": 0.01},
    "asynchronous irregular": TRAINS,
    "asynchronous regular": TRAINS | {"spikes.E.cv": 0.1},
    "synchronous irregular": TRAINS | TOGETHER,
    "synchronous regular": TRAINS | TOGETHER | {"spikes.E.cv": 0.1},
    "oscillating": WAVES,
    "chaotic": ERRATIC | {"lyapunov.1": 2.0, "lyapunov.1.se": 0.1},
    "fluctuating": ERRATIC,
}


def label(*changes, thresholds=None):
    row = dict(REST)
    for change in changes:
        row |= change
    found, confidence = label_end_states({name: [value] for name, value in row.items()}, thresholds)
    return found[0], confidence[0]


@pytest.mark.parametrize("name", LABELS)
def test_every_label_has_a_row_that_gets_it(name):
    found, confidence = label(RINGS[name])
    assert found == name
    assert 0.2 < confidence <= 1.0


def test_the_order_decides_where_several_apply():
    assert list(RINGS) == list(LABELS)
    assert label(BUMP, {"growth": 0.5})[0] == "runaway"
    assert label(SILENT, MOVES)[0] == "slow"
    assert label(TRAVELS, SILENT)[0] == "slow"
    assert label(WAVES, {"lyapunov.1": 2.0, "lyapunov.1.se": 0.1})[0] == "chaotic"
    assert label(WAVES, {"lyapunov.1": 0.05, "lyapunov.1.se": 0.1})[0] == "oscillating"


@pytest.mark.parametrize(
    ("threshold", "row", "column", "below", "above"),
    [
        ("growth", {}, "growth", "homogeneous", "runaway"),
        ("residual", {}, "residual.window", "homogeneous", "slow"),
        ("residual", {}, "residual", "homogeneous", "slow"),
        ("residual", BUMP | {"residual.window": 0.1}, "residual.rotating", "bump", "slow"),
        ("rate", SILENT, "rate.E.mean", "quiescent", "homogeneous"),
        ("velocity", TRAVELS, "bump.E.velocity", "bump", "travelling"),
        ("ratio", BUMP | {"bump.E.floor": 0.0, "rate.E.cv": 0.0}, "bump.E.ratio", "homogeneous", "bump"),
        ("cv", {}, "rate.E.cv", "homogeneous", "heterogeneous"),
        ("sd_t", WAVES | {"rate.E.crossings": 1.0}, "rate.E.sd_t", "slow", "oscillating"),
        ("q", WAVES, "osc.E.q", "fluctuating", "oscillating"),
        ("sync", WAVES, "sync.E", "fluctuating", "oscillating"),
        ("irregular", TRAINS, "spikes.E.cv", "asynchronous regular", "asynchronous irregular"),
        ("sync", TRAINS, "spikes.E.sync", "asynchronous irregular", "synchronous irregular"),
        ("crossings", ERRATIC, "rate.E.crossings", "slow", "fluctuating"),
        ("trend", WAVES | {"osc.E.growth.se": 0.0}, "osc.E.growth", "oscillating", "slow"),
        ("lyapunov", RINGS["chaotic"], "lyapunov.1", "slow", "chaotic"),
    ],
)
def test_labels_change_at_their_threshold_and_confidence_vanishes_there(threshold, row, column, below, above):
    limit = getattr(Thresholds(), threshold)
    limit = {"residual": 1e-3, "lyapunov": 0.1}.get(threshold, limit)
    row = row | ({"lyapunov.1.se": 0.001} if threshold == "lyapunov" else {})
    for factor, expected in ((0.99, below), (1.01, above)):
        found, confidence = label(row, {column: factor * limit})
        assert found == expected
        assert confidence < 0.01
    if threshold != "residual":  # the same row, the threshold moved past it
        moved = Thresholds().changed({threshold: 0.5 * limit})
        assert label(row, {column: 0.99 * limit}, thresholds=moved)[0] == above
    far = label(row, {column: 3 * limit})[1], label(row, {column: limit / 3})[1]
    assert min(far) > 0.05 or column == "rate.E.mean"


def test_thresholds_without_a_number_are_the_rows_own():
    assert label({"residual": 5e-4})[0] == "homogeneous"
    assert label({"residual": 5e-4, "residual.tolerance": 1e-4})[0] == "slow"
    assert label({"residual": 5e-4}, thresholds=Thresholds(residual=1e-4))[0] == "slow"
    chaos = RINGS["chaotic"] | {"lyapunov.1": 0.05, "lyapunov.1.se": 0.001}
    assert label(chaos, {"elapsed": 10.0})[0] == "slow"
    assert label(chaos, {"elapsed": 100.0})[0] == "chaotic"


def test_a_bump_that_travels_is_seen_in_its_own_frame():
    turned = TRAVELS | {"bump.E.ratio": 0.01, "rate.E.sd_i": 1.0, "rate.E.crossings": 40.0}
    assert label(turned)[0] == "fluctuating"  # a table of old, without it
    assert label(turned, {"bump.E.rotating": 0.9})[0] == "travelling"
    assert label(turned, {"bump.E.rotating": 0.01})[0] == "fluctuating"
    speeding = {"bump.E.rotating": 0.9, "bump.E.acceleration": 0.1, "bump.E.acceleration.se": 0.09}
    assert label(turned, speeding)[0] == "slow"
    assert label(turned, speeding, {"bump.E.acceleration": 0.02})[0] == "travelling"
    assert label(turned, speeding, {"noisy": True, "bump.E.ratio": 0.9})[0] == "travelling"  # by chance
    turns = [("cued", held(**{"bump.E.ratio": ratio, "bump.E.rotating": 0.9})) for ratio in (0.1, 0.6)]
    assert point(*turns)["states"] == 1


def test_what_may_be_a_rhythm_in_a_longer_window_does_not_fluctuate():
    unknown = {"osc.E.q": np.nan, "osc.E.growth": np.nan, "osc.E.growth.se": np.nan}
    assert label(ERRATIC, unknown, {"osc.E.slow": 0.8})[0] == "slow"
    assert label(ERRATIC, unknown, {"osc.E.slow": 0.3})[0] == "fluctuating"
    assert label(ERRATIC, unknown, {"osc.E.slow": 0.8, "sync.E": 0.01})[0] == "fluctuating"


def test_means_that_do_not_vary_do_not_count():
    other = {name.replace(".E", ".I"): value for name, value in REST.items() if ".E" in name}
    assert label(ERRATIC, other)[0] == "slow"  # it crosses its average once: it drifts
    assert label(ERRATIC, other, {"rate.I.crossings": np.nan})[0] == "fluctuating"
    assert label(ERRATIC, {"rate.E.crossings": np.nan})[0] == "slow"


def test_a_bump_must_rise_above_frozen_disorder():
    disorder = {"bump.E.ratio": 0.2, "bump.E.floor": 0.05, "rate.E.cv": 0.5}
    assert label(disorder)[0] == "heterogeneous"
    assert label(disorder, thresholds=Thresholds(floors=3.0))[0] == "bump"


def test_errors_count_for_velocity_exponents_and_growth():
    unsure = TRAVELS | {"bump.E.velocity.se": 0.4}
    assert label(unsure)[0] == "slow"
    assert label(unsure, thresholds=Thresholds(errors=1.0))[0] == "travelling"
    assert label(RINGS["chaotic"], {"lyapunov.1.se": 1.0})[0] == "fluctuating"
    assert label(RINGS["chaotic"], {"lyapunov.1": -2.0})[0] == "slow"
    assert label(WAVES, {"osc.E.growth": 0.2, "osc.E.growth.se": 0.1})[0] == "oscillating"


def test_spikes_may_drift_by_chance_and_bumps_of_spikes_are_bumps():
    drifting = TRAINS | {"rate.E.trend": 0.2, "rate.E.trend.se": 0.1}
    assert label(drifting)[0] == "asynchronous irregular"
    assert label(drifting, {"rate.E.trend.se": 0.01})[0] == "slow"
    assert label(TRAINS, {"bump.E.ratio": 0.8, "bump.E.trend": 0.0, "bump.E.velocity": 0.0})[0] == "bump"
    assert label(TRAINS, {"spikes.E.cv": np.nan}) == ("slow", 0.0)
    assert label(TRAINS, WAVES, {"noisy": True, "spikes.E.sync": 0.9})[0] == "oscillating"
    assert label(SILENT, TRAINS | SILENT, {"spikes.E.cv": np.nan, "spikes.E.sync": np.nan})[0] == "quiescent"


def test_states_of_noisy_runs_are_the_same_if_chance_explains_their_difference():
    names = np.array(["homogeneous", "homogeneous"], dtype=object)
    states, slack = np.array([[10.0, 0.0], [11.0, 0.5]]), np.array([[0.8, np.inf], [0.8, np.inf]])
    assert len(set(same_states(states, names, 0.02))) == 2
    assert len(set(same_states(states, names, 0.02, slack))) == 1
    assert len(set(same_states(states * [2, 1], names, 0.02, slack))) == 2
    names[1] = "oscillating"
    assert len(set(same_states(states, names, 0.02, slack))) == 2


def test_an_unstable_bump_is_no_bump():
    assert label(BUMP, {"alpha": -1.0})[0] == "bump"
    found, confidence = label(BUMP, {"alpha": 1.0})
    assert (found, confidence) == ("slow", 0.0)
    assert label({"alpha.symmetric": -1.0})[0] == "homogeneous"
    assert label({"alpha.symmetric": 1.0})[0] == "slow"


def test_a_bump_that_creeps_to_where_it_is_pinned_is_at_rest_and_one_that_dissolves_is_not():
    creeps = BUMP | {"residual": 0.01, "residual.window": 0.01, "bump.E.velocity": 0.01}
    assert label(creeps)[0] == "bump"
    assert label(creeps, {"residual.rotating": 0.01})[0] == "slow"
    assert label(creeps, {"bump.E.velocity": 0.1, "bump.E.velocity.se": 0.1})[0] == "slow"
    assert label(creeps, {"bump.E.ratio": 0.01})[0] == "slow"


def test_what_still_decays_by_much_of_what_is_left_of_it_has_not_settled():
    """A residual is small where rates are: what is left of them tells."""
    assert label({"rate.E.mean": 2e-3, "rate.E.sd_i": 0.2})[0] == "slow"
    assert label({"rate.E.mean": 2e-3, "rate.E.sd_t": 0.2})[0] == "slow"
    assert label({"rate.E.mean": 2e-3, "rate.E.sd_i": 0.01})[0] == "homogeneous"


def test_noise_is_judged_on_average():
    noise = {"noisy": True, "rate.E.sd_t": 0.1, "rate.E.sd_i": 0.4, "rate.E.crossings": 50.0}
    noise |= dict.fromkeys(("residual", "residual.window", "residual.rotating"), 5.0)
    assert label(noise)[0] == "homogeneous"
    assert label(noise, BUMP)[0] == "bump"
    assert label(noise, BUMP, {"bump.E.trend": -0.2})[0] == "slow"
    assert label(noise, {"rate.E.trend": 0.2})[0] == "slow"
    assert label(noise, {"bump.E.velocity": 0.5, "bump.E.velocity.se": 0.01}, BUMP)[0] == "bump"
    drifting = {"bump.E.velocity": 0.5, "bump.E.velocity.se": 0.01}
    assert label(noise, BUMP, drifting)[0] == "travelling"
    assert label(WAVES, {"noisy": True})[0] == "oscillating"


def test_rows_without_a_result_have_no_label():
    failed, confidence = label({"status": "failed"})
    assert failed is None
    assert np.isnan(confidence)
    assert label(dict.fromkeys(REST, np.nan))[0] is None
    gone = dict.fromkeys(REST, np.nan) | {"status": "diverged"}
    assert label(gone) == ("runaway", 1.0)
    assert label_end_states({"status": ["ok"]})[0].tolist() == [None]
    assert label_end_states({})[0].tolist() == []


def test_what_was_not_measured_makes_a_label_doubtful():
    found, confidence = label({"residual": np.nan, "residual.window": np.nan, "residual.rotating": np.nan})
    assert (found, confidence) == ("slow", 0.0)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"ratoi": 1.0}, "is not a threshold, got 'ratoi' (did you mean 'ratio'?)"),
        ({"ratio": -1.0}, "thresholds.ratio: must be a number of at least 0, got -1.0"),
        ({"q": None}, "thresholds.q: must be a number of at least 0"),
        ({"q": "half"}, "thresholds.q: must be a number of at least 0, got 'half'"),
        ({"q": True}, "thresholds.q: must be a number of at least 0, got True"),
    ],
)
def test_wrong_thresholds_are_refused(change, line):
    with pytest.raises(SpecError) as caught:
        Thresholds().changed(change)
    assert line in str(caught.value)


# --- points -----------------------------------------------------------------------------------------------

QUIET = {"rate.E.mean": 3.0}


def table(*rows):
    """Return columns of rows, each an initial condition and changes."""
    full = [
        REST | {"point.J.EE": 1.0, "graph": 0, "seed": 0, "initial_condition": start} | change
        for start, change in rows
    ]
    return pd.DataFrame(full)


def held(error=2.0, **others):
    return BUMP | {"memory.error": error, "memory.lifetime": 8.0, "memory.censored": True} | others


def point(*rows, **thresholds):
    found = label_points(table(*rows), Thresholds(**thresholds))
    assert len(found["regime"]) == 1
    return {name: values[0] for name, values in found.items()}


CUES = [("cued", held(3.0)), ("cued@90", held(-4.0)), ("cued@180", held(0.0)), ("cued@270", held(0.0))]


def test_a_ring_attractor():
    found = point(("cold", QUIET), *CUES)
    assert found["regime"] == "ring attractor"
    assert found["states"] == 2
    assert found["multistable"]
    assert found["labels"] == "bump, homogeneous"
    assert found["basins"] == "bump 0.80, homogeneous 0.20"
    assert found["initial_conditions"] == 5
    assert found["memory.error"] == pytest.approx(2.5)
    assert found["memory.lifetime"] == 8.0
    assert found["row"] == [0, 1, 2, 3, 4]


def test_what_a_ring_attractor_is_not():
    assert point(("cold", BUMP), *CUES)["regime"] == "spontaneous bump"
    assert point(*CUES)["regime"] == "bump"  # nothing is known of a cold start
    assert point(("cold", QUIET), *CUES[:3], ("cued@270", QUIET))["regime"] == "multistable"
    assert point(("cold", QUIET), ("cued", held(20.0)))["regime"] == "multistable"
    assert point(("cold", QUIET), ("cued", held(20.0)), memory_error=25.0)["regime"] == "ring attractor"
    brief = held(**{"memory.censored": False})
    assert point(("cold", QUIET), ("cued", brief))["regime"] == "multistable"
    assert point(("cold", QUIET), ("cued", brief), delay=5.0)["regime"] == "ring attractor"
    ghost = point(("cold", QUIET), ("cued", MOVES | held()))
    assert (ghost["regime"], ghost["states"], ghost["multistable"]) == ("slow", 1, False)
    assert ghost["basins"] == "homogeneous 0.50, slow 0.50"
    assert point(("cold", QUIET), ("hot", BUMP), ("cued", MOVES))["regime"] == "multistable"


def test_one_state_keeps_its_name_and_two_are_multistable():
    assert point(("cold", QUIET), ("hot", QUIET))["regime"] == "homogeneous"
    assert point(("cold", QUIET), ("hot", {"rate.E.mean": 3.05}))["states"] == 1
    assert point(("cold", QUIET), ("hot", {"rate.E.mean": 3.2}))["regime"] == "multistable"
    assert point(("cold", QUIET), ("hot", {"rate.E.mean": 3.2}), same=0.1)["regime"] == "homogeneous"
    assert point(("cold", QUIET), ("hot", {"status": "diverged", "rate.E.mean": np.nan}))["states"] == 2
    assert point(("cold", {"status": "failed"}))["regime"] is None


def test_points_are_told_apart_by_values_graph_and_seed():
    frame = pd.concat([table(("cold", QUIET), ("hot", QUIET))] * 4, ignore_index=True)
    frame["point.J.EE"] = [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0]
    frame["graph"] = [0, 0, 0, 0, 1, 1, 0, 0]
    frame["seed"] = [0, 0, 0, 0, 0, 0, 5, 5]
    found = label_points(frame)
    assert found["point.J.EE"].tolist() == [1.0, 2.0, 1.0, 1.0]
    assert found["graph"].tolist() == [0, 0, 1, 0]
    assert found["seed"].tolist() == [0, 0, 0, 5]
    assert [list(rows) for rows in found["row"]] == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_states_are_linked_by_chains_whatever_their_order():
    values = np.array([[10.0], [10.15], [10.3], [20.0], [20.1]])
    labels = np.full(5, "homogeneous", dtype=object)
    for order in ([0, 1, 2, 3, 4], [2, 0, 4, 1, 3]):
        clusters = same_states(values[order], labels[order], 0.02)
        assert len(set(clusters)) == 2
        groups = {frozenset(np.array(order)[clusters == c]) for c in set(clusters)}
        assert groups == {frozenset({0, 1, 2}), frozenset({3, 4})}


# --- basins -----------------------------------------------------------------------------------------------


def test_basins_count_the_starts_of_each_end_state():
    ends = [REST, REST, REST, REST | BUMP, REST | MOVES]
    starts = ["cold", "random@0", "random@1", "random@2", "random@3"]
    rows = [e | {"initial_condition": s, "point.J.EE": 2.0} for e, s in zip(ends, starts, strict=True)]
    frame = pd.DataFrame(rows)
    found = pd.DataFrame(basins(frame, drawn=["random"]))
    assert found["point.J.EE"].tolist() == [2.0] * 3
    assert found["regime"].tolist() == ["homogeneous", "bump", "slow"]
    assert found["state"].tolist() == [0, 1, -1]
    assert found["starts"].tolist() == [3, 1, 1]
    assert found["share"].tolist() == [0.6, 0.2, 0.2]
    assert found["drawn"].tolist() == [2, 1, 1]
    assert found["drawn.share"].tolist() == [0.5, 0.25, 0.25]
    assert found["row"].tolist() == [[0, 1, 2], [3], [4]]
    assert ((found["drawn.low"] < found["drawn.share"]) & (found["drawn.share"] < found["drawn.high"])).all()
    assert pd.DataFrame(basins(frame))["drawn.share"].isna().all()


@pytest.mark.parametrize(("share", "n"), [(0.02, 40), (0.5, 8), (0.9, 100)])
def test_the_interval_of_a_basin_covers_its_share(share, n):
    from scipy.stats import binom

    chances = binom.pmf(np.arange(n + 1), n, share)
    ends = np.array([wilson(k, n) for k in range(n + 1)])
    covered = chances[(ends[:, 0] <= share) & (share <= ends[:, 1])].sum()
    assert 0.92 < covered < 1.0
    assert (np.diff(ends, axis=1) > 0.01).all()  # also where all draws end in one state
