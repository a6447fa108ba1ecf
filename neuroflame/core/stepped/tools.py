"""What the kernels of the stepped executor are made of, beside the physics. Imports triton."""
# ruff: noqa: ANN001, ANN201, ANN202

import triton
import triton.language as tl

from neuroflame.core.trajectory.gpu_physics import INTERPRETED, interpreted_range, normal_pair, philox

if INTERPRETED:
    range = interpreted_range


if INTERPRETED:

    @triton.jit
    def _arrive(counter):
        """Count this program in, its stores visible to whoever sees it counted."""
        tl.atomic_add(counter, 1, sem="release", scope="gpu")

    @triton.jit
    def _arrived(counter):
        """Return how many programs have been counted, whose stores are then visible."""
        return tl.atomic_add(counter, 0, sem="acquire", scope="gpu")

else:  # atomic additions wait for the number that was there, and queue up behind those of others

    @triton.jit
    def _arrive(counter):
        """Count this program in, its stores visible to whoever sees it counted."""
        tl.inline_asm_elementwise(
            "{ .reg .pred first; .reg .u32 thread; mov.u32 thread, %tid.x; setp.eq.u32 first, thread, 0; "
            "@first red.release.gpu.global.add.u32 [$1], 1; mov.u32 $0, 0; }",
            "=r,l",
            [counter.to(tl.uint64, bitcast=True)],
            dtype=tl.int32,
            is_pure=False,
            pack=1,
        )

    @triton.jit
    def _arrived(counter):
        """Return how many programs have been counted, whose stores are then visible."""
        return tl.inline_asm_elementwise(
            "ld.acquire.gpu.global.u32 $0, [$1];",
            "=r,l",
            [counter.to(tl.uint64, bitcast=True)],
            dtype=tl.int32,
            is_pure=False,
            pack=1,
        )


@triton.jit
def meet(counter, target):
    """Wait until as many programs have come here as the target says, all their stores visible to all."""
    tl.debug_barrier()
    _arrive(counter)
    while _arrived(counter) < target:
        pass
    tl.debug_barrier()


@triton.jit
def multiply(
    rows,
    source,
    DEEP: tl.constexpr,
    NEURONS: tl.constexpr,
    POINTS: tl.constexpr,
    DEPTH: tl.constexpr,
    TERMS: tl.constexpr,
    STAGES: tl.constexpr,
):
    """Return the connectivity of a tile's neurons times what is sent to a block of points, (NEURONS, POINTS).

    ``rows`` points to the tile's first row of the matrix; ``source`` to the terms, [neuron][point][term]. Loads of
    these go past the first cache: other programs wrote them.
    """
    columns: tl.constexpr = TERMS * POINTS
    total = tl.zeros([NEURONS, columns], dtype=tl.float32)
    column = tl.arange(0, columns)[None, :]
    deep = tl.arange(0, DEPTH)
    row = tl.arange(0, NEURONS)[:, None] * DEEP
    for k in tl.range(0, DEEP, DEPTH, num_stages=STAGES):
        connected = tl.load(rows + row + (k + deep)[None, :])
        sent = tl.load(source + (k + deep)[:, None] * columns + column, cache_modifier=".cg")
        total = tl.dot(connected, sent, total)
    if TERMS == 2:
        high, low = tl.split(tl.reshape(total, [NEURONS, POINTS, 2]))
        return high + low
    else:  # noqa: RET505
        return total


@triton.jit
def gather(offsets, indices, source, n, inside, width, point, zero):
    """Return the sum of what each neuron's inputs send, (neurons, points), in the order of its list."""
    begin = tl.load(offsets + n, mask=inside, other=0)
    count = tl.load(offsets + n + 1, mask=inside, other=0) - begin
    total = tl.zeros([n.shape[0], point.shape[0]], dtype=zero.dtype)
    for j in range(0, tl.max(count), 4):
        for k in tl.static_range(4):
            present = j + k < count
            pre = tl.load(indices + begin + j + k, mask=present, other=0).to(tl.int64)
            place = source + pre[:, None] * width + point[None, :]
            total += tl.load(place, mask=present[:, None], other=0.0, cache_modifier=".cg")
    return total


@triton.jit
def send(place, value, n, inside, POINTS: tl.constexpr, TERMS: tl.constexpr):
    """Store a float32 value as the float16 number nearest to it and, with two terms, what is left, in one word."""
    high = value.to(tl.float16)
    spot = place + n[:, None] * POINTS + tl.arange(0, POINTS)[None, :]
    if TERMS == 2:
        left = (value - high.to(tl.float32)).to(tl.float16)
        upper = left.to(tl.int16, bitcast=True).to(tl.int32) << 16
        tl.store(spot, upper | (high.to(tl.int16, bitcast=True).to(tl.int32) & 0xFFFF), mask=inside)
    else:
        tl.store(spot, high, mask=inside)


@triton.jit
def sum_of_tiles(place, width, point, COUNT: tl.constexpr, BLOCK: tl.constexpr):
    """Return the sum over the tiles of a population of what they left there, (1, points)."""
    total = tl.zeros([1, point.shape[0]], dtype=place.dtype.element_ty)
    for first in range(0, COUNT, BLOCK):
        tile = first + tl.arange(0, BLOCK)
        spot = place + tile[:, None] * width + point[None, :]
        found = tl.load(spot, mask=(tile < COUNT)[:, None], other=0.0, cache_modifier=".cg")
        total += tl.sum(found, axis=0)[None, :]
    return total


@triton.jit
def draw_tile(step, tile, stream, purpose, low, high, NEURONS: tl.constexpr):
    """Return standard normal numbers for a tile, (NEURONS, points), float64.

    As `neuroflame.core.random.normals` does: the numbers of neurons 4b … 4b + 3 are those of counter b.
    """
    quads = tile * (NEURONS // 4) + tl.arange(0, NEURONS // 4)
    zero = (low * 0)[:, None] + (quads * 0)[None, :]
    a, b, c, d = philox(
        zero + step,
        zero + quads[None, :],
        zero + stream,
        zero + purpose,
        zero + low[:, None],
        zero + high[:, None],
    )
    n0, n1 = normal_pair(a, b)
    n2, n3 = normal_pair(c, d)
    return tl.trans(tl.interleave(tl.interleave(n0, n2), tl.interleave(n1, n3)))


TOOLS = {
    "meet": meet,
    "multiply": multiply,
    "gather": gather,
    "send": send,
    "sum_of_tiles": sum_of_tiles,
    "draw_tile": draw_tile,
}
