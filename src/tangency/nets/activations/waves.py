"""Sine and cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from array_api_compat import array_namespace

from ..base import number, plain
from ..facts import EVEN, ODD, Steepness
from ..special import half_square, unless_rounded
from .base import Normalizable, scale_of

# Of a frequency and of a scale: their fourth powers, and squares in float32, stay finite.
LEAST, MOST = 1e-9, 1e9


@dataclass(frozen=True, repr=False)
class _Trigonometric(Normalizable):
    """sin or cos of frequency·u: E[e^{i a (f ± f')}] gives both duals."""

    frequency: Any = field(default=1.0, kw_only=True)

    hint: ClassVar[str] = "The first argument is an amplitude elsewhere; write frequency=2"

    def __post_init__(self) -> None:
        super().__post_init__()
        frequency = number(self.frequency, "frequency", positive=True, least=LEAST, most=MOST)
        object.__setattr__(self, "frequency", frequency)

    def _gain(self, most: float) -> float:
        return max(1.0, plain(self.frequency) ** 2 * most)

    def _steepness(self) -> Steepness:
        return Steepness(*[plain(self.frequency) ** 4] * 2)

    def _waves(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        """E[cos af·cos af'] and E[sin af·sin af']: e^{−a²(q+q')/2} times cosh and sinh of a²s.

        No exponent is positive: (q+q')/2 ≥ |s|, and where that is so to rounding only, they are
        taken as equal. The sinh loses no digits where s is small.
        """
        xp = array_namespace(s)
        square = self.frequency * self.frequency
        size = xp.where(s < 0, -s, s)
        gap = 0.5 * q1 + 0.5 * q2 - size
        wave = 0.5 * xp.exp(-square * unless_rounded(gap, gap > 0))
        rest = xp.expm1(-2 * square * size)
        return wave * (2 + rest), xp.where(s < 0, rest, -rest) * wave


@dataclass(frozen=True, repr=False)
class Sine(_Trigonometric):
    """σ(u) = sin(a·u), a the frequency.

    k = e^{−a²(q+q')/2}·sinh(a²s), k̇ = a²·e^{−a²(q+q')/2}·cosh(a²s).
    Source: the characteristic function of a Gaussian.

    >>> from tangency import Sine
    >>> Sine(frequency=2)
    Sine(frequency=2.0)
    """

    token: ClassVar[str] = "sin"
    edge = math.inf
    any_precision = True
    powers = ODD

    @property
    def steepness(self) -> Steepness:
        return self._steepness()

    def gain(self, most: float) -> float:
        return self._gain(most)

    @property
    def compiled(self) -> tuple[Any, ...]:
        return ("sine", scale_of(self), plain(self.frequency) ** 2, -1.0, 0.0)

    def second_moment(self) -> Any:
        return half_square(self.frequency, -1)

    def derivative(self, u: Any) -> Any:
        return self.factor * self.frequency * np.cos(self.frequency * u)

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        cosines, sines = self._waves(s, q1, q2)
        return sines, self.frequency * self.frequency * cosines

    def _raw(self, u: Any) -> Any:
        return array_namespace(u).sin(self.frequency * u)


@dataclass(frozen=True, repr=False)
class Cosine(_Trigonometric):
    """σ(u) = cos(a·u), a the frequency.

    k = e^{−a²(q+q')/2}·cosh(a²s), k̇ = a²·e^{−a²(q+q')/2}·sinh(a²s).
    Source: the characteristic function of a Gaussian.

    >>> from tangency import Cosine
    >>> Cosine()
    Cosine()
    """

    token: ClassVar[str] = "cos"
    edge = math.inf
    any_precision = True
    powers = EVEN

    @property
    def steepness(self) -> Steepness:
        return self._steepness()

    def gain(self, most: float) -> float:
        return self._gain(most)

    @property
    def compiled(self) -> tuple[Any, ...]:
        return ("cosine", scale_of(self), plain(self.frequency) ** 2, 1.0, 0.0)

    def second_moment(self) -> Any:
        return half_square(self.frequency, 1)

    def derivative(self, u: Any) -> Any:
        return -self.factor * self.frequency * np.sin(self.frequency * u)

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        cosines, sines = self._waves(s, q1, q2)
        return cosines, self.frequency * self.frequency * sines

    def _raw(self, u: Any) -> Any:
        return array_namespace(u).cos(self.frequency * u)
