"""Copies of the physics bound to an executor's own primitives."""

from __future__ import annotations

from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from neuroflame.physics import dynamics, feedforward, hebbian, noise, spiking, transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FUNCTIONS: dict[str, FunctionType] = {
    name: function
    for module in (dynamics, transfer, noise, feedforward, hebbian, spiking)
    for name, function in vars(module).items()
    if isinstance(function, FunctionType) and function.__module__ == module.__name__
}
"""Every function of the room by name; a function stands after those that it calls."""


def specialise(
    primitives: Mapping[str, Any], compile: Callable[[FunctionType], Any] = lambda function: function
) -> SimpleNamespace:
    """Return the functions of this room bound to an executor's primitives.

    Parameters
    ----------
    primitives : mapping
        Name to function, for the names in `neuroflame.physics.primitives`. A function that uses a name which is
        not given keeps NumPy's.
    compile : callable
        Applied to each function, such as `numba.njit`; the functions that call it see the compiled one.
    """
    namespace: dict[str, Any] = {"__builtins__": __builtins__, **primitives}
    made = {}
    for name, function in FUNCTIONS.items():
        scope = {**function.__globals__, **namespace}
        bound = FunctionType(function.__code__, scope, name, function.__defaults__)
        bound.__module__ = function.__module__
        bound.__doc__ = function.__doc__
        bound.__qualname__ = function.__qualname__
        made[name] = namespace[name] = compile(bound)
    return SimpleNamespace(**made)
