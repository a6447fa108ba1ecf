"""Labels are total, and the clusters of end states do not know where a bump stands."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroflame.regimes import LABELS, Thresholds, label_end_states, label_points
from tests.unit.test_regimes import BUMP, REST

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=3),
    st.integers(),
)
extra = ["lyapunov.1", "lyapunov.1.se", "alpha", "rate.I.mean", "bump.I.ratio", "initial_condition", "seed"]


@settings(max_examples=150, deadline=None)
@given(st.data(), st.lists(st.sampled_from([*REST, *extra]), unique=True, min_size=1), st.integers(1, 4))
def test_labels_are_total(data, names, rows):
    columns = {name: data.draw(st.lists(anything, min_size=rows, max_size=rows)) for name in names}
    label, confidence = label_end_states(columns)
    assert len(label) == len(confidence) == rows
    for found, sure in zip(label, confidence, strict=True):
        assert found is None or found in LABELS
        assert np.isnan(sure) if found is None else 0.0 <= sure <= 1.0
    points = label_points(columns)
    assert sorted(row for group in points["row"] for row in group) == list(range(rows))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.2, 50), st.floats(0, 1.9), st.floats(0, 6.28)), min_size=1, max_size=6))
def test_where_a_bump_stands_makes_no_state(states):
    def count(phases):
        rows = [
            REST | BUMP | {"rate.E.mean": mean, "bump.E.ratio": ratio, "bump.E.phase": phase, "point.x": 0.0}
            for (mean, ratio, _), phase in zip(states, phases, strict=True)
        ]
        found = label_points({name: [row[name] for row in rows] for name in rows[0]}, Thresholds())
        return int(found["states"][0])

    assert count([phase for *_, phase in states]) == count([0.0] * len(states))


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["residual", "growth", "bump.E.ratio", "rate.E.cv", "bump.E.velocity", "rate.E.sd_t"]),
    st.floats(1e-6, 10.0),
)
def test_a_row_s_label_does_not_depend_on_the_rows_beside_it(name, value):
    rows = [REST | BUMP, REST, REST | {name: value}]
    together = label_end_states({key: [row[key] for row in rows] for key in REST})
    alone = label_end_states({key: [rows[2][key]] for key in REST})
    assert together[0][2] == alone[0][0]
    assert together[1][2] == alone[1][0]
