"""The equations, written once: pure functions on plain arithmetic, without state, device or loop.

The functions of this room run unchanged on torch tensors, on NumPy arrays, as `numba.njit` functions on
SIMD lanes and as `triton.jit` functions. Whatever they need beyond ``+ - * /`` and comparisons they take from
`neuroflame.physics.primitives`; `specialise` gives an executor its own copy of them, bound to its own
primitives.
"""

from neuroflame.physics.specialise import FUNCTIONS, specialise

__all__ = ["FUNCTIONS", "specialise"]
