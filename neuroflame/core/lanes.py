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


class _VectorType(types.Type):
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
        return Conversion.safe if self.accepts(other) else None

    def unify(self, typingctx: Any, other: types.Type) -> _VectorType | None:
        return self if self.accepts(other) else None


class LanesType(_VectorType):
    """One float32, float64 or int64 value per point of a block."""

    def __init__(self, element: types.Type, width: int) -> None:
        super().__init__("Lanes", element, width)


class MaskType(_VectorType):
    """One truth value per point of a block: what a comparison of lanes gives."""

    def __init__(self, width: int) -> None:
        super().__init__("Mask", types.boolean, width)


@register_model(LanesType)
@register_model(MaskType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: _VectorType) -> None:
        is_mask = isinstance(fe_type, MaskType)
        element = ir.IntType(1) if is_mask else dmm.lookup(fe_type.element).get_value_type()
        super().__init__(dmm, fe_type, ir.VectorType(element, fe_type.width))


def _broadcast(builder: ir.IRBuilder, scalar: ir.Value, width: int) -> ir.Value:
    if isinstance(scalar, ir.Constant):
        return ir.Constant(ir.VectorType(scalar.type, width), [scalar] * width)
    undefined = ir.Constant(ir.VectorType(scalar.type, width), ir.Undefined)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
    first = builder.insert_element(undefined, scalar, ir.IntType(32)(0))
    return builder.shuffle_vector(first, undefined, zeros)


@lower_cast(types.Number, LanesType)
@lower_cast(types.Boolean, MaskType)
def _scalar_to_vector(context: Any, builder: Any, source: Any, target: _VectorType, value: Any) -> ir.Value:
    return _broadcast(builder, context.cast(builder, value, source, target.element), target.width)


# --- emitting code with Python's operators ------------------------------------------------------------------


class _Vec:
    """A vector in the code being emitted: operators on it emit instructions; constants broadcast."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder, self.value, self.type = builder, value, value.type
        self.width, self.is_float = self.type.count, not isinstance(self.type.element, ir.IntType)
        self.single = isinstance(self.type.element, ir.FloatType)
        self.mantissa_bits, self.exponent_bias = (23, 127) if self.single else (52, 1023)
        # added to a number, it leaves the nearest integer in the low bits
        self.magic = 1.5 * 2.0**self.mantissa_bits

    def of(self, number: Any) -> _Vec:
        if isinstance(number, _Vec):
            return number
        number = float(np.float32(number)) if self.single else number
        return _Vec(self.builder, ir.Constant(self.type, [number] * self.width))

    def emit(self, name: str, *operands: Any) -> _Vec:
        values = [self.of(operand).value for operand in operands]
        return _Vec(self.builder, getattr(self.builder, name)(self.value, *values))

    def __add__(self, other: Any) -> _Vec:
        return self.emit("fadd" if self.is_float else "add", other)

    def __sub__(self, other: Any) -> _Vec:
        return self.emit("fsub" if self.is_float else "sub", other)

    def __mul__(self, other: Any) -> _Vec:
        return self.emit("fmul" if self.is_float else "mul", other)

    def __truediv__(self, other: Any) -> _Vec:
        return self.emit("fdiv", other)

    def __rsub__(self, other: Any) -> _Vec:
        return self.of(other) - self

    def __neg__(self) -> _Vec:
        return self.emit("fneg") if self.is_float else 0 - self

    def __and__(self, other: Any) -> _Vec:
        return self.emit("and_", other)

    def __or__(self, other: Any) -> _Vec:
        return self.emit("or_", other)

    def __lshift__(self, other: Any) -> _Vec:
        return self.emit("shl", other)

    def __rshift__(self, other: Any) -> _Vec:
        return self.emit("ashr", other)

    def compare(self, relation: str, other: Any) -> _Vec:
        """Return a mask; where either is NaN, false, but true for ``!=``."""
        kind = ("fcmp_unordered" if relation == "!=" else "fcmp_ordered") if self.is_float else "icmp_signed"
        return _Vec(self.builder, getattr(self.builder, kind)(relation, self.value, self.of(other).value))

    def select(self, yes: _Vec, no: Any) -> _Vec:
        return _Vec(self.builder, self.builder.select(self.value, yes.value, yes.of(no).value))

    def call(self, name: str, *others: _Vec) -> _Vec:
        values = [self.value, *(other.value for other in others)]
        kind = ir.FunctionType(self.type, [self.type] * len(values))
        name = f"llvm.{name}.v{self.width}f{32 if self.single else 64}"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return _Vec(self.builder, self.builder.call(function, values))

    def cast(self, element: ir.Type, name: str = "bitcast") -> _Vec:
        return _Vec(self.builder, getattr(self.builder, name)(self.value, ir.VectorType(element, self.width)))

    def bits(self) -> _Vec:
        return self.cast(ir.IntType(32 if self.single else 64))

    def code(self, number: float) -> int:
        """Return the bits of a constant."""
        return int(np.float32(number).view(np.int32) if self.single else np.float64(number).view(np.int64))

    def horner(self, *coefficients: float) -> _Vec:
        """Return the polynomial in self, highest power first."""
        total = self.of(coefficients[0])
        for coefficient in coefficients[1:]:
            total = total * self + coefficient
        return total

    def nearest(self) -> tuple[_Vec, _Vec]:
        """Return the nearest whole number, as float and as integer; for magnitudes below 2**21."""
        shifted = self + self.magic
        return shifted - self.magic, shifted.bits() - self.code(self.magic)


# --- operators ----------------------------------------------------------------------------------------------


def _define_typing(key: Callable[..., Any], generic: Callable[..., Any]) -> None:
    template = type("LanesTemplate", (AbstractTemplate,), {"key": key, "generic": generic})
    infer_global(key, types.Function(template))


def _operation(arity: int, on: str, *aliases: Any, to_mask: bool = False) -> Callable[[Any], Any]:
    """Make a function on `_Vec` what it and its aliases mean in compiled code, where an argument is lanes."""

    def generic(self: Any, args: tuple[types.Type, ...], kws: dict[str, types.Type]) -> Any:
        like = next((a for a in args if isinstance(a, _VectorType)), None)
        if like is None or kws or len(args) != arity or not all(like.accepts(a) for a in args):
            return None
        kind = "mask" if isinstance(like, MaskType) else "float" if like.is_float else "int"
        return signature(MaskType(like.width) if to_mask else like, *[like] * arity) if kind in on else None

    def register(emit: Callable[..., _Vec]) -> Callable[..., _Vec]:
        def lower(context: Any, builder: Any, sig: Any, args: Any) -> ir.Value:
            return emit(*(_Vec(builder, a) for a in args)).value

        for key in dict.fromkeys((*aliases, emit)):
            _define_typing(key, generic)
            lower_builtin(key, *[_VectorType] * arity)(lower)
        return emit

    return register


_operation(2, "float int", operator.iadd)(operator.add)
_operation(2, "float int", operator.isub)(operator.sub)
_operation(2, "float int", operator.imul)(operator.mul)
_operation(2, "float", operator.itruediv)(operator.truediv)
_operation(2, "int", operator.ilshift)(operator.lshift)
_operation(2, "int", operator.irshift)(operator.rshift)
_operation(2, "int mask", operator.iand)(operator.and_)
_operation(2, "int mask", operator.ior)(operator.or_)
_operation(2, "int mask", operator.xor, operator.ixor)(lambda a, b: a.emit("xor", b))
_operation(1, "int mask", operator.invert)(lambda a: a.emit("not_"))
_operation(1, "float int")(operator.neg)
for _s, _name in {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}.items():
    _operation(2, "float int", getattr(operator, _name), to_mask=True)(lambda a, b, s=_s: a.compare(s, b))


@_operation(2, "float int", builtins.max, np.maximum)
def maximum(a: _Vec, b: _Vec) -> _Vec:
    """Return the larger; NaN if either is."""
    smaller = a.compare("<", b)
    return (smaller | b.compare("!=", b) if b.is_float else smaller).select(b, a)


@_operation(2, "float int", builtins.min, np.minimum)
def minimum(a: _Vec, b: _Vec) -> _Vec:
    """Return the smaller; NaN if either is."""
    larger = a.compare(">", b)
    return (larger | b.compare("!=", b) if b.is_float else larger).select(b, a)


@_operation(1, "float", builtins.abs, np.abs, math.fabs)
def absolute(x: _Vec) -> _Vec:
    """Return the magnitude."""
    return x.call("fabs")


@_operation(1, "float", math.sqrt, np.sqrt)
def sqrt(x: _Vec) -> _Vec:
    """Return the square root, correctly rounded."""
    return x.call("sqrt")


@_operation(1, "float", np.floor)
def floor(x: _Vec) -> _Vec:
    """Return the next whole number below, as a float."""
    return x.call("floor")


# --- elementary functions, after Cephes (Moshier 1989); errors in units in the last place (ulp) -------------
# fmt: off


@_operation(1, "float", math.exp, np.exp)
def exp(x: _Vec) -> _Vec:
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


@_operation(1, "float", math.log, np.log)
def log(x: _Vec) -> _Vec:
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


@_operation(1, "float", math.tanh, np.tanh)
def tanh(x: _Vec) -> _Vec:
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


@_operation(1, "float", math.erf)
def erf(x: _Vec) -> _Vec:
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


def _sine(x: _Vec, quarter_turns: int) -> _Vec:
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


@_operation(1, "float", math.sin, np.sin)
def sin(x: _Vec) -> _Vec:
    """Return the sine; absolute error below 1e-7 (float32) or 2e-16; NaN from 2**13 (float32) or 2**30 on."""
    return _sine(x, 0)


@_operation(1, "float", math.cos, np.cos)
def cos(x: _Vec) -> _Vec:
    """Return the cosine; errors and range as of `sin`."""
    return _sine(x, 1)


# fmt: on
# --- memory, masks, conversions: in compiled code, called with values ---------------------------------------


def _primitive(define: Callable[..., Any]) -> Callable[..., Any]:
    """Like numba's `intrinsic`, but arguments may be left out: define(*types) -> (signature, lowering)."""
    lowerings: dict[Any, Any] = {}

    def generic(self: Any, args: tuple[types.Type, ...], kws: dict[str, types.Type]) -> Any:
        made = None if kws else define(*args)
        if made is None:
            return None
        lowerings[made[0].args] = made[1]
        return made[0]

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> ir.Value:
        return lowerings[sig.args](context, builder, sig, args)

    _define_typing(define, generic)
    lower_builtin(define, types.VarArg(types.Any))(lower)
    return define


def _row_type(element: types.Type, width: types.Type | None = None) -> LanesType | None:
    if element not in DEFAULT_WIDTH or not (width is None or isinstance(width, types.IntegerLiteral)):
        return None
    return LanesType(element, DEFAULT_WIDTH[element] if width is None else width.literal_value)


def _is_flat(array: types.Type) -> bool:
    return isinstance(array, types.Array) and array.layout == "C"


def _data(context: Any, builder: Any, array: types.Array, value: ir.Value) -> ir.Value:
    return context.make_array(array)(context, builder, value).data


def _row(builder: Any, base: ir.Value, offset: ir.Value, width: int) -> ir.Value:
    address = builder.gep(base, [offset])
    return builder.bitcast(address, ir.VectorType(address.type.pointee, width).as_pointer())


@_primitive
def load(array: Any, offset: Any, *width: Any) -> Any:
    """Return the lanes at ``array.flat[offset : offset + width]`` of a C-contiguous array."""
    row = _row_type(array.dtype, *width) if _is_flat(array) else None
    if row is None:
        return None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> ir.Value:
        pointer = _row(builder, _data(context, builder, array, args[0]), args[1], row.width)
        return builder.load(pointer, align=array.dtype.bitwidth // 8)

    return signature(row, array, types.intp, *width), lower


@_primitive
def store(array: Any, offset: Any, value: Any) -> Any:
    """Put lanes at ``array.flat[offset : offset + width]`` of a C-contiguous array."""
    if (
        not (_is_flat(array) and array.mutable and isinstance(value, LanesType))
        or value.element != array.dtype
    ):
        return None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> ir.Value:
        pointer = _row(builder, _data(context, builder, array, args[0]), args[1], value.width)
        builder.store(args[2], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return signature(types.none, array, types.intp, value), lower


@_primitive
def splat(scalar: Any, *width: Any) -> Any:
    """Return a scalar (float32, float64 or int64) in every lane."""
    row = _row_type(types.unliteral(scalar), *width)
    if row is None:
        return None
    lower = lambda context, builder, sig, args: _broadcast(builder, args[0], row.width)  # noqa: E731
    return signature(row, row.element, *width), lower


@_primitive
def where(mask: Any, yes: Any, no: Any) -> Any:
    """Return in each lane ``yes`` where the mask is set, else ``no``; one of them may be a scalar."""
    like = next((t for t in (yes, no) if isinstance(t, _VectorType)), None)
    if like is None or mask != MaskType(like.width) or not (like.accepts(yes) and like.accepts(no)):
        return None
    return signature(like, mask, like, like), lambda context, builder, sig, args: builder.select(*args)


@_primitive
def lane_mask(mask: Any) -> Any:
    """Return the mask as an int64 whose bit k is lane k (of at most 64)."""
    if not (isinstance(mask, MaskType) and mask.width <= 64):
        return None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> ir.Value:
        return builder.zext(builder.bitcast(args[0], ir.IntType(mask.width)), ir.IntType(64))

    return signature(types.int64, mask), lower


@inline_njit
def any_true(mask):  # noqa: ANN001, ANN201
    """Return whether the mask is set in any lane."""
    return lane_mask(mask) != 0


def _conversion(element: types.Type) -> Callable[..., Any]:
    def define(x: Any) -> Any:
        if not isinstance(x, LanesType):
            return None

        def lower(context: Any, builder: Any, sig: Any, args: Any) -> ir.Value:
            vec = _Vec(builder, args[0])
            if not x.is_float:
                double = ir.DoubleType()
                vec = (vec + 0x4338000000000000).cast(double) - 1.5 * 2.0**52
            target = context.get_value_type(element)
            if vec.type.element == target:
                return vec.value
            return vec.cast(target, "fptrunc" if vec.type.element == ir.DoubleType() else "fpext").value

        return signature(LanesType(element, x.width), x), lower

    define.__doc__ = f"Lanes as {element}, rounded once; integers must be of magnitude below 2**51."
    return _primitive(define)


to_float32 = _conversion(types.float32)
to_float64 = _conversion(types.float64)


@_primitive
def gather_sum(array: Any, indices: Any, start: Any, stop: Any, *width: Any) -> Any:
    """Return the sum of the rows of ``array`` (a row: as many elements as lanes) in ``indices[start:stop]``.

    Four running sums take the rows in turn and are added up at the end: the order of the additions, and so
    the last bits of the result, follow from the list of indices alone.
    """
    kind = _row_type(array.dtype, *width) if _is_flat(array) and _is_flat(indices) else None
    if kind is None or not kind.is_float or not isinstance(indices.dtype, types.Integer):
        return None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> ir.Value:
        rows, numbers = _data(context, builder, array, args[0]), _data(context, builder, indices, args[1])
        start, stop, size = args[2], args[3], ir.IntType(64)

        def row(position: ir.Value) -> ir.Value:
            number = builder.load(builder.gep(numbers, [position]))
            offset = builder.mul(context.cast(builder, number, indices.dtype, types.intp), size(kind.width))
            return builder.load(_row(builder, rows, offset, kind.width), align=array.dtype.bitwidth // 8)

        def loop(first: ir.Value, last: ir.Value, sums: list[ir.Value]) -> list[ir.Value]:
            """Add rows first..last to the sums, one to each in turn."""
            before, body = builder.block, builder.append_basic_block("gather")
            after = builder.append_basic_block("gathered")
            builder.cbranch(builder.icmp_signed("<", first, last), body, after)
            builder.position_at_end(body)
            old = [builder.phi(value.type) for value in (first, *sums)]
            new = [builder.add(old[0], size(len(sums)))]
            new += [builder.fadd(old[1 + k], row(builder.add(old[0], size(k)))) for k in range(len(sums))]
            builder.cbranch(builder.icmp_signed("<", new[0], last), body, after)
            builder.position_at_end(after)
            totals = [builder.phi(value.type) for value in sums]
            initials, updates = (first, *sums, *sums), (*new, *new[1:])
            for phi, initial, updated in zip((*old, *totals), initials, updates, strict=True):
                phi.add_incoming(initial, before)
                phi.add_incoming(updated, body)
            return totals

        middle = builder.add(start, builder.and_(builder.sub(stop, start), size(-4)))
        zero = _broadcast(builder, context.get_constant(array.dtype, 0), kind.width)
        a, b, c, d = loop(start, middle, [zero] * 4)
        (a,) = loop(middle, stop, [a])
        return builder.fadd(builder.fadd(a, b), builder.fadd(c, d))

    return signature(kind, array, indices, types.intp, types.intp, *width), lower


@_primitive
def set_flush_denormals(on: Any) -> Any:
    """Make this thread take subnormal numbers for 0, or not; return whether it did before.

    Rates that decay to 0 otherwise end as subnormal numbers, on which arithmetic is slow. Does nothing on a
    machine that is neither x86-64 nor 64-bit ARM.
    """

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> ir.Value:
        architecture, i32, i64 = builder.module.triple.split("-")[0], ir.IntType(32), ir.IntType(64)

        def call(name: str, kind: ir.Type, *values: ir.Value) -> ir.Value:
            function = ir.FunctionType(kind, [value.type for value in values])
            return builder.call(cgutils.get_or_insert_function(builder.module, function, name), values)

        if architecture == "x86_64":
            slot, flags = cgutils.alloca_once(builder, i32), i32(0x8040)
            pointer = builder.bitcast(slot, ir.IntType(8).as_pointer())
            call("llvm.x86.sse.stmxcsr", ir.VoidType(), pointer)
            old = builder.load(slot)
        elif architecture in ("aarch64", "arm64"):
            flags, old = i64(1 << 24), call("llvm.aarch64.get.fpcr", i64)
        else:
            return context.get_constant(types.boolean, 0)
        new = builder.select(args[0], builder.or_(old, flags), builder.and_(old, builder.not_(flags)))
        if architecture == "x86_64":
            builder.store(new, slot)
            call("llvm.x86.sse.ldmxcsr", ir.VoidType(), pointer)
        else:
            call("llvm.aarch64.set.fpcr", ir.VoidType(), new)
        return builder.icmp_unsigned("!=", builder.and_(old, flags), flags.type(0))

    return signature(types.boolean, types.boolean), lower


PRIMITIVES: dict[str, Any] = {
    "exp": exp, "log": log, "sqrt": sqrt, "cos": cos, "sin": sin, "tanh": tanh, "erf": erf,
    "maximum": maximum, "where": where, "to_float": to_float64,
}  # fmt: skip
"""What `neuroflame.physics.specialise` needs to bind the physics to lanes, with ``compile=inline_njit``."""
