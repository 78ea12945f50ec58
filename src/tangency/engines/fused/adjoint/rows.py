"""Derivatives of activations and LayerNorm on one row of positions × images, in place.

A row of Σ and Θ before the map lies in `s` from `so` on and in `t` from `to` on. `gs` and `gt` hold
the gradients in Σ and Θ behind it from `go` on, and then those before it. `da` and `db` gain the
gradients in the variances of the two inputs, at the places where `a` and `b` hold (u, v) of them.
"""

from __future__ import annotations

import math

import numpy as np
from numba.extending import register_jitable

from ..rows import whole
from ..scalars import ERF, OPTIONS, PIECEWISE, edge, lit, piecewise
from ..simd import load, spread, store, where, width
from ..smooth import erf_dual, two_by_two
from .jit import jit

_U = np.uint64


@register_jitable(**OPTIONS)
def piecewise_back(x, t, gs, gt, u1, u2, v1, v2, a2, b2):
    """(gs, gt) before σ(u) = a·u + b·|u|, and the gradients in log q, one number for both inputs.

    With κ(s, q, q') of degree 1 and κ̇ of degree 0 in all three, ∂κ/∂log q = (κ − sκ̇)/2 and
    ∂κ̇/∂log q = −s·κ̈/2; κ̈ = ∂κ̇/∂s counts as 0 at c = ±1, as in `nets.special.sine_and_arcsine`.
    """
    zero, one, half = lit(x, 0.0), lit(x, 1.0), lit(x, 0.5)
    inverse, norm = u1 * u2, v1 * v2
    c = x * inverse
    _, slope = piecewise(x, c, norm, a2, b2)
    size = abs(c)
    gap = one - size
    inside = gap >= edge(x)
    sine = math.sqrt(where(inside, gap * (one + size), one))
    b = b2 * lit(x, 2 / math.pi)
    curve = where(inside, b * inverse / sine, zero)
    rest = where(inside, b * norm * sine, zero)
    bend = gt * t * curve
    return gs * slope + bend, gt * slope, half * (gs * rest - x * bend)


@register_jitable(**OPTIONS)
def erf_back(x, t, gs, gt, v1, v2, scale, square):
    """(gs, gt) before erf, and the gradients in q and q'; v = q.

    With D = (1 + 2b²q)(1 + 2b²q') − 4b⁴s², κ = scale·(2/π)·arcsin(2b²s/√(D + 4b⁴s²)) has
    ∂κ/∂q = −κ̇·s·b²/(1 + 2b²q), and κ̇ = scale·b²(4/π)/√D.
    """
    one, two, four = lit(x, 1.0), lit(x, 2.0), lit(x, 4.0)
    _, slope = erf_dual(x, v1, v2, scale, square, lit(x, 0.0))
    root = two_by_two(square * x, square * v1, square * v2)
    w1, w2 = one + two * (square * v1), one + two * (square * v2)
    bend = gt * t * (slope / root) / root
    along = gs * slope
    d = square * x
    q1 = -(along * d) / w1 - bend * (square * w2)
    q2 = -(along * d) / w2 - bend * (square * w1)
    return along + bend * (four * square * d), gt * slope, q1, q2


@jit
def piecewise_row(s, t, so, gs, gt, go, a, da, ao, b, db, bo, step, n, p, at, tangent):
    so, go, ao, bo, step, n = _U(so), _U(go), _U(ao), _U(bo), _U(step), _U(n)
    a2, b2 = p[at], p[at + 1]
    none = lit(s[0], 0.0)
    end = whole(s, n)
    for k in range(_U(0), end, _U(width(s))):
        u1, u2 = load(a, ao + k), load(b, bo + k)
        y, g = spread(none), spread(none)
        if tangent:
            y, g = load(t, so + k), load(gt, go + k)
        h, g, q = piecewise_back(
            load(s, so + k), y, load(gs, go + k), g, u1, u2, load(a, ao + step + k),
            load(b, bo + step + k), a2, b2,
        )  # fmt: skip
        store(gs, go + k, h)
        if tangent:
            store(gt, go + k, g)
        store(da, ao + k, load(da, ao + k) + q * (u1 * u1))
        store(db, bo + k, load(db, bo + k) + q * (u2 * u2))
    for k in range(end, n):
        u1, u2 = a[ao + k], b[bo + k]
        y, g = none, none
        if tangent:
            y, g = t[so + k], gt[go + k]
        h, g, q = piecewise_back(
            s[so + k], y, gs[go + k], g, u1, u2, a[ao + step + k], b[bo + step + k], a2, b2
        )
        gs[go + k] = h
        if tangent:
            gt[go + k] = g
        da[ao + k] += q * (u1 * u1)
        db[bo + k] += q * (u2 * u2)


@jit
def erf_row(s, t, so, gs, gt, go, a, da, ao, b, db, bo, step, n, p, at, tangent):
    so, go, ao, bo, step, n = _U(so), _U(go), _U(ao), _U(bo), _U(step), _U(n)
    scale, square, none = p[at], p[at + 1], lit(s[0], 0.0)
    end = whole(s, n)
    for k in range(_U(0), end, _U(width(s))):
        y, g = spread(none), spread(none)
        if tangent:
            y, g = load(t, so + k), load(gt, go + k)
        h, g, q1, q2 = erf_back(
            load(s, so + k), y, load(gs, go + k), g, load(a, ao + step + k),
            load(b, bo + step + k), scale, square,
        )  # fmt: skip
        store(gs, go + k, h)
        if tangent:
            store(gt, go + k, g)
        store(da, ao + k, load(da, ao + k) + q1)
        store(db, bo + k, load(db, bo + k) + q2)
    for k in range(end, n):
        y, g = none, none
        if tangent:
            y, g = t[so + k], gt[go + k]
        h, g, q1, q2 = erf_back(
            s[so + k], y, gs[go + k], g, a[ao + step + k], b[bo + step + k], scale, square
        )
        gs[go + k] = h
        if tangent:
            gt[go + k] = g
        da[ao + k] += q1
        db[bo + k] += q2


@jit
def normalize_row(s, t, so, gs, gt, go, a, da, ao, b, db, bo, n, tangent):
    """Σ·u·u' with u = 1/√q: ∂/∂log q is −½ of each."""
    so, go, ao, bo = _U(so), _U(go), _U(ao), _U(bo)
    half = lit(s[0], -0.5)
    for k in range(_U(n)):
        u1, u2 = a[ao + k], b[bo + k]
        both = u1 * u2
        q = gs[go + k] * s[so + k]
        gs[go + k] *= both
        if tangent:
            q += gt[go + k] * t[so + k]
            gt[go + k] *= both
        q *= half * both
        da[ao + k] += q * (u1 * u1)
        db[bo + k] += q * (u2 * u2)


@jit
def elementwise_back(kind, s, t, so, gs, gt, go, a, da, ao, b, db, bo, step, n, p, at, tangent):
    """An activation or LayerNorm on one row; `step` is from u to v in a and b."""
    if kind == PIECEWISE:
        piecewise_row(s, t, so, gs, gt, go, a, da, ao, b, db, bo, step, n, p, at, tangent)
    elif kind == ERF:
        erf_row(s, t, so, gs, gt, go, a, da, ao, b, db, bo, step, n, p, at, tangent)
    else:
        normalize_row(s, t, so, gs, gt, go, a, da, ao, b, db, bo, n, tangent)


@jit
def dot(x, i, y, j, n):
    """Σ_k x[i + k]·y[j + k] of a row, in float64."""
    i, j = _U(i), _U(j)
    total = 0.0
    for k in range(_U(n)):
        total += x[i + k] * y[j + k]
    return total


@jit
def total_of(x, i, n):
    i = _U(i)
    total = 0.0
    for k in range(_U(n)):
        total += x[i + k]
    return total
