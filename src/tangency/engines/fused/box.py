"""A 3×3 convolution and the ReLU behind it, row by row of a plane: the innermost loop."""

from __future__ import annotations

import numpy as np

from .jit import jit
from .rows import first_of, last_of
from .scalars import PIECEWISE, lit, piecewise
from .simd import load, spread, store, width
from .tables import (
    COUNT1,
    COUNT2,
    H_OUT,
    KIND,
    MARGINAL,
    PAR,
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

_U = np.uint64


@jit
def is_box(tb, work, o, follower, wrap, lanes):
    """Whether `convolve_box` can take a convolution and the activation behind it."""
    if follower < 0 or tb.ops[follower, KIND] != PIECEWISE or wrap or work.groups[0] != 0:
        return False
    if o[STRIDE1] != 1 or o[STRIDE2] != 1 or o[COUNT1] > 3 or o[COUNT2] != 3:
        return False
    taps, k = tb.taps, o[TAPS2]
    steps = taps[k + 1] - taps[k] == 1 and taps[k + 2] - taps[k + 1] == 1
    return steps and lanes % width(work.s) == 0


@jit
def convolve_box(tb, work, o, follower, src, dst, kept, d1, d2, lanes, marginals):
    """A patch of up to three rows of three columns, and the activation behind it, on a plane.

    What is there before the activation is kept on the tape from `kept` on, if that is not below 0.
    """
    # Local names: every access to a field of a tuple would count references in the loop.
    s, t, second, one, par, taps = work.s, work.t, work.second, work.one, tb.par, tb.taps
    height, across, across_out = o[H], o[W], o[W_OUT]
    a1, b1 = first_of(d1, False), last_of(height, d1, False)
    a2, b2 = first_of(d2, False), last_of(across, d2, False)
    taps1, count1, top = o[TAPS1], o[COUNT1], o[START1]
    tangent, trainable = o[TANGENT] != 0, o[TRAINABLE] != 0
    marginal, f_par = tb.ops[follower, MARGINAL], tb.ops[follower, PAR]
    w, shift, a, b = par[o[PAR]], par[o[PAR] + 1], par[f_par], par[f_par + 1]
    # Adding Σ̃ is a multiplication by 1 or 0, so that one loop serves frozen layers too.
    own = lit(w, 1.0) if trainable else lit(w, 0.0)
    # The first of three columns of the first position, and the columns that may be read.
    low = o[START2] + a2 + taps[o[TAPS2]]
    count, left, right = last_of(across_out, d2, False) - a2, a2 - low, b2 - low
    # Rows that the patch lacks, or that lie outside, are the row of zeros behind the slots.
    none = s.shape[0] + (low - across) * lanes
    for i in range(a1, last_of(o[H_OUT], d1, False)):
        r0, r1, r2 = none, none, none
        for k in range(count1):
            row = top + i + taps[taps1 + k]
            if a1 <= row < b1:
                r0, r1, r2 = r1, r2, src + (row * across + low) * lanes
        mine = i * across_out + a2
        at, first = dst + mine * lanes, marginal + mine
        other = (marginal + (i + d1) * across_out + a2 + d2) * lanes
        _row(
            s, t, at, r0, r1, r2, left, right, count, lanes, w, shift, own, a, b, one, first,
            second, other, marginals, tangent, trainable, work.tape_s, work.tape_t,
            kept + mine * lanes if kept >= 0 else -1,
        )  # fmt: skip


@jit
def _row(
    s, t, at, r0, r1, r2, left, right, count, lanes, w, shift, own, a, b, one, first, second, other,
    marginals, tangent, trainable, tape_s, tape_t, kept,
):  # fmt: skip
    """One row: sums over a column stay in registers while the patch moves along it.

    Columns below `left`, and from `right` on, count as zeros.
    """
    keeps, kept = kept >= 0, _U(kept)
    at, r0, r1, r2, first, other = _U(at), _U(r0), _U(r1), _U(r2), _U(first), _U(other)
    near, far, step = _U(marginals), _U(marginals) * _U(lanes), _U(lanes)
    nothing = spread(lit(w, 0.0))
    for c in range(_U(0), step, _U(width(s))):
        x0, x1, y0, y1 = nothing, nothing, nothing, nothing
        if left <= 0:
            x0 = load(s, r0 + c) + load(s, r1 + c) + load(s, r2 + c)
            if tangent:
                y0 = load(t, r0 + c) + load(t, r1 + c) + load(t, r2 + c)
        if left <= 1 and right > 1:
            q = c + step
            x1 = load(s, r0 + q) + load(s, r1 + q) + load(s, r2 + q)
            if tangent:
                y1 = load(t, r0 + q) + load(t, r1 + q) + load(t, r2 + q)
        for k in range(count):
            p, q = c + _U(k) * step, c + _U(k + 2) * step
            x2, y2 = nothing, nothing
            if k + 2 < right:
                x2 = load(s, r0 + q) + load(s, r1 + q) + load(s, r2 + q)
                if tangent:
                    y2 = load(t, r0 + q) + load(t, r1 + q) + load(t, r2 + q)
            cov = w * (x0 + x1 + x2) + shift
            corr = cov * (one[first + _U(k)] * load(second, other + p))
            norm = one[first + near + _U(k)] * load(second, other + far + p)
            value, slope = piecewise(cov, corr, norm, a, b)
            store(s, at + p, value)
            if keeps:
                store(tape_s, kept + p, cov)
            if tangent or trainable:
                y = cov
                if tangent:
                    y = w * (y0 + y1 + y2) + own * cov
                store(t, at + p, y * slope)
                if keeps:
                    store(tape_t, kept + p, y)
            x0, x1, y0, y1 = x1, x2, y1, y2
