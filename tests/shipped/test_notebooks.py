"""The notebooks of analysis/: clean, light, and they run."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import numpy as np
import pytest

from tests.unit.test_report_tables import ring_sweep

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "analysis").glob("*.ipynb"))
ALLOWED = {"neuroflame.report", "neuroflame.store", "pandas", "matplotlib", "numpy"}


def read(path):
    return nbformat.read(path, as_version=4)


def code_of(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            yield "\n".join(line for line in cell.source.split("\n") if not line.startswith("%"))


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["compare_sweeps", "explore_sweep"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_clean(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook.cells[0].metadata["tags"] == ["parameters"]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_imports_only_what_reads_tables(path):
    for source in code_of(read(path)):
        for node in ast.walk(ast.parse(source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name in ALLOWED or name.split(".")[0] in ALLOWED, name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stem", "space"),
    [
        ("explore_sweep", {"J.EE": np.linspace(5, 15, 8), "J0.E": np.linspace(0, 10, 6)}),
        ("compare_sweeps", {"J.EE": np.linspace(5, 15, 6), "J0.E": np.linspace(0, 10, 5)}),
    ],
)
def test_it_runs(stem, space, tmp_path, monkeypatch):
    places = [str(tmp_path / name) for name in ("one", "two")]
    ring_sweep(places[0], space, failures=2)
    ring_sweep(places[1], space, failures=0, name="again")
    notebook = read(ROOT / "analysis" / f"{stem}.ipynb")
    notebook.cells[0].source = f"path = {places[0]!r}\npaths = {places!r}"
    found = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *([found] if found else [])]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3", resources=resources).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 4
    words = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "points hold a bump" in words
