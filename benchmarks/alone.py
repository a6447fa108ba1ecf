"""Call a function in a process of its own, so that its peak of memory is its own."""

from __future__ import annotations

import importlib
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]


def alone(function: Callable[..., Any], **arguments: Any) -> Any:
    """Return what a function of a module returns; arguments and result are plain data."""
    words = [sys.executable, "-m", "benchmarks.alone", function.__module__, function.__name__]
    done = subprocess.run(
        [*words, json.dumps(arguments)], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT
    )
    return json.loads(done.stdout.splitlines()[-1])


def peak_gib(device: str) -> float:
    """Return the largest memory that this process has had, GiB: of a CUDA device what torch allocated there."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    module, name, given = sys.argv[1:]
    print(json.dumps(getattr(importlib.import_module(module), name)(**json.loads(given))))
