"""Hermite polynomials."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...errors import NetworkError
from ..base import whole
from ..facts import Powers, Steepness
from .base import Normalizable


@dataclass(frozen=True, repr=False)
class Hermite(Normalizable):
    """The Hermite polynomial h_d (probabilists', E[h_d(g)²] = 1 if normalised, d! if not).

    For q = q' = 1 the dual is s^d. In general, from the expansion of He_d(√q z) in He_{d−2i}(z):
    k = Σ_i (d!/(2^i i! (d−2i)!))²·(d−2i)!/d!·((q−1)(q'−1))^i·s^{d−2i}, and k̇ = ∂k/∂s.
    Source: the multiplication theorem of Hermite polynomials; Daniely, Frostig & Singer 2016.

    >>> import numpy as np
    >>> from tangency import Hermite
    >>> one = np.asarray(1.0)
    >>> float(Hermite(3).dual(one / 2, one, one)[0])
    0.125
    """

    degree: int

    token: ClassVar[str] = "hermite"
    lead: ClassVar[str | None] = "degree"
    edge = math.inf
    steepness = Steepness()
    any_precision = True

    @property
    def powers(self) -> Powers:
        return Powers((self.degree,))

    @property
    def compiled(self) -> tuple[Any, ...]:
        return ("hermite", 0.0, 0.0, 0.0, self.degree, *self.weights())

    @property
    def kept_arrays(self) -> int:
        return 3 * (self.degree + 1)

    def gain(self, most: float) -> float:
        return float(max(1, self.degree))

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "degree", whole(self.degree, "degree", 0))
        if self.degree > 30:
            raise NetworkError(
                f"degree must be at most 30, got {self.degree}: beyond, the coefficients of the "
                "polynomial lose all digits in float64"
            )

    def second_moment(self) -> float:
        return float(math.factorial(self.degree))

    def weights(self) -> tuple[float, ...]:
        """What belongs to ((q−1)(q'−1))^i·s^{d−2i}, normalisation included, i = 0, 1, …"""
        d = self.degree
        whole = 1 if self.normalized else math.factorial(d)
        # (d!/(2^i i! (d−2i)!))²·(d−2i)!/d!, a fraction of whole numbers.
        return tuple(
            whole * math.factorial(d) / (4**i * math.factorial(i) ** 2 * math.factorial(d - 2 * i))
            for i in range(d // 2 + 1)
        )

    def dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        both = (q1 - 1) * (q2 - 1)
        k = k_dot = 0.0 * s + 0.0 * q1 + 0.0 * q2
        for i, weight in enumerate(self.weights()):
            power = self.degree - 2 * i
            k = k + weight * both**i * s**power
            if power:
                k_dot = k_dot + power * weight * both**i * s ** (power - 1)
        return k, k_dot

    def derivative(self, u: Any) -> Any:
        if self.degree == 0:
            return np.zeros_like(u)
        return self.factor * self.degree * Hermite(self.degree - 1, normalized=False)(u)

    def _raw(self, u: Any) -> Any:
        before, now = 0.0 * u, 0.0 * u + 1.0
        for j in range(self.degree):
            before, now = now, u * now - j * before
        return now
