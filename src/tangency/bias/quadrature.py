"""Eigenvalues of zonal functions by quadrature, in float64 and in multiprecision.

μ_k = ∫ h(⟨x, y⟩)P_k(⟨x, y⟩) dτ(y) = C_p ∫₀^π h(cos θ)P_k(cos θ) sin(θ)^{p−2} dθ (Funk–Hecke), with
C_p = Γ(p/2)/(√π Γ((p−1)/2)). Each result carries a bound on its absolute error.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..checks import items, within_memory
from .arccosine import log_beta
from .checks import require_time
from .harmonics import degree_number, dimension, interval
from .rules import WHOLE, FixedRule, bandwidth, bell_bandwidth, fixed_rule, float_rule, middle
from .zonal import ZonalKernel, as_zonal

_EPS = float(np.finfo(np.float64).eps)
_MOST_NODES = 2**13
_GUARD = 48
"""Bits for what rounding costs: arccos near its end, and a thousand steps of a recurrence."""


@dataclass(frozen=True, eq=False)
class Coefficients:
    """μ_k for k = 0..degree: values, logarithms of |values|, and bounds on the absolute error.

    `log_errors` are logarithms too; `method` says how they were computed. `truncated`: the error
    is that of too few points, which more digits do not lessen.
    """

    values: np.ndarray
    logs: np.ndarray
    log_errors: np.ndarray
    method: str
    truncated: bool = False

    @property
    def relative(self) -> np.ndarray:
        """The error relative to |μ_k|; inf where the value is zero but the error is not."""
        zero = np.isneginf(self.logs)
        difference = self.log_errors - np.where(zero, 0.0, self.logs)
        relative = np.where(zero, np.inf, np.exp(np.minimum(difference, 700.0)))
        return np.where(np.isneginf(self.log_errors), 0.0, relative)


def funk_hecke(h: Any, dim: int, degree: int, breaks: Iterable[float] = ()) -> np.ndarray:
    """c_k = ∫ h(⟨x, y⟩)P_k(⟨x, y⟩) dτ(y), k = 0..degree, by float64 quadrature.

    Args:
        h: a function of the cosine u in [−1, 1], elementwise on arrays; any sign.
        dim: the dimension p; the sphere is S^{p−1}.
        degree: the highest degree.
        breaks: cosines where h or a derivative jumps; between them h is taken as smooth.

    Errors are about 1e-16·sup|h|/√N(p, k), absolute.

    >>> funk_hecke(abs, 3, 4, breaks=[0.0]).round(6) + 0.0
    array([ 0.5     ,  0.      ,  0.125   ,  0.      , -0.020833])
    """
    zonal = as_zonal(h)
    return float64_coefficients(zonal, dimension(dim), degree_number(degree), breaks).values


@within_memory()
def float64_coefficients(
    zonal: ZonalKernel, dim: int, degree: int, breaks: Iterable[float] = ()
) -> Coefficients:
    """μ_k in float64, with the noise of rounding and the truncation measured."""
    require_time(degree, multiprecision=False)
    cuts = np.unique(np.arccos(np.ravel(interval(items(breaks, "breaks")))))
    edges = np.unique(np.concatenate([[0.0], cuts, [math.pi]]))
    log_scale = -float(log_beta(0.5, (dim - 1) / 2))
    theta, weighted, weights, lost = [], [], [], 0.0
    top = 0.0
    for a, b in itertools.pairwise(edges):
        count, truncation = _resolution(zonal, a, b)
        count += bandwidth((degree + dim - 2) * (b - a) / math.pi, 17)
        nodes, w = _panel(a, b, count)
        values = zonal(np.cos(nodes))
        with np.errstate(divide="ignore", under="ignore"):
            density = np.exp(log_scale + (dim - 2) * np.log(np.sin(nodes))) * w
        theta.append(nodes)
        weights.append(density)
        weighted.append(density * values)
        lost, top = max(lost, truncation), max(top, float(np.max(np.abs(values))))
    t, f, w = np.cos(np.concatenate(theta)), np.concatenate(weighted), np.concatenate(weights)
    values, sizes = _project(t, f, w, dim, degree)
    noise = _EPS * top * (16 + dim / 4 + np.arange(degree + 1) / 4)
    with np.errstate(divide="ignore"):
        logs, log_errors = np.log(np.abs(values)), np.log((noise + lost) * sizes)
    return Coefficients(values, logs, log_errors, "float64 quadrature")


def _project(
    t: np.ndarray, f: np.ndarray, w: np.ndarray, dim: int, degree: int
) -> tuple[np.ndarray, np.ndarray]:
    """Σ f·P_k(t) and √(Σ w·P_k(t)²) for all k."""
    values, sizes = np.empty(degree + 1), np.empty(degree + 1)
    before, now = np.ones_like(t), t
    for k in range(degree + 1):
        row = before if k == 0 else now
        values[k], sizes[k] = f @ row, math.sqrt(abs(w @ (row * row)))
        if k:
            before, now = now, ((2 * k + dim - 2) * t * now - k * before) / (k + dim - 2)
    return values, sizes


def _panel(a: float, b: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    phi, weights = float_rule(count)
    return (a + b) / 2 - (b - a) / 2 * np.cos(phi), weights * (b - a) / 2


def _resolution(zonal: ZonalKernel, a: float, b: float) -> tuple[int, float]:
    """How many Chebyshev coefficients h(cos θ) has on [a, b], and the size of those left out."""
    from scipy.fft import dct

    count, tail, before = 32, math.inf, math.inf
    while count < _MOST_NODES:
        count *= 2
        nodes, _ = _panel(a, b, count)
        values = zonal(np.cos(nodes))
        size = float(np.max(np.abs(values)))
        coefficients = np.abs(np.asarray(dct(values, type=2))) / count
        before, tail = tail, float(np.max(coefficients[-count // 8 :]))
        if tail <= 4 * _EPS * size:
            return count, 0.0
        if tail <= 1e-12 * size and tail > before / 2:
            # Noise in the values themselves, which more points do not remove.
            return count, tail
    return count, tail * count


def multiprecision_coefficients(
    zonal: ZonalKernel, dim: int, degree: int, bits: int
) -> Coefficients:
    """μ_k in fixed-point arithmetic of `bits` binary places below h(1)."""
    require_time(degree, multiprecision=True)
    places = bits + _GUARD
    count, lost, goal = 32, math.inf, -bits * math.log(2)
    # |h| ≤ h(1) and |P_k| ≤ 1, so that what lies outside the middle is below 2^−(bits + 8).
    digits = bits * math.log10(2)
    part = middle(dim - 2, digits + 8 * math.log10(2))
    while lost > goal and count < _MOST_NODES:
        count *= 2
        pilot = fixed_rule(count + count // 4, places, part)
        lost = _tail(pilot, *_values(zonal, pilot)[:2], count)
    share = part / WHOLE
    apart = bandwidth(degree * share, digits) + bell_bandwidth(dim - 2, part, digits)
    total = count + min(apart, bandwidth((degree + dim - 2) * share, digits))
    rule = fixed_rule(total + total % 2, places, part)
    log_error = goal if lost <= goal else lost + math.log(count)
    found = _fixed_projection(rule, *_values(zonal, rule), dim, degree, log_error)
    return replace(found, truncated=lost > goal)


def _values(zonal: ZonalKernel, rule: FixedRule) -> tuple[np.ndarray, np.ndarray, Any]:
    """h(t) and h(−t) at the cosines of the rule, over h(1), as integers; and h(1)."""
    one = np.array([rule.context.number(1)], dtype=object)
    values = zonal.values(np.concatenate([rule.exact, -rule.exact, one]), rule.context)
    size = values[-1]
    if size == 0:
        size = rule.context.number(1)
    values = rule.ints(values[:-1] / size)
    half = len(rule.exact)
    return values[:half], values[half:], size


def _tail(rule: FixedRule, left: np.ndarray, right: np.ndarray, count: int) -> float:
    """The logarithm of the largest of the last Chebyshev coefficients of h below `count`."""
    worst = 0
    for m in range(count - 6, count):
        mirrored = left + right if m % 2 == 0 else left - right
        total = int(np.sum(mirrored * rule.wave(m)))
        worst = max(worst, abs(total))
    return _log_fixed(worst, 2 * rule.bits) + math.log(2 / rule.count)


def _fixed_projection(
    rule: FixedRule,
    left: np.ndarray,
    right: np.ndarray,
    size: Any,
    dim: int,
    degree: int,
    log_error: float,
) -> Coefficients:
    bits, ctx = rule.bits, rule.context.ctx
    density = rule.weights
    scale = ctx.gamma(ctx.mpf(dim) / 2) / (ctx.sqrt(ctx.pi) * ctx.gamma(ctx.mpf(dim - 1) / 2))
    density = (density * rule.fixed(scale)) >> bits
    density = (density * _power(rule.sines, dim - 2, bits)) >> bits
    folded = ((density * (left + right)) >> bits, (density * (left - right)) >> bits)
    t, one = rule.cosines, 1 << bits
    before, now = np.full(len(t), one, dtype=object), t
    sums = []
    for k in range(degree + 1):
        row = before if k == 0 else now
        sums.append(int(np.dot(folded[k % 2], row)))
        if 0 < k < degree:
            after = ((2 * k + dim - 2) * ((t * now) >> bits) - k * before) // (k + dim - 2)
            before, now = now, after
    log_size = float(ctx.log(abs(size)))
    floor = 1 << (2 * bits)
    logs = np.array([_log_fixed(abs(s), 2 * bits) + log_size for s in sums])
    values = np.array([s / floor for s in sums]) * float(size)
    digits = round(bits * math.log10(2))
    log_errors = np.full(degree + 1, log_error + log_size)
    return Coefficients(values, logs, log_errors, f"quadrature in {digits} digits")


def _power(base: np.ndarray, exponent: int, bits: int) -> np.ndarray:
    """Fixed-point powers by squaring."""
    result = np.full(len(base), 1 << bits, dtype=object)
    while exponent:
        if exponent & 1:
            result = (result * base) >> bits
        base, exponent = (base * base) >> bits, exponent >> 1
    return result


def _log_fixed(a: int, bits: int) -> float:
    """log(a/2^bits), without the difference of two large logarithms."""
    if not a:
        return -math.inf
    length = a.bit_length()
    return math.log(a / (1 << length)) + (length - bits) * math.log(2)
