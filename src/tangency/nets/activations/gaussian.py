"""Activations made of the normal distribution function: erf, its relatives, and GELU."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from array_api_compat import array_namespace, is_torch_array
from scipy.special import ndtr

from ..base import number, plain
from ..facts import ODD, Powers, Steepness
from ..special import erf, excess, two_by_two
from .base import MOST, Normalizable, factor, scale_of, times


@dataclass(frozen=True, repr=False)
class Erf(Normalizable):
    """σ(u) = a·erf(b·u) + c, divided by √E[σ(g)²] if normalised.

    With q, q' and s times b²: k = c² + a²·(2/π)·arcsin(2s/√((1+2q)(1+2q'))),
    k̇ = a²b²·(4/π)/√((1+2q)(1+2q') − 4s²), E[σ(g)²] = c² + a²·(2/π)·arcsin(2b²/(1+2b²)).
    Source: Williams 1997, "Computing with infinite networks"; k̇ is its derivative in s.

    >>> import numpy as np
    >>> from tangency import Erf
    >>> one = np.asarray(1.0)
    >>> round(float(Erf().dual(one, one, one)[0]), 12)
    1.0
    """

    a: Any = 1.0
    b: Any = 1.0
    c: Any = 0.0

    token: ClassVar[str] = "erf"
    edge = math.inf
    # At a large variance erf is a step.
    steepness = Steepness(math.inf, math.inf)
    any_precision = True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "a", factor(self.a, "a"))
        object.__setattr__(self, "b", factor(self.b, "b"))
        object.__setattr__(self, "c", number(self.c, "c", most=MOST))

    @property
    def powers(self) -> Powers:
        return ODD if plain(self.c) == 0 else Powers((0, 1), odd=True)

    @property
    def compiled(self) -> tuple[Any, ...]:
        scale, a, b, c = scale_of(self), plain(self.a), plain(self.b), plain(self.c)
        return ("erf", scale * a * a, b * b, scale * c * c, 0.0)

    def second_moment(self) -> Any:
        if any(map(is_torch_array, (self.a, self.b, self.c))):
            return super().second_moment()
        square = self.b * self.b
        step = 2 / math.pi * math.asin(2 * square / (1 + 2 * square))
        return self.a * self.a * step + self.c * self.c

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        xp = array_namespace(s)
        square, height = self.b * self.b, self.a * self.a
        s, q1, q2 = (times(square, x) for x in (s, q1, q2))
        root = two_by_two(s, q1, q2)
        k = times(height, (2 / xp.pi) * xp.atan2(2 * s, root))
        k_dot = times(height * square, (4 / xp.pi) / root)
        return (k if _is_zero(self.c) else k + self.c * self.c), k_dot

    def derivative(self, u: Any) -> Any:
        u = self.b * u
        return self.factor * self.a * self.b * (2 / math.sqrt(math.pi)) * np.exp(-u * u)

    def _raw(self, u: Any) -> Any:
        found = times(self.a, erf(times(self.b, u)))
        return found if _is_zero(self.c) else found + self.c


def _is_zero(number: Any) -> bool:
    return isinstance(number, float) and number == 0.0


@dataclass(frozen=True, repr=False)
class SigmoidLike(Normalizable):
    """σ(u) = ½·erf(u/2.4020563531719796) + ½, near the logistic function and in closed form.

    The dual is that of `Erf(0.5, 1/2.4020563531719796, 0.5)`; the constant is that of
    neural-tangents, of the least distance from 1/(1 + e^{−u}).

    >>> from tangency import SigmoidLike
    >>> float(SigmoidLike(normalized=False)(0.0))
    0.5
    """

    token: ClassVar[str] = "sigmoidlike"
    edge = math.inf
    steepness = Steepness(math.inf, math.inf)
    any_precision = True
    powers = Powers((0, 1), odd=True)

    @property
    def _step(self) -> Erf:
        return Erf(0.5, 1 / 2.4020563531719796, 0.5, normalized=self.normalized)

    @property
    def compiled(self) -> tuple[Any, ...]:
        return self._step.compiled

    def second_moment(self) -> Any:
        return self._step.second_moment()

    def dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        return self._step.dual(s, q1, q2)

    def derivative(self, u: Any) -> Any:
        return self._step.derivative(u)

    def _raw(self, u: Any) -> Any:
        return 0.5 * erf(u / 2.4020563531719796) + 0.5


@dataclass(frozen=True, repr=False)
class GELU(Normalizable):
    """σ(u) = u·Φ(u), Φ the standard normal distribution function.

    With P = E[Φ(f)Φ(f')] = 1/4 + arctan2(s, A)/2π, A² = (1+q)(1+q') − s², E = 1/(2πA):
    k = s·P + E·(q q' − s² + s²(1/(1+q) + 1/(1+q'))),
    k̇ = P + E·s·(1/(1+q) + 1/(1+q') + 1/A²).
    Source: Gaussian integration by parts, with E[φ(f)φ(f')] = E; the same dual in another form
    is in Tsuchida et al. 2021, "Avoiding kernel fixed points".

    >>> import numpy as np
    >>> from tangency import GELU
    >>> one = np.asarray(1.0)
    >>> round(float(GELU().dual(one, one, one)[0]), 12)
    1.0
    """

    token: ClassVar[str] = "gelu"
    edge = math.inf
    # At a large variance GELU is a ReLU.
    steepness = Steepness(k_dot=math.inf)
    any_precision = True
    powers = Powers((0, 1), even=True)
    linear_plus_even = True

    def gain(self, most: float) -> float:
        return 1.0

    @property
    def compiled(self) -> tuple[Any, ...]:
        return ("gelu", scale_of(self), 0.0, 0.0, 0.0)

    def second_moment(self) -> float:
        area = math.sqrt(3.0)
        return 0.25 + math.atan2(1.0, area) / (2 * math.pi) + 1 / (2 * math.pi * area)

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        xp = array_namespace(s)
        # All in units of `size`, as q q' and s² may be too large, or too small, for a float.
        size = 1 + q1 + q2
        rest = excess(s, q1, q2, size)
        root, ratio = xp.sqrt(size), xp.sqrt(1 + rest)
        both = 0.25 + xp.atan2(s, root * ratio) / (2 * xp.pi)
        density = 1 / (2 * xp.pi) / (root * ratio)
        shrink = s / (1 + q1) + s / (1 + q2)
        k = s * both + root * (rest / ratio) / (2 * xp.pi) + density * (s * shrink)
        return k, both + density * (shrink + s / size / (1 + rest))

    def derivative(self, u: Any) -> Any:
        return self.factor * (ndtr(u) + u * np.exp(-0.5 * u * u) / math.sqrt(2 * math.pi))

    def _raw(self, u: Any) -> Any:
        return 0.5 * u * (1 + erf(u / math.sqrt(2.0)))
