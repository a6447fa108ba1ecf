"""Means and standard errors over repetitions against numpy and scipy."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import yaml

from neuroflame.cli import main
from neuroflame.columns import Column
from neuroflame.errors import SpecError
from neuroflame.repeats import circular_sd, over_repeats
from neuroflame.store import open_table

COLUMNS = {
    column.name: column
    for column in (
        Column("point.J.EE", "float", "", "Coupling."),
        Column("graph", "int", "", "Draw."),
        Column("seed", "int", "", "Seed."),
        Column("initial_condition", "str", "", "Start."),
        Column("rate.E.mean", "float", "Hz", "Rate."),
        Column("bump.E.phase", "float", "rad", "Angle."),
        Column("memory.error", "float", "degrees", "Error."),
        Column("bump.E.velocity", "float", "rad/s", "Velocity."),
        Column("converged", "bool", "", "Rest."),
        Column("regime", "str", "", "Label."),
        Column("trace.E.rate", "series", "Hz", "Course."),
    )
}


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    rows = [(j, g, s, i) for j in (1.0, 2.0) for g in range(2) for s in range(3) for i in ("cold", "hot")]
    frame = pd.DataFrame(rows, columns=["point.J.EE", "graph", "seed", "initial_condition"])
    count = len(frame)
    frame["rate.E.mean"] = rng.normal(5.0, 1.0, count)
    frame["bump.E.phase"] = rng.normal(0.0, 0.3, count) % (2 * np.pi)
    frame["memory.error"] = (rng.normal(180.0, 10.0, count) + 180) % 360 - 180
    frame["bump.E.velocity"] = rng.normal(0.0, 4.0, count)
    frame["converged"] = pd.array(rng.random(count) < 0.6, dtype="boolean")
    frame["regime"] = np.where(rng.random(count) < 0.7, "bump", "slow")
    return frame


def test_means_and_errors_are_those_of_numpy(table):
    found, about = over_repeats(table, COLUMNS)
    assert len(found["repeats"]) == 4
    assert (found["repeats"] == 6).all()
    groups = table.groupby(["point.J.EE", "initial_condition"], sort=False)
    for name in ("rate.E.mean", "bump.E.velocity"):
        np.testing.assert_allclose(found[name], groups[name].mean())
        np.testing.assert_allclose(found[f"{name}.se"], groups[name].sem())
        assert (found[f"{name}.n"] == 6).all()
    np.testing.assert_allclose(found["converged"], [g.astype(float).mean() for _, g in groups["converged"]])
    assert about["rate.E.mean.se"].unit == "Hz"
    assert "trace.E.rate" not in found
    assert "graph" not in found
    assert found["initial_condition"].tolist() == ["cold", "hot", "cold", "hot"]


def test_angles_have_circular_ones(table):
    found, _ = over_repeats(table, COLUMNS)
    for row, (_, group) in enumerate(table.groupby(["point.J.EE", "initial_condition"], sort=False)):
        for name, low, high in (("bump.E.phase", 0.0, 2 * np.pi), ("memory.error", -180.0, 180.0)):
            values = group[name].to_numpy()
            assert found[name][row] == pytest.approx(scipy.stats.circmean(values, high, low))
            spread = scipy.stats.circstd(values, high, low) * np.sqrt(6 / 5)
            assert found[f"{name}.se"][row] == pytest.approx(spread / np.sqrt(6))
    near = np.random.default_rng(1).normal(1.0, 1e-3, 20)
    assert circular_sd(near, 2 * np.pi) == pytest.approx(near.std(ddof=1), rel=1e-4)


def test_names_have_the_most_frequent_and_its_share(table):
    found, _ = over_repeats(table, COLUMNS)
    groups = table.groupby(["point.J.EE", "initial_condition"], sort=False)["regime"]
    shares = [group.value_counts(normalize=True) for _, group in groups]
    assert found["regime.share"].tolist() == pytest.approx([share.max() for share in shares])
    assert all(share[name] == share.max() for name, share in zip(found["regime"], shares, strict=True))


def test_what_is_missing_is_left_out_and_one_row_has_no_error(table):
    table.loc[0, "rate.E.mean"] = np.nan
    found, _ = over_repeats(table, COLUMNS)
    assert found["rate.E.mean.n"].tolist() == [5, 6, 6, 6]
    assert found["rate.E.mean"][0] == pytest.approx(table["rate.E.mean"].iloc[[2, 4, 6, 8, 10]].mean())
    alone, _ = over_repeats(table.iloc[[3]], COLUMNS)
    assert np.isnan(alone["rate.E.mean.se"]).all()
    assert np.isnan(alone["bump.E.phase.se"]).all()


def test_other_repeats_are_kept_apart_or_not(table):
    assert len(over_repeats(table, COLUMNS, ["seed"])[0]["repeats"]) == 8
    everything = over_repeats(table, COLUMNS, ["graph", "seed", "initial_condition"])[0]
    assert everything["repeats"].tolist() == [12, 12]
    with pytest.raises(SpecError, match="over: must be among graph, seed and initial_condition, got 'J.EE'"):
        over_repeats(table, COLUMNS, ["J.EE"])


def test_a_table_its_export_and_its_report_show_them(tmp_path, capsys):
    network = {
        "dt": 0.001,
        "duration": 0.2,
        "populations": {"E": {"size": 20, "tau": 0.02}},
        "J": {"EE": 0.5},
        "J0": {"E": 5.0},
        "connectivity": {"kind": "sparse", "K": 5},
        "noise": {"kind": "white", "sigma": 0.2},
    }
    sweep = {"network": network, "space": {"J.EE": [0.2, 0.4]}, "repeat": {"graphs": 2, "seeds": 3}}
    file = tmp_path / "sweep.yml"
    file.write_text(yaml.safe_dump(sweep | {"compute": {"backend": "inline"}}))
    assert main(["run", str(file), "--out", str(tmp_path / "x"), "--quiet"]) == 0
    capsys.readouterr()
    table = open_table(tmp_path / "x")
    rows = table.to_pandas()
    found = table.over_repeats()
    expected = rows.groupby("point.J.EE")["rate.E.mean"]
    np.testing.assert_allclose(found["rate.E.mean"], expected.mean())
    np.testing.assert_allclose(found["rate.E.mean.se"], expected.sem())
    assert found.attrs["units"]["rate.E.mean.se"] == "Hz"
    assert main(["export", str(tmp_path / "x"), "--to", "csv", "--over-repeats"]) == 0
    path = capsys.readouterr().out.strip()
    np.testing.assert_allclose(pd.read_csv(path)["rate.E.mean.se"], expected.sem())
    assert main(["export", str(tmp_path / "x"), "--to", "parquet", "--over-repeats"]) == 2
    assert "--over-repeats: is for csv" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "x")]) == 0
    page = next((tmp_path / "x").rglob("*.html")).read_text()
    assert "Means over repetitions" in page
    assert "±" in page
