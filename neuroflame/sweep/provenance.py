"""What a row's making depended on: code, libraries, machine."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

import neuroflame
from neuroflame.sweep.manifest import git_commit, version_of

COMMIT = "NEUROFLAME_COMMIT"
"""Environment variable that tells workers the commit of code that was sent to them."""


@cache
def source_commit() -> str | None:
    """Return the commit of the code that runs, None where it cannot be known."""
    return os.environ.get(COMMIT) or git_commit(Path(neuroflame.__file__).parent)


def provenance(executor: str, device: str) -> dict[str, str]:
    """Return what the bits of a simulation may depend on, unknown things left out.

    Parameters
    ----------
    executor, device : str
        What simulated, and where; empty if nothing could.
    """
    found = {
        "executor": executor,
        "device": device,
        "version": neuroflame.__version__,
        "commit": source_commit(),
        "torch": version_of("torch"),
        "hardware": _hardware(device) if device else None,
        "host": platform.node(),
        "process": str(os.getpid()),
    }
    return {key: value for key, value in found.items() if value is not None}


def _hardware(device: str) -> str:
    """Return the GPU's name, or the instructions that torch uses of a CPU."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return torch.backends.cpu.get_cpu_capability()
