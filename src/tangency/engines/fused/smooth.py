"""Duals of activations that are no piecewise linear functions, for one pair: see `scalars.py`."""

from __future__ import annotations

import math

from numba.extending import register_jitable

from .scalars import OPTIONS, arcs, arctan, edge, excess_of, lit, snapped
from .simd import where


@register_jitable(**OPTIONS)
def two_by_two(s, v1, v2):
    """√((1+2q)(1+2q') − 4s²), as in `nets.special.two_by_two`."""
    one, two = lit(s, 1.0), lit(s, 2.0)
    size = one + two * (v1 + v2)
    return math.sqrt(size) * math.sqrt(one + lit(s, 4.0) * excess_of(s, v1, v2, size))


@register_jitable(**OPTIONS)
def erf_dual(s, v1, v2, scale, square, constant):
    """scale·E[erf(bf)erf(bf')] + constant, square = b²; v = q."""
    two = lit(s, 2.0)
    s, v1, v2 = square * s, square * v1, square * v2
    root = two_by_two(s, v1, v2)
    k = scale * lit(s, 2 / math.pi) * arctan(two * s, root)
    return k + constant, scale * square * lit(s, 4 / math.pi) / root


@register_jitable(**OPTIONS)
def bell_dual(s, v1, v2, scale, width):
    """exp(−width·u²); v = q."""
    s, v1, v2 = width * s, width * v1, width * v2
    root = two_by_two(s, v1, v2)
    k = scale / root
    return k, lit(s, 4.0) * width * (k / root) * (s / root)


@register_jitable(**OPTIONS)
def gabor_dual(s, v1, v2, scale):
    """exp(−u²)·sin(u); v = q. In units of `size`, as `nets.activations.bells.Gabor`."""
    zero, half, one, two, four = lit(s, 0.0), lit(s, 0.5), lit(s, 1.0), lit(s, 2.0), lit(s, 4.0)
    size = one + two * (v1 + v2)
    rest = excess_of(s, v1, v2, size)
    ratio = one + four * rest
    t = s / size / ratio
    gap = (half * (v1 + v2) / size + two * rest) / ratio - abs(t)
    wave = scale * half * math.exp(-gap) / (math.sqrt(size) * math.sqrt(ratio))
    down = math.expm1(-two * abs(t))
    k = wave * (down if t < zero else -down)
    slope = wave * (two + down) * ((one / size + lit(s, 8.0) * t * (s / size)) / ratio)
    share = (one + v1 + v2) / size / ratio
    return k, slope + four * t * (one + share) * k


@register_jitable(**OPTIONS)
def growth_dual(s, v1, v2, scale, alone, together):
    """scale·exp(alone·(q+q')/2 + together·s); of a negative `alone` no exponent is positive."""
    zero, half = lit(s, 0.0), lit(s, 0.5)
    exponent = alone * (half * v1 + half * v2) + together * s
    exponent = zero if alone < zero and exponent > zero else exponent
    k = scale * math.exp(exponent)
    return k, together * k


@register_jitable(**OPTIONS)
def sign_dual(c):
    """(2/π)·arcsin(c), without a derivative."""
    c, one = snapped(c), lit(c, 1.0)
    return lit(c, 2 / math.pi) * math.atan2(c, math.sqrt((one - c) * (one + c))), lit(c, 0.0)


@register_jitable(**OPTIONS)
def horner(p, at, count, x):
    """Σ_m p[at + m]·x^m, m < count."""
    found = p[at + count - 1]
    for m in range(count - 2, -1, -1):
        found = found * x + p[at + m]
    return found


@register_jitable(**OPTIONS)
def rectified_dual(c, norm, degree, p, at):
    """max(u, 0)^degree: polynomials of c for the angle and the sine, of k and then of k̇."""
    one = lit(c, 1.0)
    z = one - abs(c)
    g, _ = arcs(z)
    z = z if z >= edge(c) else lit(c, 0.0)
    angle = lit(c, math.pi) * (one - g if c >= lit(c, 0.0) else g)
    sine = math.sqrt(z * (lit(c, 2.0) - z))
    below = one
    for _ in range(degree - 1):
        below *= norm
    last = at + 3 * degree + 1
    k = horner(p, at, degree + 1, c) * angle + horner(p, at + degree + 1, degree, c) * sine
    slope = horner(p, at + 2 * degree + 1, degree, c) * angle
    slope += horner(p, last, max(1, degree - 1), c) * sine
    return below * norm * k, below * slope


@register_jitable(**OPTIONS)
def gelu_dual(s, u1, u2, v1, v2, scale):
    """u·Φ(u); u = 1/√(1+q), v = q."""
    one, turn = lit(s, 1.0), lit(s, 0.5 / math.pi)
    size = one + v1 + v2
    rest = excess_of(s, v1, v2, size)
    root, ratio = math.sqrt(size), math.sqrt(one + rest)
    area = root * ratio
    both = lit(s, 0.25) + turn * arctan(s, area)
    density = turn / area
    shrink = s * u1 * u1 + s * u2 * u2
    k = s * both + turn * (root * (rest / ratio)) + density * (s * shrink)
    return scale * k, scale * (both + density * (shrink + s / size / (one + rest)))


@register_jitable(**OPTIONS)
def wave_dual(s, v1, v2, square, sine, cosine):
    """Of sin and cos of b·u, times `sine` and `cosine`; square = b², v = q."""
    zero, half, size = lit(s, 0.0), lit(s, 0.5), abs(s)
    # (q + q')/2 ≥ |s|, and where that is so to rounding only, they are taken as equal.
    apart = half * v1 + half * v2 - size
    # The sine in the form e^{x}(1 − e^{−2y})/2, which loses no digits where s is small.
    wave = half * math.exp(-square * where(apart > zero, apart, zero))
    rest = math.expm1(lit(s, -2.0) * square * size)
    cosines = wave * (lit(s, 2.0) + rest)
    sines = wave * (rest if s < zero else -rest)
    k, slope = sine * sines + cosine * cosines, sine * cosines + cosine * sines
    return k, square * slope


@register_jitable(**OPTIONS)
def exponential_dual(c, norm, rate, scale):
    """scale·√(q q')·exp((c−1)·rate), rate = 1/σ²."""
    kappa = scale * math.exp((snapped(c) - lit(c, 1.0)) * rate)
    return norm * kappa, rate * kappa


@register_jitable(**OPTIONS)
def polynomial_dual(c, norm, degree):
    """norm·c^degree."""
    power = lit(c, 1.0)
    for _ in range(degree - 1):
        power *= c
    return norm * power * c, lit(c, float(degree)) * power


@register_jitable(**OPTIONS)
def hermite_dual(s, v1, v2, degree, weights, at):
    """h_degree; v = q − 1; weights[at + i] belongs to (v v')^i s^{degree−2i}."""
    excess = v1 * v2
    k, k_dot = lit(s, 0.0), lit(s, 0.0)
    # Σ_i w_i e^i s^{d−2i} by Horner's rule from the lowest power of s upwards.
    scale = lit(s, 1.0)
    for i in range(degree // 2 + 1):
        power = degree - 2 * i
        below = lit(s, 1.0)
        for _ in range(power - 1):
            below *= s
        weight = weights[at + i] * scale
        if power > 0:
            k += weight * below * s
            k_dot += weight * lit(s, float(power)) * below
        else:
            k += weight
        scale *= excess
    return k, k_dot
