"""Which degrees of a spectrum are zero by structure, odd or even: parity of the power series.

The kernel of a network on the sphere is a power series in t with coefficients of at least 0
(Schoenberg), and t^m has a positive part on P_k exactly for k ≤ m of the same parity. So μ_k is
positive up to the highest power of the parity of k, and exactly zero beyond. That highest power
follows from the layers alone. With two layers of ReLU and no
bias the odd degrees from 3 on vanish.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..nets import facts
from ..nets.activations import ActivationLayer
from ..nets.facts import Powers

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


def of(series: Powers, s: Reach) -> Reach:
    """The reach of f(s), for a power series f."""
    total = Reach()
    for m in series.some:
        total = total + s.power(m)
    for endless, m in ((series.even, 2), (series.odd, 3)):
        if endless:
            once = s.power(m)
            # A power of something that is not constant grows without end.
            grows = s.even > 0 or s.odd > 0
            even = math.inf if grows and once.even > NONE else once.even
            total = total + Reach(even, math.inf if once.odd > NONE else NONE)
    return total


def reach_dual(layer: ActivationLayer, s: Reach, q: float) -> tuple[Reach, Reach]:
    """The reach of k(s) and k̇(s)."""
    if s.zero:
        k, k_dot = layer.dual(np.zeros(()), np.zeros(()), np.zeros(()))
        return _number(k), _number(k_dot)
    # All that there could be, where a class does not state what there is.
    series = facts.powers(layer) or facts.ANY
    return of(series, s), of(series.derivative(), s)


def _number(value: Any) -> Reach:
    return Reach(even=0) if float(value) != 0 else Reach()


def _plus(a: float, b: float) -> float:
    return NONE if NONE in (a, b) else a + b
