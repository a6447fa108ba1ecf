"""Passes over the state of a block of lanes that every kernel shares: recording and the look for divergence.

State arrays are flat, [neuron][lane]; all of this is compiled into the kernels.
"""
# ruff: noqa: ANN001, ANN201

from numba import njit

from neuroflame.core.lanes import (
    PRIMITIVES,
    absolute,
    any_true,
    gather_sum,
    inline_njit,
    lane_mask,
    load,
    store,
    where,
)
from neuroflame.core.trajectory.structure import SUM_CHUNK
from neuroflame.physics import specialise

_physics = specialise(PRIMITIVES, inline_njit)
philox, normal_pair, note_interval = _physics.philox, _physics.normal_pair, _physics.note_interval


@inline_njit
def observe(rates, table, width, lanes, out, at):
    """Store mean rate and real and imaginary part of ⟨r exp(iθ)⟩ at ``out[at:]``."""
    neurons = rates.size // lanes
    mean = real = imaginary = load(rates, 0, lanes) * 0.0
    for chunk in range(0, neurons, SUM_CHUNK):
        a = b = c = load(rates, 0, lanes) * 0.0
        for n in range(chunk, min(chunk + SUM_CHUNK, neurons)):
            r = load(rates, n * lanes, lanes)
            a += r
            b += r * table[n * width]
            c += r * table[n * width + width // 2]
        mean += a
        real += b
        imaginary += c
    store(out, at, mean / neurons)
    store(out, at + lanes, real / neurons)
    store(out, at + 2 * lanes, imaginary / neurons)


@inline_njit
def observe_plastic(u, x, lanes, out, at):
    """Store the means over neurons of u, x and u x at ``out[at:]``."""
    neurons = u.size // lanes
    mean_u = mean_x = mean_ux = load(u, 0, lanes) * 0.0
    for chunk in range(0, neurons, SUM_CHUNK):
        a = b = c = load(u, 0, lanes) * 0.0
        for n in range(chunk, min(chunk + SUM_CHUNK, neurons)):
            utilisation, resources = load(u, n * lanes, lanes), load(x, n * lanes, lanes)
            a += utilisation
            b += resources
            c += utilisation * resources
        mean_u += a
        mean_x += b
        mean_ux += c
    store(out, at, mean_u / neurons)
    store(out, at + lanes, mean_x / neurons)
    store(out, at + 2 * lanes, mean_ux / neurons)


@inline_njit
def accumulate(rates, lanes, first_step, first, total, at):
    """Add the rates, relative to those at the segment's first step, to a segment's sums."""
    for offset in range(0, rates.size, lanes):
        r = load(rates, offset, lanes)
        if first_step:
            store(first, at + offset, r)
        else:
            store(total, at + offset, load(total, at + offset, lanes) + (r - load(first, at + offset, lanes)))


@inline_njit
def accumulate_squares(rates, lanes, first_step, first, total, squares, at, means, mean_at):
    """Do what `accumulate` does, and add squared differences, and those of the population's mean, to the sums.

    ``means`` holds a segment's first mean, sum and sum of squares, at ``mean_at``.
    """
    neurons = rates.size // lanes
    mean = load(rates, 0, lanes) * 0.0
    for chunk in range(0, neurons, SUM_CHUNK):
        part = load(rates, 0, lanes) * 0.0
        for n in range(chunk, min(chunk + SUM_CHUNK, neurons)):
            offset = n * lanes
            r = load(rates, offset, lanes)
            part += r
            if first_step:
                store(first, at + offset, r)
            else:
                moved = r - load(first, at + offset, lanes)
                store(total, at + offset, load(total, at + offset, lanes) + moved)
                store(squares, at + offset, load(squares, at + offset, lanes) + moved * moved)
        mean += part
    mean = mean / neurons
    if first_step:
        store(means, mean_at, mean)
    else:
        drift = mean - load(means, mean_at, lanes)
        store(means, mean_at + lanes, load(means, mean_at + lanes, lanes) + drift)
        store(means, mean_at + 2 * lanes, load(means, mean_at + 2 * lanes, lanes) + drift * drift)


@inline_njit
def count_spikes(train, lanes, total, at):
    """Add one step's trains to running sums."""
    for offset in range(0, train.size, lanes):
        r = load(train, offset, lanes)
        if any_true(r > 0.0):
            store(total, at + offset, load(total, at + offset, lanes) + r)


@inline_njit
def close_bin(size, lanes, steps, total, edge, squares, at, means, mean_at):
    """Add the squared rates in the bin that ends, and those of the population's mean, to a segment's sums.

    ``edge`` holds the segment's totals at the end of the bin before.
    """
    neurons = size // lanes
    mean = load(total, at, lanes) * 0.0
    for chunk in range(0, neurons, SUM_CHUNK):
        part = load(total, at, lanes) * 0.0
        for n in range(chunk, min(chunk + SUM_CHUNK, neurons)):
            o = at + n * lanes
            now = load(total, o, lanes)
            rate = (now - load(edge, o, lanes)) / steps
            part += rate
            store(squares, o, load(squares, o, lanes) + rate * rate)
            store(edge, o, now)
        mean += part
    mean = mean / neurons
    store(means, mean_at + lanes, load(means, mean_at + lanes, lanes) + mean)
    store(means, mean_at + 2 * lanes, load(means, mean_at + 2 * lanes, lanes) + mean * mean)


@inline_njit
def note_intervals(train, lanes, step, kept):
    """Update the seven sums of `note_interval`, which stand one after the other, where a neuron fired."""
    size = train.size
    for o in range(0, size, lanes):
        fired = load(train, o, lanes) > 0.0
        if any_true(fired):
            last, previous, first, count, total, squares, local = note_interval(
                fired,
                step,
                load(kept, o, lanes),
                load(kept, size + o, lanes),
                load(kept, 2 * size + o, lanes),
                load(kept, 3 * size + o, lanes),
                load(kept, 4 * size + o, lanes),
                load(kept, 5 * size + o, lanes),
                load(kept, 6 * size + o, lanes),
            )
            store(kept, o, last)
            store(kept, size + o, previous)
            store(kept, 2 * size + o, first)
            store(kept, 3 * size + o, count)
            store(kept, 4 * size + o, total)
            store(kept, 5 * size + o, squares)
            store(kept, 6 * size + o, local)


@njit(nogil=True)
def gather(sent, lanes, sums, rows, offsets):
    """Store for each postsynaptic neuron the sum of the rows that it listens to.

    One pair after the other, so that what a small population sends stays in the first-level cache. A function of its
    own, not inlined: in the kernel its loop would lack registers.
    """
    for n in range(offsets.size - 1):
        store(sums, n * lanes, gather_sum(sent, rows, offsets[n], offsets[n + 1], lanes))


@inline_njit
def scatter_spikes(sent, lanes, sums, targets, offsets):
    """Store for each postsynaptic neuron the sum of what reaches it, following the few rows that send anything."""
    sums[:] = 0.0
    for n in range(offsets.size - 1):
        s = load(sent, n * lanes, lanes)
        if any_true(s != 0.0):
            for k in range(offsets[n], offsets[n + 1]):
                o = targets[k] * lanes
                store(sums, o, load(sums, o, lanes) + s)


@inline_njit
def within(rates, lanes, bound, fine):
    """Return in which lanes, of those that were fine, all rates are within bounds.

    Four rows are compared before they are joined to the others: no comparison waits for the one before.
    """
    fours = rates.size // (4 * lanes) * 4 * lanes
    for o in range(0, fours, 4 * lanes):
        low = (absolute(load(rates, o, lanes)) <= bound) & (absolute(load(rates, o + lanes, lanes)) <= bound)
        high = (absolute(load(rates, o + 2 * lanes, lanes)) <= bound) & (
            absolute(load(rates, o + 3 * lanes, lanes)) <= bound
        )
        fine = fine & (low & high)
    for offset in range(fours, rates.size, lanes):
        fine = fine & (absolute(load(rates, offset, lanes)) <= bound)
    return fine


@inline_njit
def defined(voltage, lanes, fine):
    """Return in which lanes, of those that were fine, all voltages are finite."""
    for offset in range(0, voltage.size, lanes):
        fine = fine & (load(voltage, offset, lanes) * 0.0 == 0.0)
    return fine


@inline_njit
def note_failures(bad, failed, step):
    """Note the step for the lanes that are out of bounds and were not before."""
    bits = lane_mask(bad)
    for k in range(failed.size):
        if (bits >> k) & 1 and failed[k] < 0:
            failed[k] = step


@inline_njit
def put_to_rest(state, lanes, bad):
    """Set the state of some lanes to 0."""
    for offset in range(0, state.size, lanes):
        value = load(state, offset, lanes)
        store(state, offset, where(bad, 0.0, value))


@inline_njit
def draw_normals(out, lanes, step, stream, purpose, low, high, convert):
    """Fill with standard normal numbers, one a neuron and lane, as `neuroflame.core.random.normals` does."""
    zero = low * 0
    neurons = out.size // lanes
    for block in range(0, neurons, 4):
        a, b, c, d = philox(zero + step, zero + block // 4, zero + stream, zero + purpose, low, high)
        n0, n1 = normal_pair(a, b)
        n2, n3 = normal_pair(c, d)
        store(out, block * lanes, convert(n0))
        if block + 1 < neurons:
            store(out, (block + 1) * lanes, convert(n1))
        if block + 2 < neurons:
            store(out, (block + 2) * lanes, convert(n2))
        if block + 3 < neurons:
            store(out, (block + 3) * lanes, convert(n3))
