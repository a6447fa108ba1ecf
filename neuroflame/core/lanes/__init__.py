"""Lanes: SIMD vectors of points as a numba type.

On a CPU a block of L points advances together through a whole trajectory. State arrays are laid out
``[neuron][lane]``; a `LanesType` value is one row of such an array, held in vector registers (LLVM's
``<L x float>``). Functions on plain arithmetic, compiled with `inline_njit`, run on it unchanged:

>>> physics = specialise(PRIMITIVES, inline_njit)
>>> relax = physics.relax
>>> @njit(nogil=True)
... def step(rate, decay, n):
...     e = load(decay, 0)  # one value per lane
...     for i in range(n):
...         store(rate, 16 * i, relax(load(rate, 16 * i), 1.0, e))

What a lane computes depends on that lane alone and not on its position, bit for bit: nothing is reassociated
or summed across lanes, multiply-adds are never contracted to FMA (so that AVX-512, AVX2 and SSE agree; hence
never compile with ``fastmath``), and the elementary functions are arithmetic written here, not the machine's
libm.

Scalars broadcast and take the lanes' precision: ``0.5 * x`` of float32 lanes is float32. A variable may start
as a scalar and become lanes in a loop (``total = 0.0; total += x``). Offsets are in elements, not checked.
"""

from __future__ import annotations

from typing import Any

from neuroflame.core.lanes.functions import cos, erf, exp, log, sin, tanh
from neuroflame.core.lanes.memory import (
    any_true,
    count_bits,
    gather_sum,
    lane_mask,
    load,
    lowest_bit,
    set_flush_denormals,
    splat,
    store,
    to_float32,
    to_float64,
    where,
)
from neuroflame.core.lanes.types import (
    LanesType,
    MaskType,
    absolute,
    floor,
    inline_njit,
    maximum,
    minimum,
    sqrt,
)

PRIMITIVES: dict[str, Any] = {
    "exp": exp, "log": log, "sqrt": sqrt, "cos": cos, "sin": sin, "tanh": tanh, "erf": erf,
    "maximum": maximum, "where": where, "to_float": to_float64,
}  # fmt: skip
"""What `neuroflame.physics.specialise` needs to bind the physics to lanes, with ``compile=inline_njit``."""

__all__ = [
    "PRIMITIVES",
    "LanesType",
    "MaskType",
    "absolute",
    "any_true",
    "cos",
    "count_bits",
    "erf",
    "exp",
    "floor",
    "gather_sum",
    "inline_njit",
    "lane_mask",
    "load",
    "log",
    "lowest_bit",
    "maximum",
    "minimum",
    "set_flush_denormals",
    "sin",
    "splat",
    "sqrt",
    "store",
    "tanh",
    "to_float32",
    "to_float64",
    "where",
]
