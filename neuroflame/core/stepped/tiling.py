"""How a network is cut into tiles of neurons and points, and how programs share them.

The cut follows from the network alone: a sum over neurons is made in the tiles' order, and a point's numbers may
not depend on how many points there are. How many programs share the tiles changes no number.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SMALL_NETWORK = 8192
"""Neurons up to which a step is too short for large tiles."""
WORK_AT_ONCE = 2e14
"""Multiplications and additions of one launch, so that an interrupt is heard within a second."""
STEPS_AT_ONCE = 1000
COLUMNS_USUAL = 512


@dataclass(frozen=True)
class Tiling:
    """Sizes of tiles, and of the programs that advance them.

    Attributes
    ----------
    neurons, points : int
        Of a tile; ``points`` states of the sources stand beside their remainders, in one matrix.
    depth : int
        Presynaptic neurons that a program multiplies at once.
    warps, stages : int
        Of a program: its size, and how far ahead it loads.
    """

    neurons: int
    points: int
    depth: int
    warps: int
    stages: int
    registers: int | None = None


LARGE = Tiling(neurons=128, points=64, depth=64, warps=8, stages=4)
SMALL = Tiling(neurons=64, points=32, depth=64, warps=4, stages=4, registers=168)


DENSITY_MIN: Mapping[str, Mapping[Tiling, float]] = MappingProxyType(
    {"NVIDIA H200": {SMALL: 0.0015, LARGE: 0.002}}
)
"""Fraction of connections present below which reading sources one by one beats a matrix product, by device.

Measured by ``python -m benchmarks.crossover``. Kept here rather than measured where a sweep begins: the two round
differently, and all machines of a sweep, today and tomorrow, have to choose alike.
"""
DEVICE_USUAL = "NVIDIA H200"


def density_min(tiling: Tiling, device: str) -> float:
    """Return the density below which sources are read one by one on a device of this name."""
    return DENSITY_MIN.get(device, DENSITY_MIN[DEVICE_USUAL])[tiling]


def tiling_of(sizes: Sequence[int]) -> Tiling:
    """Return the tiling of a network with populations of these sizes."""
    return SMALL if sum(sizes) <= SMALL_NETWORK else LARGE


def padded(size: int, unit: int) -> int:
    """Return the size, rounded up to whole units."""
    return -(-size // unit) * unit


class Crew(NamedTuple):
    """Who advances the tiles: ``members`` programs for each block of points, ``blocks`` blocks at a time."""

    members: int
    blocks: int


def crew_for(tiles: int, blocks: int, capacity: int) -> Crew:
    """Return the crew that advances all blocks soonest.

    Parameters
    ----------
    tiles : int
        Tiles of neurons.
    blocks : int
        Blocks of points.
    capacity : int
        Programs that the device runs at once; they wait for each other, so no more may be started.
    """
    meeting = 0.3  # of the time that a tile takes

    def cost(members: int) -> float:
        rounds = -(-blocks // max(1, min(blocks, capacity // members)))
        return rounds * (-(-tiles // members) + meeting)

    members = min(range(1, min(tiles, capacity) + 1), key=cost)
    return Crew(members, max(1, min(blocks, capacity // members)))


def steps_at_once(sizes: Sequence[int]) -> int:
    """Return the steps of one launch; by the network alone, since a launch begins with a little work of its own."""
    work = COLUMNS_USUAL * float(sum(sizes)) ** 2
    return int(max(1, min(STEPS_AT_ONCE, WORK_AT_ONCE // work)))
