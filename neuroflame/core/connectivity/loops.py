"""Loops of connectivity on a CPU, compiled by `kernels` below; see there for what they take."""
# ruff: noqa: ANN001, ANN201

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from neuroflame.core.compiled import load as load_module
from neuroflame.core.lanes import PRIMITIVES, inline_njit, load, splat, store
from neuroflame.core.random import TOPOLOGY
from neuroflame.physics import specialise

if TYPE_CHECKING:
    from types import ModuleType

philox = specialise(PRIMITIVES, inline_njit).philox
STRIP = 64
"""Groups of 16 counters, 64 entries each, that are drawn before they are compared: stays in the L1 cache."""
CHUNK = 64
"""Terms summed one after the other before the sums of chunks are: keeps rounding near that of pairwise sums."""

TEXT = """\
from numba import njit
from neuroflame.core.connectivity import loops

connect_rows, product_rows, gather_rows = loops.connect_rows, loops.product_rows, loops.gather_rows


@njit(nogil=True, cache=CACHE)
def connect(counters, words, values, numbers, key, left, right, first, last, found, counts):
    return connect_rows(counters, words, values, numbers, key, left, right, first, last, found, counts)


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
def connect_rows(counters, words, values, numbers, key, left, right, first, last, found, counts):
    """List the presynaptic neurons of rows ``first`` to ``last``; return how many there are.

    Parameters
    ----------
    counters : int64, (padded / 4,): 0, 1, 2, …
    words, values : room for a strip of entries, int64 and float64
    numbers : float64: density, background, depth, 1 or 0 for an exponential, its concentration, its norm
    key : int64: low and high word of the generator's key, and the number of the stream
    left, right : float64, (N_post, R) and (R, N_pre): factors of the profile's structure
    found : int32, room for (last − first) N_pre + 1 numbers
    counts : int64, (last − first,): filled with the rows' numbers of inputs
    """
    rank, pre = right.shape
    density, background, depth = numbers[0], numbers[1], numbers[2]
    place = 0
    for i in range(first, last):
        begin = place
        for entry in range(0, pre, 64 * STRIP):
            width = min(64 * STRIP, pre - entry)
            for group in range((width + 63) // 64):
                counter = load(counters, entry // 4 + 16 * group) & 0xFFFFFFFF
                row = splat(i) & 0xFFFFFFFF
                drawn = philox(row, counter, splat(key[2]), splat(TOPOLOGY), splat(key[0]), splat(key[1]))
                for word in range(4):
                    store(words, 16 * (4 * group + word), drawn[word])
            for k in range(width):
                values[k] = 0.0
            for r in range(rank):
                factor = left[i, r]
                for k in range(width):
                    values[k] += factor * right[r, entry + k]
            if numbers[3] != 0.0:
                for k in range(width):
                    values[k] = density * (math.exp(numbers[4] * (values[k] - 1.0)) / numbers[5])
            else:
                for k in range(width):
                    values[k] = density * (background + depth * values[k])
            for k in range(width):
                word = words[(k >> 6) * 64 + (k & 3) * 16 + ((k >> 2) & 15)]
                threshold = min(max(values[k], 0.0), 1.0) * 4294967296.0
                found[place] = entry + k
                place += 1 if float(word) < math.floor(threshold) else 0
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
