"""Lanes against NumPy, bit for bit where IEEE arithmetic fixes the bits."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba import njit
from numba.core.errors import TypingError
from numba.core.types import float32

from neuroflame.core import lanes
from neuroflame.core.lanes import (
    PRIMITIVES,
    LanesType,
    absolute,
    any_true,
    count_bits,
    floor,
    gather_sum,
    inline_njit,
    lane_mask,
    load,
    lowest_bit,
    maximum,
    minimum,
    set_flush_denormals,
    splat,
    sqrt,
    store,
    to_float32,
    to_float64,
    where,
)
from neuroflame.core.torch_physics import physics as torch_physics
from neuroflame.physics import specialise

L = 16
DTYPES = ("float32", "float64")


def rows(dtype, n):
    """Arrays of n rows of lanes; all numbers, infinities and NaN among them."""
    width = 32 if dtype == "float32" else 64
    return arrays(dtype, (n, L), elements=st.floats(width=width))


def assert_same(got, expected):
    """Equal to the last bit, but for the payload of NaN and the sign of zero."""
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


@njit
def floating(a, b, out):
    x, y = load(a, 0, L), load(b, 0, L)
    both = (x < y) & (y <= 2) | ~(x != 1.5) ^ (x >= y)
    total = 0.0
    for _ in range(3):
        total += x * y + x
    results = (
        x + y, x - y, x * y, x / y, -x, 0.1 - x, x * 3, 1 / x, x * y + y, maximum(x, y), minimum(x, y),
        absolute(x), sqrt(x), floor(x), where(x > y, x, 0.1), where(both, y, x), total, max(x, 0.0),
        min(0.1, y), abs(y),
    )  # fmt: skip
    k = 0
    for result in results:
        store(out, k, result)
        k += L
    return lane_mask(both), any_true(x == y)


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.data())
@settings(max_examples=200, deadline=None)
def test_operators_are_numpys(dtype, data):
    x, y = data.draw(rows(dtype, 2))
    out = np.empty((20, L), dtype)
    bits, equal = floating(x, y, out)
    tenth = x.dtype.type(0.1)  # a literal takes the lanes' precision
    both = (x < y) & (y <= 2) | ~(x != 1.5) ^ (x >= y)
    with np.errstate(all="ignore"):
        step = x * y + x
        expected = [
            x + y, x - y, x * y, x / y, -x, tenth - x, x * 3, 1 / x, x * y + y, np.maximum(x, y),
            np.minimum(x, y), np.abs(x), np.sqrt(x), np.floor(x), np.where(x > y, x, tenth),
            np.where(both, y, x), step + step + step, np.maximum(x, 0), np.minimum(tenth, y), np.abs(y),
        ]  # fmt: skip
    for got, wanted in zip(out, expected, strict=True):
        assert_same(got, wanted)
    assert bits == sum(1 << k for k in range(L) if both[k])
    assert equal == (x == y).any()


@njit
def bits_of(bits):
    return lowest_bit(bits), count_bits(bits)


@given(st.integers(-(2**63), 2**63 - 1))
def test_bits_are_found_and_counted(bits):
    word = f"{bits & 2**64 - 1:064b}"
    assert bits_of(np.int64(bits)) == (64 - 1 - word.rfind("1") if bits else 64, word.count("1"))


@njit
def whole(a, b, out):
    x, y = load(a, 0), load(b, 0)
    results = (
        x + y, x - y, x * y, x ^ y, x & y, x | 12345, ~x, -x, x << 7, x >> 9,
        (y * 0xD2511F53 >> 32) & 0xFFFFFFFF, where(x < y, x, 0), maximum(x, y),
    )  # fmt: skip
    k = 0
    for result in results:
        store(out, k, result)
        k += L


@given(arrays("int64", (2, L), elements=st.integers(-(2**63), 2**63 - 1)))
def test_integer_operators_wrap_as_numpys(words):
    x, y = words
    out = np.empty((13, L), np.int64)
    whole(x, y, out)
    expected = [
        x + y, x - y, x * y, x ^ y, x & y, x | 12345, ~x, -x, x << 7, x >> 9,
        (y * 0xD2511F53 >> 32) & 0xFFFFFFFF, np.where(x < y, x, 0), np.maximum(x, y),
    ]  # fmt: skip
    for got, wanted in zip(out, expected, strict=True):
        assert_same(got, wanted)


@given(arrays("int64", L, elements=st.integers(-(2**51) + 1, 2**51 - 1)))
def test_conversions_round_once(words):
    single, double, narrowed = np.empty(L, "float32"), np.empty(L), np.empty(L, "float32")
    conversions(words, single, double, narrowed)
    assert_same(single, words.astype("float32"))
    assert_same(double, words.astype("float64"))
    assert_same(narrowed, (words * 0.1).astype("float32"))


@njit
def conversions(words, single, double, narrowed):
    store(single, 0, to_float32(load(words, 0)))
    store(double, 0, to_float64(load(words, 0)))
    store(narrowed, 0, to_float32(load(double, 0, L) * 0.1))


# --- elementary functions -----------------------------------------------------------------------------------


@cache
def mapped(name):
    function = getattr(lanes, name)

    @njit
    def kernel(x, out):
        for k in range(0, x.size, L):
            store(out, k, function(load(x, k, L)))

    return kernel


def apply(name, x):
    padded = np.concatenate([x, np.ones(-len(x) % L, x.dtype)])
    out = np.empty_like(padded)
    mapped(name)(padded, out)
    return out[: len(x)]


RANGES = {
    "exp": [(-104, 89), (-746, 710), (-1, 1), (-1e-3, 1e-3)],
    "log": [(0, 1e-37), (0, 4), (0.9, 1.1), (0, 1e30)],
    "tanh": [(-20, 20), (-1, 1), (-1e-3, 1e-3)],
    "erf": [(-7, 7), (-1.5, 1.5), (-1e-3, 1e-3)],
}
ULP = {"exp": (1.0, 1.7), "log": (1.0, 1.0), "tanh": (1.4, 1.4), "erf": (1.2, 2.0)}
REFERENCE = {"exp": np.exp, "log": np.log, "tanh": np.tanh, "erf": scipy.special.erf}
SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, 1e-310, 1e-45, 1e-40, 1e-38, 1e30, -1e30]
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", RANGES)
def test_elementary_functions_are_accurate(name, dtype):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(low, high, 20_000) for low, high in RANGES[name]]).astype(dtype)
    wide = "float64" if dtype == "float32" or name == "erf" else "longdouble"  # SciPy's erf is float64
    slack = 1.0 if np.finfo(wide).precision == np.finfo(dtype).precision else 0.0
    with np.errstate(all="ignore"):
        exact = REFERENCE[name](x.astype(wide))
        ulp = np.spacing(np.abs(exact).astype(dtype)).astype(wide)
        error = np.abs(apply(name, x) - exact) / ulp
    representable = np.abs(exact) <= np.finfo(dtype).max
    assert error[representable].max() < ULP[name][dtype == "float64"] + slack


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", RANGES)
def test_elementary_functions_at_special_values(name, dtype):
    with np.errstate(all="ignore"):
        x = SPECIAL.astype(dtype)
        np.testing.assert_allclose(apply(name, x), REFERENCE[name](x), rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize(("dtype", "limit"), [("float32", 2.0**13), ("float64", 2.0**30)])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_sine_and_cosine(name, dtype, limit):
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-high, high, 20_000) for high in (7.0, 1e-3, 0.99 * limit)]).astype(dtype)
    exact = getattr(np, name)(x.astype("float64"))
    assert np.abs(apply(name, x) - exact).max() < (1e-7 if dtype == "float32" else 3e-16)
    assert np.isnan(apply(name, np.array([limit, -limit, np.inf, np.nan], dtype))).all()


# --- the promises -------------------------------------------------------------------------------------------

physics = specialise(PRIMITIVES, inline_njit)
stp_step, philox, normal_pair = physics.stp_step, physics.philox, physics.normal_pair


@njit(nogil=True)
def everything(x, sources, offsets, keys, out):
    """Of each kind of thing that lanes do, something."""
    a, b = load(x, 0, L), load(x, L, L)
    store(out, 0, lanes.exp(a) + lanes.tanh(b) * lanes.erf(a) - lanes.log(absolute(b)) / lanes.cos(a))
    u, r, s = stp_step(a, b, a * b, 0.03, 0.001, 0.001, 0.005, 0.001)
    store(out, L, u * r + s)
    store(out, 2 * L, gather_sum(sources, offsets, 0, offsets.size, L))
    words = philox(1, 2, 3, 4, load(keys, 0), load(keys, L))
    store(out, 3 * L, normal_pair(words[0], words[1])[0] + a * 0.0)


def run_everything(x, sources, keys):
    out = np.empty((4, L), x.dtype)
    offsets = L * np.random.default_rng(3).integers(0, len(sources), 101).astype("int32")
    everything(x, sources, offsets, keys, out)
    return out


def inputs():
    rng = np.random.default_rng(2)
    return rng.normal(size=(2, L)), rng.normal(size=(50, L)), rng.integers(0, 2**32, (2, L))


def test_a_lane_does_not_depend_on_its_position_or_neighbours():
    x, sources, keys = inputs()
    base = run_everything(x, sources, keys)
    for k in range(4):
        order = np.random.default_rng(k).permutation(L)
        moved = run_everything(*(np.ascontiguousarray(a[:, order]) for a in (x, sources, keys)))
        np.testing.assert_array_equal(moved.view("int64"), base[:, order].view("int64"))
    alone = [np.full_like(a, 7) for a in (x, sources, keys)]
    for mine, theirs in zip(alone, (x, sources, keys), strict=True):
        mine[:, 5] = theirs[:, 11]
    np.testing.assert_array_equal(run_everything(*alone)[:, 5].view("int64"), base[:, 11].view("int64"))


def test_threads_compute_the_same():
    base = run_everything(*inputs())
    with ThreadPoolExecutor(4) as pool:
        for other in pool.map(lambda _: run_everything(*inputs()), range(16)):
            np.testing.assert_array_equal(other, base)


def test_results_do_not_depend_on_the_instruction_set():
    # This test's own file, run on a CPU that has neither AVX nor FMA as far as numba knows
    env = {**os.environ, "NUMBA_CPU_NAME": "generic", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, __file__], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == run_everything(*inputs()).tobytes().hex()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("index", ["uint16", "int32", "int64"])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 126])
def test_gather_sum_adds_in_its_documented_order(dtype, index, count):
    rng = np.random.default_rng(count)
    sources = rng.normal(size=(40, L)).astype(dtype)
    indices = rng.integers(0, 40, count + 5).astype(index)
    out = np.empty(L, dtype)
    gathered(sources, L * indices, 3, 3 + count, out)
    listed = sources[indices[3 : 3 + count].astype(int)]
    sums = np.zeros((4, L), dtype)
    for k in range(count - count % 4):
        sums[k % 4] += listed[k]
    for k in range(count - count % 4, count):
        sums[0] += listed[k]
    assert_same(out, (sums[0] + sums[1]) + (sums[2] + sums[3]))
    np.testing.assert_allclose(out, listed.astype("float64").sum(0), atol=50 * np.finfo(dtype).eps)


@njit
def gathered(sources, offsets, start, stop, out):
    store(out, 0, gather_sum(sources, offsets, start, stop, L))


def test_nan_stays_nan():
    x = np.full((2, L), np.nan, "float32")
    x[1] = np.arange(L)
    out = np.empty((20, L), "float32")
    for a, b in ((x[0], x[1]), (x[1], x[0])):
        floating(a, b, out)
        assert np.isnan(out[[0, 1, 2, 3, 9, 10]]).all()
    floating(x[0], x[0], out)
    assert np.isnan(out[17]).all()  # max(x, 0.0): a rate that blew up is not taken for a silent one


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_words(counter, key, expected):
    out = np.empty((4, L), np.int64)
    random_words(np.repeat(np.array(counter)[:, None], L, 1), np.repeat(np.array(key)[:, None], L, 1), out)
    assert_same(out, np.repeat(np.array(expected)[:, None], L, 1))


@given(arrays("int64", (6, L), elements=st.integers(0, 2**32 - 1)))
def test_philox_on_lanes_is_philox_on_torch(words):
    out = np.empty((4, L), np.int64)
    random_words(words[:4], words[4:], out)
    expected = torch_physics.philox(*torch.from_numpy(words.copy()))
    assert_same(out, torch.stack(list(expected)).numpy())


@njit
def random_words(counter, key, out):
    c = (load(counter, 0), load(counter, L), load(counter, 2 * L), load(counter, 3 * L))
    results = philox(c[0], c[1], c[2], c[3], load(key, 0), load(key, L))
    for k in range(4):
        store(out, k * L, results[k])


@pytest.mark.parametrize("name", ["relu", "erf", "erf_odd", "tanh", "brunel"])
def test_physics_on_lanes_is_physics_on_numpy(name):
    transfer = getattr(physics, f"transfer_{name}")

    @njit
    def kernel(x, out):
        store(out, 0, transfer(load(x, 0, L)))

    x = np.linspace(-2, 3, L)
    out = np.empty(L)
    kernel(x, out)
    np.testing.assert_allclose(out, getattr(specialise({}), f"transfer_{name}")(x), rtol=1e-15, atol=1e-15)


# --- numba --------------------------------------------------------------------------------------------------


def test_subnormal_numbers_can_be_flushed():
    @njit
    def halve(x, out):
        before = set_flush_denormals(True)
        store(out, 0, load(x, 0) * 0.5)
        return set_flush_denormals(before)

    tiny = np.full(L, np.finfo("float32").tiny)
    out = np.empty_like(tiny)
    if not halve(tiny, out):
        pytest.skip("this machine does not flush")
    assert not out.any()
    assert (tiny * np.float32(0.5)).all()  # restored


def test_any_power_of_two_is_a_width():
    @njit
    def kernel(x, out):
        store(out, 0, load(x, 4, 4) + splat(np.float64(1.0), 4))

    out = np.zeros(8)
    kernel(np.arange(8.0), out)
    assert_same(out, np.array([5.0, 6, 7, 8, 0, 0, 0, 0]))
    with pytest.raises(ValueError, match="power of 2, got 12"):
        LanesType(float32, 12)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x, w: load(x, 0, 8) + load(x, 0, 16),
        lambda x, w: load(x, 0) + to_float32(load(x, 0)),
        lambda x, w: load(w, 0) * 0.5,
        lambda x, w: load(w, 0) / 2,
        lambda x, w: store(w, 0, load(x, 0)),
        lambda x, w: store(x, 0, 1.0),
        lambda x, w: load(x[::2], 0),
        lambda x, w: where(load(x, 0) > 0, 1.0, 0.0),
    ],
)
def test_what_has_no_meaning_does_not_compile(wrong):
    wrong = njit(wrong)

    @njit
    def kernel(x, w):
        wrong(x, w)

    with pytest.raises(TypingError):
        kernel(np.zeros(64), np.zeros(64, np.int64))


if __name__ == "__main__":
    sys.stdout.write(run_everything(*inputs()).tobytes().hex())
