"""Hermite coefficients a_j(q) = E[σ(√q g)h_j(g)], and the series k = Σ a_j(q)a_j(q')c^j."""

from __future__ import annotations

import math

import numpy as np

from .jit import jit
from .rays import _GAUSS, _W, _X, piece_of, series

LEVELS = np.array([8, 16, 32, 64, 128, 256, 512, 1024])
"""Degrees at which a series may end."""
SHORT, LONG = 128, 1024

# What a series may leave out of k and of k̇, against √(k(x,x)k(x',x')) and the like.
_LEFT_OUT = (4e-15, 2e-14)
# How much farther a Gaussian is followed than squares need: till e^{−r²/4} is below rounding.
_FARTHER = 3.0
# Rounding of a squared coefficient, and of a difference of moments, against the moment.
_NOISE, _SEEN = 4e-31, 1e-14


@jit
def expand(edges, functions, root, reach, degree, moments, tails, coefficients):
    """Coefficients 0..degree of σ(√q·), second moments, and what series leave out at `LEVELS`.

    Args:
        edges, functions: pieces of σ, σ′ and others, (functions, pieces, ORDER).
        root: √q.
        moments: (functions,), out: E[g(f)²] of each, δ-functions left out.
        tails: (2, levels), out: Σ_{j>J} a_j² and Σ_{j>J} j·a_j²/q, infinite for levels beyond.
        coefficients: (≥ degree + 1,), out.
    """
    # Where a square no longer counts, the function times a polynomial of high degree still does.
    near, reach = reach, min(reach + _FARTHER, edges[-1] / root)
    widest = min(1.5, 14.0 / math.sqrt(degree + 1.0))
    most = _GAUSS * (len(edges) + 2 + int(2 * reach / widest + 2))
    x, weighted, scratch = np.empty(most), np.empty(most), np.empty((5, _GAUSS))
    count, z = 0, -reach
    moments[:] = 0.0
    p = piece_of(edges, -reach * root, 1)
    while z < reach and p < len(edges) - 1:
        low, high = edges[p], edges[p + 1]
        stop = high / root
        # Beyond `near` a few digits will do.
        end = min(reach, stop, z + (widest if -near <= z < near else 1.3 * widest))
        if end > z:
            half, middle = 0.5 * (end - z), 0.5 * (end + z)
            for i in range(_GAUSS):
                at = middle + half * _X[i]
                x[count + i] = at
                scratch[0, i] = (2 * root * at - low - high) / (high - low)
                scratch[4, i] = half * _W[i] * math.exp(-0.5 * at * at) / math.sqrt(2 * math.pi)
            for f in range(len(functions)):
                series(functions[f, p], scratch[0], scratch[1], scratch[2], scratch[3])
                for i in range(_GAUSS):
                    moments[f] += scratch[4, i] * scratch[3, i] ** 2
                    if f == 0:
                        weighted[count + i] = scratch[4, i] * scratch[3, i]
            count += _GAUSS
            z = end
        if stop <= end:
            p += 1
    _project(x[:count], weighted[:count], degree, coefficients)
    _left_after(coefficients, degree, root, moments, tails)


@jit
def _left_after(coefficients, degree, root, moments, tails):
    """Σ_{j>J} a_j² and Σ_{j>J} j·a_j²/q, from the end, so that small ones are known too.

    A small remainder times a large one of another variance can count. What is beyond the last
    coefficient is the moment less all of them; where that is rounding, about the last ones.
    """
    tails[:] = np.inf
    noise = _NOISE * moments[0]
    rest, late = moments[:2].copy(), np.zeros(2)
    for j in range(degree + 1):
        square = coefficients[j] ** 2
        slope = j * square / (root * root)
        rest[0] -= square
        rest[1] -= slope
        if j > degree - degree // 8 and square > noise:
            late[0] += square
            late[1] += slope
    # a_j has the rounding of σ, which is larger than that of σ′ where σ hardly changes.
    seen = _SEEN * moments[0], _SEEN * math.sqrt(moments[1] * max(moments[1], moments[0] / root**2))
    for n in range(2):
        if rest[n] <= seen[n]:
            rest[n] = min(late[n], seen[n])
    level = np.searchsorted(LEVELS, degree)
    for j in range(degree, LEVELS[0] - 1, -1):
        if j == LEVELS[level]:
            tails[:, level] = rest
            level -= 1
        square = coefficients[j] ** 2
        if square > noise:
            rest[0] += square
            rest[1] += j * square / (root * root)


@jit
def _project(x, weighted, degree, coefficients):
    """Sums of the weighted values times the orthonormal Hermite polynomials.

    Two degrees at a time, for half the traffic with memory; `degree` is even.
    """
    now, before = np.ones(len(x)), np.zeros(len(x))
    for j in range(0, degree, 2):
        even, odd = 0.0, 0.0
        up1, down1 = 1 / math.sqrt(j + 1.0), math.sqrt(1.0 * j)
        up2, down2 = 1 / math.sqrt(j + 2.0), math.sqrt(j + 1.0)
        for i in range(len(x)):
            even += weighted[i] * now[i]
            new = (x[i] * now[i] - down1 * before[i]) * up1
            odd += weighted[i] * new
            now[i] = (x[i] * new - down2 * now[i]) * up2
            before[i] = new
        coefficients[j], coefficients[j + 1] = even, odd
    last = 0.0
    for i in range(len(x)):
        last += weighted[i] * now[i]
    coefficients[degree] = last


@jit
def level_for(c, tails1, tails2, scale, slope_scale, roots, jumps, power):
    """The lowest level at which the series of k and of k̇ are good at correlation c; −1 for none.

    |Σ_{j>J} a_j a'_j c^j| is at most |c|^J √(tail·tail'), and the same holds for
    Σ j a_j a'_j c^{j−1}; where those tails are infinite, for jumps, j|c|^{j−1} is bounded instead.

    Args:
        scale, slope_scale: what the errors of k and k̇ are measured by. roots: √(q q').
        power: of the degree, by which further derivatives are worse.
    """
    size = abs(c)
    for level in range(len(LEVELS)):
        degree = LEVELS[level]
        rest = math.sqrt(tails1[0, level] * tails2[0, level])
        if not rest < np.inf:
            return -1
        shrink = size**degree
        if shrink * rest > _LEFT_OUT[0] * scale:
            continue
        growth = degree + 1.0 if degree * (1 - size) > 1 else 1 / (1 - size + 1e-300)
        slope = growth * rest / roots
        if not jumps:
            slope = min(slope, math.sqrt(tails1[1, level] * tails2[1, level]))
        if shrink * slope * (degree + 1.0) ** power <= _LEFT_OUT[1] * slope_scale:
            return level
    return -1


@jit
def sums(first, second, c, degree, root1, root2):
    """(k, k̇) from the coefficients of both variances, up to a degree."""
    k, slope = 0.0, 0.0
    for j in range(degree, 0, -1):
        product = first[j] * second[j]
        k = (k + product) * c
        slope = slope * c + j * product
    return k + first[0] * second[0], slope / (root1 * root2)


@jit
def shifted(a, degree, root, out):
    """Coefficients of σ, σ′, uσ′, uσ″, σ″ (rows of `out`) from those of σ, up to degree − 3.

    The derivative has √(j+1)a_{j+1}/√q, and multiplication by g mixes neighbours.
    """
    last = degree - 1
    out[:] = 0.0
    for j in range(last):
        out[0, j] = a[j]
        out[1, j] = math.sqrt(j + 1.0) * a[j + 1] / root
    for j in range(last - 1):
        out[4, j] = math.sqrt(j + 1.0) * out[1, j + 1] / root
    for j in range(last - 2):
        below1 = out[1, j - 1] if j else 0.0
        below4 = out[4, j - 1] if j else 0.0
        out[2, j] = root * (math.sqrt(j + 1.0) * out[1, j + 1] + math.sqrt(1.0 * j) * below1)
        out[3, j] = root * (math.sqrt(j + 1.0) * out[4, j + 1] + math.sqrt(1.0 * j) * below4)
    return last - 2


@jit
def means(a, root, out):
    """The means of the same five functions, in column 0; `a` begins with σ, σ′, σ″ at 0 if q = 0.

    Integration by parts has δ-functions of σ″ in them.
    """
    out[0, 0] = a[0]
    if root > 0:
        out[1, 0], out[2, 0] = a[1] / root, math.sqrt(2.0) * a[2]
        out[3, 0], out[4, 0] = math.sqrt(6.0) * a[3] / root, math.sqrt(2.0) * a[2] / root / root
    else:
        out[1, 0], out[2, 0], out[3, 0], out[4, 0] = a[1], 0.0, 0.0, a[2]


@jit
def pair_sums(first, second, pairs, c, terms, out):
    """Σ g_j(q)h_j(q')c^j for pairs of rows."""
    for n in range(len(pairs)):
        g, h, total = pairs[n, 0], pairs[n, 1], 0.0
        for j in range(terms - 1, -1, -1):
            total = total * c + first[g, j] * second[h, j]
        out[n] = total
