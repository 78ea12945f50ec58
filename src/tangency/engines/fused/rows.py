"""Loops over one row of positions × images, the innermost work of the engine.

Arrays are flat and addressed by offsets: slices would count references, which costs more than a
short row does. Offsets become unsigned, as a signed index that might be negative (counting from
the end) keeps the loops from being vectorised.

A row of Σ lies in `s` from `so` on, one of Θ in `t` from `to` on. `a` holds (u, v) of the first
inputs at `ao` and `ao + step`, `b` those of the second ones, see `scalars.prepare`. `tangent`
says whether Θ is other than zero.
"""

from __future__ import annotations

import numpy as np

from .jit import jit
from .scalars import (
    COSINE,
    ERF,
    EXPONENTIAL,
    GELU,
    NORMALIZE,
    PIECEWISE,
    POLYNOMIAL,
    SINE,
    erf_dual,
    exponential_dual,
    gelu_dual,
    hermite_dual,
    lit,
    piecewise,
    polynomial_dual,
    wave_dual,
)

_U = np.uint64


@jit
def fill(out, at, value, n):
    at = _U(at)
    for k in range(_U(n)):
        out[at + k] = value


@jit
def copy(out, at, x, i, n):
    at, i = _U(at), _U(i)
    for k in range(_U(n)):
        out[at + k] = x[i + k]


@jit
def add(out, at, x, i, n):
    at, i = _U(at), _U(i)
    for k in range(_U(n)):
        out[at + k] += x[i + k]


@jit
def scale(out, at, factor, n):
    at = _U(at)
    for k in range(_U(n)):
        out[at + k] *= factor


@jit
def sum2(out, at, x, i, j, n):
    at, i, j = _U(at), _U(i), _U(j)
    for k in range(_U(n)):
        out[at + k] = x[i + k] + x[j + k]


@jit
def sum3(out, at, x, i, j, h, n):
    at, i, j, h = _U(at), _U(i), _U(j), _U(h)
    for k in range(_U(n)):
        out[at + k] = x[i + k] + x[j + k] + x[h + k]


@jit
def add_scaled(out, at, x, i, w, n):
    at, i = _U(at), _U(i)
    for k in range(_U(n)):
        out[at + k] += w * x[i + k]


@jit
def add_scaled2(out, at, x, i, wi, j, wj, n):
    at, i, j = _U(at), _U(i), _U(j)
    for k in range(_U(n)):
        out[at + k] += wi * x[i + k] + wj * x[j + k]


@jit
def add_scaled4(out, at, x, i, wi, j, wj, h, wh, m, wm, n):
    at, i, j, h, m = _U(at), _U(i), _U(j), _U(h), _U(m)
    for k in range(_U(n)):
        out[at + k] += (wi * x[i + k] + wj * x[j + k]) + (wh * x[h + k] + wm * x[m + k])


@jit
def multiply(out, at, x, i, y, j, n):
    at, i, j = _U(at), _U(i), _U(j)
    for k in range(_U(n)):
        out[at + k] = x[i + k] * y[j + k]


@jit
def add_product(out, at, x, i, y, j, n):
    at, i, j = _U(at), _U(i), _U(j)
    for k in range(_U(n)):
        out[at + k] += x[i + k] * y[j + k]


@jit
def spread(out, at, x, i, count, lanes):
    """Each number of x, `lanes` times."""
    at, i = _U(at), _U(i)
    for k in range(_U(count)):
        value = x[i + k]
        for lane in range(_U(lanes)):
            out[at + k * _U(lanes) + lane] = value


@jit
def affine(out, at, x, i, w, shift, n):
    at, i = _U(at), _U(i)
    for k in range(_U(n)):
        out[at + k] = w * x[i + k] + shift


@jit
def affine3(out, at, x, i, j, h, w, shift, n):
    at, i, j, h = _U(at), _U(i), _U(j), _U(h)
    for k in range(_U(n)):
        out[at + k] = w * (x[i + k] + x[j + k] + x[h + k]) + shift


@jit
def strided(out, at, x, i, w, step, count, lanes):
    """out += w times every `step`-th position of x."""
    for k in range(_U(count)):
        o, p = _U(at) + k * _U(lanes), _U(i) + k * _U(step) * _U(lanes)
        for lane in range(_U(lanes)):
            out[o + lane] += w * x[p + lane]


@jit
def relu_row(s, so, t, to, a, ao, b, bo, step, n, p, at, tangent):
    so, to, ao, bo, step, n = _U(so), _U(to), _U(ao), _U(bo), _U(step), _U(n)
    a2, b2 = p[at], p[at + 1]
    if tangent:
        for k in range(n):
            x = s[so + k]
            c = x * (a[ao + k] * b[bo + k])
            value, slope = piecewise(x, c, a[ao + step + k] * b[bo + step + k], a2, b2)
            s[so + k] = value
            t[to + k] *= slope
    else:
        for k in range(n):
            x = s[so + k]
            c = x * (a[ao + k] * b[bo + k])
            value, _ = piecewise(x, c, a[ao + step + k] * b[bo + step + k], a2, b2)
            s[so + k] = value


@jit
def conv3_relu_row(
    s, t, so, x, y, i, j, h, w, shift, a, ao, b, bo, step, n, p, at, tangent, trainable
):
    """The last pass of a three-tap convolution and the activation after it, in one loop.

    x and y hold rows of Σ and Θ that are summed over the other axis; `tangent` says whether Θ is
    other than zero before the convolution.
    """
    so, i, j, h = _U(so), _U(i), _U(j), _U(h)
    ao, bo, step, n = _U(ao), _U(bo), _U(step), _U(n)
    a2, b2 = p[at], p[at + 1]
    if tangent:
        # Adding Σ̃ is a multiplication by 1 or 0, so that one loop serves frozen layers too.
        own = lit(w, 1.0) if trainable else lit(w, 0.0)
        for k in range(n):
            cov = w * (x[i + k] + x[j + k] + x[h + k]) + shift
            tan = w * (y[i + k] + y[j + k] + y[h + k]) + own * cov
            c = cov * (a[ao + k] * b[bo + k])
            value, slope = piecewise(cov, c, a[ao + step + k] * b[bo + step + k], a2, b2)
            s[so + k] = value
            t[so + k] = tan * slope
    elif trainable:
        for k in range(n):
            cov = w * (x[i + k] + x[j + k] + x[h + k]) + shift
            c = cov * (a[ao + k] * b[bo + k])
            value, slope = piecewise(cov, c, a[ao + step + k] * b[bo + step + k], a2, b2)
            s[so + k] = value
            t[so + k] = cov * slope
    else:
        for k in range(n):
            cov = w * (x[i + k] + x[j + k] + x[h + k]) + shift
            c = cov * (a[ao + k] * b[bo + k])
            value, _ = piecewise(cov, c, a[ao + step + k] * b[bo + step + k], a2, b2)
            s[so + k] = value


@jit
def normalize_row(s, so, t, to, a, ao, b, bo, n, tangent):
    so, to, ao, bo, n = _U(so), _U(to), _U(ao), _U(bo), _U(n)
    for k in range(n):
        s[so + k] *= a[ao + k] * b[bo + k]
    if tangent:
        for k in range(n):
            t[to + k] *= a[ao + k] * b[bo + k]


@jit
def smooth_row(kind, s, so, t, to, a, ao, b, bo, step, n, p, at, tangent):
    """The activations that are no piecewise linear functions."""
    so, to, ao, bo, step, n = _U(so), _U(to), _U(ao), _U(bo), _U(step), _U(n)
    degree = int(p[at + 3])
    for k in range(n):
        x = s[so + k]
        u1, u2, v1, v2 = a[ao + k], b[bo + k], a[ao + step + k], b[bo + step + k]
        if kind == ERF:
            value, slope = erf_dual(x, v1, v2, p[at])
        elif kind == GELU:
            value, slope = gelu_dual(x, u1, u2, v1, v2, p[at])
        elif kind in (SINE, COSINE):
            value, slope = wave_dual(x, v1, v2, p[at + 1], p[at], p[at + 2])
        elif kind == EXPONENTIAL:
            value, slope = exponential_dual(x * (u1 * u2), v1 * v2, p[at])
        elif kind == POLYNOMIAL:
            value, slope = polynomial_dual(x * (u1 * u2), v1 * v2, degree)
        else:
            value, slope = hermite_dual(x, v1, v2, degree, p, at + 4)
        s[so + k] = value
        if tangent:
            t[to + k] *= slope


@jit
def elementwise_row(kind, s, so, t, to, a, ao, b, bo, step, n, p, at, tangent):
    """An activation or LayerNorm on one row, in place."""
    if kind == PIECEWISE:
        relu_row(s, so, t, to, a, ao, b, bo, step, n, p, at, tangent)
    elif kind == NORMALIZE:
        normalize_row(s, so, t, to, a, ao, b, bo, n, tangent)
    else:
        smooth_row(kind, s, so, t, to, a, ao, b, bo, step, n, p, at, tangent)
