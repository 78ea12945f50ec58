"""Functions of one half line: arc-cosine kernels of any degree, and the sign."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from array_api_compat import array_namespace

from ..base import whole
from ..facts import Powers, Steepness
from ..special import correlation, positive_part, sine_and_arcsine
from .base import Normalizable, scale_of

_MOST_DEGREE = 30


@lru_cache(maxsize=64)
def arc_cosine_polynomials(degree: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(P, Q), coefficients of c⁰, c¹, …, with J_n(θ) = P(c)(π − θ) + Q(c)·sin θ, c = cos θ.

    From dJ_n/dc = n²·J_{n−1}: P_n' = n²P_{n−1} and P_n + Q_n'(1−c²) − cQ_n = n²Q_{n−1}(1−c²),
    which hold for whole numbers, so that nothing is rounded.

    >>> arc_cosine_polynomials(2)
    ((1.0, 0.0, 2.0), (0.0, 3.0))
    """
    p, q = [1], [0]
    for n in range(1, degree + 1):
        new = [0, *(n * n * a // (m + 1) for m, a in enumerate(p))]
        before = [*q, 0, 0, 0, 0]
        q = [0] * (n + 2)
        for m in range(n, 0, -1):
            drive = n * n * (before[m] - (before[m - 2] if m >= 2 else 0))
            q[m - 1] = (new[m] + (m + 1) * q[m + 1] - drive) // m
        new[0] = n * n * before[0] - q[1]
        p, q = new, q[:n]
    return tuple(map(float, p)), tuple(map(float, q))


@dataclass(frozen=True, repr=False)
class RectifiedMonomial(Normalizable):
    """σ(u) = max(u, 0)^d, divided by √((2d−1)!!/2) if normalised; d from 1 to 30.

    k = (q q')^{d/2}·J_d(θ)/2π and k̇ = d²·(q q')^{(d−1)/2}·J_{d−1}(θ)/2π, with the arc-cosine
    kernels J_d, J_0 = π − θ, J_1 = sin θ + (π − θ)cos θ.
    Source: Cho & Saul 2009, "Kernel methods for deep learning".

    >>> import numpy as np
    >>> from tangency import RectifiedMonomial
    >>> one = np.asarray(1.0)
    >>> float(RectifiedMonomial(2, normalized=False).dual(one, one, one)[0])
    1.5
    """

    degree: int

    token: ClassVar[str] = "rectified"
    lead: ClassVar[str | None] = "degree"
    any_precision = True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "degree", whole(self.degree, "degree", 1, _MOST_DEGREE))

    @property
    def edge(self) -> float:
        return self.degree + 0.5

    @property
    def steepness(self) -> Steepness:
        steep = float(self.degree * self.degree)
        return Steepness(steep, math.inf if self.degree == 1 else steep)

    @property
    def powers(self) -> Powers:
        odd = self.degree % 2 == 0
        return Powers(tuple(range(self.degree + 1)), even=not odd, odd=odd)

    @property
    def compiled(self) -> tuple[Any, ...]:
        scale, d = scale_of(self) / (2 * math.pi), self.degree
        p, q = arc_cosine_polynomials(d)
        p_below, q_below = arc_cosine_polynomials(d - 1)
        rows = ((p, scale, d + 1), (q, scale, d), (p_below, scale * d * d, d))
        found = [factor * v for row, factor, _ in rows for v in row]
        # Q of the degree below has one number less, but for the degree 0, where it is 0.
        return ("rectified", 0.0, 0.0, 0.0, d, *found, *(scale * d * d * v for v in q_below))

    @property
    def kept_arrays(self) -> int:
        return 4 * (self.degree + 1)

    def gain(self, most: float) -> float:
        return float(self.degree)

    @property
    def homogeneous(self) -> bool:
        return self.degree == 1

    def second_moment(self) -> float:
        return math.prod(range(1, 2 * self.degree, 2)) / 2

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        c, norm = correlation(s, q1, q2)
        sine, arcsine = sine_and_arcsine(c)
        angle = array_namespace(s).pi / 2 + arcsine
        d, turn = self.degree, 2 * array_namespace(s).pi
        below = norm ** (d - 1)
        k_dot = below * _kernel(d - 1, c, sine, angle) * (d * d / turn)
        return below * norm * _kernel(d, c, sine, angle) / turn, k_dot

    def derivative(self, u: Any) -> Any:
        d = self.degree
        if d == 1:
            return self.factor * 0.5 * (1 + np.sign(u))
        return self.factor * d * np.maximum(u, 0.0) ** (d - 1)

    def _raw(self, u: Any) -> Any:
        return positive_part(u) ** self.degree


def _kernel(degree: int, c: Any, sine: Any, angle: Any) -> Any:
    """J_degree."""
    p, q = arc_cosine_polynomials(degree)
    return _at(p, c) * angle + _at(q, c) * sine


def _at(coefficients: tuple[float, ...], x: Any) -> Any:
    found = 0.0 * x + coefficients[-1]
    for a in coefficients[-2::-1]:
        found = found * x + a
    return found


@dataclass(frozen=True, repr=False)
class Sign(Normalizable):
    """σ(u) = sign(u), 0 at 0: k = (2/π)·arcsin(c), and k̇ = E[σ'(f)σ'(f')] = 0.

    The derivative of a sign is 0 wherever it has one, and so is the gradient that training sees:
    no layer before a sign contributes to the tangent kernel, as in networks of any finite width.
    (`Activation(np.sign)` counts the jump as a limit of steep functions does; its k̇ = ∂k/∂s is
    infinite at correlation 1.) E[σ(g)²] = 1.
    Source: Sheppard 1899; Cho & Saul 2009 for degree 0.

    >>> import numpy as np
    >>> from tangency import Sign
    >>> one = np.asarray(1.0)
    >>> k, k_dot = Sign().dual(one / 2, one, one)
    >>> round(float(k), 12), float(k_dot)
    (0.333333333333, 0.0)
    """

    token: ClassVar[str] = "sign"
    # An arcsine has an infinite slope.
    steepness = Steepness(math.inf, 1.0)
    any_precision = True

    @property
    def compiled(self) -> tuple[Any, ...]:
        return ("sign", 1.0, 0.0, 0.0, 0.0)

    def second_moment(self) -> float:
        return 1.0

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        xp = array_namespace(s)
        c, _ = correlation(s, q1, q2)
        return sine_and_arcsine(c)[1] * (2 / xp.pi), xp.zeros_like(c)

    def derivative(self, u: Any) -> Any:
        return np.zeros_like(u)

    def _raw(self, u: Any) -> Any:
        xp = array_namespace(u)
        one = xp.ones_like(u)
        # PyTorch's `vmap` has no way for the standard's sign, which looks for NaN.
        return xp.where(u > 0, one, xp.where(u < 0, -one, xp.zeros_like(u)))
