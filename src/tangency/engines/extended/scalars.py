"""Arithmetic on numbers of 32 digits: unevaluated sums hi + lo of two floats, |lo| ≤ ½ ulp(hi).

Sources: Dekker 1971, "A floating-point technique for extending the available precision"; Hida, Li
& Bailey 2001, "Algorithms for quad-double precision arithmetic". Relative errors are a few units
of 2⁻¹⁰⁴, while no product comes near the ends of the exponent range.
"""

from __future__ import annotations

import math
from typing import Any

from .constants import ANGLES, ARCSINE, COSINES, EXPONENTIAL, LN2, SINES, STEPS
from .jit import jit

# 2²⁷ + 1 splits a float into two of 26 bits.
_SPLITTER = 134217729.0
_LN2, _LN2_REST = LN2
_ANGLE = math.pi / STEPS
# Halvings before, and doublings after, the series of the exponential.
_HALVINGS = 6


@jit
def exact_sum(a: float, b: float) -> Any:
    s = a + b
    part = s - a
    return s, (a - (s - part)) + (b - part)


@jit
def ordered_sum(a: float, b: float) -> Any:
    """The same for |a| ≥ |b|."""
    s = a + b
    return s, b - (s - a)


@jit
def exact_product(a: float, b: float) -> Any:
    p = a * b
    t = _SPLITTER * a
    a1 = t - (t - a)
    a2 = a - a1
    t = _SPLITTER * b
    b1 = t - (t - b)
    b2 = b - b1
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


@jit
def add(a: float, a_: float, b: float, b_: float) -> Any:
    s, e = exact_sum(a, b)
    t, f = exact_sum(a_, b_)
    s, e = ordered_sum(s, e + t)
    return ordered_sum(s, e + f)


@jit
def multiply(a: float, a_: float, b: float, b_: float) -> Any:
    p, e = exact_product(a, b)
    return ordered_sum(p, e + (a * b_ + a_ * b))


@jit
def divide(a: float, a_: float, b: float, b_: float) -> Any:
    q1 = a / b
    p, e = multiply(b, b_, q1, 0.0)
    r, r_ = add(a, a_, -p, -e)
    q2 = r / b
    p, e = multiply(b, b_, q2, 0.0)
    r, r_ = add(r, r_, -p, -e)
    q1, q2 = ordered_sum(q1, q2)
    return add(q1, q2, r / b, 0.0)


@jit
def root(a: float, a_: float) -> Any:
    if a <= 0.0:
        return (0.0, 0.0) if a == 0.0 else (math.nan, math.nan)
    s = math.sqrt(a)
    p, e = exact_product(s, s)
    return ordered_sum(s, add(a, a_, -p, -e)[0] / (2.0 * s))


@jit
def small_exponential(a: float, a_: float) -> Any:
    """e^a − 1 for |a| ≤ ½."""
    scale = 0.5**_HALVINGS
    t, t_ = scale * a, scale * a_
    s, s_ = EXPONENTIAL[12, 0], EXPONENTIAL[12, 1]
    for n in range(11, -1, -1):
        s, s_ = multiply(s, s_, t, t_)
        s, s_ = add(s, s_, EXPONENTIAL[n, 0], EXPONENTIAL[n, 1])
    s, s_ = multiply(s, s_, t, t_)
    for _ in range(_HALVINGS):
        # e^{2t} − 1 = m(m + 2) with m = e^t − 1.
        m, m_ = add(s, s_, 2.0, 0.0)
        s, s_ = multiply(s, s_, m, m_)
    return s, s_


@jit
def exponential(a: float, a_: float) -> Any:
    if not -700.0 <= a <= 700.0:
        return math.exp(a), 0.0
    k = math.floor(a / _LN2 + 0.5)
    p, e = multiply(_LN2, _LN2_REST, k, 0.0)
    t, t_ = add(a, a_, -p, -e)
    m, m_ = small_exponential(t, t_)
    m, m_ = add(m, m_, 1.0, 0.0)
    scale = math.ldexp(1.0, k)
    return scale * m, scale * m_


@jit
def exponential_minus_one(a: float, a_: float) -> Any:
    if abs(a) <= 0.5:
        return small_exponential(a, a_)
    m, m_ = exponential(a, a_)
    return add(m, m_, -1.0, 0.0)


@jit
def logarithm_of_more(a: float, a_: float) -> Any:
    """log(1 + a): y + 2(1 + a − e^y)/(1 + a + e^y), a step of third order from the float."""
    y = math.log1p(a)
    if not -700.0 <= y <= 700.0:
        return y, 0.0
    m, m_ = exponential_minus_one(y, 0.0)
    r, r_ = add(a, a_, -m, -m_)
    s, s_ = add(a, a_, m, m_)
    s, s_ = add(s, s_, 2.0, 0.0)
    q, q_ = divide(2.0 * r, 2.0 * r_, s, s_)
    return add(y, 0.0, q, q_)


@jit
def hyperbolic_tangent(a: float, a_: float) -> Any:
    if abs(a) > 40.0:
        return math.copysign(1.0, a), 0.0
    m, m_ = exponential_minus_one(2.0 * a, 2.0 * a_)
    s, s_ = add(m, m_, 2.0, 0.0)
    return divide(m, m_, s, s_)


@jit
def turn(y: float, y_: float, x: float, x_: float) -> Any:
    """The angle of the point (x, y) of the unit circle, in [−π, π]."""
    sign = -1.0 if y < 0.0 else 1.0
    y, y_ = sign * y, sign * y_
    j = math.floor(math.atan2(y, x) / _ANGLE + 0.5)
    # The sine of what is left when jπ/STEPS is taken off.
    p, p_ = multiply(y, y_, COSINES[j, 0], COSINES[j, 1])
    r, r_ = multiply(x, x_, SINES[j, 0], SINES[j, 1])
    t, t_ = add(p, p_, -r, -r_)
    z, z_ = multiply(t, t_, t, t_)
    tail = 0.0
    # z ≤ (π/512)²: beyond the third power a float has all the digits that matter.
    for n in range(7, 3, -1):
        tail = tail * z + ARCSINE[n, 0]
    s, s_ = tail, 0.0
    for n in range(3, -1, -1):
        s, s_ = multiply(s, s_, z, z_)
        s, s_ = add(s, s_, ARCSINE[n, 0], ARCSINE[n, 1])
    s, s_ = multiply(s, s_, t, t_)
    s, s_ = add(s, s_, ANGLES[j, 0], ANGLES[j, 1])
    return sign * s, sign * s_


@jit
def arcsine(a: float, a_: float) -> Any:
    p, p_ = add(1.0, 0.0, -a, -a_)
    q, q_ = add(1.0, 0.0, a, a_)
    p, p_ = multiply(p, p_, q, q_)
    if not p >= 0.0:
        return math.nan, math.nan
    x, x_ = root(p, p_)
    return turn(a, a_, x, x_)


@jit
def arctangent(y: float, y_: float, x: float, x_: float) -> Any:
    """The angle of the point (x, y), in [−π, π]."""
    p, p_ = multiply(y, y_, y, y_)
    q, q_ = multiply(x, x_, x, x_)
    p, p_ = add(p, p_, q, q_)
    h, h_ = root(p, p_)
    if not 0.0 < h < math.inf:
        return math.atan2(y, x), 0.0
    y, y_ = divide(y, y_, h, h_)
    x, x_ = divide(x, x_, h, h_)
    return turn(y, y_, x, x_)
