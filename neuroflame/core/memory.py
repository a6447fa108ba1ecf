"""How much memory is free. Imports no torch, so that a plan need not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def free_bytes() -> int:
    """Return the memory of this machine that is free for simulations."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if ":" in line}
        return found.get("MemAvailable", 4 * 2**30)
    except OSError:
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 0.5)


def free_bytes_on(device: torch.device) -> int:
    """Return the memory of a device that is free for simulations."""
    if device.type != "cuda":
        return free_bytes()
    import torch

    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + unused
