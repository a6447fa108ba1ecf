"""Ramps, kicks and drawn starts on a CUDA device against the reference there."""

import numpy as np
import pytest

from neuroflame.core.measure import measure_points
from neuroflame.spec import NetworkSpec
from neuroflame.spec.kicks import parse_kick
from neuroflame.spec.ramps import Ramp
from neuroflame.spec.starts import RandomStart
from tests.unit.test_protocols import KICKS, NETWORK, RAMP

pytestmark = pytest.mark.gpu
pytest.importorskip("triton")
SPARSE = {**NETWORK, "connectivity": {"kind": "sparse", "K": 6, "profile": {"kind": "cosine", "kappa": 0.4}}}
COUPLINGS = np.linspace(5.0, 9.0, 21)


def measured(network, executor, index=slice(None)):
    couplings = COUPLINGS[index]
    return measure_points(
        NetworkSpec.parse(network),
        {"J.EE": couplings},
        seeds=np.arange(21)[index],
        initial=["random@1"] * len(couplings),
        starts={"random": RandomStart(kind="random", low=0.01, high=1.0)},
        measure=["rates"],
        ramp=Ramp.parse(RAMP),
        perturb=[parse_kick(kick) for kick in KICKS],
        precision="double",
        executor=executor,
        device="cuda",
    ).data


@pytest.mark.parametrize(("network", "executor"), [(NETWORK, "trajectory"), (SPARSE, "stepped")])
def test_kernels_go_on_as_the_reference_does(network, executor):
    one, other = (measured(network, name) for name in ("reference", executor))
    for name, column in one.items():
        if column.dtype != object or name.startswith("ramp."):
            assert np.allclose(
                np.stack(column), np.stack(other[name]), rtol=1e-6, atol=1e-6, equal_nan=True
            ), name


@pytest.mark.parametrize(("network", "executor"), [(NETWORK, "trajectory"), (SPARSE, "stepped")])
def test_a_point_does_not_depend_on_its_tile(network, executor):
    together, alone = measured(network, executor), measured(network, executor, slice(7, 8))
    for name, column in together.items():
        if column.dtype != object or name.startswith("ramp."):
            assert np.array_equal(np.stack([column[7]]), np.stack([alone[name][0]]), equal_nan=True), name
