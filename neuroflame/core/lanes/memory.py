"""Memory, masks, conversions: in compiled code, called with values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import signature
from numba.extending import lower_builtin

if TYPE_CHECKING:
    from collections.abc import Callable

from neuroflame.core.lanes.types import (
    DEFAULT_WIDTH,
    LanesType,
    MaskType,
    Vector,
    VectorType,
    broadcast,
    define_typing,
    inline_njit,
)


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

    define_typing(define, generic)
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
    lower = lambda context, builder, sig, args: broadcast(builder, args[0], row.width)  # noqa: E731
    return signature(row, row.element, *width), lower


@_primitive
def where(mask: Any, yes: Any, no: Any) -> Any:
    """Return in each lane ``yes`` where the mask is set, else ``no``; one of them may be a scalar."""
    like = next((t for t in (yes, no) if isinstance(t, VectorType)), None)
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


@_primitive
def lowest_bit(bits: Any) -> Any:
    """Return the place of the lowest bit that is set in an int64, 64 if none is."""
    if bits != types.int64:
        return None
    lower = lambda context, builder, sig, args: builder.cttz(args[0], ir.IntType(1)(0))  # noqa: E731
    return signature(types.int64, types.int64), lower


@_primitive
def count_bits(bits: Any) -> Any:
    """Return how many bits are set in an int64."""
    if bits != types.int64:
        return None
    lower = lambda context, builder, sig, args: builder.ctpop(args[0])  # noqa: E731
    return signature(types.int64, types.int64), lower


@inline_njit
def any_true(mask):  # noqa: ANN001, ANN201
    """Return whether the mask is set in any lane."""
    return lane_mask(mask) != 0


def _conversion(element: types.Type) -> Callable[..., Any]:
    def define(x: Any) -> Any:
        if not isinstance(x, LanesType):
            return None

        def lower(context: Any, builder: Any, sig: Any, args: Any) -> ir.Value:
            vec = Vector(builder, args[0])
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
def gather_sum(array: Any, offsets: Any, start: Any, stop: Any, *width: Any) -> Any:
    """Return the sum of the rows of ``array`` (a row: as many elements as lanes) that begin at ``offsets[start:stop]``.

    Four running sums take the rows in turn and are added up at the end: the order of the additions, and so
    the last bits of the result, follow from the list of offsets alone. Offsets, and not numbers of rows: the
    address of a row is then one instruction away, which where rows lie in the L1 cache is a fifth of the time.
    """
    kind = _row_type(array.dtype, *width) if _is_flat(array) and _is_flat(offsets) else None
    if kind is None or not kind.is_float or not isinstance(offsets.dtype, types.Integer):
        return None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> ir.Value:
        rows, places = _data(context, builder, array, args[0]), _data(context, builder, offsets, args[1])
        start, stop, size = args[2], args[3], ir.IntType(64)

        def row(position: ir.Value) -> ir.Value:
            place = builder.load(builder.gep(places, [position]))
            offset = context.cast(builder, place, offsets.dtype, types.intp)
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
        zero = broadcast(builder, context.get_constant(array.dtype, 0), kind.width)
        a, b, c, d = loop(start, middle, [zero] * 4)
        (a,) = loop(middle, stop, [a])
        return builder.fadd(builder.fadd(a, b), builder.fadd(c, d))

    return signature(kind, array, offsets, types.intp, types.intp, *width), lower


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
