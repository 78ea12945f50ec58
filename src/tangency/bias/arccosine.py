"""Exact spectra of the arc-cosine kernels: κ₀, κ₁ and all two-layer networks of ReLU type.

κ₀ and κ₁ themselves are `nets.kappa0` and `nets.kappa1`. On S^{p−1}, with B the beta function,

    μ_k((2/π)·arcsin t)                  = (B(k/2, p/2)/π)²               odd k, else 0
    μ_k((2/π)(√(1−t²) + t·arcsin t))     = (B((k−1)/2, p/2+1)/π)²/p       even k, else 0

(the value at k = 0 by continuation). Derivation: μ_k of f in dimension p is μ_{k−1} of f'/p in
dimension p + 2 (Rodrigues' formula by parts), which leaves (1−t²)^{−1/2}, whose integral against a
Gegenbauer polynomial is a ratio of Gamma functions. They agree with Bach 2017, appendix D. κ₀ and
κ₁ add 1/2 and t/2, and t·arcsin t follows from the three-term recurrence of the Legendre
polynomials; all terms are positive, so that nothing cancels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betaln

from ..nets.facts import arc_cosine

_SHIFT = 16
"""From this argument on, Stirling's series below is exact to the last bit of a double."""


class NotClosed(Exception):
    """A kernel outside the span of the functions that have a closed form here."""


@dataclass(frozen=True)
class Span:
    """one + line·t + even·J₁(t) + odd·J₀(t) + mixed·t·J₀(t), J₀ = (2/π)arcsin, J₁ its integral.

    Coefficients are at least 0. `+` and `*` stay in the span or raise `NotClosed`.
    """

    one: float = 0.0
    line: float = 0.0
    even: float = 0.0
    odd: float = 0.0
    mixed: float = 0.0

    def _terms(self) -> tuple[float, ...]:
        return self.one, self.line, self.even, self.odd, self.mixed

    @property
    def at_one(self) -> float:
        """The value at t = 1, where t, J₀ and J₁ are 1."""
        return sum(self._terms())

    def __add__(self, other: Any) -> Span:
        other = other if isinstance(other, Span) else Span(one=float(other))
        return Span(*(a + b for a, b in zip(self._terms(), other._terms(), strict=True)))

    def __mul__(self, other: Any) -> Span:
        if not isinstance(other, Span):
            return Span(*(float(other) * a for a in self._terms()))
        for first, second in ((self, other), (other, self)):
            if not any(first._terms()[1:]):
                return second * first.one
            # a·t times b + c·J₀
            if first._terms() == (0.0, first.line, 0.0, 0.0, 0.0) and not (
                second.line or second.even or second.mixed
            ):
                return Span(line=first.line * second.one, mixed=first.line * second.odd)
        raise NotClosed

    __radd__, __rmul__ = __add__, __mul__

    def log_eigenvalues(self, dim: int, degree: int) -> np.ndarray:
        """log μ_k for k = 0..degree, −inf for the zeros."""
        count = degree + 1
        rows = []
        if self.odd or self.mixed:
            arcsine = _log_arcsine(dim, degree + 1)
            rows.append(_log(self.odd) + arcsine[:count])
            rows.append(_log(self.mixed) + _times_t(arcsine, dim, degree))
        if self.even:
            rows.append(_log(self.even) + _log_arcsine_integral(dim, degree))
        low = np.full(count, -np.inf)
        low[:2] = [_log(self.one), _log(self.line) - math.log(dim)][:count]
        return np.logaddexp.reduce([low, *rows], axis=0)


def span_dual(layer: Any, s: Span, q: Any) -> tuple[Span, Span]:
    """(k, k̇) of an activation of ReLU type on top of s = q·t, or on top of a constant."""
    weights = arc_cosine(layer)
    if weights is None:
        raise NotClosed
    linear, absolute = weights
    if s._terms() == (0.0, s.line, 0.0, 0.0, 0.0):
        return s * linear + Span(even=absolute * s.line), Span(one=linear, odd=absolute)
    if not absolute:
        return s * linear, Span(one=linear)
    raise NotClosed


def log_beta(a: Any, b: Any) -> np.ndarray:
    """log B(a, b) for a, b > 0, to a few units in the last place of the logarithm.

    Differences of log-gamma lose digits: their size is that of a·log a, the result's that of the
    smaller argument. Here all large terms have one sign. Source: Stirling's series; below
    a + b = 24, where the result is small, the Gamma function itself.
    """
    a, b = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float))
    near = betaln(np.minimum(a, 24.0), np.minimum(b, 24.0))
    return np.where(a + b < 24, near, _far_log_beta(a, b))


def _far_log_beta(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    total = a + b
    small_a, small_b = a < _SHIFT, b < _SHIFT
    # B(a, b) = B(a + 1, b)·(a + b)/a, sixteen times, for whichever argument is small.
    factor = np.ones(a.shape)
    for i in range(_SHIFT):
        factor = factor * np.where(small_a, (total + i) / (a + i), 1.0)
    shift, a = np.log(factor), np.where(small_a, a + _SHIFT, a)
    total, factor = a + b, np.ones(a.shape)
    for i in range(_SHIFT):
        factor = factor * np.where(small_b, (total + i) / (b + i), 1.0)
    shift, b = shift + np.log(factor), np.where(small_b, b + _SHIFT, b)
    total = a + b
    main = (a - 0.5) * _log_share(a, b) + (b - 0.5) * _log_share(b, a)
    rest = 0.5 * np.log(2 * math.pi / total) + _stirling(a) + _stirling(b) - _stirling(total)
    return main + rest + shift


def _log_share(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """log(a/(a + b)), to full precision also where it is near 0."""
    return np.where(a < b, np.log(a / (a + b)), np.log1p(-b / (a + b)))


def log_central_beta(a: Any, b: Any) -> np.ndarray:
    """log(2^{a+b}·B(a, b)) for a, b ≥ 16, where 2^{a+b} takes away the largest part.

    The error is that of numbers of the size of |a − b|, not of a + b.
    """
    a, b = np.broadcast_arrays(np.asarray(a, float), np.asarray(b, float))
    total, lean = a + b, (a - b) / (a + b)
    main = (a - 0.5) * np.log1p(lean) + (b - 0.5) * np.log1p(-lean)
    return main + 0.5 * np.log(8 * math.pi / total) + _stirling(a) + _stirling(b) - _stirling(total)


def _stirling(x: np.ndarray) -> np.ndarray:
    """log Γ(x) − ((x − ½)log x − x + ½log 2π) for x ≥ 16."""
    z = (1 / x) ** 2
    series = z * (-1 / 1680 + z * (1 / 1188 + z * (-691 / 360360 + z / 156)))
    return (1 / 12 + z * (-1 / 360 + z * (1 / 1260 + series))) / x


def _log_arcsine(dim: int, degree: int) -> np.ndarray:
    logs = np.full(degree + 1, -np.inf)
    k = np.arange(1, degree + 1, 2)
    logs[1::2] = 2 * (log_beta(k / 2, dim / 2) - math.log(math.pi))
    return logs


def _log_arcsine_integral(dim: int, degree: int) -> np.ndarray:
    logs = np.full(degree + 1, -np.inf)
    k = np.arange(2, degree + 1, 2)
    logs[2::2] = 2 * (log_beta((k - 1) / 2, dim / 2 + 1) - math.log(math.pi)) - math.log(dim)
    # B(−½, b) = −(2b − 1)·B(½, b)
    first = float(log_beta(0.5, dim / 2 + 1)) + math.log((dim + 1) / math.pi)
    logs[0] = 2 * first - math.log(dim)
    return logs


def _times_t(logs: np.ndarray, dim: int, degree: int) -> np.ndarray:
    """log μ_k of t·f from those of f, degrees 0..degree + 1."""
    k = np.arange(1, degree + 1)
    whole = 2 * k + dim - 2
    up = np.log((k + dim - 2) / whole) + logs[2:]
    down = np.log(k / whole) + logs[:-2]
    return np.concatenate([logs[1:2], np.logaddexp(up, down)])


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


def log_arccosine(dim: int, degree: int) -> np.ndarray:
    """log μ_k of κ₁ at even degrees k ≤ degree + 1: what ReLU networks decay like, or slower."""
    return _log_arcsine_integral(dim, degree + 1)[::2] - math.log(2)
