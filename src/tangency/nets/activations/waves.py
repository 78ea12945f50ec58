"""Sine and cosine, and the Gaussian kernel that they add up to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from ..base import number, plain
from ..facts import ANY, EVEN, ODD, Powers, Steepness
from ..special import half_square, unless_rounded
from .base import LEAST, MOST, Normalizable, factor, scale_of, times


@dataclass(frozen=True, repr=False)
class _Trigonometric(Normalizable):
    """sin or cos of frequency·u + phase: E[e^{i b (f ± f')}] gives both duals.

    With the phase a wave is a sine and a cosine without one, whose products have mean 0.
    """

    frequency: Any = field(default=1.0, kw_only=True)
    amplitude: Any = field(default=1.0, kw_only=True)
    phase: Any = field(default=0.0, kw_only=True)

    hint: ClassVar[str] = (
        "The first argument is an amplitude elsewhere; write frequency=2, and amplitude=a and "
        "phase=c for a·sin(b·u + c)"
    )
    any_precision = True
    edge = math.inf

    def __post_init__(self) -> None:
        super().__post_init__()
        frequency = number(self.frequency, "frequency", positive=True, least=LEAST, most=MOST)
        object.__setattr__(self, "frequency", frequency)
        object.__setattr__(self, "amplitude", factor(self.amplitude, "amplitude"))
        object.__setattr__(self, "phase", number(self.phase, "phase", most=1e6))

    def _parts(self) -> tuple[Any, Any]:
        """The amplitudes of the sine and of the cosine that the wave is made of."""
        raise NotImplementedError

    def _weights(self) -> tuple[Any, Any]:
        """Their squares."""
        sine, cosine = self._parts()
        return sine * sine, cosine * cosine

    def _turned(self) -> tuple[Any, Any]:
        """(cos, sin) of the phase, times the amplitude."""
        if is_torch_array(self.phase):
            return self.amplitude * self.phase.cos(), self.amplitude * self.phase.sin()
        return self.amplitude * math.cos(self.phase), self.amplitude * math.sin(self.phase)

    @property
    def powers(self) -> Powers:
        sine, cosine = map(plain, self._weights())
        return ANY if sine and cosine else ODD if sine else EVEN

    @property
    def steepness(self) -> Steepness:
        return Steepness(*[plain(self.frequency) ** 4] * 2)

    @property
    def compiled(self) -> tuple[Any, ...]:
        sine, cosine = (scale_of(self) * plain(weight) for weight in self._weights())
        return ("wave", sine, plain(self.frequency) ** 2, cosine, 0.0)

    def gain(self, most: float) -> float:
        return max(1.0, plain(self.frequency) ** 2 * most)

    def second_moment(self) -> Any:
        sine, cosine = self._weights()
        parts = [
            times(weight, half_square(self.frequency, sign))
            for weight, sign in ((sine, -1), (cosine, 1))
            if not _is_zero(weight)
        ]
        return sum(parts[1:], parts[0])

    def derivative(self, u: Any) -> Any:
        sine, cosine = self._parts()
        wave = self.frequency * u
        return self.factor * self.frequency * (sine * np.cos(wave) - cosine * np.sin(wave))

    def _wave(self, u: Any) -> Any:
        """sin or cos."""
        raise NotImplementedError

    def _raw(self, u: Any) -> Any:
        moved = self.frequency * u
        return times(
            self.amplitude, self._wave(moved if _is_zero(self.phase) else moved + self.phase)
        )

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        cosines, sines = self._waves(s, q1, q2)
        sine, cosine = self._weights()
        k, k_dot = _sum(sine, sines, cosine, cosines), _sum(sine, cosines, cosine, sines)
        return k, self.frequency * self.frequency * k_dot

    def _waves(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        """E[cos bf·cos bf'] and E[sin bf·sin bf']: e^{−b²(q+q')/2} times cosh and sinh of b²s.

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


def _is_zero(number: Any) -> bool:
    return isinstance(number, float) and number == 0.0


def _sum(first: Any, x: Any, second: Any, y: Any) -> Any:
    """first·x + second·y, of which one may be left out."""
    if _is_zero(first):
        return times(second, y)
    return times(first, x) if _is_zero(second) else first * x + second * y


@dataclass(frozen=True, repr=False)
class Sine(_Trigonometric):
    """σ(u) = a·sin(b·u + φ), b the frequency, a the amplitude, φ the phase.

    k = a²·e^{−b²(q+q')/2}·(cos²φ·sinh(b²s) + sin²φ·cosh(b²s)), k̇ = ∂k/∂s.
    Source: the characteristic function of a Gaussian.

    >>> from tangency import Sine
    >>> Sine(frequency=2)
    Sine(frequency=2.0)
    """

    token: ClassVar[str] = "sin"

    def _parts(self) -> tuple[Any, Any]:
        return self._turned()

    def _wave(self, u: Any) -> Any:
        return array_namespace(u).sin(u)


@dataclass(frozen=True, repr=False)
class Cosine(_Trigonometric):
    """σ(u) = a·cos(b·u + φ), b the frequency, a the amplitude, φ the phase.

    k = a²·e^{−b²(q+q')/2}·(cos²φ·cosh(b²s) + sin²φ·sinh(b²s)), k̇ = ∂k/∂s.
    Source: the characteristic function of a Gaussian.

    >>> from tangency import Cosine
    >>> Cosine()
    Cosine()
    """

    token: ClassVar[str] = "cos"

    def _parts(self) -> tuple[Any, Any]:
        cosine, sine = self._turned()
        return -sine, cosine

    def _wave(self, u: Any) -> Any:
        return array_namespace(u).cos(u)


@dataclass(frozen=True, repr=False)
class RBF(Normalizable):
    """σ(u) = √2·sin(√(2γ)·u + π/4), random Fourier features: k = exp(−γ(q + q' − 2s)), k̇ = 2γk.

    Behind `Dense()` it is the Gaussian kernel exp(−γ‖x − x'‖²). E[σ(g)²] = 1.
    Source: Rahimi & Recht 2007, "Random features for large-scale kernel machines".

    >>> import numpy as np
    >>> from tangency import NNGP, RBF, Dense, Sequential
    >>> K = NNGP(Sequential(Dense(), RBF(0.5), Dense()))(np.array([[0.0, 0.0], [1.0, 2.0]]))
    >>> bool(np.isclose(K[0, 1], np.exp(-0.5 * 5)))
    True
    """

    gamma: Any = 1.0

    token: ClassVar[str] = "rbf"
    lead: ClassVar[str | None] = "gamma"
    edge = math.inf
    any_precision = True
    powers = ANY

    def __post_init__(self) -> None:
        super().__post_init__()
        gamma = number(self.gamma, "gamma", positive=True, least=LEAST, most=MOST)
        object.__setattr__(self, "gamma", gamma)

    @property
    def steepness(self) -> Steepness:
        return Steepness(*[4 * plain(self.gamma) ** 2] * 2)

    @property
    def compiled(self) -> tuple[Any, ...]:
        gamma = plain(self.gamma)
        return ("growth", 1.0, -2 * gamma, 2 * gamma, 0.0)

    def gain(self, most: float) -> float:
        return max(1.0, 2 * plain(self.gamma) * most)

    def second_moment(self) -> float:
        return 1.0

    def derivative(self, u: Any) -> Any:
        wave = (2 * self.gamma) ** 0.5 * u
        return (2 * self.gamma) ** 0.5 * (np.cos(wave) - np.sin(wave))

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        gap = 0.5 * q1 + 0.5 * q2 - s
        k = array_namespace(s).exp(-2 * self.gamma * unless_rounded(gap, gap > 0))
        return k, 2 * self.gamma * k

    def _raw(self, u: Any) -> Any:
        xp = array_namespace(u)
        wave = (2 * self.gamma) ** 0.5 * u
        return xp.sin(wave) + xp.cos(wave)
