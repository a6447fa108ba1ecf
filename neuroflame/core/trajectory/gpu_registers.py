"""Whether a program's vectors fit in the registers of its threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroflame.core.trajectory.gpu_step import block_of

if TYPE_CHECKING:
    from neuroflame.core.trajectory.gpu_source import GpuSource

WARPS = (1, 2, 4, 8)
REGISTERS = 208
"""Registers of a thread, of 255, that vectors may take."""


def registers_of(source: GpuSource, warps: int, modes: int = 0) -> float:
    """Return about how many registers a thread needs for the kernel's vectors, with at least so many modes."""
    words = 2 if source.shape.dtype == "float64" else 1
    vectors = sum(block_of(source.sizes[source.population_of(name)]) for name in source.state)
    kept = 3 if source.shape.temporal else 2
    vectors += kept * sum(block_of(size) for size in source.sizes)
    for size in set(source.sizes):
        same = [a for a, other in enumerate(source.sizes) if other == size]
        vectors += block_of(size) * 2 * max(modes, *(source.modes_held(a) for a in same))
    vectors += sum(block_of(source.sizes[int(name[3:])]) for name in source.patterns)
    vectors += sum(block_of(source.sizes[a]) for a in source.vectors().values())
    return words * vectors / (32 * warps)


def warps_for(source: GpuSource, modes: int = 0) -> int | None:
    """Return the fewest warps whose registers hold the kernel's vectors, None if there are not enough.

    Parameters
    ----------
    modes : int
        Modes that other tiles of the same network may need. The order of summation follows from the warps: it
        must not follow from the tile.
    """
    if registers_of(source, WARPS[-1]) > REGISTERS:
        return None
    return next((warps for warps in WARPS if registers_of(source, warps, modes) <= REGISTERS), WARPS[-1])
