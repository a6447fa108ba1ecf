"""A Ray that is there before the sweep, for tests that need not start their own."""

import os
import subprocess
import sys

import pytest

OWNER = """
import ray, sys
made = ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
print(made.address_info["gcs_address"], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster():
    """Return the address of a Ray with two cores that another process owns."""
    settings = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        env={**os.environ, **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        yield owner.stdout.readline().strip()
    alive = owner.poll() is None
    owner.communicate("", timeout=60)
    assert alive, "a sweep has stopped a Ray that was not its own"
