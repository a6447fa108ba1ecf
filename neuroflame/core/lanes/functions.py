"""Elementary functions, after Cephes (Moshier 1989); errors in units in the last place (ulp)."""

from __future__ import annotations

import math

import numpy as np

from neuroflame.core.lanes.types import Vector, absolute, maximum, minimum, operation

# fmt: off


@operation(1, "float", math.exp, np.exp)
def exp(x: Vector) -> Vector:
    """Return the exponential; error below 1 ulp (float32) or 1.7 ulp, also where the result is subnormal."""
    low, high = (-104.0, 89.0) if x.single else (-746.0, 710.0)
    x = minimum(maximum(x, x.of(low)), x.of(high))
    n, exponent = (x * 1.4426950408889634).nearest()
    if x.single:
        r = x - n * 0.693359375 + n * 2.12194440e-4
        p = r.horner(1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5)
        power = p * (r * r) + r + 1.0
    else:
        r = x - n * 0.693145751953125 - n * 1.4286068203094173e-06
        p = r * (r * r).horner(1.2617719307481059e-4, 3.0299440770744196e-2, 1.0)
        q = (r * r).horner(3.0019850513866446e-6, 2.5244834034968410e-3, 2.2726554820815503e-1, 2.0)
        power = p / (q - p) * 2.0 + 1.0
    half = exponent >> 1  # 2**exponent in two factors: it may be subnormal
    for e in (half, exponent - half):
        power = power * ((e + x.exponent_bias) << x.mantissa_bits).cast(x.type.element)
    return power


@operation(1, "float", math.log, np.log)
def log(x: Vector) -> Vector:
    """Return the natural logarithm; error below 1 ulp."""
    lift = x.mantissa_bits + 2  # scales subnormal numbers up, so that they have an exponent
    subnormal = x.compare("<", 2.0 ** (1 - x.exponent_bias))
    bits = subnormal.select(x * 2.0**lift, x).bits()
    exponent = (bits - x.code(math.sqrt(0.5))) >> x.mantissa_bits
    m = (bits - (exponent << x.mantissa_bits)).cast(x.type.element) - 1.0  # in [√½ − 1, √2 − 1)
    n = (exponent + x.code(x.magic)).cast(x.type.element) - x.magic - subnormal.select(x.of(lift), 0.0)
    if x.single:
        p = m.horner(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
                     -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)
    else:
        p = m.horner(1.0187566380458093e-4, 4.9749499497674700e-1, 4.7057911987888173, 14.498922534161093,
                     17.936867850781982, 7.7083873375588539)
        p = p / m.horner(1.0, 11.287358718916746, 45.227914583753222, 82.987526691277660, 71.154475061856390,
                         23.125162012676534)
    z = m * m
    result = m + (p * z * m - n * 2.1219444005469058e-4 - z * 0.5) + n * 0.693359375
    special = x.compare("==", 0.0).select(x.of(-math.inf), x.compare("<", 0.0).select(x.of(math.nan), x))
    return (x.compare(">", 0.0) & x.compare("<", math.inf)).select(result, special)


@operation(1, "float", math.tanh, np.tanh)
def tanh(x: Vector) -> Vector:
    """Return the hyperbolic tangent; error below 1.4 ulp."""
    size, z = absolute(x), x * x
    if x.single:
        p = z.horner(-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1,
                     -3.33332819422e-1)
    else:
        p = z.horner(-0.96439917942505224, -99.287723100191859, -1614.6876844170845)
        p = p / z.horner(1.0, 112.81167849163293, 2235.4883906010045, 4844.0630532512549)
    outer = (1.0 - x.of(2.0) / (exp(size + size) + 1.0)).call("copysign", x)
    return size.compare("<", 0.625).select(p * z * x + x, outer)


@operation(1, "float", math.erf)
def erf(x: Vector) -> Vector:
    """Return the error function; error below 1.2 ulp (float32; after N. Juffa), 2 ulp (float64)."""
    size, z = absolute(x), x * x
    if x.single:
        p = size.horner(-1.72853470e-5, 3.83197126e-4, -3.88396438e-3, 2.42546219e-2, -1.06777877e-1,
                        -6.34846687e-1, -1.28717512e-1, 0.0)
        outer = 1.0 - exp(p - size)
        inner = x * z.horner(-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1,
                             1.28379166e-1) + x
        return size.compare(">", 0.927734375).select(outer.call("copysign", x), inner)
    size = minimum(size, size.of(8.0))
    p = size.horner(2.4619698147353052e-10, 0.56418956483106882, 7.4632105644226991, 48.637197098568137,
                    196.52083295607710, 526.44519499547736, 934.52852717195761, 1027.5518868951571,
                    557.53533536939933)
    q = size.horner(1.0, 13.228195115474499, 86.707214088598974, 354.93777888781989, 975.70850174320549,
                    1823.9091668790974, 2246.3376081871098, 1656.6630919416135, 557.53534081772768)
    outer = 1.0 - exp(-(size * size)) * (p / q)
    t = z.horner(9.6049737398705164, 90.026019720384269, 2232.0053459468432, 7003.3251411280508,
                 55592.301301039496)
    u = z.horner(1.0, 33.561714164750310, 521.35794978015268, 4594.3238297098013, 22629.000061389093,
                 49267.394260863592)
    return size.compare("<", 1.0).select(x * t / u, outer.call("copysign", x))


def _sine(x: Vector, quarter_turns: int) -> Vector:
    n, quadrant = (x * (2.0 / math.pi)).nearest()
    if x.single:
        r = x - n * 1.5703125 - n * 4.837512969970703125e-4 - n * 7.54978995489188216e-8
        sine = (r * r).horner(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
        cosine = (r * r).horner(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
    else:
        r = x - n * 1.570796251296997 - n * 7.5497894158615964e-8 - n * 5.390302858158119e-15
        sine = (r * r).horner(1.5896230157654657e-10, -2.5050747762857807e-8, 2.7557313621385725e-6,
                              -1.9841269829589540e-4, 8.3333333333221186e-3, -1.6666666666666631e-1)
        cosine = (r * r).horner(-1.1358536521387682e-11, 2.0875700841974732e-9, -2.7557314179296739e-7,
                                2.4801587288851705e-5, -1.3888888888873056e-3, 4.1666666666666593e-2)
    z, quadrant = r * r, quadrant + quarter_turns
    size = (quadrant & 1).compare("==", 0).select(sine * z * r + r, cosine * z * z - z * 0.5 + 1.0)
    signed = (quadrant & 2).compare("==", 0).select(size, -size)
    return absolute(x).compare("<", 2.0**13 if x.single else 2.0**30).select(signed, math.nan)


@operation(1, "float", math.sin, np.sin)
def sin(x: Vector) -> Vector:
    """Return the sine; absolute error below 1e-7 (float32) or 2e-16; NaN from 2**13 (float32) or 2**30 on."""
    return _sine(x, 0)


@operation(1, "float", math.cos, np.cos)
def cos(x: Vector) -> Vector:
    """Return the cosine; errors and range as of `sin`."""
    return _sine(x, 1)
# fmt: on
