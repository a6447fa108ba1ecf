"""Transfer functions of theory: values from the physics, slopes beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.physics import transfer
from neuroflame.physics.transfer import BOUNDED as BOUNDED
from neuroflame.spec.parts import ODD_TRANSFERS as ODD_TRANSFERS
from neuroflame.theory.meanfield import NotCovered

if TYPE_CHECKING:
    from collections.abc import Callable

Array = np.ndarray[Any, Any]


def _brunel(x: Array) -> Array:
    return np.where(x <= 0.0, 0.0, np.where(x < 1.0, 2.0 * x, 2.0 / np.sqrt(np.maximum(4.0 * x - 3.0, 1.0))))


_SLOPES: dict[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.where(x > 0.0, 1.0, 0.0),
    "erf": lambda x: np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi),
    "erf_odd": lambda x: np.exp(-0.25 * np.pi * x**2),
    "tanh": lambda x: 1.0 / np.cosh(np.minimum(np.abs(x), 350.0)) ** 2,
    "brunel": _brunel,
}


def value(name: str, x: Array) -> Array:
    """Return Φ(x)."""
    found: Array = np.asarray(getattr(transfer, f"transfer_{name}")(x), dtype=float)
    return found


def slope(name: str, x: Array) -> Array:
    """Return Φ'(x); at the kink of relu it is 0, as in the spectrum of a simulated network.

    Raises
    ------
    NotCovered
        If there is no formula for it.
    """
    if name not in _SLOPES:
        raise NotCovered(f"the slope of the transfer function {name} is not known")
    return _SLOPES[name](x)
