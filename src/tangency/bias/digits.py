"""The zonal function of a dense network in extended precision, by the duals written once more.

Float64 values carry a rounding of 1e-16 of the kernel's size, while eigenvalues of high degree in
high dimension are many orders smaller. Constants of layers (weights, normalisations) stay the
float64 numbers that the engines use: as all coefficients of the power series are positive, their
relative rounding is only passed on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import InputError
from ..kernels.network import NetworkKernel
from ..nets.activations import (
    GELU,
    ActivationLayer,
    Cosine,
    Erf,
    Exponential,
    Hermite,
    PiecewiseLinear,
    Polynomial,
    Sine,
)
from ..nets.facts import is_a
from ..nets.parameters import numbers_only
from ..nets.quadrature import Activation, HermiteSeries
from .walk import Arithmetic, State, walk


class Digits:
    """An own mpmath context of some binary precision, with functions of object arrays."""

    def __init__(self, bits: int) -> None:
        import mpmath

        self.ctx: Any = mpmath.mp.clone()
        self.ctx.prec = bits
        for name in ("sqrt", "acos", "atan2", "exp", "cosh", "sinh", "cos", "sin"):
            function = getattr(self.ctx, name)
            setattr(self, name, np.frompyfunc(function, 2 if name == "atan2" else 1, 1))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ctx, name)

    def number(self, x: float) -> Any:
        """An exact copy of a float64 number."""
        return self.ctx.mpf(float(x))


def network_values(kernel: NetworkKernel, radius: float, t: np.ndarray, digits: Digits) -> Any:
    """h(t) for an object array t of multiprecision cosines, inputs of norm `radius`."""
    net = numbers_only(kernel.net)
    square = digits.number(radius) ** 2

    def dual(layer: ActivationLayer, s: Any, q: Any) -> tuple[Any, Any]:
        return extended_dual(layer, s, q, digits)

    def variance(layer: ActivationLayer, q: Any) -> Any:
        return extended_dual(layer, np.array([q], dtype=object), q, digits)[0][0]

    points = np.append(t, digits.number(1))
    state = walk(net.layers, State(points * square, None, square), Arithmetic(dual, variance))
    values = state.theta if kernel._index == 1 else state.sigma
    if values is None:
        return t * digits.number(0)
    if kernel.normalize and values[-1] > 0:
        values = values / values[-1]
    return values[:-1]


def extended_dual(layer: Any, s: Any, q: Any, digits: Digits) -> tuple[Any, Any]:
    """(k, k̇) at covariances s (an object array) for the variance q of both inputs."""
    if isinstance(layer, Activation):
        if not q > 0:
            k, k_dot = (digits.number(float(a[0])) for a in layer.dual(*np.zeros((3, 1))))
            return s * 0 + k, s * 0 + k_dot
        layer = layer.complete_series(float(q)) or layer.series(256)
    if isinstance(layer, HermiteSeries):
        return _series(layer, s, q, digits)
    for kind, function in _DUALS:
        if is_a(layer, kind):
            k, k_dot = function(layer, s, q, digits)
            if getattr(layer, "normalized", False) and hasattr(layer, "second_moment"):
                scale = 1 / digits.number(layer.second_moment())
                return k * scale, k_dot * scale
            return k, k_dot
    raise InputError(f"{type(layer).__name__} has no dual in extended precision")


def supported(layer: Any) -> bool:
    """The activation has a dual here."""
    return is_a(layer, (Activation, HermiteSeries, *(kind for kind, _ in _DUALS)))


def _cosines(s: Any, q: Any) -> Any:
    """s/q, within [−1, 1]; zero for a zero variance."""
    return np.clip(s / q, -1, 1) if q > 0 else s * 0


def _piecewise(layer: Any, s: Any, q: Any, d: Digits) -> tuple[Any, Any]:
    linear, absolute = map(d.number, layer.weights())
    c = _cosines(s, q)
    arcsine = d.pi / 2 - d.acos(c)
    even = d.sqrt((1 - c) * (1 + c)) + c * arcsine
    scale = absolute * 2 / d.pi
    return linear * s + scale * q * even, linear + scale * arcsine


def _erf(layer: Any, s: Any, q: Any, d: Digits) -> tuple[Any, Any]:
    root = d.sqrt((1 + 2 * q - 2 * s) * (1 + 2 * q + 2 * s))
    return 2 / d.pi * d.atan2(2 * s, root), 4 / d.pi / root


def _gelu(layer: Any, s: Any, q: Any, d: Digits) -> tuple[Any, Any]:
    square = (1 + q - s) * (1 + q + s)
    area = d.sqrt(square)
    both = d.atan2(s, area) / (2 * d.pi) + d.number(0.25)
    density = 1 / (2 * d.pi * area)
    shrink = 2 / (1 + q)
    k = s * both + density * (q * q + s * s * (shrink - 1))
    return k, both + density * s * (shrink + 1 / square)


def _sine(layer: Any, s: Any, q: Any, d: Digits) -> tuple[Any, Any]:
    square = d.number(layer.frequency) ** 2
    decay = d.ctx.exp(-square * q)
    return decay * d.sinh(square * s), square * decay * d.cosh(square * s)


def _cosine(layer: Any, s: Any, q: Any, d: Digits) -> tuple[Any, Any]:
    square = d.number(layer.frequency) ** 2
    decay = d.ctx.exp(-square * q)
    return decay * d.cosh(square * s), square * decay * d.sinh(square * s)


def _hermite(layer: Any, s: Any, q: Any, d: Digits) -> tuple[Any, Any]:
    n = layer.degree
    k, k_dot = s * 0, s * 0
    for i in range(n // 2 + 1):
        power = n - 2 * i
        root = math.factorial(n) // (2**i * math.factorial(i) * math.factorial(power))
        weight = d.ctx.mpf(root * root * math.factorial(power)) * (q - 1) ** (2 * i)
        k = k + weight * s**power
        if power:
            k_dot = k_dot + weight * power * s ** (power - 1)
    return k, k_dot


def _exponential(layer: Any, s: Any, q: Any, d: Digits) -> tuple[Any, Any]:
    scale = 1 / d.number(layer.sigma) ** 2
    kappa = d.exp((_cosines(s, q) - 1) * scale)
    return q * kappa, scale * kappa


def _polynomial(layer: Any, s: Any, q: Any, d: Digits) -> tuple[Any, Any]:
    c = _cosines(s, q)
    return q * c**layer.degree, layer.degree * c ** (layer.degree - 1)


def _series(layer: HermiteSeries, s: Any, q: Any, d: Digits) -> tuple[Any, Any]:
    """The finite series that the engines sum, with its float64 coefficients taken as exact."""
    c = _cosines(s, q)
    k, k_dot = s * 0, s * 0
    for a in layer.coefficients(np.asarray([float(q)]))[::-1, 0]:
        k_dot = k_dot * c + k
        k = k * c + d.number(a) ** 2
    return k, k_dot / q if q > 0 else k_dot * 0


_Table = tuple[tuple[type, Callable[[Any, Any, Any, Digits], tuple[Any, Any]]], ...]

_DUALS: _Table = (
    (PiecewiseLinear, _piecewise),
    (Erf, _erf),
    (GELU, _gelu),
    (Sine, _sine),
    (Cosine, _cosine),
    (Hermite, _hermite),
    (Exponential, _exponential),
    (Polynomial, _polynomial),
)
