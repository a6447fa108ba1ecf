"""Counter-based random numbers: every number is a function of who asks for it, not of what was drawn before."""

from neuroflame.physics.primitives import cos as cos
from neuroflame.physics.primitives import log as log
from neuroflame.physics.primitives import sin as sin
from neuroflame.physics.primitives import sqrt as sqrt
from neuroflame.physics.primitives import to_float as to_float


def philox_round(c0, c1, c2, c3, k0, k1):
    """Return the counter after one round of Philox4x32; all are 32-bit words held in 64-bit integers."""
    p0 = c0 * 0xD2511F53
    p1 = c2 * 0xCD9E8D57
    hi0 = (p0 >> 32) & 0xFFFFFFFF
    hi1 = (p1 >> 32) & 0xFFFFFFFF
    return hi1 ^ c1 ^ k0, p1 & 0xFFFFFFFF, hi0 ^ c3 ^ k1, p0 & 0xFFFFFFFF


def philox(c0, c1, c2, c3, k0, k1):
    """Return four random 32-bit words for a counter of four words and a key of two (Philox4x32-10).

    Salmon, Moraes, Dror & Shaw 2011, SC '11. Products of 32-bit words wrap in signed 64-bit integers; the
    upper word is right all the same, since the sign bits that an arithmetic shift brings in are masked off.
    """
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    for _ in range(9):
        k0 = (k0 + 0x9E3779B9) & 0xFFFFFFFF
        k1 = (k1 + 0xBB67AE85) & 0xFFFFFFFF
        c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    return c0, c1, c2, c3


def uniform(word):
    """Return a number in (0, 1] for a 32-bit word."""
    return to_float(word) * 2.3283064365386963e-10 + 1.1641532182693481e-10


def normal_pair(word_a, word_b):
    """Return two independent standard normal numbers for two 32-bit words (Box & Muller 1958)."""
    radius = sqrt(-2.0 * log(uniform(word_a)))
    angle = uniform(word_b) * 6.283185307179586
    return radius * cos(angle), radius * sin(angle)
