"""What all tests share: a guard over torch's globals, and the gpu marker."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import settings

# The first example may compile a kernel: timing out is pytest-timeout's business.
settings.register_profile("neuroflame", deadline=None)
settings.load_profile("neuroflame")

if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    # Workers share the cores; OpenMP reads this when torch is first imported.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))


def _torch_globals():
    """Everything about torch that a test could leave changed, or None while torch is not imported."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    return {
        "default dtype": (torch.get_default_dtype(), torch.set_default_dtype),
        "default device": (torch.get_default_device(), torch.set_default_device),
        "grad mode": (torch.is_grad_enabled(), torch.set_grad_enabled),
        "deterministic algorithms": (
            torch.are_deterministic_algorithms_enabled(),
            torch.use_deterministic_algorithms,
        ),
        "matmul precision": (torch.get_float32_matmul_precision(), torch.set_float32_matmul_precision),
        "number of threads": (torch.get_num_threads(), torch.set_num_threads),
    }


@pytest.fixture(autouse=True)
def _torch_globals_stay():
    """Fail a test that changes torch's globals, and undo the change so that others do not fail for it."""
    before = _torch_globals()
    yield
    if before is None:
        return
    after = _torch_globals()
    changed = {name: after[name][0] for name in before if after[name][0] != before[name][0]}
    for name in changed:
        old, restore = before[name]
        restore(old)
    if changed:
        shown = ", ".join(f"{name}: {before[name][0]} -> {new}" for name, new in changed.items())
        pytest.fail(f"the test changed torch's globals ({shown})")


def pytest_collection_modifyitems(items):
    gpu = [item for item in items if item.get_closest_marker("gpu")]
    if not gpu:
        return
    import torch

    if not torch.cuda.is_available():
        for item in gpu:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
