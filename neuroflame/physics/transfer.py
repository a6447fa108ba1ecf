"""Transfer functions: from the input above threshold to the rate. A new one is one function here."""

from neuroflame.physics.primitives import erf as erf
from neuroflame.physics.primitives import maximum as maximum
from neuroflame.physics.primitives import sqrt as sqrt
from neuroflame.physics.primitives import tanh as tanh
from neuroflame.physics.primitives import where as where

BOUNDED = ("erf", "erf_odd", "tanh")
"""Those whose values lie within [−1, 1]."""


def transfer_relu(x):
    """Return max(x, 0)."""
    return maximum(x, 0.0)


def transfer_erf(x):
    """Return ½ (1 + erf(x/√2)), the cumulative normal distribution."""
    return 0.5 * (1.0 + erf(x * 0.7071067811865476))


def transfer_erf_odd(x):
    """Return erf(x √π/2), which has slope 1 at 0 and saturates at ±1."""
    return erf(x * 0.8862269254527580)


def transfer_tanh(x):
    """Return tanh(x)."""
    return tanh(x)


def transfer_brunel(x):
    """Return 0 below 0, x² on [0, 1), √(4x − 3) above (Brunel 2003, Cereb. Cortex 13:1151)."""
    above = sqrt(maximum(4.0 * x - 3.0, 1.0))
    return where(x < 1.0, maximum(x, 0.0) * maximum(x, 0.0), above)
