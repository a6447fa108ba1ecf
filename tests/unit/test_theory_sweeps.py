"""Predictions in sweeps: columns of the table, the command, lines over the diagrams."""

import numpy as np
import pytest
import yaml

from neuroflame import cli
from neuroflame.cli import commands
from neuroflame.columns import Column
from neuroflame.errors import SpecError
from neuroflame.report import phase_diagram
from neuroflame.report.contours import predicted_columns
from neuroflame.report.views import view
from neuroflame.store import open_table
from neuroflame.sweep.evaluate import evaluate
from neuroflame.sweep.manifest import spec_hash
from neuroflame.sweep.predicting import predicted_table
from neuroflame.theory import homogeneous_states, mean_field, number_at
from tests.unit.test_sweep_evaluate import Simulator, points_of
from tests.unit.test_sweep_spec import sweep

RING = {
    "dt": 0.001,
    "duration": 0.4,
    "populations": {"E": {"size": 32, "tau": 0.02}},
    "J": {"EE": 0.6},
    "J0": {"E": 1.0},
    "connectivity": {"profile": {"kind": "cosine", "kappa": 4.0}},
    "initial": {"kind": "uniform", "high": 0.1},
}
SPACE = {
    "J.EE": {"from": 0.1, "to": 0.8, "num": 5},
    "connectivity.profile.kappa": {"from": 1, "to": 6, "num": 4},
}
SWEEP = {
    "network": "net.yml",
    "space": SPACE,
    "window": 0.1,
    "theory": ["homogeneous", "modes", "balance", "folds"],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yml").write_text(yaml.safe_dump(RING))
    (tmp_path / "sweep.yml").write_text(yaml.safe_dump(SWEEP))
    return tmp_path


def call(*arguments):
    return cli.main([str(argument) for argument in arguments])


def test_rows_hold_what_theory_says_of_their_own_values(folder):
    assert call("run", "sweep.yml", "--backend", "inline", "--no-report", "--quiet") == 0
    table = open_table("runs/sweep")
    frame = table.to_pandas()
    for _, row in frame.iterrows():
        J, kappa = row["point.J.EE"], row["point.connectivity.profile.kappa"]
        assert row["theory.rate.E"] == pytest.approx(1.0 / (1.0 - J), rel=1e-9)
        assert (row["theory.alpha.mode1"] > 0) == (J * kappa > 2)
        assert row["theory.states"] == 1
        assert row["theory.regime"] == ("homogeneous" if J * kappa < 2 else row["theory.regime"])
    bumps = frame[frame["theory.regime"] == "bump"]
    assert 0 < len(bumps) < len(frame)
    clear = bumps[bumps["theory.alpha.mode1"] > 20.0]
    assert (clear["bump.E.ratio"] > 0.5).all()
    assert (frame[frame["theory.alpha.mode1"] < -5.0]["bump.E.ratio"] < 0.1).all()
    assert frame["theory.balance.E"].isna().all()
    assert frame["theory.reason"].str.contains("balance needs sparse").all()
    assert frame["theory.fold.J.EE"].isna().all()
    assert table.columns["theory.alpha.mode1"].unit == "1/s"
    assert set(frame) >= {f"theory.{name}" for name in ("mode", "frequency", "bumps", "bumps.stable")}


def test_a_point_is_reproduced_with_its_predictions(folder, capsys):
    assert call("run", "sweep.yml", "--backend", "inline", "--no-report", "--quiet") == 0
    identity = open_table("runs/sweep").to_pandas()["point_id"][3]
    assert call("repro", "runs/sweep", identity) == 0
    assert "equal to the last bit" in capsys.readouterr().out


def test_predictions_stand_beside_points_that_failed():
    spec = sweep(space={"J.EE": [0.5, 99.0]}, theory=["homogeneous"], window=0.01)

    def fails(value):
        return RuntimeError("no") if value == 99.0 else None

    rows = evaluate(spec, points_of(spec), Simulator(fails))
    assert rows.data["status"] == ["ok", "failed"]
    for value, rate in zip([0.5, 99.0], rows.data["theory.rate.E"], strict=True):
        own = spec.network.with_values({"J.EE": value})
        states = homogeneous_states(mean_field(own, number_at(own, {}))).rates
        assert rate == pytest.approx(states[0, 0]) if len(states) else np.isnan(rate)
    assert [column.name for column in rows.columns][-len(spec.predicted) :] == spec.predicted


def test_theory_is_part_of_what_a_table_is():
    plain, predicted = sweep(), sweep(theory=["modes"])
    assert spec_hash(plain) != spec_hash(predicted)
    assert "theory" not in plain.identity()


def test_a_search_may_seek_a_prediction_and_a_condition_name_one():
    spec = sweep(
        space={"J.EE": {"low": 0, "high": 2}},
        theory=["modes"],
        search={"kind": "tpe", "trials": 4, "minimise": "theory.alpha.mode0"},
    )
    spec.check_columns(["theory.regime", "theory.alpha.mode1"])
    with pytest.raises(SpecError, match="is not a column"):
        spec.check_columns(["theory.balance.E"])
    with pytest.raises(SpecError, match="is not a column"):
        sweep(
            space={"J.EE": {"low": 0, "high": 2}},
            theory=["modes"],
            search={"kind": "tpe", "trials": 4, "minimise": "theory.regime"},
        )


@pytest.mark.parametrize(
    ("theory", "message"),
    [(["modes", "modes"], "must not hold a value twice"), (["mode"], "did you mean 'modes'")],
)
def test_bad_names_are_told(theory, message):
    with pytest.raises(SpecError, match=message):
        sweep(theory=theory)


def test_command_draws_the_predicted_diagram(folder, capsys):
    assert call("theory", "sweep.yml", "-o", "shown.png") == 0
    lines = capsys.readouterr().out.splitlines()
    counts = {
        line.split()[0]: int(line.split()[1]) for line in lines if line.split()[0] in ("bump", "homogeneous")
    }
    table = predicted_table(commands._sweep(cli.make_parser().parse_args(["theory", "sweep.yml"])))
    regimes = table.frame["theory.regime"].tolist()
    assert counts == {name: regimes.count(name) for name in counts}
    assert counts["bump"] > 0
    assert lines[-1] == "figure      shown.png"
    assert (folder / "shown.png").read_bytes().startswith(b"\x89PNG")
    assert not (folder / "runs").exists()


def test_command_without_axis_or_with_a_learning_search_says_so(folder, capsys):
    assert call("theory", "sweep.yml", "--set", "space={}") == 2
    assert "at least one axis" in capsys.readouterr().err
    learning = [
        "--set",
        "space.J.EE={low: 0, high: 1}",
        "--set",
        "search={kind: tpe, trials: 4, minimise: rate.E.mean}",
    ]
    assert call("theory", "sweep.yml", *learning) == 2
    assert "by their results" in capsys.readouterr().err
    assert call("theory", "sweep.yml", "-o", "no/such/folder.png") == 2
    assert "no/such/folder.png: cannot be written" in capsys.readouterr().err


def test_structures_that_are_not_allowed_are_unknown():
    base = {**RING, "connectivity": {"kind": "sparse", "K": 4, "profile": {"kind": "cosine", "kappa": 0.5}}}
    space = {"populations.E.size": [8, 64], "connectivity.K": [4, 10], "J.EE": [0.1, 0.2]}
    frame = predicted_table(sweep(network=base, space=space)).frame
    forbidden = (frame["point.populations.E.size"] == 8) & (frame["point.connectivity.K"] == 10)
    assert forbidden.sum() == 2
    assert (frame.loc[forbidden, "theory.regime"] == "unknown").all()
    assert frame.loc[forbidden, "theory.reason"].str.contains("at most the size of E").all()
    assert frame.loc[forbidden, "theory.rate.E"].isna().all()
    assert (frame.loc[~forbidden, "theory.regime"] == "homogeneous").all()


def test_lines_of_predictions_over_a_diagram(folder):
    spec = commands._sweep(cli.make_parser().parse_args(["theory", "sweep.yml"]))
    table = predicted_table(spec)
    data = view(table)
    assert predicted_columns(data) == ("theory.regime", "theory.alpha.mode1")
    figure = phase_diagram(data, value="theory.rate.E", contour=predicted_columns(data))
    labels = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert "predicted: theory.regime changes" in labels
    assert "predicted: theory.alpha.mode1 = 0" in labels
    ax = figure.axes[0]
    line = np.concatenate(
        [path.vertices for c in ax.collections if hasattr(c, "levels") for path in c.get_paths()]
    )
    product = line[:, 0] * line[:, 1]  # J κ, which is 2 at the border
    assert np.abs(product - 2.0).max() < 0.35
    with pytest.raises(SpecError, match="no such column"):
        phase_diagram(data, value="theory.rate.E", contour="theory.alpha.mode7")


def test_columns_are_declared_as_they_come():
    spec = sweep(theory=["homogeneous", "modes", "balance", "folds"])
    rows = evaluate(spec, points_of(spec), Simulator())
    declared = {column.name: column for column in rows.columns}
    assert [name for name in declared if name.startswith("theory.")] == spec.predicted
    assert all(isinstance(declared[name], Column) and declared[name].doc for name in spec.predicted)
