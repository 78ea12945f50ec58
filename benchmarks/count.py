"""Floating-point operations of the engine's loops, counted by running them on counting numbers.

The loops of `engines/fused` are plain Python underneath (`py_func`). They are run once on one
position whose numbers note every addition, multiplication and square root, so that the counts
follow the code. A product whose only use is a sum counts as one fused instruction of two
operations, as the compiler may contract them. Absolute values, comparisons, selections and
negations are bit operations and do not count.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest.mock import patch

import numpy as np

from tangency.engines.fused import box, rows, scalars, tables

RELU = (0.5, 0.5)
"""a² and b² of the normalised ReLU, σ(u) = a·u + b·|u|."""


class Number:
    """A float that notes what is done with it in `counts`."""

    __array_ufunc__ = None
    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self, value: float, product: bool = False) -> None:
        self.value, self.product = float(value), product

    def _sum(self, other: Any, sign: int, reverse: bool = False) -> Number:
        other = other if isinstance(other, Number) else Number(other)
        kind = "add"
        for operand in (self, other):
            if operand.product:
                # One product goes into the sum; another one stays an instruction of its own.
                operand.product = False
                Number.counts["multiply"] -= 1
                kind = "fused"
                break
        Number.counts[kind] += 1
        value = self.value + sign * other.value
        return Number(-value if reverse else value)

    def __add__(self, other: Any) -> Number:
        return self._sum(other, 1)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Number:
        return self._sum(other, -1)

    def __rsub__(self, other: Any) -> Number:
        return self._sum(other, -1, reverse=True)

    def __mul__(self, other: Any) -> Number:
        Number.counts["multiply"] += 1
        value = other.value if isinstance(other, Number) else float(other)
        return Number(self.value * value, product=True)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Number:
        Number.counts["divide"] += 1
        return Number(self.value / float(other))

    def __abs__(self) -> Number:
        return Number(abs(self.value))

    def __neg__(self) -> Number:
        return Number(-self.value)

    def __float__(self) -> float:
        return self.value

    def __lt__(self, other: Any) -> bool:
        return self.value < float(other)

    def __ge__(self, other: Any) -> bool:
        return self.value >= float(other)


class _Math:
    """Stands in for the module `math`."""

    pi = math.pi

    @staticmethod
    def sqrt(x: Number) -> Number:
        Number.counts["root"] += 1
        return Number(math.sqrt(float(x)))


@contextmanager
def _counting() -> Iterator[None]:
    """The scalar code with its compile-time overloads replaced by what they stand for."""

    def lit(like: Any, value: float) -> Number:
        return Number(value)

    with (
        patch.object(scalars, "lit", lit),
        patch.object(scalars, "bend", scalars._bend32),
        patch.object(scalars, "math", _Math),
        patch.object(box, "lit", lit),
        patch.object(box, "_row", box._row.py_func),
        patch.object(rows, "whole", lambda x, n: n),
        ExitStack() as stack,
    ):
        # Vectors of one number, and offsets that may be negative on the way.
        for module in (box, rows):
            stack.enter_context(patch.object(module, "load", lambda x, at: x[at]))
            stack.enter_context(
                patch.object(module, "store", lambda x, at, v: x.__setitem__(at, v))
            )
            stack.enter_context(patch.object(module, "width", lambda x: 1))
            stack.enter_context(patch.object(module, "_U", int))
        stack.enter_context(patch.object(box, "spread", lambda v: v))
        yield


def numbers(count: int = 8) -> Any:
    """A flat array of counting numbers."""
    return np.array([Number(0.3 + 0.01 * k) for k in range(count)], dtype=object)


def counted(call: Callable[[], Any]) -> Counter[str]:
    """The operations of a call: add, multiply, fused, root, divide."""
    Number.counts = Counter()
    with _counting():
        call()
    found, Number.counts = +Number.counts, Counter()
    return found


def convolution_and_relu(tangent: bool) -> Counter[str]:
    """One position of a 3×3 convolution and the activation, for Σ and Θ: a plane of one."""
    o = np.zeros(tables.OP_COLUMNS, dtype=np.int64)
    o[[tables.H, tables.W, tables.H_OUT, tables.W_OUT]] = 1
    o[[tables.COUNT1, tables.COUNT2]] = 3
    o[[tables.TANGENT, tables.TRAINABLE]] = tangent, 1
    # Parameters are plain numbers: what is made of them alone is made once for many positions.
    tables_of = SimpleNamespace(taps=[-1, 0, 1], ops=o[None], par=[0.5] * 8)
    buffers = {name: numbers() for name in ("s", "t", "second", "one")}
    work = SimpleNamespace(**buffers, tape_s=None, tape_t=None)
    return counted(lambda: box.convolve_box.py_func(tables_of, work, o, 0, 0, 1, -1, 0, 0, 1, 1))


def products(channels: int) -> Counter[str]:
    """One position of Σ of the inputs."""
    x, y = numbers(channels), numbers(channels)
    return counted(lambda: rows.products.py_func(numbers(), 0, x, 0, y, 0, channels, 1, 0, 1))


def weighted_sum() -> Counter[str]:
    """One position of the readout."""
    return counted(lambda: rows.add_scaled.py_func(numbers(), 0, numbers(), 0, Number(0.1), 1))


def operations(counts: Counter[str]) -> int:
    """Floating-point operations; a fused instruction is two, a square root one."""
    return sum(counts.values()) + counts["fused"]


def pair(depth: int, side: int, channels: int) -> Counter[str]:
    """All of one pair in (conv3 relu)×depth + GAP on a side × side grid, both kernels.

    There are side⁴ pairs of positions. Each takes the same: sums over columns of a patch are found
    once for each column, and rows outside the image are added as zeros.
    """
    positions = side**4
    total: Counter[str] = Counter()

    def take(counts: Counter[str], times: int) -> None:
        for name, count in counts.items():
            total[name] += count * times

    take(products(channels), positions)
    for layer in range(depth):
        take(convolution_and_relu(layer > 0), positions)
    take(weighted_sum(), 2 * positions)
    return total
