"""E[g(f)h(f')] for one pair of Gaussians: integrals over the angle of integrals along rays."""

from __future__ import annotations

import math

import numpy as np

from .jit import jit
from .polar import DIRECT, UNKNOWN, cell_of, interpolate
from .rays import through

# Gauss–Kronrod: nodes of the half rule from its end inwards, weights of 15 and of the 7 among them.
_NODES = np.array(
    [
        0.991455371120812639206854697526329,
        0.949107912342758524526189684047851,
        0.864864423359769072789712788640926,
        0.741531185599394439863864773280788,
        0.586087235467691130294144691693180,
        0.405845151377397166906606412076961,
        0.207784955007898467600689403773245,
        0.0,
    ]
)
_FIFTEEN = np.array(
    [
        0.022935322010529224963732008058970,
        0.063092092629978553290700663189204,
        0.104790010322250183839876322541518,
        0.140653259715525918745189590510238,
        0.169004726639267902826583426598550,
        0.190350578064785409913256402421014,
        0.204432940075298892414161999234649,
        0.209482141084727828012999174891714,
    ]
)
_SEVEN = np.array(
    [
        0.0,
        0.129484966168869693270611432679082,
        0.0,
        0.279705391489276667901467771423780,
        0.0,
        0.381830050505118944950369775488975,
        0.0,
        0.417959183673469387755102040816327,
    ]
)
# Panels of angles: how many may wait, and how many may be tried.
_STACK, _PANELS = 512, 2000
# The error that a panel may have, as estimated, against the scale of the result.
_TOLERANCE = 1e-11

MISSING = -1.0
"""Returned instead of an error where the table lacks cells."""


@jit
def line(edges1, edges2, first, second, root1, root2, sign, reach, pairs, total):
    """E[g(√q x)h(±√q' x)], where c = sign = ±1; δ-functions left out."""
    total[:] = 0.0
    through(edges1, edges2, first, second, root1, sign * root2, reach, False, pairs, total)
    for n in range(len(total)):
        total[n] /= math.sqrt(2 * math.pi)


@jit
def plane(side1, side2, angle, reach, pairs, breaks, inner, scales, table, total):
    """E[g(f)h(f')] for every pair of functions, f = √q·x and f' = √q'·y; δ-functions left out.

    Args:
        side1, side2: (edges, functions, √q) for each of the two.
        angle: θ = arccos c, in (0, π).
        breaks: where the functions are not smooth; `inner`: up to where they are near 0.
        scales: what the error of each pair is measured by.
        table: of integrals along rays, (index, halves, ratios, cells, wanted); cells that are
            lacking are marked in `wanted`, which is like `index`.

    Returns:
        The largest error against `scales`, as estimated, or `MISSING`.
    """
    total[:] = 0.0
    cuts = np.empty(_STACK)
    count = _cuts(cuts, side1[2], side2[2], angle, inner / reach, breaks)
    low, high = np.empty(2 * _STACK), np.empty(2 * _STACK)
    waiting = 0
    for i in range(count - 1):
        if cuts[i + 1] - cuts[i] > 1e-15:
            low[waiting], high[waiting] = cuts[i], cuts[i + 1]
            waiting += 1
    fine, coarse = np.empty(len(total)), np.empty(len(total))
    scratch, swapped = (np.empty((2, 64)), np.empty(len(total))), _swapped(pairs)
    error, used, missing = 0.0, 0, False
    while waiting:
        waiting -= 1
        a, b = low[waiting], high[waiting]
        middle, half = 0.5 * (a + b), 0.5 * (b - a)
        if _panel(side1, side2, angle, reach, pairs, table, middle, half, swapped, scratch, fine,
                  coarse):  # fmt: skip
            missing = True
        worst = 0.0
        for n in range(len(total)):
            gap = abs(fine[n] - coarse[n]) / (2 * math.pi * scales[n]) if scales[n] > 0 else 0.0
            # What the finer of two rules still misses goes like a power of their difference.
            worst = max(worst, min(gap, 30.0 * gap**1.5))
        used += 1
        narrow = half < 1e-13 or waiting + 2 > len(low) or used > _PANELS
        if worst <= _TOLERANCE or narrow or missing:
            error += worst
            for n in range(len(total)):
                total[n] += fine[n]
            continue
        low[waiting], high[waiting] = a, middle
        low[waiting + 1], high[waiting + 1] = middle, b
        waiting += 2
    for n in range(len(total)):
        total[n] /= 2 * math.pi
    return MISSING if missing else error


@jit
def _panel(side1, side2, angle, reach, pairs, table, middle, half, swapped, scratch, fine, coarse):
    """The integrals over one panel by both rules; whether the table lacks a cell for them."""
    index, halves, ratios, cells, wanted = table
    edges1, first, root1 = side1
    edges2, second, root2 = side2
    rows, found = scratch
    fine[:], coarse[:] = 0.0, 0.0
    missing = False
    for i in range(15):
        j = i if i < 8 else 14 - i
        phi = middle + (half if i < 8 else -half) * _NODES[j]
        alpha, beta = root1 * math.cos(phi), root2 * math.cos(phi - angle)
        found[:] = 0.0
        # R(α, β) of (g, h) is R(β, α) of (h, g): half of a table is enough.
        turned = abs(beta) > abs(alpha)
        large, small = (beta, alpha) if turned else (alpha, beta)
        cell, sign, octave, ratio, x, y = cell_of(index, halves, ratios, large, small)
        if cell == UNKNOWN:
            wanted[sign, octave, ratio] = True
            missing = True
        elif cell == DIRECT:
            through(edges1, edges2, first, second, alpha, beta, reach, True, pairs, found)
            turned = False
        else:
            interpolate(cells[cell], x, y, rows[0], rows[1], found)
        for n in range(len(found)):
            value = found[swapped[n]] if turned else found[n]
            fine[n] += half * _FIFTEEN[j] * value
            coarse[n] += half * _SEVEN[j] * value
    return missing


@jit
def _swapped(pairs):
    """Where each pair stands the other way round."""
    places = np.zeros(len(pairs), dtype=np.int64)
    for n in range(len(pairs)):
        for m in range(len(pairs)):
            if pairs[m, 0] == pairs[n, 1] and pairs[m, 1] == pairs[n, 0]:
                places[n] = m
    return places


@jit
def _cuts(cuts, root1, root2, angle, near, breaks):
    """Angles from π/2 to 3π/2 that cut the half circle into panels of smooth integrands.

    f = 0 at both ends and f' = 0 at π/2 + θ. Towards these, pieces away from 0 come into reach of
    the Gaussian one by one: panels shrink fourfold, down to where |α| or |β| is below `near` and
    only the innermost piece is left. Where two breaks meet on one ray the integrand has a kink.
    """
    start, turn, stop = 0.5 * math.pi, 0.5 * math.pi + angle, 1.5 * math.pi
    cuts[0], cuts[1], cuts[2] = start, turn, stop
    count = 3
    for stretch in range(4):
        at = (start, turn, turn, stop)[stretch]
        # Both ends of a stretch reach to its middle.
        width = 0.5 * (angle if stretch < 2 else math.pi - angle)
        least = near / (root1 if stretch in (0, 3) else root2)
        while count < len(cuts) // 2:
            cuts[count] = at + width * (1.0 if stretch % 2 == 0 else -1.0)
            count += 1
            if width < least or width < 1e-14:
                break
            width *= 0.25
    for t in breaks:
        for other in breaks:
            if t == 0 or other == 0 or count >= len(cuts) - 1:
                continue
            # √q cos φ / t = √q' cos(φ − θ) / t'
            a, b = root1 * other, root2 * t
            phi = math.atan2(a - b * math.cos(angle), b * math.sin(angle))
            while phi < start:
                phi += math.pi
            while phi > stop:
                phi -= math.pi
            cuts[count] = phi
            count += 1
    cuts[:count].sort()
    return count
