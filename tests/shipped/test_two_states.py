"""The shipped sweeps of a facilitating population with two states give what theory says of it."""

from pathlib import Path

import numpy as np
import pytest

from neuroflame import run_sweep
from neuroflame.spec import load_sweep
from neuroflame.theory import homogeneous_states, mean_field
from neuroflame.theory.folds import nearest_fold

SWEEPS = Path(__file__).parents[2] / "sweeps"


def states(network, **values):
    changed = network.with_values({path.replace("_", "."): value for path, value in values.items()})
    return homogeneous_states(mean_field(changed, changed.get)).rates[:, 0]


def test_the_cusp(tmp_path):

    spec = load_sweep(SWEEPS / "hysteresis.yml", {"compute.backend": "inline", "traces": False})
    frame = run_sweep(spec, tmp_path / "out").to_pandas()
    for _, row in frame[frame["point.J.EE"] >= 3.5].iterrows():

        def count(value, coupling=row["point.J.EE"]):
            return len(states(spec.network, J_EE=coupling, J0_E=value))

        inside = row["ramp.down.jump"] + 0.5 * row["ramp.hysteresis.width"]
        assert count(inside) == 3
        for way, bound in (("up", 4.0), ("down", -4.0)):
            fold = inside + nearest_fold(count, inside, min(inside, bound), max(inside, bound))
            assert abs(row[f"ramp.{way}.jump"] - fold) <= row[f"ramp.{way}.jump.error"] + 1e-9
    lone = frame[frame["point.J.EE"] < 3.2]
    assert (lone["ramp.hysteresis.width"] <= lone["ramp.hysteresis.width.error"]).all()  # a lag: one state


def test_basins_and_kicks(tmp_path):

    changes = {"compute.backend": "inline", "traces": False, "space": {"J0.E": [-1.0, 0.5, 2.5]}}
    spec = load_sweep(SWEEPS / "two_states.yml", changes)
    table = run_sweep(spec, tmp_path / "out")
    regimes = table.regimes()
    assert regimes["states"].tolist() == [1, 2, 1]
    basins = table.basins()
    middle = basins[basins["point.J0.E"] == 0.5]
    means = table.to_pandas()["rate.E.mean"].to_numpy()
    found = sorted(float(np.mean(means[rows])) for rows in middle["row"])
    low, _, high = states(spec.network, J0_E=0.5)
    assert found == pytest.approx([low, high], rel=1e-3, abs=1e-3)
    assert middle["drawn"].sum() == 16
    assert (middle["drawn.low"] < middle["drawn.share"]).all()
    cold = table.to_pandas().set_index(["point.J0.E", "initial_condition"]).xs("cold", level=1)
    assert cold["recovery.weak.returned"].tolist() == [True, True, True]
    assert cold["recovery.strong.returned"].tolist() == [True, False, True]
