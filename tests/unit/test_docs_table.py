"""The blocks of docs/table.md run, in order, and print what they say."""

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from neuroflame.cli import main
from neuroflame.sweep.running import run_sweep
from tests.unit.test_sweep_spec import sweep

PAGE = Path(__file__).parents[2] / "docs" / "table.md"
SWEEP = {
    "space": {"J.EE": [0.5, 1.0, 1.5], "J0.E": [1, 2]},
    "repeat": {"graphs": 2},
    "compute": {"tile": 2, "executor": "reference"},
}


def blocks(language):
    tokens = MarkdownIt().parse(PAGE.read_text(encoding="utf-8"))
    return [token.content for token in tokens if token.type == "fence" and token.info.strip() == language]


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_sweep(sweep(**SWEEP, name="x"), "runs/x", backend="inline")


def test_the_python_blocks_print_what_they_say(runs, capsys):
    names, promised = {}, 0
    for block in blocks("python"):
        for package in re.findall(r"^import (duckdb|polars)", block, re.MULTILINE):
            pytest.importorskip(package)
        exec(compile(block, str(PAGE), "exec"), names)
        printed = capsys.readouterr().out.splitlines()
        said = re.findall(r"print\(.*\)  # (.*)$", block, re.MULTILINE)
        for text in said:
            pattern = re.escape(text).replace("…", ".*")
            assert any(re.fullmatch(pattern, line) for line in printed), (text, printed)
        promised += len(said)
    assert promised >= 6
    assert names["rates"].height == len(names["duckdb"].sql(names["query"]).fetchall()) == 3


def test_the_exports_write_what_they_say(runs, capsys):
    for package in ("h5netcdf", "zarr"):
        pytest.importorskip(package)
    for line in blocks("bash")[0].splitlines():
        words = line.partition("#")[0].split()
        assert main(words[1:]) == 0, capsys.readouterr().err
    assert {path.name for path in Path("runs/x/export").iterdir()} == {
        *("x.csv", "x.columns.csv", "x.nc", "x.zarr", "x.db")
    }
    assert Path("ring.parquet").exists()
