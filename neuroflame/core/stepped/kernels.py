"""Kernels of the stepped executor by shape and layout, and how many of their programs a device runs at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from neuroflame.core.stepped.source import SteppedSource
from neuroflame.core.trajectory.gpu_kernels import load_text
from neuroflame.core.trajectory.kernels import Kernel

if TYPE_CHECKING:
    from neuroflame.core.stepped.tiled import Layout
    from neuroflame.core.trajectory.structure import Shape

REGISTER_UNIT = 8
SHARED_RESERVED = 1024
"""Bytes of shared memory that the system takes for each program."""


@dataclass(frozen=True)
class SteppedKernel(Kernel):
    """One kernel; ``arrays`` are all its arguments.

    Attributes
    ----------
    source : SteppedSource
    """

    source: SteppedSource

    def launch(self, programs: int, arguments: list[Any]) -> Any:
        """Put the kernel on the device's queue and return what Triton compiled."""
        tiling = self.source.layout.tiling
        run: Any = self.run
        # A compiler that fuses products and sums does so for some of a tile's points and not for others.
        options: dict[str, Any] = {"enable_fp_fusion": False, "launch_cooperative_grid": True}
        if tiling.registers is not None:
            options["maxnreg"] = tiling.registers
        return run[(programs,)](*arguments, num_warps=tiling.warps, **options)


@lru_cache(maxsize=64)
def stepped_kernel_for(shape: Shape, layout: Layout) -> SteppedKernel:
    """Return the kernel of a shape, compiled at its first launch unless an earlier process has done so."""
    from neuroflame.core.stepped.tools import TOOLS
    from neuroflame.core.trajectory.gpu_physics import scope

    source = SteppedSource(shape, layout)
    return SteppedKernel(
        run=load_text(source.text, scope() | TOOLS).kernel,
        parameters=tuple(source.parameters),
        arrays=tuple(source.arguments()),
        lanes=1,
        modes=shape.table_modes,
        source=source,
    )


def name_of(device: torch.device) -> str:
    """Return the name of a device's model; none on a CPU, for tests."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else ""


def programs_at_once(compiled: Any, warps: int, device: torch.device) -> int:
    """Return how many programs of a compiled kernel a device runs at once, by their registers and shared memory."""
    properties: Any = torch.cuda.get_device_properties(device)
    threads = 32 * warps
    registers = -(-compiled.n_regs // REGISTER_UNIT) * REGISTER_UNIT * threads
    each = min(
        properties.max_threads_per_multi_processor // threads,
        properties.regs_per_multiprocessor // registers,
        properties.shared_memory_per_multiprocessor // (compiled.metadata.shared + SHARED_RESERVED),
    )
    return max(1, each) * properties.multi_processor_count
