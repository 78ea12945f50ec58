"""Arrays of 32 digits with the operators and methods of the Array API standard that we use."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import loops


class ExtendedFloat:
    """The dtype of `Extended`."""

    itemsize = 16

    def __repr__(self) -> str:
        return "extended"


EXTENDED = ExtendedFloat()


class Extended:
    """An array of numbers hi + lo, two float64 arrays of one shape."""

    dtype = EXTENDED
    device = "cpu"
    # NumPy's functions and operators must not take these arrays apart.
    __array_ufunc__ = None

    def __init__(self, hi: np.ndarray, lo: np.ndarray) -> None:
        self.hi, self.lo = hi, lo

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        from . import namespace

        return namespace

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The nearest float64 numbers."""
        return np.array(self.hi, dtype=dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.hi.shape

    @property
    def ndim(self) -> int:
        return self.hi.ndim

    def __getitem__(self, key: Any) -> Extended:
        return Extended(self.hi[key], self.lo[key])

    def __neg__(self) -> Extended:
        return Extended(-self.hi, -self.lo)

    def __add__(self, other: Any) -> Extended:
        return binary(loops.sums, self, other)

    def __sub__(self, other: Any) -> Extended:
        return self + (-other)

    def __rsub__(self, other: Any) -> Extended:
        return -self + other

    def __mul__(self, other: Any) -> Extended:
        return binary(loops.products, self, other)

    def __truediv__(self, other: Any) -> Extended:
        return binary(loops.quotients, self, other)

    def __rtruediv__(self, other: Any) -> Extended:
        return binary(loops.quotients, extended(other), self)

    __radd__ = __add__
    __rmul__ = __mul__

    def __pow__(self, power: int) -> Extended:
        if not isinstance(power, int) or power < 0:
            return NotImplemented
        result, square = extended(np.ones(self.shape)), self
        while power:
            if power & 1:
                result = result * square
            power >>= 1
            square = square * square if power else square
        return result

    def __matmul__(self, other: Any) -> Extended:
        return matmul(self, extended(other))

    def __rmatmul__(self, other: Any) -> Extended:
        return matmul(extended(other), self)

    def __lt__(self, other: Any) -> np.ndarray:
        hi, lo = _parts(other)
        return (self.hi < hi) | ((self.hi == hi) & (self.lo < lo))

    def __gt__(self, other: Any) -> np.ndarray:
        hi, lo = _parts(other)
        return (self.hi > hi) | ((self.hi == hi) & (self.lo > lo))

    def __le__(self, other: Any) -> np.ndarray:
        hi, lo = _parts(other)
        return (self.hi < hi) | ((self.hi == hi) & (self.lo <= lo))

    def __ge__(self, other: Any) -> np.ndarray:
        hi, lo = _parts(other)
        return (self.hi > hi) | ((self.hi == hi) & (self.lo >= lo))


def extended(x: Any) -> Extended:
    """float64 numbers, exactly."""
    if isinstance(x, Extended):
        return x
    hi = np.asarray(x, dtype=np.float64)
    return Extended(hi, np.zeros(hi.shape))


def _parts(x: Any) -> tuple[Any, Any]:
    return (x.hi, x.lo) if isinstance(x, Extended) else (x, 0.0)


def unary(loop: Callable[..., None], x: Extended) -> Extended:
    """An elementwise function."""
    hi, lo = np.empty(x.shape), np.empty(x.shape)
    loop(_flat(x.hi), _flat(x.lo), hi.reshape(-1), lo.reshape(-1))
    return Extended(hi, lo)


def binary(loop: Callable[..., None], x: Any, y: Any) -> Extended:
    """An elementwise function of two arrays that broadcast."""
    x, y = extended(x), extended(y)
    shape = np.broadcast_shapes(x.shape, y.shape)
    hi, lo = np.empty(shape), np.empty(shape)
    loop(*_operand(x, shape), *_operand(y, shape), hi.reshape(-1), lo.reshape(-1))
    return Extended(hi, lo)


def _operand(x: Extended, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, int]:
    """Flat parts and the step between their elements; a single number is not copied out."""
    if x.hi.size == 1 and math.prod(shape) != 0:
        return _flat(x.hi), _flat(x.lo), 0
    if x.shape != shape:
        x = Extended(np.broadcast_to(x.hi, shape), np.broadcast_to(x.lo, shape))
    return _flat(x.hi), _flat(x.lo), 1


def _flat(x: np.ndarray) -> np.ndarray:
    """A flat copy, or view where one will do, in the one kind of array that loops are built for."""
    flat = np.ascontiguousarray(x).reshape(-1)
    return flat if flat.flags.writeable else flat.copy()


def row_sums(x: Extended) -> Extended:
    """Sums of the rows of (n, k)."""
    hi, lo = np.empty(x.shape[0]), np.empty(x.shape[0])
    loops.row_sums(_flat(x.hi).reshape(x.shape), _flat(x.lo).reshape(x.shape), hi, lo)
    return Extended(hi, lo)


def matmul(x: Extended, y: Extended) -> Extended:
    """(..., n, k) times (k, m), (n, k) times (..., k, m), or (b, n, k) times (b, k, m)."""
    if x.ndim > 2 and y.ndim > 2:
        return _many(x, y)
    if y.ndim > 2:
        return _swap(matmul(_swap(y), _swap(x)))
    *lead, n, k = x.shape
    m = y.shape[1]
    # Columns of the first matrix are read, and columns of the result written, one after another.
    a = [np.asfortranarray(part.reshape(-1, k)) for part in (x.hi, x.lo)]
    b = [np.asfortranarray(part) for part in (y.hi, y.lo)]
    out = [np.empty((a[0].shape[0], m), order="F") for _ in range(2)]
    loops.matrix_products(*a, *b, *out)
    return Extended(*(part.reshape(*lead, n, m) for part in out))


def _many(x: Extended, y: Extended) -> Extended:
    """Products of many matrices, one after the other."""
    lead = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    hi, lo = (np.empty((*lead, x.shape[-2], y.shape[-1])) for _ in range(2))
    pair = [
        Extended(*(np.broadcast_to(part, (*lead, *z.shape[-2:])) for part in (z.hi, z.lo)))
        for z in (x, y)
    ]
    for place in np.ndindex(lead):
        found = matmul(pair[0][place], pair[1][place])
        hi[place], lo[place] = found.hi, found.lo
    return Extended(hi, lo)


def _swap(x: Extended) -> Extended:
    return Extended(np.swapaxes(x.hi, -1, -2), np.swapaxes(x.lo, -1, -2))
