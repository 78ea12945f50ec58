"""Convolutions on a plane of one displacement, and the activation right behind them."""

from __future__ import annotations

from .elementwise import elementwise_row
from .jit import jit
from .rows import (
    add,
    add_scaled,
    affine,
    affine3,
    copy,
    fill,
    first_of,
    keep,
    last_of,
    strided,
    sum2,
    sum3,
)
from .scalars import lit
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


@jit
def partner(i, d, n):
    """The position i + d, modulo n."""
    j = i + d
    return j - n if j >= n else j


@jit
def elementwise(s, t, first, second, par, o, dst, i, e1, e2, wrap, lanes, step):
    """An activation or LayerNorm on row i of a plane; `step` is from u to v in `first`."""
    height, width, base = o[H], o[W], o[MARGINAL] * lanes
    kind, at_par, tangent = o[KIND], o[PAR], o[TANGENT] != 0
    i2, block = partner(i, e1, height), height * width * lanes
    for part in range(2 if wrap and e2 > 0 else 1):
        j0 = width - e2 if part else first_of(e2, wrap)
        j1 = width if part or (wrap and e2 == 0) else min(width, width - e2)
        at = (i * width + j0) * lanes
        other = base + (i2 * width + partner(j0, e2, width)) * lanes
        n = (j1 - j0) * lanes
        a, d = base + at, dst + at
        elementwise_row(
            kind, s, d, t, d, first, a, second, other, step, n, par, at_par, tangent, block
        )


@jit
def convolve(tb, work, o, follower, src, dst, kept, d1, d2, wrap, lanes, marginals):
    """A box patch: rows are summed over the first axis, the sum over the second; then affine.

    kept: where on the tape the result is kept too, before the activation; below 0 for nowhere.
    """
    # Local names: every access to a field of a tuple would count references in the loop.
    s, t, sums_s, sums_t = work.s, work.t, work.sums_s, work.sums_t
    first, second, par, taps = work.first, work.second, tb.par, tb.taps
    height, width, width_out = o[H], o[W], o[W_OUT]
    a1, b1 = first_of(d1, wrap), last_of(height, d1, wrap)
    a2, b2 = first_of(d2, wrap), last_of(width, d2, wrap)
    e1, e2 = d1 // o[STRIDE1], d2 // o[STRIDE2]
    c2, f2 = first_of(e2, wrap), last_of(width_out, e2, wrap)
    taps1, count1, taps2, count2, step2 = o[TAPS1], o[COUNT1], o[TAPS2], o[COUNT2], o[STRIDE2]
    # The row of sums has margins, of zeros or wrapped around, for taps that reach outside.
    low = o[START2] + step2 * c2 + taps[taps2]
    high = o[START2] + step2 * (f2 - 1) + taps[taps2 + count2 - 1]
    left, right = max(0, a2 - low), max(0, high - (b2 - 1))
    n, n_out = (b2 - a2) * lanes, (f2 - c2) * lanes
    tangent, trainable = o[TANGENT] != 0, o[TRAINABLE] != 0
    _margins(sums_s, left, n, right, lanes)
    if tangent:
        _margins(sums_t, left, n, right, lanes)
    base = (o[START2] + step2 * c2 - a2 + left) * lanes
    w, shift, zero = par[o[PAR]], par[o[PAR] + 1], lit(par[0], 0.0)
    start1, stride1, step = o[START1], o[STRIDE1], marginals * lanes
    for i in range(first_of(e1, wrap), last_of(o[H_OUT], e1, wrap)):
        top = start1 + stride1 * i
        at_x, mid = src + a2 * lanes, left * lanes
        _sum_rows(
            taps, s, sums_s, taps1, count1, top, a1, b1, height, width, at_x, mid, n, wrap,
            lanes,
        )  # fmt: skip
        if tangent:
            _sum_rows(
                taps, t, sums_t, taps1, count1, top, a1, b1, height, width, at_x, mid, n, wrap,
                lanes,
            )  # fmt: skip
        if wrap:
            _wrap_margins(sums_s, left, width, right, lanes)
            if tangent:
                _wrap_margins(sums_t, left, width, right, lanes)
        at = dst + (i * width_out + c2) * lanes
        _sum_taps(taps, s, sums_s, at, base, taps2, count2, step2, w, shift, f2 - c2, lanes)
        if tangent:
            _sum_taps(taps, t, sums_t, at, base, taps2, count2, step2, w, zero, f2 - c2, lanes)
            if trainable:
                add(t, at, s, at, n_out)
        elif trainable:
            copy(t, at, s, at, n_out)
        if kept >= 0:
            keep(work, kept + at - dst, at, n_out, tangent or trainable)
        if follower >= 0:
            f = tb.ops[follower]
            elementwise(s, t, first, second, par, f, dst, i, e1, e2, wrap, lanes, step)


@jit
def _margins(sums, left, n, right, lanes):
    fill(sums, 0, lit(sums[0], 0.0), left * lanes)
    fill(sums, left * lanes + n, lit(sums[0], 0.0), right * lanes)


@jit
def _wrap_margins(sums, left, width, right, lanes):
    for j in range(left):
        copy(sums, j * lanes, sums, (left + (j - left) % width) * lanes, lanes)
    for j in range(right):
        copy(sums, (left + width + j) * lanes, sums, (left + j % width) * lanes, lanes)


@jit
def _sum_rows(taps, x, sums, taps1, count, top, a1, b1, height, width, at_x, to, n, wrap, lanes):
    """The sum of the rows that the taps of the first axis reach, into the middle of `sums`."""
    found = 0
    p0, p1 = 0, 0
    for k in range(count):
        i = top + taps[taps1 + k]
        if wrap:
            i %= height
        elif i < a1 or i >= b1:
            continue
        at = at_x + i * width * lanes
        # The first three rows in one pass: all of a patch of three.
        if found == 0:
            p0 = at
        elif found == 1:
            p1 = at
        elif found == 2:
            sum3(sums, to, x, p0, p1, at, n)
        else:
            add(sums, to, x, at, n)
        found += 1
    if found == 0:
        fill(sums, to, lit(sums[0], 0.0), n)
    elif found == 1:
        copy(sums, to, x, p0, n)
    elif found == 2:
        sum2(sums, to, x, p0, p1, n)


@jit
def _sum_taps(taps, out, sums, at, base, taps2, count, step, w, shift, width, lanes):
    """w times the sum over the taps of the second axis, plus shift."""
    n = width * lanes
    if step == 1:
        t0 = base + taps[taps2] * lanes
        if count == 3:
            t1, t2 = base + taps[taps2 + 1] * lanes, base + taps[taps2 + 2] * lanes
            affine3(out, at, sums, t0, t1, t2, w, shift, n)
            return
        affine(out, at, sums, t0, w, shift, n)
        for k in range(1, count):
            add_scaled(out, at, sums, base + taps[taps2 + k] * lanes, w, n)
        return
    fill(out, at, shift, n)
    for k in range(count):
        strided(out, at, sums, base + taps[taps2 + k] * lanes, w, step, width, lanes)


@jit
def convolve_points(tb, work, o, follower, src, dst, kept, d1, d2, wrap, lanes, marginals):
    """A patch given by a list of offsets: one pass for each."""
    s, t, first, second, par = work.s, work.t, work.first, work.second, tb.par
    e1, e2 = d1 // o[STRIDE1], d2 // o[STRIDE2]
    c2, f2 = first_of(e2, wrap), last_of(o[W_OUT], e2, wrap)
    n = (f2 - c2) * lanes
    tangent, trainable = o[TANGENT] != 0, o[TRAINABLE] != 0
    w, shift = par[o[PAR]], par[o[PAR] + 1]
    for i in range(first_of(e1, wrap), last_of(o[H_OUT], e1, wrap)):
        at = dst + (i * o[W_OUT] + c2) * lanes
        fill(s, at, shift, n)
        _add_points(tb.taps, s, o, src, at, i, d1, d2, c2, f2, wrap, w, lanes)
        if tangent:
            fill(t, at, lit(shift, 0.0), n)
            _add_points(tb.taps, t, o, src, at, i, d1, d2, c2, f2, wrap, w, lanes)
            if trainable:
                add(t, at, s, at, n)
        elif trainable:
            copy(t, at, s, at, n)
        if kept >= 0:
            keep(work, kept + at - dst, at, n, tangent or trainable)
        if follower >= 0:
            f, step = tb.ops[follower], marginals * lanes
            elementwise(s, t, first, second, par, f, dst, i, e1, e2, wrap, lanes, step)


@jit
def _add_points(taps, x, o, src, at, i, d1, d2, c2, f2, wrap, w, lanes):
    height, width = o[H], o[W]
    a1, b1 = first_of(d1, wrap), last_of(height, d1, wrap)
    a2, b2 = first_of(d2, wrap), last_of(width, d2, wrap)
    for k in range(o[COUNT1]):
        p = o[START1] + o[STRIDE1] * i + taps[o[TAPS1] + 2 * k]
        if wrap:
            p %= height
        elif p < a1 or p >= b1:
            continue
        for j in range(c2, f2):
            r = o[START2] + o[STRIDE2] * j + taps[o[TAPS1] + 2 * k + 1]
            if wrap:
                r %= width
            elif r < a2 or r >= b2:
                continue
            add_scaled(x, at + (j - c2) * lanes, x, src + (p * width + r) * lanes, w, lanes)
