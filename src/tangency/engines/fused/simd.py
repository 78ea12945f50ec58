"""Vectors of numbers for compiled loops: one value of this type is one or two registers.

Left to itself, LLVM checks before every loop that none of its ten arrays overlap, and sets up a
second loop for what is left over; on rows of a few hundred numbers that costs more than the work.
A loop over explicit vectors has neither. `load` and `store` read and write `width` numbers, `+`,
`-`, `*`, `/`, `abs`, `math.sqrt`, comparisons and `where` work on each of them, and numbers of the
same precision mix with vectors. Elsewhere LLVM splits vectors into whatever registers there are.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.core.typing import templates
from numba.core.typing.templates import AbstractTemplate, signature
from numba.extending import lower_builtin, models, overload, register_model

# Decorators that change what a function takes, which type checkers do not know.
intrinsic: Any = extending.intrinsic
infer_global: Any = templates.infer_global

BYTES = 64
"""The size of a vector."""


def width_of(dtype: Any) -> int:
    """How many numbers a vector holds."""
    return BYTES // np.dtype(dtype).itemsize


class Vector(types.Type):
    """`width_of(dtype)` numbers."""

    def __init__(self, dtype: Any) -> None:
        self.dtype, self.count = dtype, BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Vector({dtype})")


class Mask(types.Type):
    """As many truth values."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(name=f"Mask({count})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        number = manager.lookup(kind.dtype).get_value_type()
        super().__init__(manager, kind, ir.VectorType(number, kind.count))


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.VectorType(ir.IntType(1), kind.count))


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    at = builder.gep(data, [index], inbounds=True)
    vector = context.get_value_type(Vector(kind.dtype))
    return builder.bitcast(at, vector.as_pointer())


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """The numbers array[index], array[index + 1], … as a vector."""

    def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = sig.args[0]
        at = _address(context, builder, kind, *args)
        return builder.load(at, align=kind.dtype.bitwidth // 8)

    return Vector(array.dtype)(array, types.uint64), build


@intrinsic
def store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Writes a vector to array[index], array[index + 1], …"""

    def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = sig.args[0]
        at = _address(context, builder, kind, *args[:2])
        builder.store(args[2], at, align=kind.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.uint64, Vector(array.dtype)), build


@intrinsic
def spread(typing: Any, value: Any) -> Any:
    """A vector of one number."""

    def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _spread(context, builder, sig.return_type, args[0])

    return Vector(value)(value), build


@intrinsic
def total(typing: Any, vector: Any) -> Any:
    """The sum of the numbers of a vector, by halves."""

    def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value, count = args[0], sig.args[0].count
        while count > 1:
            count //= 2
            halves = [
                ir.Constant(ir.VectorType(ir.IntType(32), count), list(range(k, k + count)))
                for k in (0, count)
            ]
            low, high = (builder.shuffle_vector(value, value, half) for half in halves)
            value = builder.fadd(low, high)
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return vector.dtype(vector), build


@intrinsic
def width(typing: Any, array: Any) -> Any:
    """How many numbers of this array make a vector."""

    def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return ir.Constant(ir.IntType(64), Vector(sig.args[0].dtype).count)

    return types.int64(array), build


@intrinsic
def transpose(typing: Any, array: Any, source: Any, target: Any, stride: Any) -> Any:
    """Writes a square block of `width` rows to its mirror image.

    Rows begin at `source` and `target` and every `stride` numbers behind; the two must not overlap.
    """

    def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind, (values, source, target, stride) = sig.args[0], args
        count, align = Vector(kind.dtype).count, kind.dtype.bitwidth // 8

        def row(start: Any, k: int) -> Any:
            step = builder.mul(stride, ir.Constant(ir.IntType(64), k))
            return _address(context, builder, kind, values, builder.add(start, step))

        rows = [builder.load(row(source, k), align=align) for k in range(count)]
        # Blocks of 1, 2, 4, … off the diagonal are exchanged between pairs of rows.
        size = 1
        while size < count:
            upper, lower = (_exchange(count, size, part) for part in (0, size))
            for k in range(count):
                if not k & size:
                    a, b = rows[k], rows[k + size]
                    rows[k] = builder.shuffle_vector(a, b, upper)
                    rows[k + size] = builder.shuffle_vector(a, b, lower)
            size *= 2
        for k in range(count):
            builder.store(rows[k], row(target, k), align=align)
        return context.get_dummy_value()

    index = types.uint64
    return types.void(array, index, index, index), build


def _exchange(count: int, size: int, part: int) -> Any:
    """Which numbers of two rows, one behind the other, make the first or second row of a pair."""
    places = [(k & ~size) + part + (count if k & size else 0) for k in range(count)]
    return ir.Constant(ir.VectorType(ir.IntType(32), count), places)


def _spread(context: Any, builder: Any, kind: Vector, value: Any) -> Any:
    vector = context.get_value_type(kind)
    if isinstance(value, ir.Constant):
        return ir.Constant(vector, [value.constant] * kind.count)
    start = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(start, value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), kind.count), [0] * kind.count)
    return builder.shuffle_vector(one, start, zeros)


def _common(args: Any) -> Any:
    """The type of vectors that two operands, of which one is a vector, are brought to."""
    found = [a for a in args if isinstance(a, Vector)]
    if not found or any(a not in (found[0], found[0].dtype) for a in args):
        return None
    return found[0]


def _binary(function: Any, build: Callable[[Any, Any, Any], Any], to_mask: bool = False) -> None:
    @infer_global(function)
    class _Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            kind = _common(args) if len(args) == 2 else None
            if kind is None:
                return None
            return signature(Mask(kind.count) if to_mask else kind, *args)

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = _common(sig.args)
        both = [
            value if isinstance(of, Vector) else _spread(context, builder, kind, value)
            for of, value in zip(sig.args, args, strict=True)
        ]
        return build(builder, *both)

    for pair in ((Vector, Vector), (Vector, types.Float), (types.Float, Vector)):
        lower_builtin(function, *pair)(lower)


def _unary(function: Any, build: Callable[[Any, Any], Any]) -> None:
    @infer_global(function)
    class _Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) == 1 and isinstance(args[0], Vector):
                return signature(args[0], args[0])
            return None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return build(builder, args[0])

    lower_builtin(function, Vector)(lower)


def _intrinsic(name: str) -> Callable[[Any, Any], Any]:
    def build(builder: Any, value: Any) -> Any:
        bits = 32 if value.type.element == ir.FloatType() else 64
        full = f"{name}.v{value.type.count}f{bits}"
        kind = ir.FunctionType(value.type, [value.type])
        return builder.call(builder.module.declare_intrinsic(full, (), kind), [value])

    return build


for _function, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _binary(_function, lambda builder, x, y, name=_name: getattr(builder, name)(x, y))
for _function, _sign in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
):
    _binary(
        _function, lambda builder, x, y, sign=_sign: builder.fcmp_ordered(sign, x, y), to_mask=True
    )
_unary(abs, _intrinsic("llvm.fabs"))
_unary(math.sqrt, _intrinsic("llvm.sqrt"))
_unary(operator.neg, lambda builder, x: builder.fneg(x))


def where(condition: Any, x: Any, y: Any) -> Any:
    """x where the condition holds, else y: of numbers, or of each pair of two vectors."""
    return x if condition else y


@intrinsic
def _select(typing: Any, mask: Any, x: Any, y: Any) -> Any:
    kind = _common((x, y))

    def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        both = [
            value if isinstance(of, Vector) else _spread(context, builder, kind, value)
            for of, value in zip(sig.args[1:], args[1:], strict=True)
        ]
        return builder.select(args[0], *both)

    return kind(mask, x, y), build


@overload(where)
def _where(condition, x, y):
    if isinstance(condition, Mask):
        return lambda condition, x, y: _select(condition, x, y)
    return lambda condition, x, y: x if condition else y


def flipped(x: Any, by: Any) -> Any:
    """x, or −x where `by` is negative: of numbers, or of each pair of two vectors."""
    return -x if by < 0 else x


@intrinsic
def _flip(typing: Any, x: Any, by: Any) -> Any:
    def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = sig.args[0]
        bits = kind.dtype.bitwidth
        whole = ir.VectorType(ir.IntType(bits), kind.count)
        sign = ir.Constant(whole, [1 << (bits - 1)] * kind.count)
        value, other = (builder.bitcast(arg, whole) for arg in args)
        found = builder.xor(value, builder.and_(other, sign))
        return builder.bitcast(found, context.get_value_type(kind))

    return x(x, by), build


@overload(flipped)
def _flipped(x, by):
    if isinstance(x, Vector):
        return lambda x, by: _flip(x, by)
    return lambda x, by: -x if by < 0 else x
