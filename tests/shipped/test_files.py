"""Every network and sweep that ships loads, and its network takes ten steps."""

import math
from pathlib import Path

import numpy as np
import pytest

from neuroflame import Network
from neuroflame.conditions import parse_condition
from neuroflame.spec import load_network, load_sweep

ROOT = Path(__file__).parents[2]
NETWORKS = sorted((ROOT / "conf").glob("*.yml"))
SWEEPS = sorted((ROOT / "sweeps").glob("*.yml"))


def takes_ten_steps(spec):
    rates = Network(spec, device="cpu")(steps=10)
    assert rates.shape == (1, 10, spec.size)
    assert bool(np.isfinite(rates.numpy()).all())


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_network_file(path):
    takes_ten_steps(load_network(path))


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_sweep_file(path):
    sweep = load_sweep(path)
    assert sweep.name == path.stem
    takes_ten_steps(sweep.network)
    if sweep.answer is not None:
        parse_condition(sweep.answer.where)


@pytest.mark.parametrize(("name", "points"), [("ring_attractor", 400), ("balanced_ring", 200)])
def test_the_published_sweeps_have_their_sizes(name, points):
    sweep = load_sweep(ROOT / "sweeps" / f"{name}.yml")
    assert math.prod(len(axis.levels) for axis in sweep.axes) * sweep.repeat.count == points
