"""The zonal function of a dense network in multiprecision, by the duals of the layers.

Float64 values carry a rounding of 1e-16 of the kernel's size, while eigenvalues of high degree in
high dimension are many orders smaller. Constants of layers (weights, normalisations) stay the
float64 numbers that the engines use: as all coefficients of the power series are positive, their
relative rounding is only passed on.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..errors import InputError
from ..kernels.network import NetworkKernel
from ..nets.activations import ActivationLayer
from ..nets.facts import any_precision
from ..nets.parameters import numbers_only
from .walk import Arithmetic, State, walk


class Multiprecision:
    """An own mpmath context of some binary precision, and arrays in it.

    It is the namespace of `MultiprecisionArray`: the part of the Array API standard that duals use.
    """

    float64 = "multiprecision"

    def __init__(self, bits: int) -> None:
        import mpmath

        self.ctx: Any = mpmath.mp.clone()
        self.ctx.prec = bits
        self.__name__ = "multiprecision"
        self.pi = self.ctx.mpf(self.ctx.pi)
        self._info = SimpleNamespace(
            eps=self.ctx.ldexp(self.ctx.mpf(1), 4 - bits),
            smallest_normal=np.finfo(np.float64).smallest_normal,
        )
        for name in ("sqrt", "acos", "exp", "cosh", "sinh", "cos", "sin"):
            setattr(self, name, self._function(getattr(self.ctx, name), 1))
        for name in ("asin", "expm1", "log1p", "tanh"):
            setattr(self, name, self._function(getattr(self.ctx, name), 1))
        self.atan2 = self._function(self.ctx.atan2, 2)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ctx, name)

    def number(self, x: float) -> Any:
        """An exact copy of a float64 number."""
        return self.ctx.mpf(float(x))

    def _function(self, function: Callable[..., Any], count: int) -> Callable[..., Any]:
        """A function of numbers, of object arrays, and of `MultiprecisionArray`s."""
        elementwise = np.frompyfunc(function, count, 1)

        def call(*arrays: Any) -> Any:
            if not any(isinstance(a, MultiprecisionArray) for a in arrays):
                return elementwise(*arrays)
            return MultiprecisionArray(elementwise(*map(_values, arrays)), self)

        return call

    def finfo(self, dtype: Any) -> Any:
        """Precision and range; `eps` leaves room for a few roundings."""
        return self._info

    def where(self, condition: Any, x: Any, y: Any) -> MultiprecisionArray:
        return MultiprecisionArray(np.where(condition, _values(x), _values(y)), self)

    def zeros_like(self, x: MultiprecisionArray) -> MultiprecisionArray:
        return MultiprecisionArray(np.full(x.shape, self.ctx.mpf(0), dtype=object), self)

    def ones_like(self, x: MultiprecisionArray) -> MultiprecisionArray:
        return MultiprecisionArray(np.full(x.shape, self.ctx.mpf(1), dtype=object), self)

    def abs(self, x: MultiprecisionArray) -> MultiprecisionArray:
        return MultiprecisionArray(np.abs(x.values), self)

    def sign(self, x: MultiprecisionArray) -> MultiprecisionArray:
        return MultiprecisionArray(np.frompyfunc(self.ctx.sign, 1, 1)(x.values), self)


class MultiprecisionArray:
    """An object array of multiprecision numbers, as the duals of layers take arrays."""

    dtype = Multiprecision.float64
    # NumPy's functions and operators must not take these arrays apart.
    __array_ufunc__ = None

    def __init__(self, values: Any, context: Multiprecision) -> None:
        self.values, self.context = np.asarray(values, dtype=object), context

    def __array_namespace__(self, api_version: str | None = None) -> Multiprecision:
        return self.context

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def _with(self, values: Any) -> MultiprecisionArray:
        return MultiprecisionArray(values, self.context)

    def __add__(self, other: Any) -> MultiprecisionArray:
        return self._with(self.values + _values(other))

    def __sub__(self, other: Any) -> MultiprecisionArray:
        return self._with(self.values - _values(other))

    def __rsub__(self, other: Any) -> MultiprecisionArray:
        return self._with(_values(other) - self.values)

    def __mul__(self, other: Any) -> MultiprecisionArray:
        return self._with(self.values * _values(other))

    def __truediv__(self, other: Any) -> MultiprecisionArray:
        return self._with(self.values / _values(other))

    def __rtruediv__(self, other: Any) -> MultiprecisionArray:
        return self._with(_values(other) / self.values)

    def __pow__(self, power: int) -> MultiprecisionArray:
        return self._with(self.values**power)

    def __neg__(self) -> MultiprecisionArray:
        return self._with(-self.values)

    __radd__ = __add__
    __rmul__ = __mul__

    def __lt__(self, other: Any) -> np.ndarray:
        return np.asarray(self.values < _values(other), dtype=bool)

    def __gt__(self, other: Any) -> np.ndarray:
        return np.asarray(self.values > _values(other), dtype=bool)

    def __le__(self, other: Any) -> np.ndarray:
        return np.asarray(self.values <= _values(other), dtype=bool)

    def __ge__(self, other: Any) -> np.ndarray:
        return np.asarray(self.values >= _values(other), dtype=bool)


def _values(x: Any) -> Any:
    return x.values if isinstance(x, MultiprecisionArray) else x


def network_values(
    kernel: NetworkKernel, radius: float, t: np.ndarray, context: Multiprecision
) -> Any:
    """h(t) for an object array t of multiprecision cosines, inputs of norm `radius`."""
    net = numbers_only(kernel.net)
    square = context.number(radius) ** 2

    def dual(layer: ActivationLayer, s: Any, q: Any) -> tuple[Any, Any]:
        return multiprecision_dual(layer, s, q, context)

    def variance(layer: ActivationLayer, q: Any) -> Any:
        return multiprecision_dual(layer, np.array([q], dtype=object), q, context)[0][0]

    points = np.append(t, context.number(1))
    state = walk(net, State(points * square, None, square), Arithmetic(dual, variance))
    values = state.theta if kernel.kind == "ntk" else state.sigma
    if values is None:
        return t * context.number(0)
    if kernel.normalize and values[-1] > 0:
        values = values / values[-1]
    return values[:-1]


def multiprecision_dual(layer: Any, s: Any, q: Any, context: Multiprecision) -> tuple[Any, Any]:
    """(k, k̇) at covariances s (an object array) for the variance q of both inputs."""
    if layer.quadrature:
        if not q > 0:
            k, k_dot = (context.number(float(a[0])) for a in layer.dual(*np.zeros((3, 1))))
            return s * 0 + k, s * 0 + k_dot
        layer = layer.complete_series(float(q)) or layer.series(256)
    if layer.of_another_length() is not None:
        return _series(layer, s, q, context)
    if not any_precision(layer):
        raise InputError(f"{type(layer).__name__} has no dual in multiprecision")
    variance = MultiprecisionArray([q], context)
    k, k_dot = _exact(layer, context).dual(MultiprecisionArray(s, context), variance, variance)
    return k.values, k_dot.values


def _exact(layer: ActivationLayer, context: Multiprecision) -> ActivationLayer:
    """The same layer, its parameters numbers of many digits."""
    copied = copy.copy(layer)
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if isinstance(value, float):
            object.__setattr__(copied, field.name, context.number(value))
    return copied


def supported(layer: Any) -> bool:
    """The activation has a dual here."""
    return layer.of_another_length() is not None or any_precision(layer)


def _cosines(s: Any, q: Any) -> Any:
    """s/q, within [−1, 1]; zero for a zero variance."""
    return np.clip(s / q, -1, 1) if q > 0 else s * 0


def _series(layer: Any, s: Any, q: Any, d: Multiprecision) -> tuple[Any, Any]:
    """The finite series that the engines sum, with its float64 coefficients taken as exact.

    In integers, of more binary places below the largest coefficient than the numbers have digits:
    they are several times faster than multiprecision numbers, and |c| ≤ 1 keeps every sum small.
    """
    squares = [d.number(a) ** 2 for a in layer.coefficients(np.asarray([float(q)]))[:, 0]]
    size = max(squares)
    if not size > 0:
        return s * 0, s * 0
    ctx, places = d.ctx, d.ctx.prec + 32

    def fixed(x: Any) -> int:
        return int(ctx.nint(ctx.ldexp(x, places)))

    def number(x: int) -> Any:
        return ctx.ldexp(ctx.mpf(x), -places) * size

    c = np.array([fixed(x) for x in _cosines(s, q)], dtype=object)
    k = k_dot = c * 0
    for square in reversed(squares):
        k_dot = (k_dot * c >> places) + k
        k = (k * c >> places) + fixed(square / size)
    values = (np.array([number(x) for x in sums], dtype=object) for sums in (k, k_dot))
    k, k_dot = values
    return k, k_dot / q if q > 0 else k_dot * 0
