"""Products on a CPU in which points are SIMD lanes: a point's sums do not depend on the points beside it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

LANES = {torch.float32: 16, torch.float64: 8}
WORTH_THREADS = 1 << 24
"""Multiplications below which handing rows to threads costs more than it brings."""


def multiply_lanewise(sources: Tensor, post: int, terms: int, rows: Callable[..., None]) -> Tensor:
    """Return a product with each row of the sources, (P, N_post), by compiled loops.

    Parameters
    ----------
    sources : Tensor, (P, N_pre), float32 or float64
    post : int
        Rows of the result.
    terms : int
        Multiplications for a point, which say whether threads are worth it.
    rows : callable
        ``rows(sources, lanes, zero, first, last, out)`` fills rows ``first`` to ``last`` of a block's result;
        arrays are flat, [neuron][lane], ``zero`` is of the run's precision.
    """
    lanes, (points, pre) = LANES[sources.dtype], sources.shape
    blocks = -(-points // lanes)
    padded = F.pad(sources.detach(), (0, 0, 0, blocks * lanes - points)).reshape(blocks, lanes, pre)
    flat = padded.transpose(1, 2).contiguous().reshape(blocks, -1)
    out = torch.empty(blocks, post * lanes, dtype=sources.dtype)
    given, filled = flat.numpy(), out.numpy()
    zero = filled.dtype.type(0)
    threads = torch.get_num_threads()
    if threads == 1 or blocks * lanes * terms < WORTH_THREADS:
        for block in range(blocks):
            rows(given[block], lanes, zero, 0, post, filled[block])
    else:
        share = -(-post // threads)
        parts = [(b, i, min(i + share, post)) for b in range(blocks) for i in range(0, post, share)]
        with ThreadPoolExecutor(max_workers=threads) as pool:
            jobs = [pool.submit(rows, given[b], lanes, zero, i, last, filled[b]) for b, i, last in parts]
            for job in jobs:
                job.result()
    return out.reshape(blocks, post, lanes).transpose(1, 2).reshape(blocks * lanes, post)[:points]
