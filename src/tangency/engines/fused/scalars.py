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

from ... import linked
from .jit import FLOATS
from .polynomials import A32, A64, P32, P64, R32, R64
from .simd import Vector, flipped, where

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

OPTIONS: Any = linked.parts(fastmath=FLOATS)


def lit(like: Any, value: float) -> Any:
    """`value` in the precision of `like`: a bare literal would turn float32 into float64."""
    raise NotImplementedError("for compiled code only")


def single(kind: Any) -> bool:
    """Whether a compiled number, or vector of numbers, has 32 bits."""
    return (kind.dtype if isinstance(kind, Vector) else kind) is types.float32


@overload(lit, jit_options=OPTIONS)
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


@overload(arcs, jit_options=OPTIONS)
def _arcs(z):
    return _arcs32 if single(z) else _arcs64


def arctan(y: Any, x: Any) -> Any:
    """The angle of (x, y), x > 0, in (−π/2, π/2): `math.atan2` is a call for each number."""
    raise NotImplementedError("for compiled code only")


_A32, _A64 = tuple(map(np.float32, A32)), tuple(map(np.float64, A64))


@register_jitable(**OPTIONS)
def _octant(y, x):
    """(t, whether it is of a quarter turn less, whether y > x): the angle is within π/8 of one."""
    size = abs(y)
    steep = size > x
    low, high = where(steep, x, size), where(steep, size, x)
    half = low > lit(x, math.tan(math.pi / 8)) * high
    t = where(half, low - high, low) / where(half, low + high, high)
    return t, half, steep


@register_jitable(**OPTIONS)
def _unfolded(angle, half, steep, y):
    angle = where(half, angle + lit(angle, math.pi / 4), angle)
    angle = where(steep, lit(angle, math.pi / 2) - angle, angle)
    return where(y < lit(angle, 0.0), -angle, angle)


def _arctan32(y, x):
    t, half, steep = _octant(y, x)
    z = t * t
    a = _A32[3] + z * (_A32[4] + z * _A32[5])
    a = _A32[0] + z * (_A32[1] + z * (_A32[2] + z * a))
    return _unfolded(t * a, half, steep, y)


def _arctan64(y, x):
    t, half, steep = _octant(y, x)
    z = t * t
    a = _A64[8] + z * (_A64[9] + z * (_A64[10] + z * _A64[11]))
    a = _A64[4] + z * (_A64[5] + z * (_A64[6] + z * (_A64[7] + z * a)))
    a = _A64[0] + z * (_A64[1] + z * (_A64[2] + z * (_A64[3] + z * a)))
    return _unfolded(t * a, half, steep, y)


@overload(arctan, jit_options=OPTIONS)
def _arctan(y, x):
    return _arctan32 if single(x) else _arctan64


def bend(z: Any, b2: Any) -> tuple[Any, Any]:
    """2b²·(−arccos(1−z)/π, (√(1−c²) − c·arccos c)/π) at c = 1 − z; z as in `arcs`.

    The coefficients take the factor, which costs nothing in a loop over many z.
    """
    raise NotImplementedError("for compiled code only")


def _bend32(z, b2):
    z = where(z < _EDGE32, np.float32(0), z)
    root = math.sqrt(z)
    b, p, r = b2 + b2, _P32, _R32
    g = (b * -p[3]) + z * ((b * -p[4]) + z * ((b * -p[5]) + z * (b * -p[6])))
    g = (b * -p[0]) + z * ((b * -p[1]) + z * ((b * -p[2]) + z * g))
    h = (b * r[3]) + z * ((b * r[4]) + z * (b * r[5]))
    h = (b * r[0]) + z * ((b * r[1]) + z * ((b * r[2]) + z * h))
    return root * g, root * z * h


def _bend64(z, b2):
    g, h = arcs(z)
    b = b2 + b2
    return -b * g, b * h


@overload(bend, jit_options=OPTIONS)
def _bend(z, b2):
    return _bend32 if single(z) else _bend64


@register_jitable(**OPTIONS)
def piecewise(s, c, norm, a2, b2):
    """σ(u) = a·u + b·|u|, given a² and b²; c is the correlation and norm √(q q')."""
    g, h = bend(lit(s, 1.0) - abs(c), b2)
    return (a2 * s + b2 * abs(s)) + norm * h, a2 + flipped(b2 + g, c)


def edge(like: Any) -> Any:
    """What rounding cannot tell from 0 beside 1: 4 units in the last place."""
    raise NotImplementedError("for compiled code only")


@overload(edge, jit_options=OPTIONS)
def _edge(like):
    if single(like):
        return lambda like: _EDGE32
    return lambda like: _EDGE64


@register_jitable(**OPTIONS)
def snapped(c):
    """c, exactly ±1 where rounding cannot tell, as in the reference."""
    one = lit(c, 1.0)
    if abs(c) < one - edge(c):
        return c
    return one if c > lit(c, 0.0) else -one


@register_jitable(**OPTIONS)
def excess_of(s, v1, v2, size):
    """(q q' − s²)/size, not negative, as in `nets.special.excess`."""
    product = v1 * (v2 / size)
    excess = product - s * (s / size)
    # The two products may be rounded differently, so that nothing is left only to rounding.
    return where(excess > edge(s) * product, excess, lit(s, 0.0))


@register_jitable(**OPTIONS)
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
