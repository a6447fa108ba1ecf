from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.figure import Figure

from neuroflame.errors import SpecError
from neuroflame.report import (
    choose_points,
    phase_diagram,
    search_history,
    statistics_against_axes,
    tally,
    traces,
    view,
)
from neuroflame.report.axes import Axis
from neuroflame.report.cells import border_segments, gather
from neuroflame.report.labels import axis_label
from tests.unit.test_report_tables import ring_sweep

LONG = "a_very_long_name_of_a_parameter_that_somebody_might_sweep_$x^2$_<b>"
SAMPLED = {"J.EE": (5.0, 15.0), "J0.E": (0.1, 10.0)}
SPACES = {
    "ring": {},
    "partial": {"done": 0.6},
    "uneven log axis and repeats": {
        "space": {"J.EE": [5.0, 5.1, 8.0, 14.0], "J0.E": [0.1, 0.3, 1.0, 3.0, 10.0]},
        "graphs": 3,
        "starts": ("cold", "cued"),
    },
    "cube": {
        "space": {"J.EE": np.linspace(5, 15, 5), "J0.E": np.linspace(0, 9, 4), "J.IE": [0.5, 1.0, 1.5, 2.0]}
    },
    "line": {"space": {"J.EE": np.linspace(5, 15, 12)}, "seeds": 2},
    "names": {
        "space": {"J.EE": np.linspace(5, 15, 5), LONG: [f"choice number {k} of $many$" for k in range(6)]},
        "name": "hostile $\\alpha$ <script>",
    },
    "two samples": {
        "space": {"J.EE": (5.0, 15.0), "J0.E": (0.1, 10.0)},
        "search": {"kind": "sobol"},
        "trials": 64,
    },
    "four samples": {
        "space": {
            "J.EE": (5.0, 15.0),
            "J0.E": (0.1, 10.0),
            "J.IE": (0.5, 2.0),
            "populations.E.tau": (0.001, 0.1),
        },
        "search": {"kind": "tpe", "maximise": "bump.E.m1"},
        "trials": 64,
    },
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    made = {}

    def make(name):
        if name not in made:
            made[name] = view(ring_sweep(tmp_path_factory.mktemp("sweep"), **SPACES[name]))
        return made[name]

    return make


def everything(data):
    """Every kind of figure that a table allows."""
    found = tally(data)
    regions = {"border": {found.question.condition.text: found.holds}, "shade": {"ghost": found.dissolving}}
    marks = {point.letter: point.row for point in choose_points(data)}
    yield phase_diagram(data, marks=marks, **regions)
    yield phase_diagram(data, value="regime", width=5.2, **regions)
    yield phase_diagram(data, value="bump.E.phase", where="bump.E.ratio > 0.1")
    yield statistics_against_axes(data)
    yield traces(data)
    yield search_history(data)


def clipped(fig):
    """Texts that reach beyond the figure, and tick labels that overlap their neighbours."""
    renderer = fig.canvas.get_renderer()
    fig.draw(renderer)
    page = fig.bbox
    bad = []

    def outside(box, what):
        if box is not None and (box.x0 < -1 or box.y0 < -1 or box.x1 > page.x1 + 1 or box.y1 > page.y1 + 1):
            bad.append((what, box.extents.round(1).tolist(), page.extents.tolist()))

    for text in (*fig.texts, *[t for legend in fig.legends for t in legend.get_texts()]):
        outside(text.get_window_extent(renderer), text.get_text())
    for ax in fig.axes:
        if not ax.get_visible():
            continue
        outside(ax.get_tightbbox(renderer), f"axes {ax.get_xlabel()!r} {ax.get_ylabel()!r}")
        for axis in (ax.xaxis, ax.yaxis):
            drawn = [tick.label1 for tick in axis._update_ticks() if tick.label1.get_visible()]
            level = [label for label in drawn if label.get_text() and not label.get_rotation()]
            boxes = [label.get_window_extent(renderer) for label in level]
            bad += [("overlap", a.extents, b.extents) for a, b in pairwise(boxes) if a.overlaps(b)]
    return bad


@pytest.mark.parametrize("name", SPACES)
def test_no_text_is_clipped_and_no_tick_labels_overlap(tables, name):
    for fig in everything(tables(name)):
        assert clipped(fig) == []


def test_cells_stand_at_the_tables_levels(tables):
    data = tables("uneven log axis and repeats")
    fig = phase_diagram(data, value="rate.E.mean")
    ax = fig.axes[0]
    mesh = next(child for child in ax.get_children() if isinstance(child, QuadMesh))
    corners = mesh.get_coordinates()
    assert list(corners[0, :, 0]) == pytest.approx([4.95, 5.05, 6.55, 11.0, 17.0])
    assert ax.get_yscale() == "log"
    assert corners[1, 0, 1] == pytest.approx(np.sqrt(0.1 * 0.3))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$J_{EE}$", "$J_{E0}$ (Hz)")
    ok = data.frame[data.frame["status"] == "ok"]
    mean = ok.pivot_table(index="point.J0.E", columns="point.J.EE", values="rate.E.mean")
    np.testing.assert_allclose(np.ma.filled(mesh.get_array(), np.nan), mean.to_numpy())
    header = " ".join(text.get_text().replace("\n", " ") for text in fig.texts)
    assert "mean over 3 graphs × 2 initial conditions" in header
    assert f"{len(data.frame)} points" in header


@pytest.mark.parametrize("seed", range(5))
def test_a_border_parts_exactly_the_cells_inside_from_those_outside(seed):
    rng = np.random.default_rng(seed)
    x = Axis("point.a", "", np.cumsum(rng.random(9)))
    y = Axis("point.b", "", np.cumsum(rng.random(7)) + 0.1, log=True)
    inside = rng.random((7, 9)) < 0.5
    known = rng.random((7, 9)) < 0.8
    segments = border_segments(inside, known, x, y)

    def drawn(p, q):
        middle = (np.array(p) + np.array(q)) / 2
        return any(
            (np.minimum(a, b) - 1e-12 <= middle).all() and (middle <= np.maximum(a, b) + 1e-12).all()
            for a, b in segments  # parallel to an axis
        )

    for j in range(7):
        for i in range(9):
            if i < 8:
                edge = (x.edges[i + 1], y.edges[j]), (x.edges[i + 1], y.edges[j + 1])
                parted = inside[j, i] != inside[j, i + 1] and known[j, i] and known[j, i + 1]
                assert drawn(*edge) == parted
            if j < 6:
                edge = (x.edges[i], y.edges[j + 1]), (x.edges[i + 1], y.edges[j + 1])
                parted = inside[j, i] != inside[j + 1, i] and known[j, i] and known[j + 1, i]
                assert drawn(*edge) == parted


def test_the_border_of_a_condition_is_drawn(tables):
    data = tables("ring")
    ax = phase_diagram(data, border="bump.E.ratio > 0.1").axes[0]
    lines = [child for child in ax.get_children() if isinstance(child, LineCollection)]
    x, y = data.axes
    cells = gather(data, "bump.E.ratio", x, y)
    expected = border_segments(np.nan_to_num(cells.value) > 0.1, cells.counts > 0, x, y)
    assert np.array(lines[-1].get_segments()) == pytest.approx(expected)


def test_points_without_a_result_are_marked_by_cause(tables):
    names = {text.get_text() for text in phase_diagram(tables("ring")).legends[0].get_texts()}
    assert {"diverged", "failed", "silent, below 0.001 Hz"} <= names
    names = {text.get_text() for text in phase_diagram(tables("partial")).legends[0].get_texts()}
    assert "not computed yet" in names


def test_noise_is_not_blown_up(tables):
    data = view(tables("ring").table)
    data.frame["bump.E.ratio"] *= 1e-6
    bar = phase_diagram(data).axes[-1]
    assert bar.get_ylim() == (0.0, 0.1)
    data.frame["bump.E.ratio"] = 1 + 1e-6 * data.frame["bump.E.ratio"] / data.frame["bump.E.ratio"].max()
    low, high = phase_diagram(data).axes[-1].get_ylim()
    assert low < 0.6
    assert high > 1.4


def test_a_scale_can_be_shared(tables):
    bar = phase_diagram(tables("ring"), value="rate.E.mean", limits=(0.0, 99.0)).axes[-1]
    assert bar.get_ylim() == (0.0, 99.0)


def test_angles_and_trends_have_no_curves(tables):
    labels = {ax.get_ylabel() for ax in statistics_against_axes(tables("ring"), n=20).axes}
    assert not [label for label in labels if "phase" in label or "trend" in label]


def test_names_have_a_legend_with_counts(tables):
    data = tables("ring")
    fig = phase_diagram(data, value="regime")
    names = {text.get_text() for text in fig.legends[0].get_texts()}
    assert f"bump ({(data.frame['regime'] == 'bump').sum()})" in names
    assert len(fig.axes) == 1  # no colour bar


def test_the_colour_bar_has_label_and_unit(tables):
    data = tables("ring")
    bar = phase_diagram(data, value="rate.E.mean").axes[-1]
    assert bar.get_ylabel() == axis_label("rate.E.mean", data.columns) == "mean rate of E (Hz)"


def test_further_axes_are_small_multiples(tables):
    fig = phase_diagram(tables("cube"))
    titles = [ax.get_title(loc="left") for ax in fig.axes if ax.get_title(loc="left")]
    assert titles == ["$J_{IE}$ = 0.5", "$J_{IE}$ = 1", "$J_{IE}$ = 1.5", "$J_{IE}$ = 2"]


def test_too_many_small_multiples_are_thinned_and_say_so(tmp_path):
    space = {"J.EE": [8.0, 9.0], "J0.E": [1.0, 2.0], "J.IE": np.linspace(1, 2, 9), "M0": [1.0, 2.0, 3.0]}
    fig = phase_diagram(ring_sweep(tmp_path, space, traces=False, failures=0))
    assert 6 <= len([ax for ax in fig.axes if ax.get_title(loc="left")]) <= 12
    assert "of 27 planes shown" in " ".join(text.get_text() for text in fig.texts)


def test_majorities_and_reductions(tables):
    data = tables("uneven log axis and repeats")
    x, y = data.axes
    frame = data.frame[data.frame["status"] == "ok"]
    groups = frame.groupby(["point.J0.E", "point.J.EE"])["rate.E.mean"]
    for name, expected in {"median": groups.median(), "max": groups.max(), "sd": groups.std()}.items():
        got = gather(data, "rate.E.mean", x, y, reduce=name).value
        assert got == pytest.approx(expected.unstack().to_numpy(), nan_ok=True)
    cells = gather(data, "regime", x, y)
    most = data.frame.groupby(["point.J0.E", "point.J.EE"])["regime"].agg(lambda one: one.mode().iloc[0])
    got = np.array(cells.names, dtype=object)[cells.value.astype(int)]
    assert (got == most.unstack().to_numpy()).all()
    with pytest.raises(SpecError, match="reduce must be one of"):
        gather(data, "rate.E.mean", x, y, reduce="mode")


def test_angles_are_averaged_on_the_circle(tables):
    data = view(tables("uneven log axis and repeats").table)
    data.frame["bump.E.phase"] = np.where(data.frame["graph"] == 0, 0.1, 2 * np.pi - 0.05)
    value = gather(data, "bump.E.phase", *data.axes).value
    assert np.nanmax(np.abs((value + np.pi) % (2 * np.pi) - np.pi)) < 0.2


def test_it_draws_into_axes_that_it_is_given(tables):
    data = tables("ring")
    fig = Figure()
    ax = fig.subplots()
    assert phase_diagram(data, "J0.E", "J.EE", "rate.E.mean", ax) is ax
    assert ax.get_xlabel() == "$J_{E0}$ (Hz)"


def test_repeats_can_be_axes_and_panels(tables):
    data = tables("uneven log axis and repeats")
    fig = phase_diagram(data, facet="initial_condition")
    titles = [ax.get_title(loc="left") for ax in fig.axes if ax.get_title(loc="left")]
    assert titles == ["initial condition = cold", "initial condition = cued"]
    assert phase_diagram(data, "J.EE", "graph").axes[0].get_ylabel() == "graph"


def test_the_users_settings_stay(tables):
    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 31, "axes.facecolor": "red"}):
        fig = phase_diagram(tables("ring"))
        assert mpl.rcParams["font.size"] == 31
    assert fig.axes[0].get_facecolor() == (1.0, 1.0, 1.0, 1.0)
    assert dict(mpl.rcParams) == before


def test_stimuli_are_shaded_where_there_were_any(tables):
    data = tables("uneven log axis and repeats")
    cold, cued = (
        int(np.flatnonzero(data.frame["initial_condition"] == name)[0]) for name in ("cold", "cued")
    )
    assert len(traces(data, [cold]).axes[0].patches) == 0
    (epoch,) = traces(data, [cued]).axes[0].patches
    assert (epoch.get_x(), epoch.get_width()) == (1.0, 1.0)


def test_points_can_be_named(tables):
    data = tables("ring")
    fig = traces(data, [data.frame["point_id"].iloc[7], 250])
    assert len([ax for ax in fig.axes if ax.get_visible()]) == 2
    with pytest.raises(SpecError, match="must hold the point"):
        traces(data, ["nobody"])


def test_the_best_so_far_never_falls(tables):
    line = search_history(tables("four samples")).axes[0].lines[1]
    best = line.get_ydata()
    assert (np.diff(best[np.isfinite(best)]) >= 0).all()


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda data: phase_diagram(data, value="bump.E.rato"), "no such column"),
        (lambda data: phase_diagram(data, x="J.XX"), "must be a swept path"),
        (lambda data: phase_diagram(data, x="J.EE", y="J.EE"), "must be two axes"),
        (lambda data: phase_diagram(data, value="point_id"), "at most 40 different"),
        (lambda data: phase_diagram(data, border="bump.E.ratio >"), "must not end here"),
        (lambda data: phase_diagram(data, border=np.ones(3, dtype=bool)), "one for each row"),
        (lambda data: statistics_against_axes(data, ["rate.E.meen"]), "no such column"),
    ],
)
def test_bad_requests_are_one_line(tables, call, rule):
    with pytest.raises(SpecError, match=rule) as caught:
        call(tables("ring"))
    assert "\n" not in str(caught.value)
