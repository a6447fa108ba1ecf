"""Loops of connectivity on a CPU, compiled by `kernels` below; see there for what they take."""
# ruff: noqa: ANN001, ANN201

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from neuroflame.core.compiled import load as load_module
from neuroflame.core.lanes import (
    PRIMITIVES,
    count_bits,
    exp,
    floor,
    inline_njit,
    lane_mask,
    load,
    lowest_bit,
    maximum,
    minimum,
    splat,
    store,
    to_float64,
)
from neuroflame.core.random import TOPOLOGY
from neuroflame.physics import specialise

if TYPE_CHECKING:
    from types import ModuleType

philox = specialise(PRIMITIVES, inline_njit).philox
CHUNK = 64
"""Terms summed one after the other before the sums of chunks are: keeps rounding near that of pairwise sums."""

TEXT = """\
from numba import njit
from neuroflame.core.connectivity import loops

connect_rows, product_rows, gather_rows = loops.connect_rows, loops.product_rows, loops.gather_rows


@njit(nogil=True, cache=CACHE)
def connect(counters, numbers, key, left, right, pre, first, last, found, counts):
    return connect_rows(counters, numbers, key, left, right, pre, first, last, found, counts)


@njit(nogil=True, cache=CACHE)
def product(matrix, sources, lanes, zero, first, last, out):
    product_rows(matrix, sources, lanes, zero, first, last, out)


@njit(nogil=True, cache=CACHE)
def gather(offsets, indices, weights, sources, lanes, zero, first, last, out):
    gather_rows(offsets, indices, weights, sources, lanes, zero, first, last, out)
"""


@lru_cache(maxsize=1)
def kernels() -> ModuleType:
    """Return the compiled functions ``connect``, ``product`` and ``gather``."""
    return load_module(TEXT, __file__)


@inline_njit
def connected(drawn, left, right, i, offset, numbers):
    """Return for 16 words, as bits of an int64, whether row i connects there.

    Parameters
    ----------
    drawn : lanes of int64
    offset : int
        Where their columns begin in a row of ``right``.
    left, right, numbers : see `connect_rows`
    """
    rank, width = right.shape
    value = splat(0.0, 16)
    for r in range(rank):
        value += left[i, r] * load(right, r * width + offset, 16)
    if numbers[3] != 0.0:
        value = numbers[0] * (exp(numbers[4] * (value - 1.0)) / numbers[5])
    else:
        value = numbers[0] * (numbers[1] + numbers[2] * value)
    threshold = minimum(maximum(value, 0.0), 1.0) * 4294967296.0
    return lane_mask(to_float64(drawn) < floor(threshold))


@inline_njit
def spread(bits):
    """Return 16 bits with three zeros after each."""
    bits = (bits | bits << 24) & 0x000000FF000000FF
    bits = (bits | bits << 12) & 0x000F000F000F000F
    bits = (bits | bits << 6) & 0x0303030303030303
    return (bits | bits << 3) & 0x1111111111111111


@inline_njit
def connect_rows(counters, numbers, key, left, right, pre, first, last, found, counts):
    """List the presynaptic neurons of rows ``first`` to ``last``; return how many there are.

    A counter gives the words of four neurons in a row: 16 counters at a time, those of 64.

    Parameters
    ----------
    counters : int64, (padded / 4,): 0, 1, 2, …
    numbers : float64: density, background, depth, 1 or 0 for an exponential, its concentration, its norm
    key : int64: low and high word of the generator's key, and the number of the stream
    left, right : float64, (N_post, R) and (R, padded): factors of the profile's structure; of each 64 columns of
        ``right`` the first of every four come first, then the second, the third, the fourth
    pre : number of presynaptic neurons
    found : int32, room for (last − first) N_pre + 4 numbers
    counts : int64, (last − first,): filled with the rows' numbers of inputs
    """
    place = 0
    for i in range(first, last):
        begin = place
        row = splat(i) & 0xFFFFFFFF
        for entry in range(0, pre, 64):
            counter = load(counters, entry // 4) & 0xFFFFFFFF
            a, b, c, d = philox(row, counter, splat(key[2]), splat(TOPOLOGY), splat(key[0]), splat(key[1]))
            bits = (
                spread(connected(a, left, right, i, entry, numbers))
                | spread(connected(b, left, right, i, entry + 16, numbers)) << 1
                | spread(connected(c, left, right, i, entry + 32, numbers)) << 2
                | spread(connected(d, left, right, i, entry + 48, numbers)) << 3
            )
            if entry + 64 > pre:
                bits &= (1 << pre - entry) - 1
            end = place + count_bits(bits)
            while place < end:
                for k in range(4):  # more than there are, where the next overwrites them: no branch to guess
                    found[place + k] = entry + lowest_bit(bits)
                    bits &= bits - 1
                place += 4
            place = end
        counts[i - first] = place - begin
    return place


@inline_njit
def product_rows(matrix, sources, lanes, zero, first, last, out):
    """Multiply rows ``first`` to ``last`` of a matrix with a block of points.

    Points are lanes: the order of a point's additions depends on the size of the matrix alone. Four rows at a
    time, so that a loaded source is used four times.

    Parameters
    ----------
    matrix : (N_post, N_pre)
    sources, out : flat, [neuron][lane]
    lanes : points in a block
    zero : 0 in the run's precision
    """
    pre = matrix.shape[1]
    i = first
    while i + 4 <= last:
        a = b = c = d = splat(zero)
        for begin in range(0, pre, CHUNK):
            e = f = g = h = splat(zero)
            for j in range(begin, min(begin + CHUNK, pre)):
                s = load(sources, j * lanes)
                e += s * matrix[i, j]
                f += s * matrix[i + 1, j]
                g += s * matrix[i + 2, j]
                h += s * matrix[i + 3, j]
            a += e
            b += f
            c += g
            d += h
        store(out, i * lanes, a)
        store(out, (i + 1) * lanes, b)
        store(out, (i + 2) * lanes, c)
        store(out, (i + 3) * lanes, d)
        i += 4
    while i < last:
        a = splat(zero)
        for begin in range(0, pre, CHUNK):
            e = splat(zero)
            for j in range(begin, min(begin + CHUNK, pre)):
                e += load(sources, j * lanes) * matrix[i, j]
            a += e
        store(out, i * lanes, a)
        i += 1


@inline_njit
def gather_rows(offsets, indices, weights, sources, lanes, zero, first, last, out):
    """Sum the weighted inputs of neurons ``first`` to ``last`` for a block of points; see `product_rows`.

    Parameters
    ----------
    offsets, indices, weights : see `neuroflame.core.connectivity.sparse.WeightedOperator`
    """
    for i in range(first, last):
        total = splat(zero)
        for begin in range(offsets[i], offsets[i + 1], CHUNK):
            part = splat(zero)
            for c in range(begin, min(begin + CHUNK, offsets[i + 1])):
                part += load(sources, indices[c] * lanes) * weights[c]
            total += part
        store(out, i * lanes, total)
