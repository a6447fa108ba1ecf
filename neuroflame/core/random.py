"""Random numbers that are functions of seed, purpose, step and neuron: the tile they are drawn in is no matter."""

from __future__ import annotations

import zlib

import torch
from torch import Tensor

from neuroflame.core.torch_physics import physics

NOISE, START, TOPOLOGY, PATTERN, TIMING, KICK = 1, 2, 3, 4, 5, 6


def stream(name: str) -> int:
    """Return the 32-bit number of a named stream, such as ``noise.0.E``."""
    return zlib.crc32(name.encode())


def topology_key(seed: int, graph: int) -> tuple[int, int]:
    """Return the key under which connectivity is drawn: two 32-bit words of a seed and a graph's number."""
    return seed & 0xFFFFFFFF, (graph ^ (seed >> 32)) & 0xFFFFFFFF


def words(seeds: Tensor, name: str, purpose: int, step: int | Tensor, size: int) -> list[Tensor]:
    """Return four tensors of 32-bit random words, int64 (P, ceil(size / 4)).

    Parameters
    ----------
    seeds : Tensor, (P,), int64
        One seed a point.
    name : str
        The stream, for example the population that is driven.
    purpose : int
        What the numbers are for.
    step : int or Tensor, ()
        Step of the run.
    size : int
        How many numbers a point needs; four come with each word of the counter.
    """
    block = torch.arange((size + 3) // 4, device=seeds.device)
    low, high = (seeds & 0xFFFFFFFF)[:, None], ((seeds >> 32) & 0xFFFFFFFF)[:, None]
    now = step.expand_as(block) if isinstance(step, Tensor) else torch.full_like(block, step)
    counter = (now, block, torch.full_like(block, stream(name)))
    return list(physics.philox(*counter, torch.full_like(block, purpose), low, high))


def normals(
    seeds: Tensor, name: str, purpose: int, step: int | Tensor, size: int, dtype: torch.dtype
) -> Tensor:
    """Return standard normal numbers, (P, size)."""
    a, b, c, d = words(seeds, name, purpose, step, size)
    columns = [*physics.normal_pair(a, b), *physics.normal_pair(c, d)]
    return torch.stack(columns, dim=-1).flatten(1)[:, :size].to(dtype)


def uniforms(seeds: Tensor, name: str, purpose: int, size: int, dtype: torch.dtype) -> Tensor:
    """Return numbers uniform in (0, 1], (P, size)."""
    columns = [physics.uniform(word) for word in words(seeds, name, purpose, 0, size)]
    return torch.stack(columns, dim=-1).flatten(1)[:, :size].to(dtype)
