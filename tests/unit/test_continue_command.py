"""The command `continue`: what it prints, writes, draws and refuses."""

import numpy as np
import pandas as pd
import pytest
import yaml

from neuroflame import Network, cli
from neuroflame.report import plot_branch
from neuroflame.spec import NetworkSpec
from tests.networks import FACILITATING, PAIR


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yml").write_text(yaml.safe_dump(FACILITATING))
    (tmp_path / "rhythm.yml").write_text(
        yaml.safe_dump({**PAIR, "duration": 2.0, "J": {**PAIR["J"], "EI": -4.0}})
    )
    return tmp_path


def test_the_branch_is_told_written_and_drawn(folder, capsys):
    """The active state ends in a fold, the least input with which r = J u x r + I has a solution."""
    sets = {"J.EE": 6.0, "J0.E": 4.0, "duration": 5.0}
    options = [part for path, value in sets.items() for part in ("--set", f"{path}={value}")]
    assert cli.main(["continue", "net.yml", "J0.E", "-13", "--folds", "1", *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    rates = np.linspace(5.0, 60.0, 100_001)
    used = 0.05 * (1.0 + rates) / (1.0 + 0.05 * rates)
    fold = (rates - 6.0 * used * rates / (1.0 + used * 0.1 * rates)).min()
    assert lines[0].split() == ["event", "J0.E", "error", "alpha", "frequency", "kind"]
    assert lines[1].split()[:2] == ["start", "4"]
    folds = [float(line.split()[1]) for line in lines if line.split()[0] == "fold"]
    assert len(folds) == 2
    assert folds[0] == pytest.approx(fold, rel=1e-5)
    assert lines[-2:] == ["table   net.J0.E.csv", "figure  net.J0.E.png"]
    written = pd.read_csv(folder / "net.J0.E.csv")
    model = Network(NetworkSpec.parse(FACILITATING).with_values(sets), device="cpu", precision="double")
    expected = model.continue_state("J0.E", -13.0, folds=1).table
    np.testing.assert_allclose(written["rate.E.mean"], expected["rate.E.mean"], rtol=1e-12)
    assert (folder / "net.J0.E.png").read_bytes().startswith(b"\x89PNG")


def test_values_are_set_and_parquet_is_written(capsys):
    arguments = ("continue", "net.yml", "J0.E", "-0.5", "--set", "J.EE=3", "-o", "branch.parquet")
    assert cli.main(list(arguments)) == 0
    assert "end" in capsys.readouterr().out
    found = pd.read_parquet("branch.parquet")
    assert found["J0.E"].iloc[[0, -1]].to_list() == [-1.0, -0.5]
    assert found["kind"].iloc[0] == "stable node"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["net.yml", "J.EX", "2"], "J.EX: there is no such value in the network"),
        (["net.yml", "populations.E.size", "9"], "populations.E.size: is structural"),
        (["net.yml", "J.EE", "5"], "J.EE: must differ from the value to begin with, got 5"),
        (["net.yml", "J.EE", "five"], "argument TO: invalid float value: 'five'"),
        (["net.yml", "J.EE", "4", "--folds", "-1"], "must be a whole number of at least 0"),
        (["net.yml", "J.EE", "4", "-o", "x.txt"], "--out: must end in .csv or .parquet"),
        (["net.yml", "J.EE", "4", "-o", "none/x.csv"], "--out: there is no such folder"),
        (["gone.yml", "J.EE", "4"], "gone.yml"),
        (["rhythm.yml", "J.EE", "1"], "the network ends near no fixed point that is stable"),
    ],
)
def test_one_clear_line(arguments, message, folder, capsys):
    try:
        code = cli.main(["continue", *arguments])
    except SystemExit as stopped:
        code = stopped.code
    out, err = capsys.readouterr()
    assert code == 2
    assert not out
    assert message in err
    assert err.count("\n") == 1
    assert not [*folder.glob("*.csv"), *folder.glob("*.png")]


def test_the_figure_shows_stability_and_events():
    table = pd.DataFrame(
        {
            "J.EE": [5.0, 4.0, 3.9, 4.0, 5.0],
            "rate.E.mean": [30.0, 20.0, 15.0, 10.0, 5.0],
            "unstable": [0, 0, 1, 1, 1],
            "frequency": [0.0, 7.5, 0.0, 0.0, 0.0],
            "event": ["start", "hopf", "fold", "", "end"],
        }
    )
    (ax,) = plot_branch(table, "J.EE", title="net.yml").axes
    lines = [line for line in ax.lines if line.get_linestyle() in {"-", "--"}]
    assert [line.get_linestyle() for line in lines] == ["-", "--"]
    assert [line.get_xdata().tolist() for line in lines] == [[5.0, 4.0, 3.9], [3.9, 4.0, 5.0]]
    assert [text.get_text() for text in ax.texts] == ["Hopf 4, 7.5 Hz", "fold 3.9"]
    marks = [line for line in ax.lines if line.get_marker() == "o"]
    assert [line.get_ydata()[0] for line in marks] == [20.0, 15.0]
    assert "Hz" in ax.get_ylabel()
