"""The way back through operations on planes of one displacement."""

from __future__ import annotations

from ..convolve import partner
from ..planes import CONV, ELEMENTWISE, POINTS, SCALE
from ..rows import (
    add,
    add_affine3,
    add_scaled,
    affine,
    affine3,
    copy,
    fill,
    first_of,
    last_of,
    scale,
    sum2,
    sum3,
)
from ..scalars import lit
from ..tables import (
    CODE,
    COUNT1,
    COUNT2,
    DOWN1,
    DOWN2,
    DST,
    H_OUT,
    KIND,
    MARGINAL,
    OP_FIRST,
    OP_LAST,
    PAR,
    SRC,
    START1,
    START2,
    STRIDE1,
    STRIDE2,
    TANGENT,
    TAPS1,
    TAPS2,
    TRAINABLE,
    W_OUT,
    H,
    W,
)
from .jit import jit
from .rows import dot, elementwise_back, total_of
from .tape import FRESH, KEPT_BEFORE, KEPT_BEHIND


@jit
def again(tb, work, back, stage, d1, d2, lanes, plane, marginals, weights):
    """From gradients in the last slot of a stage to those in slot 0."""
    row, ops, par, marks = tb.stages[stage], tb.ops, tb.par, tb.marks
    s, t = back.s, back.t
    for op in range(row[OP_LAST] - 1, row[OP_FIRST] - 1, -1):
        o = ops[op]
        e1, e2 = d1 // o[DOWN1], d2 // o[DOWN2]
        src, dst = o[SRC] * plane * lanes, o[DST] * plane * lanes
        code, tangent, fresh = o[CODE], o[TANGENT] != 0, marks[op, FRESH] > 0
        if code in (CONV, POINTS):
            if weights:
                _weigh(work, back, o, marks[op, KEPT_BEHIND], dst, e1, e2, lanes, plane)
            if o[TRAINABLE] != 0:
                # Σ̃ is a part of Θ̃.
                _join(back, o, dst, e1, e2, lanes)
            for which in range(2 if tangent else 1):
                x = t if which else s
                if code == CONV and o[STRIDE1] == 1 and o[STRIDE2] == 1:
                    _gather(tb, work, x, o, src, dst, e1, e2, lanes, fresh)
                else:
                    _scatter(tb, x, o, src, dst, e1, e2, lanes, fresh)
            continue
        height, width, value = o[H], o[W], par[o[PAR]]
        j0 = first_of(e2, False)
        n = (last_of(width, e2, False) - j0) * lanes
        kept, base = marks[op, KEPT_BEFORE] * plane * lanes, o[MARGINAL] * lanes
        step = marginals * lanes
        for i in range(first_of(e1, False), last_of(height, e1, False)):
            at = (i * width + j0) * lanes
            a, b = src + at, dst + at
            if code == ELEMENTWISE:
                other = base + (partner(i, e1, height) * width + partner(j0, e2, width)) * lanes
                elementwise_back(
                    o[KIND], work.tape_s, work.tape_t, kept + at, s, t, b, work.first, back.first,
                    base + at, work.second, back.second, other, step, n, par, o[PAR], tangent,
                )  # fmt: skip
            elif code == SCALE:
                scale(s, b, value, n)
                if tangent:
                    scale(t, b, value, n)
            elif fresh:
                copy(s, a, s, b, n)
                if tangent:
                    copy(t, a, t, b, n)
            else:
                add(s, a, s, b, n)
                if tangent:
                    add(t, a, t, b, n)


@jit
def _weigh(work, back, o, tape, dst, e1, e2, lanes, plane):
    """Adds what there is to say of w² and b² of weights: ⟨g, K̃⟩, and the sum of gs.

    K̃ stands for Σ̃ and Θ̃, g for the gradients in them; both are linear in w² but for b².
    """
    f1, f2 = e1 // o[STRIDE1], e2 // o[STRIDE2]
    height, width = o[H_OUT], o[W_OUT]
    j0 = first_of(f2, False)
    n = (last_of(width, f2, False) - j0) * lanes
    grown, trainable = o[TANGENT] != 0 or o[TRAINABLE] != 0, o[TRAINABLE] != 0
    product, total = 0.0, 0.0
    for i in range(first_of(f1, False), last_of(height, f1, False)):
        at = (i * width + j0) * lanes
        kept = tape * plane * lanes + at
        product += dot(back.s, dst + at, work.tape_s, kept, n)
        total += total_of(back.s, dst + at, n)
        if grown:
            product += dot(back.t, dst + at, work.tape_t, kept, n)
        if trainable:
            total += total_of(back.t, dst + at, n)
    back.weights[o[PAR]] += product
    back.weights[o[PAR] + 1] += total


@jit
def _join(back, o, dst, e1, e2, lanes):
    f1, f2 = e1 // o[STRIDE1], e2 // o[STRIDE2]
    height, width = o[H_OUT], o[W_OUT]
    j0 = first_of(f2, False)
    n = (last_of(width, f2, False) - j0) * lanes
    for i in range(first_of(f1, False), last_of(height, f1, False)):
        at = dst + (i * width + j0) * lanes
        add(back.s, at, back.t, at, n)


@jit
def _gather(tb, work, x, o, src, dst, d1, d2, lanes, fresh):
    """The transpose of a box of stride 1: each position reads the windows that it is in."""
    taps, sums, zero = tb.taps, work.sums_s, lit(x[0], 0.0)
    height, width, width_out = o[H], o[W], o[W_OUT]
    a1, b1 = first_of(d1, False), last_of(height, d1, False)
    a2, b2 = first_of(d2, False), last_of(width, d2, False)
    c1, f1 = a1, last_of(o[H_OUT], d1, False)
    c2, f2 = a2, last_of(width_out, d2, False)
    taps1, count1, taps2, count2 = o[TAPS1], o[COUNT1], o[TAPS2], o[COUNT2]
    w = tb.par[o[PAR]]
    # The row of sums has margins of zeros, for positions that are in fewer windows.
    low = a2 - o[START2] - taps[taps2 + count2 - 1]
    high = b2 - 1 - o[START2] - taps[taps2]
    left, right = max(0, c2 - low), max(0, high - (f2 - 1))
    n, n_out, mid = (b2 - a2) * lanes, (f2 - c2) * lanes, left * lanes
    fill(sums, 0, zero, mid)
    fill(sums, mid + n_out, zero, right * lanes)
    for p in range(a1, b1):
        found, p0, p1 = 0, 0, 0
        for k in range(count1):
            i = p - o[START1] - taps[taps1 + k]
            if i < c1 or i >= f1:
                continue
            at = dst + (i * width_out + c2) * lanes
            if found == 0:
                p0 = at
            elif found == 1:
                p1 = at
            elif found == 2:
                sum3(sums, mid, x, p0, p1, at, n_out)
            else:
                add(sums, mid, x, at, n_out)
            found += 1
        at = src + (p * width + a2) * lanes
        if found == 0:
            if fresh:
                fill(x, at, zero, n)
            continue
        if found == 1:
            copy(sums, mid, x, p0, n_out)
        elif found == 2:
            sum2(sums, mid, x, p0, p1, n_out)
        begin = mid + (a2 - o[START2] - c2) * lanes
        if count2 == 3:
            q0, q1 = begin - taps[taps2] * lanes, begin - taps[taps2 + 1] * lanes
            q2 = begin - taps[taps2 + 2] * lanes
            if fresh:
                affine3(x, at, sums, q0, q1, q2, w, zero, n)
            else:
                add_affine3(x, at, sums, q0, q1, q2, w, n)
            continue
        for k in range(count2):
            here = begin - taps[taps2 + k] * lanes
            if fresh and k == 0:
                affine(x, at, sums, here, w, zero, n)
            else:
                add_scaled(x, at, sums, here, w, n)


@jit
def _scatter(tb, x, o, src, dst, d1, d2, lanes, fresh):
    """The transpose of any patch: each window adds to the positions that it reads."""
    taps, zero, w = tb.taps, lit(x[0], 0.0), tb.par[o[PAR]]
    height, width, width_out = o[H], o[W], o[W_OUT]
    a1, b1 = first_of(d1, False), last_of(height, d1, False)
    a2, b2 = first_of(d2, False), last_of(width, d2, False)
    e1, e2 = d1 // o[STRIDE1], d2 // o[STRIDE2]
    c2, f2 = first_of(e2, False), last_of(width_out, e2, False)
    if fresh:
        for p in range(a1, b1):
            fill(x, src + (p * width + a2) * lanes, zero, (b2 - a2) * lanes)
    points = o[CODE] == POINTS
    count = o[COUNT1] if points else o[COUNT1] * o[COUNT2]
    for i in range(first_of(e1, False), last_of(o[H_OUT], e1, False)):
        for k in range(count):
            if points:
                v1, v2 = taps[o[TAPS1] + 2 * k], taps[o[TAPS1] + 2 * k + 1]
            else:
                v1, v2 = taps[o[TAPS1] + k // o[COUNT2]], taps[o[TAPS2] + k % o[COUNT2]]
            p = o[START1] + o[STRIDE1] * i + v1
            if p < a1 or p >= b1:
                continue
            for j in range(c2, f2):
                r = o[START2] + o[STRIDE2] * j + v2
                if a2 <= r < b2:
                    at = (p * width + r) * lanes
                    add_scaled(x, src + at, x, dst + (i * width_out + j) * lanes, w, lanes)
