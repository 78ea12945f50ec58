"""Which degrees of a spectrum are zero by structure: parity and degree of the power series.

The kernel of a network on the sphere is a power series in t with coefficients of at least 0
(Schoenberg), and t^m has a positive part on P_k exactly for k ≤ m of the same parity. So μ_k is
positive up to the highest power of the parity of k, and exactly zero beyond. That highest power
follows from the layers alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

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
from ..nets.quadrature import Activation

NONE = -math.inf


@dataclass(frozen=True)
class Reach:
    """The highest even and the highest odd power with a positive coefficient; −inf for none."""

    even: float = NONE
    odd: float = NONE

    def __add__(self, other: Any) -> Reach:
        other = other if isinstance(other, Reach) else _number(other)
        return Reach(max(self.even, other.even), max(self.odd, other.odd))

    def __mul__(self, other: Any) -> Reach:
        other = other if isinstance(other, Reach) else _number(other)
        return Reach(
            max(_plus(self.even, other.even), _plus(self.odd, other.odd)),
            max(_plus(self.even, other.odd), _plus(self.odd, other.even)),
        )

    __radd__, __rmul__ = __add__, __mul__

    @property
    def zero(self) -> bool:
        """Nothing at all."""
        return self.even == self.odd == NONE

    def power(self, m: int) -> Reach:
        """The m-th power."""
        result = Reach(even=0)
        for _ in range(m):
            result = result * self
        return result

    def positive(self, degree: int) -> np.ndarray:
        """Which μ_k, k = 0..degree, are not zero by structure."""
        k = np.arange(degree + 1)
        return np.where(k % 2 == 0, k <= self.even, k <= self.odd)


@dataclass(frozen=True)
class Powers:
    """The powers in a power series f: some, and whether they go on without end, by parity."""

    some: Iterable[int]
    even: bool = False
    odd: bool = False

    def of(self, s: Reach) -> Reach:
        """The reach of f(s)."""
        total = Reach()
        for m in self.some:
            total = total + s.power(m)
        for endless, m in ((self.even, 2), (self.odd, 3)):
            if endless:
                once = s.power(m)
                # A power of something that is not constant grows without end.
                grows = s.even > 0 or s.odd > 0
                even = math.inf if grows and once.even > NONE else once.even
                total = total + Reach(even, math.inf if once.odd > NONE else NONE)
        return total

    def derivative(self) -> Powers:
        """The powers in f'."""
        return Powers(tuple(m - 1 for m in self.some if m), even=self.odd, odd=self.even)


_EVEN, _ODD = Powers((0,), even=True), Powers((1,), odd=True)
_NAMED = {
    "tanh": _ODD,
    "sigmoid": Powers((0, 1), odd=True),
    "softplus": Powers((0, 1), even=True),
    "silu": Powers((0, 1), even=True),
    "gaussian": _EVEN,
}


def powers(layer: ActivationLayer) -> Powers:
    """The powers of s in the dual k(s) of an activation."""
    if is_a(layer, PiecewiseLinear):
        linear, absolute = layer.weights()
        return Powers((1,) * (linear > 0) + (0,) * (absolute > 0), even=bool(absolute > 0))
    if is_a(layer, (Erf, Sine)):
        return _ODD
    if is_a(layer, Cosine):
        return _EVEN
    if is_a(layer, GELU):
        return Powers((0, 1), even=True)
    if is_a(layer, (Hermite, Polynomial)):
        return Powers((layer.degree,))
    if is_a(layer, Activation) and isinstance(layer.function, str):
        return _NAMED.get(layer.function, Powers((0, 1), True, True))
    return Powers((0, 1), even=True, odd=True)


def known(layer: ActivationLayer) -> bool:
    """Whether `powers` are those of the activation, not all that there could be."""
    kinds = (PiecewiseLinear, Erf, Sine, Cosine, GELU, Hermite, Polynomial, Exponential)
    return is_a(layer, kinds) or (isinstance(layer, Activation) and isinstance(layer.function, str))


def reach_dual(layer: ActivationLayer, s: Reach, q: float) -> tuple[Reach, Reach]:
    """The reach of k(s) and k̇(s)."""
    if s.zero:
        zero = np.zeros(())
        return _number(layer.dual(zero, zero, zero)[0]), _number(layer.dual(zero, zero, zero)[1])
    series = powers(layer)
    return series.of(s), series.derivative().of(s)


def _number(value: Any) -> Reach:
    return Reach(even=0) if float(value) != 0 else Reach()


def _plus(a: float, b: float) -> float:
    return NONE if NONE in (a, b) else a + b
