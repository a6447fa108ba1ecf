"""Sweeps on a Ray that is there: the same table whoever dies on the way."""

import random
import signal

import numpy as np
import pytest

from neuroflame.errors import BackendError
from neuroflame.store import open_table
from neuroflame.sweep.progress import Progress
from neuroflame.sweep.running import run_sweep, start
from tests.e2e.chance import MOMENTS
from tests.e2e.processes import actors
from tests.unit.test_boundary_sweep import BOUNDARY
from tests.unit.test_sweep_controller import GRID, TPE, rows
from tests.unit.test_sweep_spec import sweep

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

CHEAP, SLOW = "tests.e2e.simulators:cheap", "tests.e2e.simulators:slow"


class Killer(Progress):
    """Kills an actor, some times, after random numbers of tiles."""

    def __init__(self, seed, times):
        self.random, self.times, self.wait, self.killed = random.Random(seed), times, 1, 0

    def update(self, status):
        self.wait -= 1
        if self.wait <= 0 and self.times and status.done < status.total and actors():
            self.random.choice(actors()).send_signal(signal.SIGKILL)
            self.times -= 1
            self.killed += 1
            self.wait = self.random.randint(1, 4)


def test_a_search_that_learns(cluster, tmp_path):
    """With the real simulator."""
    spec = sweep(**{**TPE, "search": {**TPE["search"], "trials": 12}}, compute={"tile": 3})
    run_sweep(spec, tmp_path / "inline", backend="inline")
    run_sweep(spec, tmp_path / "ray", address=cluster)
    assert rows(tmp_path / "ray") == rows(tmp_path / "inline")


def test_a_search_for_a_border(cluster, tmp_path):
    """Labels of several initial conditions travel from the actors; whole pieces of a batch run at once."""
    spec = sweep(**BOUNDARY, compute={"tile": 3})
    run_sweep(spec, tmp_path / "inline", backend="inline", measure=CHEAP)
    run_sweep(spec, tmp_path / "ray", address=cluster, measure=CHEAP)
    assert rows(tmp_path / "ray") == rows(tmp_path / "inline")
    borders = [open_table(str(tmp_path / name)).border() for name in ("ray", "inline")]
    assert set(borders[0]["between"]) == {"no / no | yes / yes"}
    assert borders[0].equals(borders[1])


@pytest.mark.parametrize("seed", MOMENTS)
@pytest.mark.parametrize("changes", [GRID, TPE, BOUNDARY], ids=["grid", "tpe", "boundary"])
def test_killed_actors_lose_nothing(seed, changes, cluster, tmp_path):
    run_sweep(sweep(**changes), tmp_path / "whole", backend="inline", measure=CHEAP)
    killer = Killer(seed, times=3)
    spec = sweep(**changes, compute={"actors": 2, "tile": 2})
    outcome = start(spec, str(tmp_path / "out"), address=cluster, progress=killer, measure=SLOW)
    assert killer.killed == 3
    assert outcome.status.failed == 0
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")


def test_a_point_that_kills_its_worker_is_found(cluster, tmp_path):
    spec = sweep(space={"J.EE": [1, 2, 200, 3]}, compute={"actors": 2, "tile": 2})
    outcome = start(spec, str(tmp_path / "out"), address=cluster, measure=CHEAP)
    assert outcome.status.failed == 1
    frame = open_table(str(tmp_path / "out")).to_pandas()
    assert frame["status"].tolist() == ["ok", "ok", "failed", "ok"]
    assert "its worker died" in frame["error"].dropna().tolist()[0]


def test_a_bad_point_does_not_fail_its_tile(cluster, tmp_path):
    spec = sweep(space={"J.EE": [1, 2, 100, 3]}, compute={"actors": 1, "tile": 4})
    outcome = start(spec, str(tmp_path / "out"), address=cluster, measure=CHEAP)
    assert outcome.status.failed == 1
    assert open_table(str(tmp_path / "out")).to_pandas()["status"].tolist() == ["ok", "ok", "failed", "ok"]


def test_what_the_machine_lacks_ends_the_sweep(cluster, tmp_path):
    spec = sweep(space={"J.EE": [1, 300]}, compute={"actors": 1, "tile": 1})
    with pytest.raises(BackendError, match="there is no such machine"):
        start(spec, str(tmp_path / "out"), address=cluster, measure=CHEAP)


@pytest.mark.parametrize("compute", [{"gpus_per_actor": 99}, {"device": "cuda"}, {"cpus_per_actor": 9999}])
def test_more_than_there_is(compute, cluster, tmp_path):
    if "device" in compute and pytest.importorskip("torch").cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(BackendError, match="an actor needs"):
        start(sweep(compute=compute), str(tmp_path / "out"), address=cluster, measure=CHEAP)


def test_actors_of_unequal_speed_end_together(tmp_path, monkeypatch):
    """One takes four times as long as the other: neither waits for longer than a tile of its own."""
    (tmp_path / "times").mkdir()
    monkeypatch.setenv("UNEQUAL", str(tmp_path / "times"))
    axis = {"J.EE": {"from": 0.0, "to": 9.0, "num": 16_000}}
    spec = sweep(space=axis, compute={"actors": 2})
    assert start(spec, str(tmp_path / "out"), measure="tests.e2e.simulators:unequal").status.done == 16_000
    times = [np.loadtxt(file, ndmin=2) for file in (tmp_path / "times").glob("*.times")]
    assert len(times) == 2
    end = max(tiles[-1, 1] for tiles in times)
    for tiles in times:
        assert end - tiles[-1, 1] < np.diff(tiles).max()
