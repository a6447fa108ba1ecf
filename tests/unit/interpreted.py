"""Tests of Triton kernels on a CPU: Triton must be told to interpret before it is imported, in a process of its own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neuroflame.spec import NetworkSpec
from tests.unit.test_trajectory import CASES

VALUES = {"J.EE": np.array([3.0, 5.0, 4.0]), "J0.E": np.array([1.0, 2.0, 0.5])}
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
interpreted = pytest.mark.skipif(not INTERPRETED, reason="runs in the process that the first test starts")


def first_test(file):
    """Return the test that runs a file's other tests in a process that interprets."""

    @pytest.mark.skipif(INTERPRETED, reason="this is the process")
    @pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs triton")
    @pytest.mark.timeout(600)
    def test_in_a_process_that_interprets():
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            file,
        ]
        done = subprocess.run(
            command,
            env=os.environ | {"TRITON_INTERPRET": "1"},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]

    return test_in_a_process_that_interprets


def small(case, sizes, change=(), steps=30):
    """Return a case with few neurons of E and I and few steps, whose stimulus is within them."""
    base, own = CASES[case]
    populations = {name: base["populations"][name] | {"size": size} for name, size in sizes.items()}
    when = {"onset": 0.007, "offset": 0.019}
    stimuli = [base["stimuli"][0] | when]
    changed = base | {"populations": populations, "duration": steps * 0.001, "stimuli": stimuli}
    own = {key: [value[0] | when] if key == "stimuli" else value for key, value in own.items()}
    return NetworkSpec.parse(changed).with_values({**own, **dict(change)})
