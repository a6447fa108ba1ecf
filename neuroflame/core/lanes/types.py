"""Vectors of points and masks as numba types, and what the operators mean on them."""

from __future__ import annotations

import builtins
import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.core.typeconv import Conversion
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, lower_cast, models, register_model

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_WIDTH = {types.float32: 16, types.float64: 8, types.int64: 16}
"""Lanes where `load`, `splat` and `gather_sum` are given no width (a compile-time constant, a power of 2)."""

inline_njit = njit(forceinline=True, nogil=True)
"""Compiles functions that take or return lanes: always inlined, so that lanes stay in registers."""


# --- the types ----------------------------------------------------------------------------------------------


class VectorType(types.Type):
    """A power of 2 of elements in a vector register."""

    def __init__(self, name: str, element: types.Type, width: int) -> None:
        if width < 1 or width & (width - 1):
            raise ValueError(f"the number of lanes must be a power of 2, got {width}")
        self.element, self.width = element, width
        self.is_float = isinstance(element, types.Float)
        super().__init__(name=f"{name}({element} x {width})")

    def accepts(self, other: types.Type) -> bool:
        """Whether the other type is this one, or a scalar that broadcasts to it."""
        scalars = (types.Boolean,) if isinstance(self, MaskType) else (types.Integer, types.Float)
        return other == self or isinstance(other, scalars[: 2 if self.is_float else 1])

    def can_convert_from(self, typingctx: Any, other: types.Type) -> Conversion | None:
        """Return whether numba may make this vector of the other type: a scalar, broadcast."""
        return Conversion.safe if self.accepts(other) else None

    def unify(self, typingctx: Any, other: types.Type) -> VectorType | None:
        """Return the type of a variable that holds both."""
        return self if self.accepts(other) else None


class LanesType(VectorType):
    """One float32, float64 or int64 value per point of a block."""

    def __init__(self, element: types.Type, width: int) -> None:
        super().__init__("Lanes", element, width)


class MaskType(VectorType):
    """One truth value per point of a block: what a comparison of lanes gives."""

    def __init__(self, width: int) -> None:
        super().__init__("Mask", types.boolean, width)


@register_model(LanesType)
@register_model(MaskType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: VectorType) -> None:
        is_mask = isinstance(fe_type, MaskType)
        element = ir.IntType(1) if is_mask else dmm.lookup(fe_type.element).get_value_type()
        super().__init__(dmm, fe_type, ir.VectorType(element, fe_type.width))


def broadcast(builder: ir.IRBuilder, scalar: ir.Value, width: int) -> ir.Value:
    """Return a vector with the scalar in every lane."""
    if isinstance(scalar, ir.Constant):
        return ir.Constant(ir.VectorType(scalar.type, width), [scalar] * width)
    undefined = ir.Constant(ir.VectorType(scalar.type, width), ir.Undefined)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
    first = builder.insert_element(undefined, scalar, ir.IntType(32)(0))
    return builder.shuffle_vector(first, undefined, zeros)


@lower_cast(types.Number, LanesType)
@lower_cast(types.Boolean, MaskType)
def _scalar_to_vector(context: Any, builder: Any, source: Any, target: VectorType, value: Any) -> ir.Value:
    return broadcast(builder, context.cast(builder, value, source, target.element), target.width)


# --- emitting code with Python's operators ------------------------------------------------------------------


class Vector:
    """A vector in the code being emitted: operators on it emit instructions; constants broadcast."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder, self.value, self.type = builder, value, value.type
        self.width, self.is_float = self.type.count, not isinstance(self.type.element, ir.IntType)
        self.single = isinstance(self.type.element, ir.FloatType)
        self.mantissa_bits, self.exponent_bias = (23, 127) if self.single else (52, 1023)
        # added to a number, it leaves the nearest integer in the low bits
        self.magic = 1.5 * 2.0**self.mantissa_bits

    def of(self, number: Any) -> Vector:
        """Return a Python number as a constant like this vector; a vector as it is."""
        if isinstance(number, Vector):
            return number
        number = float(np.float32(number)) if self.single else number
        return Vector(self.builder, ir.Constant(self.type, [number] * self.width))

    def emit(self, name: str, *operands: Any) -> Vector:
        """Emit the instruction of a name."""
        values = [self.of(operand).value for operand in operands]
        return Vector(self.builder, getattr(self.builder, name)(self.value, *values))

    def __add__(self, other: Any) -> Vector:
        return self.emit("fadd" if self.is_float else "add", other)

    def __sub__(self, other: Any) -> Vector:
        return self.emit("fsub" if self.is_float else "sub", other)

    def __mul__(self, other: Any) -> Vector:
        return self.emit("fmul" if self.is_float else "mul", other)

    def __truediv__(self, other: Any) -> Vector:
        return self.emit("fdiv", other)

    def __rsub__(self, other: Any) -> Vector:
        return self.of(other) - self

    def __neg__(self) -> Vector:
        return self.emit("fneg") if self.is_float else 0 - self

    def __and__(self, other: Any) -> Vector:
        return self.emit("and_", other)

    def __or__(self, other: Any) -> Vector:
        return self.emit("or_", other)

    def __lshift__(self, other: Any) -> Vector:
        return self.emit("shl", other)

    def __rshift__(self, other: Any) -> Vector:
        return self.emit("ashr", other)

    def compare(self, relation: str, other: Any) -> Vector:
        """Return a mask; where either is NaN, false, but true for ``!=``."""
        kind = ("fcmp_unordered" if relation == "!=" else "fcmp_ordered") if self.is_float else "icmp_signed"
        return Vector(self.builder, getattr(self.builder, kind)(relation, self.value, self.of(other).value))

    def select(self, yes: Vector, no: Any) -> Vector:
        """Return ``yes`` where this mask is set, else ``no``."""
        return Vector(self.builder, self.builder.select(self.value, yes.value, yes.of(no).value))

    def call(self, name: str, *others: Vector) -> Vector:
        """Call the LLVM intrinsic of a name."""
        values = [self.value, *(other.value for other in others)]
        kind = ir.FunctionType(self.type, [self.type] * len(values))
        name = f"llvm.{name}.v{self.width}f{32 if self.single else 64}"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return Vector(self.builder, self.builder.call(function, values))

    def cast(self, element: ir.Type, name: str = "bitcast") -> Vector:
        """Return the elements as another type, by the instruction of a name."""
        return Vector(
            self.builder, getattr(self.builder, name)(self.value, ir.VectorType(element, self.width))
        )

    def bits(self) -> Vector:
        """Return the bits as integers."""
        return self.cast(ir.IntType(32 if self.single else 64))

    def code(self, number: float) -> int:
        """Return the bits of a constant."""
        return int(np.float32(number).view(np.int32) if self.single else np.float64(number).view(np.int64))

    def horner(self, *coefficients: float) -> Vector:
        """Return the polynomial in self, highest power first."""
        total = self.of(coefficients[0])
        for coefficient in coefficients[1:]:
            total = total * self + coefficient
        return total

    def nearest(self) -> tuple[Vector, Vector]:
        """Return the nearest whole number, as float and as integer; for magnitudes below 2**21."""
        shifted = self + self.magic
        return shifted - self.magic, shifted.bits() - self.code(self.magic)


# --- operators ----------------------------------------------------------------------------------------------


def define_typing(key: Callable[..., Any], generic: Callable[..., Any]) -> None:
    """Tell numba how to type calls of a function."""
    template = type("LanesTemplate", (AbstractTemplate,), {"key": key, "generic": generic})
    infer_global(key, types.Function(template))


def operation(arity: int, on: str, *aliases: Any, to_mask: bool = False) -> Callable[[Any], Any]:
    """Make a function on `Vector` what it and its aliases mean in compiled code, where an argument is lanes."""

    def generic(self: Any, args: tuple[types.Type, ...], kws: dict[str, types.Type]) -> Any:
        like = next((a for a in args if isinstance(a, VectorType)), None)
        if like is None or kws or len(args) != arity or not all(like.accepts(a) for a in args):
            return None
        kind = "mask" if isinstance(like, MaskType) else "float" if like.is_float else "int"
        return signature(MaskType(like.width) if to_mask else like, *[like] * arity) if kind in on else None

    def register(emit: Callable[..., Vector]) -> Callable[..., Vector]:
        def lower(context: Any, builder: Any, sig: Any, args: Any) -> ir.Value:
            return emit(*(Vector(builder, a) for a in args)).value

        for key in dict.fromkeys((*aliases, emit)):
            define_typing(key, generic)
            lower_builtin(key, *[VectorType] * arity)(lower)
        return emit

    return register


operation(2, "float int", operator.iadd)(operator.add)
operation(2, "float int", operator.isub)(operator.sub)
operation(2, "float int", operator.imul)(operator.mul)
operation(2, "float", operator.itruediv)(operator.truediv)
operation(2, "int", operator.ilshift)(operator.lshift)
operation(2, "int", operator.irshift)(operator.rshift)
operation(2, "int mask", operator.iand)(operator.and_)
operation(2, "int mask", operator.ior)(operator.or_)
operation(2, "int mask", operator.xor, operator.ixor)(lambda a, b: a.emit("xor", b))
operation(1, "int mask", operator.invert)(lambda a: a.emit("not_"))
operation(1, "float int")(operator.neg)
for _s, _name in {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}.items():
    operation(2, "float int", getattr(operator, _name), to_mask=True)(lambda a, b, s=_s: a.compare(s, b))


@operation(2, "float int", builtins.max, np.maximum)
def maximum(a: Vector, b: Vector) -> Vector:
    """Return the larger; NaN if either is."""
    smaller = a.compare("<", b)
    return (smaller | b.compare("!=", b) if b.is_float else smaller).select(b, a)


@operation(2, "float int", builtins.min, np.minimum)
def minimum(a: Vector, b: Vector) -> Vector:
    """Return the smaller; NaN if either is."""
    larger = a.compare(">", b)
    return (larger | b.compare("!=", b) if b.is_float else larger).select(b, a)


@operation(1, "float", builtins.abs, np.abs, math.fabs)
def absolute(x: Vector) -> Vector:
    """Return the magnitude."""
    return x.call("fabs")


@operation(1, "float", math.sqrt, np.sqrt)
def sqrt(x: Vector) -> Vector:
    """Return the square root, correctly rounded."""
    return x.call("sqrt")


@operation(1, "float", np.floor)
def floor(x: Vector) -> Vector:
    """Return the next whole number below, as a float."""
    return x.call("floor")
