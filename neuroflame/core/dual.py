"""Dual numbers: tensors that carry their derivative along one direction through the step's own equations.

Forward-mode automatic differentiation (Griewank & Walther 2008, Evaluating Derivatives, ch. 3). torch has it too, but
there a product of a tensor that moves with one that does not goes through Python twice: a step of a small
network took 47 ms instead of 2 ms. It also lacks a rule for the gather-sum of sparse connectivity.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Number = float | Tensor


class Dual:
    """A value and its derivative along a direction; arithmetic, and torch's functions, work on both.

    Parameters
    ----------
    value : Tensor
    tangent : Tensor
        Of the value's shape, or one that broadcasts to it.
    """

    __slots__ = ("tangent", "value")

    def __init__(self, value: Tensor, tangent: Tensor) -> None:
        self.value, self.tangent = value, tangent

    def __add__(self, other: Dual | Number) -> Dual:
        return Dual(self.value + value_of(other), _added(self.tangent, tangent_of(other)))

    def __sub__(self, other: Dual | Number) -> Dual:
        return self + -1.0 * other

    def __rsub__(self, other: Number) -> Dual:
        return Dual(other - self.value, -self.tangent)

    def __mul__(self, other: Dual | Number) -> Dual:
        value, moved = value_of(other), tangent_of(other)
        tangent = self.tangent * value
        return Dual(self.value * value, tangent if moved is None else tangent + self.value * moved)

    def __truediv__(self, other: Dual | Number) -> Dual:
        if isinstance(other, Dual):
            return self * (1.0 / other)
        return Dual(self.value / other, self.tangent / other)

    def __rtruediv__(self, other: Number) -> Dual:
        value = other / self.value
        return Dual(value, -value / self.value * self.tangent)

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.tangent)

    def __lt__(self, other: Dual | Number) -> Tensor:
        return torch.as_tensor(self.value < value_of(other))

    def __gt__(self, other: Dual | Number) -> Tensor:
        return torch.as_tensor(self.value > value_of(other))

    __radd__ = __add__
    __rmul__ = __mul__

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Take the derivative's rule of a torch function; NotImplementedError where there is none."""
        rule = _RULES.get(function.__name__)
        if rule is None:
            raise NotImplementedError(f"no derivative is known for torch's {function.__name__}")
        return rule(*args, **(kwargs or {}))


def value_of(x: Any) -> Any:
    """Return the value of a dual number, anything else as it is."""
    return x.value if isinstance(x, Dual) else x


def tangent_of(x: Any) -> Tensor | None:
    """Return the derivative of a dual number, None of anything else: it does not move."""
    return x.tangent if isinstance(x, Dual) else None


def linear(function: Callable[[Tensor], Tensor], x: Any) -> Any:
    """Return a linear function of a tensor, or of a dual number: there it is its own derivative."""
    return Dual(function(x.value), function(x.tangent)) if isinstance(x, Dual) else function(x)


def _added(a: Tensor, b: Tensor | None) -> Tensor:
    return a if b is None else a + b


def _clamp(x: Dual, min: float) -> Dual:
    return Dual(torch.clamp(x.value, min=min), torch.where(x.value > min, x.tangent, 0.0))


def _where(condition: Tensor, a: Any, b: Any) -> Dual:
    up, down = (x.tangent if isinstance(x, Dual) else 0.0 for x in (a, b))
    return Dual(torch.where(condition, value_of(a), value_of(b)), torch.where(condition, up, down))


def _chain(function: Callable[[Tensor], Tensor], slope: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """Return the rule of an elementwise function whose slope is a function of argument and value."""

    def rule(x: Dual) -> Dual:
        value = function(x.value)
        return Dual(value, slope(x.value, value) * x.tangent)

    return rule


_RULES: dict[str, Any] = {
    "add": lambda a, b: b + a,
    "mul": lambda a, b: b * a,
    "sub": lambda a, b: -b + a,
    "rsub": lambda a, b: -a + b,
    "div": lambda a, b: b.__rtruediv__(a),
    "clamp": _clamp,
    "where": _where,
    "zeros_like": lambda x: torch.zeros_like(x.value),
    "exp": _chain(torch.exp, lambda x, y: y),
    "sqrt": _chain(torch.sqrt, lambda x, y: 0.5 / y),
    "tanh": _chain(torch.tanh, lambda x, y: 1.0 - y * y),
    "erf": _chain(torch.erf, lambda x, y: 2.0 / math.sqrt(math.pi) * torch.exp(-x * x)),
}
