"""How much of its GPU a worker uses."""

from __future__ import annotations

import sys


def gpu_use() -> str | None:
    """Return what this process's GPU is doing, in words; None if it has none.

    How busy it is can only be told where the package nvidia-ml-py is installed.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    free, total = torch.cuda.mem_get_info()
    memory = f"{(total - free) / 2**30:.1f} of {total / 2**30:.0f} GiB"
    try:
        return f"GPU {torch.cuda.utilization()} % busy, {memory}"
    except (ImportError, RuntimeError):
        return f"GPU {memory}"
