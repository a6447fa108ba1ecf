"""A Ray that is there before the sweep, for tests that need not start their own."""

import pytest

from tests.e2e.owners import owner

OWNER = """
import ray, sys
made = ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
print(made.address_info["gcs_address"], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster():
    """Return the address of a Ray with two cores that another process owns."""
    with owner(OWNER) as process:
        yield process.stdout.readline().strip()
