"""Duals of the activations for one pair of positions: plain scalar functions.

Each takes the covariance s, and for each of the two inputs two numbers that depend on its
variance q alone (`prepare` makes them): `u`, by which s is multiplied, and `v`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from .jit import FLOATS
from .polynomials import P32, P64, R32, R64
from .simd import Vector, where

PIECEWISE, ERF, GELU, WAVE, EXPONENTIAL, POLYNOMIAL, HERMITE, NORMALIZE = range(8)
GROWTH, BELL, GABOR, SIGN, RECTIFIED, SERIES = range(8, 14)
"""Kinds of elementwise maps. NORMALIZE is LayerNorm: Σ and Θ are multiplied by u·u'."""

KINDS = {
    "piecewise": PIECEWISE,
    "erf": ERF,
    "gelu": GELU,
    "wave": WAVE,
    "exponential": EXPONENTIAL,
    "polynomial": POLYNOMIAL,
    "hermite": HERMITE,
    "growth": GROWTH,
    "bell": BELL,
    "gabor": GABOR,
    "sign": SIGN,
    "rectified": RECTIFIED,
    "series": SERIES,
}
"""What activations call their compiled dual (`ActivationLayer.compiled`)."""

_OPTIONS: Any = {"fastmath": FLOATS}


def lit(like: Any, value: float) -> Any:
    """`value` in the precision of `like`: a bare literal would turn float32 into float64."""
    raise NotImplementedError("for compiled code only")


def single(kind: Any) -> bool:
    """Whether a compiled number, or vector of numbers, has 32 bits."""
    return (kind.dtype if isinstance(kind, Vector) else kind) is types.float32


@overload(lit, jit_options=_OPTIONS)
def _lit(like, value):
    if single(like):
        return lambda like, value: np.float32(value)
    return lambda like, value: np.float64(value)


def arcs(z: Any) -> tuple[Any, Any]:
    """(√z·P(z), z·√z·R(z)): arccos(1−z)/π and (√(1−c²) − c·arccos c)/π at c = 1 − z.

    z below 4 units in the last place of 1 counts as 0, as in the reference.
    """
    raise NotImplementedError("for compiled code only")


# Compile-time constants in the precision that they are used in.
_P32, _R32 = (tuple(map(np.float32, c)) for c in (P32, R32))
_P64, _R64 = (tuple(map(np.float64, c)) for c in (P64, R64))
_EDGE32 = np.float32(4 * np.finfo(np.float32).eps)
_EDGE64 = np.float64(4 * np.finfo(np.float64).eps)


def _arcs32(z):
    z = where(z < _EDGE32, np.float32(0), z)
    root = math.sqrt(z)
    p = _P32[6]
    p = _P32[3] + z * (_P32[4] + z * (_P32[5] + z * p))
    p = _P32[0] + z * (_P32[1] + z * (_P32[2] + z * p))
    r = _R32[5]
    r = _R32[3] + z * (_R32[4] + z * r)
    r = _R32[0] + z * (_R32[1] + z * (_R32[2] + z * r))
    return root * p, root * z * r


def _arcs64(z):
    z = where(z < _EDGE64, np.float64(0), z)
    root = math.sqrt(z)
    p = _P64[16]
    p = _P64[12] + z * (_P64[13] + z * (_P64[14] + z * (_P64[15] + z * p)))
    p = _P64[8] + z * (_P64[9] + z * (_P64[10] + z * (_P64[11] + z * p)))
    p = _P64[4] + z * (_P64[5] + z * (_P64[6] + z * (_P64[7] + z * p)))
    p = _P64[0] + z * (_P64[1] + z * (_P64[2] + z * (_P64[3] + z * p)))
    r = _R64[15]
    r = _R64[11] + z * (_R64[12] + z * (_R64[13] + z * (_R64[14] + z * r)))
    r = _R64[7] + z * (_R64[8] + z * (_R64[9] + z * (_R64[10] + z * r)))
    r = _R64[3] + z * (_R64[4] + z * (_R64[5] + z * (_R64[6] + z * r)))
    r = _R64[0] + z * (_R64[1] + z * (_R64[2] + z * r))
    return root * p, root * z * r


@overload(arcs, jit_options=_OPTIONS)
def _arcs(z):
    return _arcs32 if single(z) else _arcs64


@register_jitable(**_OPTIONS)
def piecewise(s, c, norm, a2, b2):
    """σ(u) = a·u + b·|u|, given a² and b²; c is the correlation and norm √(q q')."""
    one, two = lit(s, 1.0), lit(s, 2.0)
    g, h = arcs(one - abs(c))
    tilt = one - two * g
    slope = a2 + b2 * where(c >= lit(s, 0.0), tilt, -tilt)
    return a2 * s + b2 * (abs(s) + two * (norm * h)), slope


def edge(like: Any) -> Any:
    """What rounding cannot tell from 0 beside 1: 4 units in the last place."""
    raise NotImplementedError("for compiled code only")


@overload(edge, jit_options=_OPTIONS)
def _edge(like):
    if like is types.float32:
        return lambda like: _EDGE32
    return lambda like: _EDGE64


@register_jitable(**_OPTIONS)
def snapped(c):
    """c, exactly ±1 where rounding cannot tell, as in the reference."""
    one = lit(c, 1.0)
    if abs(c) < one - edge(c):
        return c
    return one if c > lit(c, 0.0) else -one


@register_jitable(**_OPTIONS)
def excess_of(s, v1, v2, size):
    """(q q' − s²)/size, not negative, as in `nets.special.excess`."""
    product = v1 * (v2 / size)
    excess = product - s * (s / size)
    # The two products may be rounded differently, so that nothing is left only to rounding.
    return excess if excess > edge(s) * product else lit(s, 0.0)


@register_jitable(**_OPTIONS)
def two_by_two(s, v1, v2):
    """√((1+2q)(1+2q') − 4s²), as in `nets.special.two_by_two`."""
    one, two = lit(s, 1.0), lit(s, 2.0)
    size = one + two * (v1 + v2)
    return math.sqrt(size) * math.sqrt(one + lit(s, 4.0) * excess_of(s, v1, v2, size))


@register_jitable(**_OPTIONS)
def erf_dual(s, v1, v2, scale, square, constant):
    """scale·E[erf(bf)erf(bf')] + constant, square = b²; v = q."""
    two = lit(s, 2.0)
    s, v1, v2 = square * s, square * v1, square * v2
    root = two_by_two(s, v1, v2)
    k = scale * lit(s, 2 / math.pi) * math.atan2(two * s, root)
    return k + constant, scale * square * lit(s, 4 / math.pi) / root


@register_jitable(**_OPTIONS)
def bell_dual(s, v1, v2, scale, width):
    """exp(−width·u²); v = q."""
    s, v1, v2 = width * s, width * v1, width * v2
    root = two_by_two(s, v1, v2)
    k = scale / root
    return k, lit(s, 4.0) * width * (k / root) * (s / root)


@register_jitable(**_OPTIONS)
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


@register_jitable(**_OPTIONS)
def growth_dual(s, v1, v2, scale, alone, together):
    """scale·exp(alone·(q+q')/2 + together·s); of a negative `alone` no exponent is positive."""
    zero, half = lit(s, 0.0), lit(s, 0.5)
    exponent = alone * (half * v1 + half * v2) + together * s
    exponent = zero if alone < zero and exponent > zero else exponent
    k = scale * math.exp(exponent)
    return k, together * k


@register_jitable(**_OPTIONS)
def sign_dual(c):
    """(2/π)·arcsin(c), without a derivative."""
    c, one = snapped(c), lit(c, 1.0)
    return lit(c, 2 / math.pi) * math.atan2(c, math.sqrt((one - c) * (one + c))), lit(c, 0.0)


@register_jitable(**_OPTIONS)
def horner(p, at, count, x):
    """Σ_m p[at + m]·x^m, m < count."""
    found = p[at + count - 1]
    for m in range(count - 2, -1, -1):
        found = found * x + p[at + m]
    return found


@register_jitable(**_OPTIONS)
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


@register_jitable(**_OPTIONS)
def gelu_dual(s, u1, u2, v1, v2, scale):
    """u·Φ(u); u = 1/√(1+q), v = q."""
    one, turn = lit(s, 1.0), lit(s, 0.5 / math.pi)
    size = one + v1 + v2
    rest = excess_of(s, v1, v2, size)
    root, ratio = math.sqrt(size), math.sqrt(one + rest)
    area = root * ratio
    both = lit(s, 0.25) + turn * math.atan2(s, area)
    density = turn / area
    shrink = s * u1 * u1 + s * u2 * u2
    k = s * both + turn * (root * (rest / ratio)) + density * (s * shrink)
    return scale * k, scale * (both + density * (shrink + s / size / (one + rest)))


@register_jitable(**_OPTIONS)
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


@register_jitable(**_OPTIONS)
def exponential_dual(c, norm, rate, scale):
    """scale·√(q q')·exp((c−1)·rate), rate = 1/σ²."""
    kappa = scale * math.exp((snapped(c) - lit(c, 1.0)) * rate)
    return norm * kappa, rate * kappa


@register_jitable(**_OPTIONS)
def polynomial_dual(c, norm, degree):
    """norm·c^degree."""
    power = lit(c, 1.0)
    for _ in range(degree - 1):
        power *= c
    return norm * power * c, lit(c, float(degree)) * power


@register_jitable(**_OPTIONS)
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


@register_jitable(**_OPTIONS)
def prepare(kind, q, tiny):
    """(u, v) for one input of variance q; variances below `tiny` count as zero."""
    zero, one = lit(q, 0.0), lit(q, 1.0)
    if kind == GELU:
        return one / math.sqrt(one + q), q
    if kind == HERMITE:
        return zero, q - one
    if kind in (ERF, WAVE, GROWTH, BELL, GABOR):
        return zero, q
    if q < tiny:
        return zero, zero
    root = math.sqrt(q)
    return one / root, root


SERIES_HEAD, SERIES_ENDS = 17, 5
"""Numbers before the coefficients of a series: rows, step, whether they are a table, 0, numbers of
a row, the first octave, octaves; then five times how many rows serve up to which correlation. See
`series_number`."""


@register_jitable(**_OPTIONS)
def series_blocks(p, at):
    """How many pairs (u, v) of one input a series has."""
    return (int(p[at]) + 2) // 2


@register_jitable(**_OPTIONS)
def series_rows(p, at, c):
    """How many rows serve for correlations up to c in size."""
    for end in range(at + SERIES_HEAD - 2 * SERIES_ENDS, at + SERIES_HEAD, 2):
        if c <= p[end + 1]:
            return int(p[end])
    return int(p[at])


@register_jitable(**_OPTIONS)
def series_number(p, at, index, q, tiny):
    """What a series keeps of an input of variance q: by which s is multiplied, then coefficients.

    Coefficients are polynomials of q, or of √q within octaves of q (see `series.py`).
    """
    rows, width = int(p[at]), int(p[at + 4])
    table = p[at + 2] != lit(q, 0.0)
    if index == 0:
        return lit(q, 1.0) if not table else lit(q, 0.0) if q < tiny else lit(q, 1.0) / math.sqrt(q)
    if index > rows:
        return lit(q, 0.0)
    first, row = at + SERIES_HEAD, index - 1
    if not table:
        return horner(p, first + row * width, width, q)
    mantissa, octave = math.frexp(q)
    cell = octave - int(p[at + 5])
    # Below the first octave a coefficient is what it is at its lower end, and so at 0.
    if q < tiny or cell < 0:
        mantissa, cell = 0.5, 0
    cell = min(cell, int(p[at + 6]) - 1)
    low, high = math.sqrt(0.5), 1.0
    x = lit(q, (2 * math.sqrt(mantissa) - low - high) / (high - low))
    return horner(p, first + (cell * rows + row) * width, width, x)


@register_jitable(**_OPTIONS)
def prepare_part(kind, q, tiny, p, at, part):
    """(u, v) of one input, one of several pairs for a series."""
    if kind == SERIES:
        u = series_number(p, at, 2 * part, q, tiny)
        return u, series_number(p, at, 2 * part + 1, q, tiny)
    return prepare(kind, q, tiny)
