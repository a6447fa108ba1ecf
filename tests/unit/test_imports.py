"""Importing is light: the package and its command line load none of the heavy libraries."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "ray", "optuna", "pyarrow", "pandas", "matplotlib", "scipy", "numba", "xarray")


@pytest.mark.parametrize("module", ["neuroflame", "neuroflame.spec", "neuroflame.cli"])
def test_import_is_light(module):
    code = f"import sys, {module}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_import_of_the_network_changes_nothing_global():
    code = """
import random, torch, numpy
def state():
    return (torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision(),
            torch.get_num_threads(), torch.get_rng_state().sum().item(), numpy.geterr(), random.getstate())
before = state()
from neuroflame import Network
assert state() == before
"""
    subprocess.run([sys.executable, "-c", code], check=True)
