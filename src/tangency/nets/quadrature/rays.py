"""Integrals of products along a line through 0, between the edges of both factors' pieces.

With w in the plane of two Gaussians f = √q⟨e, w⟩ and f' = √q'⟨e', w⟩ and polar coordinates r, φ,
f = r·α and f' = r·β along each ray, α = √q cos φ and β = √q' cos(φ − θ), cos θ = c. Unlike in f and
f' themselves, nothing gets narrow as c → ±1. Compiled loops.
"""

from __future__ import annotations

import math

import numpy as np

from .jit import jit
from .pieces import ORDER

_GAUSS = 16
# exp(−r²/2) on a panel of this width is a polynomial to rounding for the rule above.
_WIDEST = 2.5

_X, _W = np.polynomial.legendre.leggauss(_GAUSS)


@jit
def piece_of(edges, u, sign):
    """The piece that holds u·(1 + ε·sign), by bisection."""
    low, high = 0, len(edges) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if edges[middle] < u or (edges[middle] == u and sign > 0):
            low = middle
        else:
            high = middle
    return low


@jit
def series(coefficients, t, one, two, out):
    """Chebyshev series at t, by Clenshaw's recurrence for all nodes at once."""
    for i in range(_GAUSS):
        one[i], two[i] = coefficients[ORDER - 1], 0.0
    for j in range(ORDER - 2, 0, -1):
        for i in range(_GAUSS):
            new = coefficients[j] + 2.0 * t[i] * one[i] - two[i]
            two[i] = one[i]
            one[i] = new
    for i in range(_GAUSS):
        out[i] = coefficients[0] + t[i] * one[i] - two[i]


@jit
def ray(edges1, edges2, first, second, alpha, beta, reach, radial, pairs, total):
    """Adds ∫_0^reach weight(r)·g(αr)·h(βr) dr to `total` for every pair (g, h) of functions.

    Args:
        first, second: (functions, pieces, ORDER) coefficients of the two sides.
        radial: the weight is r·e^{−r²/2}, or else e^{−r²/2}.
        pairs: (n, 2) which functions are multiplied.
    """
    t1, t2, weight = np.empty(_GAUSS), np.empty(_GAUSS), np.empty(_GAUSS)
    one, two = np.empty(_GAUSS), np.empty(_GAUSS)
    left, right = np.empty((len(first), _GAUSS)), np.empty((len(second), _GAUSS))
    up1, up2 = alpha >= 0, beta >= 0
    p1 = piece_of(edges1, 0.0, 1 if up1 else -1)
    p2 = piece_of(edges2, 0.0, 1 if up2 else -1)
    r = 0.0
    while r < reach and 0 <= p1 < len(edges1) - 1 and 0 <= p2 < len(edges2) - 1:
        low1, high1, low2, high2 = edges1[p1], edges1[p1 + 1], edges2[p2], edges2[p2 + 1]
        end1 = (high1 if up1 else low1) / alpha if alpha != 0 else np.inf
        end2 = (high2 if up2 else low2) / beta if beta != 0 else np.inf
        end = min(reach, r + _WIDEST, end1, end2)
        if end > r:
            half, middle = 0.5 * (end - r), 0.5 * (end + r)
            scale1, shift1 = 2.0 * alpha / (high1 - low1), (high1 + low1) / (high1 - low1)
            scale2, shift2 = 2.0 * beta / (high2 - low2), (high2 + low2) / (high2 - low2)
            for i in range(_GAUSS):
                x = middle + half * _X[i]
                t1[i], t2[i] = x * scale1 - shift1, x * scale2 - shift2
                weight[i] = half * _W[i] * math.exp(-0.5 * x * x) * (x if radial else 1.0)
            for f in range(len(first)):
                series(first[f, p1], t1, one, two, left[f])
            for f in range(len(second)):
                series(second[f, p2], t2, one, two, right[f])
            for n in range(len(pairs)):
                g, h = pairs[n, 0], pairs[n, 1]
                part = 0.0
                for i in range(_GAUSS):
                    part += weight[i] * left[g, i] * right[h, i]
                total[n] += part
            r = end
        if end1 <= end:
            p1 += 1 if up1 else -1
        if end2 <= end:
            p2 += 1 if up2 else -1


@jit
def through(edges1, edges2, first, second, alpha, beta, reach, radial, pairs, total):
    """The same over a whole line through 0, from −reach to reach."""
    ray(edges1, edges2, first, second, alpha, beta, reach, radial, pairs, total)
    ray(edges1, edges2, first, second, -alpha, -beta, reach, radial, pairs, total)


@jit
def beside(edges, functions, which, shift, scale, reach):
    """E[g(shift + scale·z)] for a standard normal z, |z| ≤ reach: a line that misses 0."""
    t, one, two, out = np.empty(_GAUSS), np.empty(_GAUSS), np.empty(_GAUSS), np.empty(_GAUSS)
    if scale == 0:
        p = piece_of(edges, shift, 1)
        q = piece_of(edges, shift, -1)
        t[:] = (2 * shift - edges[p] - edges[p + 1]) / (edges[p + 1] - edges[p])
        series(functions[which, p], t, one, two, out)
        above = out[0]
        t[:] = (2 * shift - edges[q] - edges[q + 1]) / (edges[q + 1] - edges[q])
        series(functions[which, q], t, one, two, out)
        return 0.5 * (above + out[0])
    z, total = -reach, 0.0
    p = piece_of(edges, shift - scale * reach, 1)
    while z < reach and p < len(edges) - 1:
        low, high = edges[p], edges[p + 1]
        stop = (high - shift) / scale
        end = min(reach, z + _WIDEST, stop)
        if end > z:
            half, middle = 0.5 * (end - z), 0.5 * (end + z)
            for i in range(_GAUSS):
                u = shift + scale * (middle + half * _X[i])
                t[i] = (2 * u - low - high) / (high - low)
            series(functions[which, p], t, one, two, out)
            for i in range(_GAUSS):
                x = middle + half * _X[i]
                total += half * _W[i] * math.exp(-0.5 * x * x) * out[i]
            z = end
        if stop <= end:
            p += 1
    return total / math.sqrt(2 * math.pi)
