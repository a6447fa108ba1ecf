"""The original beside ours, with a stand-in whose clock is told."""

import sys

import pytest
import torch

from benchmarks import networks, peer
from benchmarks.row import Options

STAND_IN = """
import torch
CLOCK, MADE = [0.0], []
class Network:
    def __init__(self, file, root, **given):
        self.file, self.given = file, given
        self.Ja0, self.M0 = torch.ones(1, 2, 1), 2.0
        MADE.append(self)
    def __call__(self, REC_LAST_ONLY):
        CLOCK[0] += 5.0 + 0.25 * round(self.given["DURATION"] / self.given["DT"])
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "network.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(str(tmp_path))
    import src.network as module

    monkeypatch.setattr(peer.time, "perf_counter", lambda: module.CLOCK[0])
    yield tmp_path, module.MADE
    for name in ("src.network", "src"):
        sys.modules.pop(name)


@pytest.mark.parametrize(
    ("sweep", "file"),
    [(networks.ring(), "config_ringEI.yml"), (networks.balanced_ring(), "config_bal_ring.yml")],
)
def test_a_step_is_what_a_longer_run_takes_more(stand_in, sweep, file):
    folder, made = stand_in
    small = sweep.toy()
    row, details = peer.beside(Options(peer=str(folder)), small, 0.5e-3, target=100.0, steps=10)
    assert details["original_microseconds_a_step"] == pytest.approx(0.25e6)
    assert row.measured == pytest.approx(500.0)
    assert row.met
    theirs = made[-1]
    assert theirs.file == file
    assert theirs.given["N_NEURON"] == 60
    assert theirs.given["frac"] == pytest.approx([2 / 3, 1 / 3])
    assert theirs.given.get("K") == small.spec.connectivity.K
    assert small.count == theirs.N_BATCH
    torch.testing.assert_close(theirs.J_STP[:, 0].double(), torch.as_tensor(small.values["J.EE"]))
    torch.testing.assert_close(theirs.Ja0[:, 0, 0].double(), torch.as_tensor(2 * small.values["J0.E"]))


def test_without_a_checkout_the_row_says_so():
    row, details = peer.beside(Options(), networks.ring(), 1.0, target=100.0)
    assert row.measured is None
    assert row.reason == "not run: needs --peer"
    assert details == {}
