"""The physics bound to Triton. Imports triton: only the kernels for GPUs, which are made when first needed, do so.

With ``TRITON_INTERPRET=1`` in the environment the same functions run on a CPU, for tests.
"""
# ruff: noqa: ANN001, ANN201, ANN202

from typing import Any

import triton
import triton.language as tl
from triton.language.extra import libdevice

from neuroflame.physics import specialise

INTERPRETED = bool(triton.knobs.runtime.interpret)


@triton.jit
def exp(x):
    """Return e to the power x."""
    return tl.exp(x)


@triton.jit
def log(x):
    """Return the natural logarithm."""
    return tl.log(x)


@triton.jit
def cos(x):
    """Return the cosine."""
    return tl.cos(x)


@triton.jit
def sin(x):
    """Return the sine."""
    return tl.sin(x)


@triton.jit
def erf(x):
    """Return the error function."""
    return tl.erf(x)


@triton.jit
def where(condition, a, b):
    """Return ``a`` where the condition holds, ``b`` elsewhere."""
    return tl.where(condition, a, b)


@triton.jit
def maximum(a, b):
    """Return the larger one, undefined where one is: an undefined rate must be seen to be so."""
    return tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def sqrt(x):
    """Return the square root, correctly rounded."""
    if x.dtype == tl.float32:
        return tl.sqrt_rn(x)
    else:  # noqa: RET505
        return tl.sqrt(x)


@triton.jit
def to_float(word):
    """Return integers as float64."""
    return word.to(tl.float64)


@triton.jit
def _tanh_interpreted(x):
    return 1.0 - 2.0 / (tl.exp(2.0 * x) + 1.0)


@triton.jit
def _tanh(x):
    return libdevice.tanh(x)


tanh = _tanh_interpreted if INTERPRETED else _tanh
"""The hyperbolic tangent; Triton's interpreter has no device library."""


physics = specialise(
    {
        "exp": exp,
        "log": log,
        "sqrt": sqrt,
        "cos": cos,
        "sin": sin,
        "tanh": tanh,
        "erf": erf,
        "maximum": maximum,
        "where": where,
        "to_float": to_float,
        "tl": tl,  # the interpreter looks for it in every function's globals
    },
    triton.jit,
)
philox, normal_pair = physics.philox, physics.normal_pair


@triton.jit
def draw_normals(step, blocks, stream, purpose, low, high):
    """Return standard normal numbers, four for each of a population's blocks, float64.

    As `neuroflame.core.random.normals` does: the numbers of neurons 4b … 4b + 3 are those of counter b.
    """
    zero = blocks * 0
    a, b, c, d = philox(zero + step, blocks, zero + stream, zero + purpose, zero + low, zero + high)
    n0, n1 = normal_pair(a, b)
    n2, n3 = normal_pair(c, d)
    return tl.interleave(tl.interleave(n0, n2), tl.interleave(n1, n3))


def interpreted_range(*bounds: Any) -> range:
    """Return a range whose bounds may be the interpreter's scalars."""
    return range(
        *(int(bound.handle.data.item()) if isinstance(bound, tl.tensor) else bound for bound in bounds)
    )


def scope() -> dict[str, Any]:
    """Return the globals of a generated kernel.

    Triton 3.6's interpreter cannot take its own scalars as bounds of a loop under NumPy ≥ 2.4: there, ``range``
    reads them.
    """
    names = {"triton": triton, "tl": tl, "draw_normals": draw_normals, **vars(physics)}
    names |= {name.replace("transfer_", "physics_"): f for name, f in vars(physics).items()}
    return names | ({"range": interpreted_range} if INTERPRETED else {})
