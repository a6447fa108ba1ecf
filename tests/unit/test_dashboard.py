"""An exported study, opened by optuna-dashboard: its pages show what the table holds."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from neuroflame.store import open_table
from neuroflame.sweep.export import export
from neuroflame.sweep.running import run_sweep
from tests.unit.test_sweep_controller import CHEAP
from tests.unit.test_sweep_spec import sweep

pytest.importorskip("optuna_dashboard")
GRID = {"space": {"J.EE": [1, 2, 100], "J0.E": [3, 4]}, "repeat": {"seeds": [7, 9]}}
SEARCH = {
    "space": {"J.EE": {"low": 0.5, "high": 5.0, "log": True}, "transfer": {"choices": ["relu", "tanh"]}},
    "search": {
        "kind": "nsga2",
        "trials": 12,
        "population": 4,
        "batch": 4,
        "objective": [{"maximise": "bump.E.m1"}, {"target": {"rate.E.mean": 10, "tolerance": 1}}],
    },
}
WAIT = 60


def get(address, path):
    with urlopen(f"{address}{path}", timeout=WAIT) as answer:
        text = answer.read().decode()
        return json.loads(text) if "json" in answer.headers["Content-Type"] else text


@pytest.fixture
def served():
    """Return what starts the dashboard on a file and returns its address, once it answers."""
    servers = []

    def serve(path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-c", "from optuna_dashboard._cli import main; main()"]
        storage = f"sqlite:///{path}" if path.suffix == ".db" else str(path)
        server = subprocess.Popen(
            [*command, storage, "--host", "127.0.0.1", "--port", str(port), "--quiet"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        servers.append(server)
        address, end = f"http://127.0.0.1:{port}", time.monotonic() + WAIT
        while True:
            try:
                get(address, "/api/meta")
            except URLError:
                assert server.poll() is None, "the dashboard ended"
                assert time.monotonic() < end, "the dashboard does not answer"
                time.sleep(0.1)
            else:
                return address

    yield serve
    for server in servers:
        server.kill()
        server.wait()


@pytest.mark.parametrize("ending", ["db", "journal"])
@pytest.mark.parametrize("given", [GRID, SEARCH], ids=["grid", "two objectives"])
def test_the_dashboard_shows_the_table(ending, given, served, tmp_path):
    run_sweep(sweep(**given, name="ring"), tmp_path / "out", backend="inline", measure=CHEAP)
    frame = open_table(str(tmp_path / "out")).to_pandas()
    by = "bump.E.m1" if given is GRID else None
    (path,) = export(str(tmp_path / "out"), "optuna", str(tmp_path / f"s.{ending}"), by=by)
    address = served(path)
    assert "<title>Optuna Dashboard</title>" in get(address, "/dashboard")
    (study,) = get(address, "/api/studies")["study_summaries"]
    assert study["study_name"] == "ring"
    assert study["directions"] == (["maximize"] if given is GRID else ["maximize", "minimize"])
    trials = get(address, f"/api/studies/{study['study_id']}?after=0")["trials"]
    assert len(trials) == len(frame)
    for trial, row in zip(trials, frame.to_dict("records"), strict=True):
        shown = {one["key"]: one["value"] for one in trial["user_attrs"]}
        assert shown["point_id"] == row["point_id"]
        assert shown["status"] == row["status"]
        params = {one["name"]: one["param_external_value"] for one in trial["params"]}
        assert params == {name: str(row[f"point.{name}"]) for name in given["space"]}
        if row["status"] != "ok":
            assert trial["state"] == "Fail"
            continue
        values = [row["bump.E.m1"]]
        if given is SEARCH:
            values.append(max(abs(row["rate.E.mean"] - 10) - 1, 0))
        assert trial["state"] == "Complete"
        assert trial["values"] == pytest.approx(values)
