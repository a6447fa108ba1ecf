"""Triton kernels by shape; Triton itself keeps the machine code on disk between processes."""

from __future__ import annotations

import hashlib
import linecache
import sys
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from neuroflame.core.trajectory.gpu_registers import warps_for
from neuroflame.core.trajectory.gpu_source import GpuSource
from neuroflame.core.trajectory.kernels import Kernel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuroflame.core.trajectory.structure import Shape


@dataclass(frozen=True)
class GpuKernel(Kernel):
    """One kernel; ``arrays`` are all its arguments, and it advances one point.

    Attributes
    ----------
    state : tuple of str
        Names of the arrays of the state.
    modal : tuple of str
        Names of the Fourier coefficients of currents that it holds.
    warps : int or None
        Fewest warps whose registers hold a point, None if there are not enough registers.
    """

    state: tuple[str, ...]
    modal: tuple[str, ...]
    warps: int | None

    def launch(self, points: int, arguments: list[Any], warps: int) -> Any:
        """Put the kernel on the device's queue, one program a point, and return what Triton compiled."""
        run: Any = self.run
        return run[(points,)](*arguments, num_warps=warps)


@lru_cache(maxsize=64)
def gpu_kernel_for(shape: Shape, sizes: tuple[int, ...], modes: int = 0) -> GpuKernel:
    """Return the kernel of a shape, compiled at its first launch unless an earlier process has done so.

    Parameters
    ----------
    shape : Shape
    sizes : tuple of int
        Neurons of each population.
    modes : int
        See `neuroflame.core.trajectory.gpu_registers.warps_for`.
    """
    from neuroflame.core.trajectory.gpu_physics import scope

    source = GpuSource(shape, sizes)
    return GpuKernel(
        run=load_text(source.text, scope()).kernel,
        parameters=tuple(source.parameters),
        arrays=tuple(source.arguments()),
        lanes=1,
        modes=shape.table_modes,
        state=tuple(source.state),
        modal=tuple(source.modal),
        warps=warps_for(source, modes),
    )


def load_text(text: str, scope: Mapping[str, Any]) -> ModuleType:
    """Return the text as a module with these globals, whose source `inspect`, and so Triton, finds without a file."""
    name = f"neuroflame_gpu_kernel_{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"
    if name not in sys.modules:
        place = f"<{name}>"
        linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
        module = ModuleType(name)
        module.__dict__.update(scope)
        exec(compile(text, place, "exec"), module.__dict__)
        sys.modules[name] = module
    return sys.modules[name]
