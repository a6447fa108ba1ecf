"""Compiled kernels by shape."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from neuroflame.core.compiled import load
from neuroflame.core.trajectory.cpu_source import write_kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuroflame.core.trajectory.structure import Shape


@dataclass(frozen=True)
class Kernel:
    """One compiled kernel.

    Attributes
    ----------
    run : callable
        See `neuroflame.core.trajectory.cpu_source` for its arguments.
    parameters, arrays : tuple of str
        Names of the rows of ``par`` and of the arrays, in order.
    lanes : int
        Points that it advances together.
    modes : int
        Modes that the tables of cosines and sines must hold.
    """

    run: Callable[..., Any]
    parameters: tuple[str, ...]
    arrays: tuple[str, ...]
    lanes: int
    modes: int


@lru_cache(maxsize=64)
def kernel_for(shape: Shape) -> Kernel:
    """Return the kernel of a shape, compiled at its first call unless an earlier process has done so."""
    from neuroflame.core.trajectory import passes

    source = write_kernel(shape)
    module = load(source.text, passes.__file__)
    return Kernel(
        module.kernel, tuple(source.parameters), tuple(source.arrays), source.lanes, shape.table_modes
    )
