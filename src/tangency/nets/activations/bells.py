"""Exponential, Gaussian and Gabor functions: a Gaussian times e^{−u²} is a Gaussian again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from array_api_compat import array_namespace

from ...errors import NetworkError
from ..base import number, plain
from ..facts import ANY, EVEN, ODD, Steepness
from ..special import excess, two_by_two
from .base import LEAST, MOST, Normalizable, factor, scale_of, times

# e^{2b²}, the second moment of an exponential, stays within float64.
_MOST_RATE = 16.0


@dataclass(frozen=True, repr=False)
class Exp(Normalizable):
    """σ(u) = a·exp(b·u), divided by |a|·e^{b²} if normalised.

    k = a²·exp(b²((q + q')/2 + s)), k̇ = b²·k. It outgrows every float at b²q of some hundreds.
    Source: the moment generating function of a Gaussian.

    >>> import numpy as np
    >>> from tangency import Exp
    >>> zero, one = np.asarray(0.0), np.asarray(1.0)
    >>> round(float(Exp(normalized=False).dual(zero, one, one)[0] / np.e), 12)
    1.0
    """

    a: Any = 1.0
    b: Any = 1.0

    token: ClassVar[str] = "exponent"
    edge = math.inf
    any_precision = True
    powers = ANY

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "a", factor(self.a, "a"))
        object.__setattr__(self, "b", factor(self.b, "b", _MOST_RATE))

    @property
    def steepness(self) -> Steepness:
        return Steepness(*[max(1.0, plain(self.b) ** 4)] * 2)

    @property
    def compiled(self) -> tuple[Any, ...]:
        square = plain(self.b) ** 2
        return ("growth", scale_of(self) * plain(self.a) ** 2, square, square, 0.0)

    def gain(self, most: float) -> float:
        return max(1.0, plain(self.b) ** 2 * most)

    def derivative_moments(self, orders: int) -> Any:
        moment = plain(self.a) ** 2 * math.exp(2 * plain(self.b) ** 2) * scale_of(self)
        return moment * plain(self.b) ** (2.0 * np.arange(orders))

    def derivative(self, u: Any) -> Any:
        return self.b * self(u)

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        square = self.b * self.b
        k = self.a * self.a * array_namespace(s).exp(square * (0.5 * q1 + 0.5 * q2 + s))
        return k, square * k

    def _raw(self, u: Any) -> Any:
        return self.a * array_namespace(u).exp(self.b * u)


@dataclass(frozen=True, repr=False)
class Gaussian(Normalizable):
    """σ(u) = a·exp(b·u²) for b < 0, divided by √E[σ(g)²] if normalised.

    With q, q' and s times −b: k = a²/√D, k̇ = −4b·a²·s/D^{3/2}, D = (1+2q)(1+2q') − 4s².
    Source: a Gaussian integral, D = det(1 + 2Σ).

    >>> import numpy as np
    >>> from tangency import Gaussian
    >>> zero, one = np.asarray(0.0), np.asarray(1.0)
    >>> round(float(Gaussian(normalized=False).dual(zero, one, one)[0]), 12)
    0.333333333333
    """

    a: Any = 1.0
    b: Any = -1.0

    token: ClassVar[str] = "bell"
    edge = math.inf
    # At a large variance it is a narrow bell.
    steepness = Steepness(math.inf, math.inf)
    any_precision = True
    powers = EVEN

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "a", factor(self.a, "a"))
        width = number(self.b, "b", most=MOST)
        if plain(width) > -LEAST:
            raise NetworkError(
                f"b must be negative, at most -{LEAST:g}, as exp(b·u²) else has no second moment "
                f"at large variances; got {plain(width):g}"
            )
        object.__setattr__(self, "b", width)

    @property
    def compiled(self) -> tuple[Any, ...]:
        return ("bell", scale_of(self) * plain(self.a) ** 2, -plain(self.b), 0.0, 0.0)

    def derivative(self, u: Any) -> Any:
        return 2 * self.b * u * self(u)

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        s, q1, q2 = (times(-self.b, x) for x in (s, q1, q2))
        root = two_by_two(s, q1, q2)
        k = self.a * self.a / root
        return k, -4 * self.b * (k / root) * (s / root)

    def _raw(self, u: Any) -> Any:
        return self.a * array_namespace(u).exp(self.b * (u * u))


@dataclass(frozen=True, repr=False)
class Gabor(Normalizable):
    """σ(u) = exp(−u²)·sin(u), divided by √E[σ(g)²] if normalised.

    With D = (1+2q)(1+2q') − 4s², Q = ((1+q+q')/D − 1)/2 (minus the mean variance of the
    Gaussian times e^{−f²−f'²}), t = s/D: k = D^{−1/2}·e^Q·sinh t, and
    k̇ = D^{−1/2}·e^Q·(cosh t·(1 + 8st)/D + 4t(1 + (1+q+q')/D)·sinh t).
    Source: the characteristic function of the Gaussian with covariance Σ(1 + 2Σ)⁻¹.

    >>> from tangency import Gabor
    >>> float(Gabor()(0.0))
    0.0
    """

    token: ClassVar[str] = "gabor"
    edge = math.inf
    steepness = Steepness(math.inf, math.inf)
    any_precision = True
    powers = ODD

    @property
    def compiled(self) -> tuple[Any, ...]:
        return ("gabor", scale_of(self), 0.0, 0.0, 0.0)

    def derivative(self, u: Any) -> Any:
        return self.factor * np.exp(-u * u) * (np.cos(u) - 2 * u * np.sin(u))

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        xp = array_namespace(s)
        # As in `excess`, everything is in units of `size`: D may be too large for a float.
        size = 1 + 2 * (q1 + q2)
        rest = excess(s, q1, q2, size)
        ratio = 1 + 4 * rest
        t = s / size / ratio
        length = xp.where(t < 0, -t, t)
        # Minus Q, less |t|: half of (q + q' + 4(q q' − s²) − 2|s|)/D ≥ 0.
        gap = (0.5 * (q1 + q2) / size + 2 * rest) / ratio - length
        wave = 0.5 * xp.exp(-gap) / (xp.sqrt(size) * xp.sqrt(ratio))
        down = xp.expm1(-2 * length)
        hyperbolic_cosine, hyperbolic_sine = wave * (2 + down), wave * xp.where(t < 0, down, -down)
        slope = hyperbolic_cosine * ((1 / size + 8 * t * (s / size)) / ratio)
        share = (1 + q1 + q2) / size / ratio
        return hyperbolic_sine, slope + 4 * t * (1 + share) * hyperbolic_sine

    def _raw(self, u: Any) -> Any:
        xp = array_namespace(u)
        return xp.exp(-u * u) * xp.sin(u)
