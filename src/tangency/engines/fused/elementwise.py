"""Activations and LayerNorm on one row of positions × images, in place.

A row of Σ lies in `s` from `so` on, one of Θ in `t` from `to` on. `a` holds (u, v) of the first
inputs at `ao` and `ao + step`, `b` those of the second ones, see `scalars.prepare`. `tangent`
says whether Θ is other than zero. Offsets are unsigned, as in `rows.py`.
"""

from __future__ import annotations

import numpy as np

from .expanded import series_rows
from .jit import jit
from .rows import whole
from .scalars import (
    BELL,
    ERF,
    EXPONENTIAL,
    GABOR,
    GELU,
    GROWTH,
    NORMALIZE,
    PIECEWISE,
    POLYNOMIAL,
    RECTIFIED,
    SERIES,
    SIGN,
    WAVE,
    lit,
    piecewise,
    snapped,
)  # fmt: skip
from .simd import load, spread, store, width
from .smooth import (
    bell_dual,
    erf_dual,
    exponential_dual,
    gabor_dual,
    gelu_dual,
    growth_dual,
    hermite_dual,
    polynomial_dual,
    rectified_dual,
    sign_dual,
    wave_dual,
)

_U = np.uint64

# Numbers of a row that have one length of a series: that of the largest correlation among them.
_CHUNK = 64


@jit
def relu_row(s, so, t, to, a, ao, b, bo, step, n, p, at, tangent):
    so, to, ao, bo, step, n = _U(so), _U(to), _U(ao), _U(bo), _U(step), _U(n)
    a2, b2 = p[at], p[at + 1]
    end = whole(s, n)
    for k in range(_U(0), end, _U(width(s))):
        x = load(s, so + k)
        c = x * (load(a, ao + k) * load(b, bo + k))
        norm = load(a, ao + step + k) * load(b, bo + step + k)
        value, slope = piecewise(x, c, norm, a2, b2)
        store(s, so + k, value)
        if tangent:
            store(t, to + k, load(t, to + k) * slope)
    for k in range(end, n):
        x = s[so + k]
        c = x * (a[ao + k] * b[bo + k])
        value, slope = piecewise(x, c, a[ao + step + k] * b[bo + step + k], a2, b2)
        s[so + k] = value
        if tangent:
            t[to + k] *= slope


@jit
def normalize_row(s, so, t, to, a, ao, b, bo, n, tangent):
    so, to, ao, bo, n = _U(so), _U(to), _U(ao), _U(bo), _U(n)
    for k in range(n):
        s[so + k] *= a[ao + k] * b[bo + k]
    if tangent:
        for k in range(n):
            t[to + k] *= a[ao + k] * b[bo + k]


@jit
def erf_row(s, so, t, to, a, ao, b, bo, step, n, p, at, tangent):
    so, to, ao, bo, n = _U(so), _U(to), _U(ao) + _U(step), _U(bo) + _U(step), _U(n)
    scale, square, constant = p[at], p[at + 1], p[at + 2]
    end = whole(s, n)
    for k in range(_U(0), end, _U(width(s))):
        x, v1, v2 = load(s, so + k), load(a, ao + k), load(b, bo + k)
        value, slope = erf_dual(x, v1, v2, scale, square, constant)
        store(s, so + k, value)
        if tangent:
            store(t, to + k, load(t, to + k) * slope)
    for k in range(end, n):
        value, slope = erf_dual(s[so + k], a[ao + k], b[bo + k], scale, square, constant)
        s[so + k] = value
        if tangent:
            t[to + k] *= slope


@jit
def gelu_row(s, so, t, to, a, ao, b, bo, step, n, p, at, tangent):
    so, to, ao, bo, step, n = _U(so), _U(to), _U(ao), _U(bo), _U(step), _U(n)
    scale = p[at]
    end = whole(s, n)
    for k in range(_U(0), end, _U(width(s))):
        u1, u2 = load(a, ao + k), load(b, bo + k)
        v1, v2 = load(a, ao + step + k), load(b, bo + step + k)
        value, slope = gelu_dual(load(s, so + k), u1, u2, v1, v2, scale)
        store(s, so + k, value)
        if tangent:
            store(t, to + k, load(t, to + k) * slope)
    for k in range(end, n):
        u1, u2, v1, v2 = a[ao + k], b[bo + k], a[ao + step + k], b[bo + step + k]
        value, slope = gelu_dual(s[so + k], u1, u2, v1, v2, scale)
        s[so + k] = value
        if tangent:
            t[to + k] *= slope


@jit
def wave_row(s, so, t, to, a, ao, b, bo, step, n, p, at, tangent):
    so, to, ao, bo, n = _U(so), _U(to), _U(ao) + _U(step), _U(bo) + _U(step), _U(n)
    sine, square, cosine = p[at], p[at + 1], p[at + 2]
    for k in range(n):
        value, slope = wave_dual(s[so + k], a[ao + k], b[bo + k], square, sine, cosine)
        s[so + k] = value
        if tangent:
            t[to + k] *= slope


@jit
def smooth_row(kind, s, so, t, to, a, ao, b, bo, step, n, p, at, tangent):
    """The activations without a row of their own."""
    so, to, ao, bo, step, n = _U(so), _U(to), _U(ao), _U(bo), _U(step), _U(n)
    degree = int(p[at + 3])
    for k in range(n):
        x = s[so + k]
        u1, u2, v1, v2 = a[ao + k], b[bo + k], a[ao + step + k], b[bo + step + k]
        if kind == GROWTH:
            value, slope = growth_dual(x, v1, v2, p[at], p[at + 1], p[at + 2])
        elif kind == BELL:
            value, slope = bell_dual(x, v1, v2, p[at], p[at + 1])
        elif kind == GABOR:
            value, slope = gabor_dual(x, v1, v2, p[at])
        elif kind == SIGN:
            value, slope = sign_dual(x * (u1 * u2))
        elif kind == RECTIFIED:
            value, slope = rectified_dual(x * (u1 * u2), v1 * v2, degree, p, at + 4)
        elif kind == EXPONENTIAL:
            value, slope = exponential_dual(x * (u1 * u2), v1 * v2, p[at], p[at + 1])
        elif kind == POLYNOMIAL and p[at + 1] == 0:
            value, slope = polynomial_dual(snapped(x * (u1 * u2)), v1 * v2, degree)
        elif kind == POLYNOMIAL:
            value, slope = polynomial_dual(x, lit(x, 1.0), degree)
        else:
            value, slope = hermite_dual(x, v1, v2, degree, p, at + 4)
        s[so + k] = value
        if tangent:
            t[to + k] *= slope


@jit
def series_row(s, so, t, to, a, ao, b, bo, step, n, p, at, tangent, block):
    """k = a₀a₀' + s·R(c) and k̇ = R(c) + c·R'(c), R(c) = Σ_j b_j b_j' c^{j−1}; see `series.py`.

    With z = c or c², R is P(z), or the first term plus c·P(z). block: from one pair (u, v) of an
    input to its next.
    """
    so, to, ao, bo, step, n = _U(so), _U(to), _U(ao), _U(bo), _U(step), _U(n)
    kind, block, zero, most = p[at + 1], _U(block), lit(s[0], 0.0), p[at]
    lead = kind == 3
    last = 1 if lead else 0
    twice = lit(s[0], 1.0) if kind == 1 else lit(s[0], 2.0)
    for begin in range(_U(0), n, _U(_CHUNK)):
        stop = min(begin + _U(_CHUNK), n)
        end = begin + whole(s, stop - begin)
        rows = int(most)
        if rows > 4:
            largest = zero
            for k in range(begin, stop):
                largest = max(largest, abs(s[so + k] * (a[ao + k] * b[bo + k])))
            rows = series_rows(p, at, largest)
        for k in range(begin, end, _U(width(s))):
            x = load(s, so + k)
            c = x * (load(a, ao + k) * load(b, bo + k))
            z = c if kind == 1 else c * c
            total, slope = spread(zero), spread(zero)
            for row in range(rows - 1, last, -1):
                i = _U(row + 1)
                here = (i >> _U(1)) * block + (i & _U(1)) * step + k
                slope = slope * z + total
                total = total * z + load(a, ao + here) * load(b, bo + here)
            slope = total + twice * (z * slope)
            if lead:
                first = load(a, ao + block + k) * load(b, bo + block + k)
                total, slope = first + c * total, first + c * (total + slope)
            if tangent:
                store(t, to + k, load(t, to + k) * slope)
            store(s, so + k, load(a, ao + step + k) * load(b, bo + step + k) + x * total)
        for k in range(end, stop):
            x = s[so + k]
            c = x * (a[ao + k] * b[bo + k])
            z = c if kind == 1 else c * c
            value, tilt = zero, zero
            for row in range(rows - 1, last, -1):
                i = _U(row + 1)
                here = (i >> _U(1)) * block + (i & _U(1)) * step + k
                tilt = tilt * z + value
                value = value * z + a[ao + here] * b[bo + here]
            tilt = value + twice * (z * tilt)
            if lead:
                head = a[ao + block + k] * b[bo + block + k]
                value, tilt = head + c * value, head + c * (value + tilt)
            if tangent:
                t[to + k] *= tilt
            s[so + k] = a[ao + step + k] * b[bo + step + k] + x * value


@jit
def elementwise_row(kind, s, so, t, to, a, ao, b, bo, step, n, p, at, tangent, block=0):
    """An activation or LayerNorm on one row, in place."""
    if kind == PIECEWISE:
        relu_row(s, so, t, to, a, ao, b, bo, step, n, p, at, tangent)
    elif kind == NORMALIZE:
        normalize_row(s, so, t, to, a, ao, b, bo, n, tangent)
    elif kind == SERIES:
        series_row(s, so, t, to, a, ao, b, bo, step, n, p, at, tangent, block)
    elif kind == ERF:
        erf_row(s, so, t, to, a, ao, b, bo, step, n, p, at, tangent)
    elif kind == GELU:
        gelu_row(s, so, t, to, a, ao, b, bo, step, n, p, at, tangent)
    elif kind == WAVE:
        wave_row(s, so, t, to, a, ao, b, bo, step, n, p, at, tangent)
    else:
        smooth_row(kind, s, so, t, to, a, ao, b, bo, step, n, p, at, tangent)
