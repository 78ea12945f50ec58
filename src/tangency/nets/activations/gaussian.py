"""Activations made of the normal distribution function: erf and GELU."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from array_api_compat import array_namespace
from scipy.special import ndtr

from ..facts import ODD, Powers, Steepness
from ..special import erf, excess
from .base import Normalizable, scale_of


@dataclass(frozen=True, repr=False)
class Erf(Normalizable):
    """σ(u) = erf(u), normalised by E[erf(g)²] = (2/π)·arcsin(2/3).

    k = (2/π)·arcsin(2s/√((1+2q)(1+2q'))), k̇ = (4/π)/√((1+2q)(1+2q') − 4s²).
    Source: Williams 1997, "Computing with infinite networks"; k̇ is its derivative in s.

    >>> import numpy as np
    >>> from tangency import Erf
    >>> one = np.asarray(1.0)
    >>> round(float(Erf().dual(one, one, one)[0]), 12)
    1.0
    """

    token: ClassVar[str] = "erf"
    edge = math.inf
    # At a large variance erf is a step.
    steepness = Steepness(math.inf, math.inf)
    any_precision = True
    powers = ODD

    @property
    def compiled(self) -> tuple[Any, ...]:
        return ("erf", scale_of(self), 0.0, 0.0, 0.0)

    def second_moment(self) -> float:
        return 2 / math.pi * math.asin(2 / 3)

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        xp = array_namespace(s)
        # (1+2q)(1+2q') − 4s² without the cancellation of two large products.
        size = 1 + 2 * (q1 + q2)
        root = xp.sqrt(size) * xp.sqrt(1 + 4 * excess(s, q1, q2, size))
        return (2 / xp.pi) * xp.atan2(2 * s, root), (4 / xp.pi) / root

    def derivative(self, u: Any) -> Any:
        return self.factor * (2 / math.sqrt(math.pi)) * np.exp(-u * u)

    def _raw(self, u: Any) -> Any:
        return erf(u)


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
