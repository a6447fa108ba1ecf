"""Processes that own a Ray, so that the tests' own process can join it like any other driver."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

SETTINGS = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}


@contextmanager
def owner(program):
    """Give a process that runs a program, which says the address of its Ray in a line and ends with its input.

    Within, Ray is joined without a token.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, **SETTINGS},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", SETTINGS["RAY_AUTH_MODE"])
        try:
            yield process
        finally:
            alive = process.poll() is None
            process.communicate("", timeout=60)
    assert alive, "a sweep has stopped a Ray that was not its own"
