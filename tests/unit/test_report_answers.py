from types import SimpleNamespace

import numpy as np
import pytest

from neuroflame.report import choose_points, main_statistics, summary, tally, view
from neuroflame.report.answer import agree
from neuroflame.report.labels import number, span, symbol
from tests.unit.test_report_tables import ring_sweep


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    return view(ring_sweep(tmp_path_factory.mktemp("ring")))


def test_the_answer_counts_bumps_ghosts_and_losses(ring):
    frame = ring.frame
    found = tally(ring)
    up = (frame["bump.E.ratio"] > 0.1).to_numpy()
    still = (frame["bump.E.trend"].abs() < 0.05).to_numpy()
    assert (found.holds == (up & still)).all()
    assert (found.dissolving == (up & ~still)).all()
    assert not found.forming.any()
    text = summary(ring)
    assert text.startswith(f"{found.holds.sum()} of 400 points hold a bump (bump.E.ratio > 0.1 and abs(")
    assert f"{found.dissolving.sum()} more would but are decaying: ghosts, not attractors" in text
    assert "24 diverged; 2 failed" in text
    assert "J.EE 7.11–15, J0.E 1.05–6.84 Hz" in text
    assert "\n" not in text


def test_the_quotient_of_rates_that_fade_away_is_no_bump(tmp_path):
    table = ring_sweep(tmp_path, failures=0)
    raw = table.to_pandas()
    raw.loc[raw["point.J0.E"] < 2, "bump.E.m0"] = 1e-9
    faded = SimpleNamespace(
        uri=table.uri,
        manifest=table.manifest,
        columns=table.columns,
        to_pandas=lambda names: raw[list(names)],
    )
    data = view(faded)
    low = (raw["point.J0.E"] < 2).to_numpy()
    assert (raw["bump.E.ratio"][low] > 0.1).any()
    assert data.frame["bump.E.ratio"][low].isna().all()
    assert data.frame["rate.E.mean"].equals(raw["rate.E.mean"])
    assert data.silent("bump.E.ratio")[low].all()
    assert not tally(data).holds[low].any()
    assert tally(data).holds.sum() == (raw["bump.E.ratio"][~low] > 0.1).sum() - tally(data).dissolving.sum()


def test_a_sweep_asks_its_own_question(tmp_path):
    answer = {"label": "fires above 20 Hz", "where": "rate.E.mean > 20"}
    data = view(ring_sweep(tmp_path, answer=answer, failures=0))
    found = tally(data)
    assert (found.holds == (data.frame["rate.E.mean"] > 20)).all()
    assert not found.dissolving.any()
    assert f"{found.holds.sum()} of 400 points fire above 20 Hz (rate.E.mean > 20)" in summary(data)


def test_an_optimising_search_tells_its_best_point(tmp_path):
    space = {"J.EE": (5.0, 15.0), "J0.E": (0.0, 10.0)}
    data = view(ring_sweep(tmp_path, space, search={"kind": "tpe", "maximise": "bump.E.m1"}, trials=60))
    best = data.frame.loc[data.frame["bump.E.m1"].idxmax()]
    assert f"best of 60 points: bump.E.m1 = {number(best['bump.E.m1'])} Hz" in summary(data)
    assert choose_points(data)[0].row == data.frame["bump.E.m1"].idxmax()


def test_an_unfinished_sweep_says_so(tmp_path):
    assert "200 of 400 points of the sweep are computed so far" in summary(ring_sweep(tmp_path, done=0.5))


def test_an_empty_table_has_an_answer(tmp_path):
    assert summary(ring_sweep(tmp_path, done=0.0)) == "No point is computed yet of 400."


def test_chosen_points_are_distinct_and_have_roles(ring):
    chosen = choose_points(ring, 6)
    assert [point.letter for point in chosen] == list("ABCDEF")
    assert len({point.row for point in chosen}) == 6
    found = tally(ring)
    assert found.holds[chosen[0].row]
    assert found.dissolving[chosen[1].row]
    assert all(point.role for point in chosen)


def test_constant_statistics_are_not_drawn(tmp_path):
    data = view(ring_sweep(tmp_path, traces=False))
    assert "rate.I.mean" in main_statistics(data, 20)
    data.frame["rate.I.mean"] = 3.0
    data.frame["bump.E.ratio.after"] *= 1e-6  # noise
    assert not {"rate.I.mean", "bump.E.ratio.after"} & set(main_statistics(data, 20))


@pytest.mark.parametrize(
    ("label", "count", "expected"),
    [
        ("holds a bump", 3, "hold a bump"),
        ("hold a bump", 1, "holds a bump"),
        ("is chaotic", 0, "are chaotic"),
        ("has two states", 2, "have two states"),
        ("reaches 5 Hz", 2, "reach 5 Hz"),
        ("oscillates", 1, "oscillates"),
    ],
)
def test_the_verb_agrees(label, count, expected):
    assert agree(label, count) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("point.J.EE", "$J_{EE}$"),
        ("J0.E", "$J_{E0}$"),
        ("stp.EE.tau_fac", r"$\tau^{\mathrm{fac}}_{EE}$"),
        ("populations.E.tau", r"$\tau_{E}$"),
        ("connectivity.profile.kappa.EI", r"$\kappa_{EI}$"),
        ("bump.E.ratio", "$m_1/m_0$ of E"),
        ("rate.E.mean", "mean rate of E"),
        ("memory.error", "memory.error"),
        ("point.a$b", r"a\$b"),
    ],
)
def test_names_are_typeset(name, expected):
    assert symbol(name) == expected


def test_numbers_are_for_readers():
    assert [number(v) for v in (3, 3.0, 0.123456, 1e-7, -2.5, np.nan, True)] == [
        "3",
        "3",
        "0.123",
        "1×10⁻⁷",
        "−2.5",
        "–",
        "yes",
    ]
    assert span(np.array([7.1, 10.0])) == "7.1–10"
    assert span(np.array([-1.0, 2.0]), "Hz") == "−1 to 2 Hz"
