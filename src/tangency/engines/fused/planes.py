"""Operations on planes of pairs {(u, u + δ)}: the compiled walk over a program's tables.

A plane buffer ("slot") holds, for every position u of the grid and every image of a group ("lane",
innermost), the covariance of the first image at u with the lane's image at u + δ. Only positions
with both u and u + δ on the grid are filled, unless the stage wraps around.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .jit import jit
from .rows import (
    add,
    add_product,
    add_scaled,
    affine,
    affine3,
    conv3_relu_row,
    copy,
    elementwise_row,
    fill,
    multiply,
    scale,
    strided,
    sum2,
    sum3,
)
from .scalars import PIECEWISE, lit, prepare
from .tables import (
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
    S_H,
    S_W,
    SOURCE,
    SOURCE_AT,
    SOURCE_PLANES,
    SRC,
    START1,
    START2,
    STRIDE1,
    STRIDE2,
    TANGENT,
    TANGENT_IN,
    TAPS1,
    TAPS2,
    TARGET_TANGENT,
    TRAINABLE,
    W_OUT,
    WRAP,
    H,
    W,
)

CONV, POINTS, ELEMENTWISE, SCALE, COPY, ADD = range(6)
"""The codes of `program.Code`, as constants that compiled code can read."""


class Work(NamedTuple):
    """Buffers of one thread, flat arrays with `lanes` innermost.

    s, t: slots of Σ and Θ. sums_s, sums_t: one row, summed over the first axis, with margins.
    rows_s, rows_t: sums over the first axis of pooling. stored_s, stored_t: registers.
    first, second: (u, v) of the two images (groups) at every activation. x, y: the inputs.
    q: marginals, when they are being found. total_s, total_t: the readout of each lane.
    touched: which rows of a pooled sum have been begun.
    """

    s: Any
    t: Any
    sums_s: Any
    sums_t: Any
    rows_s: Any
    rows_t: Any
    stored_s: Any
    stored_t: Any
    first: Any
    second: Any
    x: Any
    y: Any
    q: Any
    total_s: Any
    total_t: Any
    touched: Any


@jit
def first_of(d, wrap):
    """The first position u with u + d on the axis."""
    return 0 if wrap else max(0, -d)


@jit
def last_of(n, d, wrap):
    """One past the last position u with u + d on the axis."""
    return n if wrap else min(n, n - d)


@jit
def partner(i, d, n):
    """The position i + d, modulo n."""
    j = i + d
    return j - n if j >= n else j


@jit
def run_plane(tb, work, stage, d1, d2, lanes, plane, marginals, channels, record):
    """Fills a plane from its source and takes it through all operations of the stage."""
    row = tb.stages[stage]
    wrap = row[WRAP] != 0
    if row[SOURCE] < 0:
        _from_input(work, row[S_H], row[S_W], d1, d2, wrap, lanes, channels)
    else:
        _from_register(tb, work, row, d1, d2, wrap, lanes)
    run_operations(tb, work, stage, d1, d2, lanes, plane, marginals, record)


@jit
def run_operations(tb, work, stage, d1, d2, lanes, plane, marginals, record):
    """Takes the plane in slot 0 through the operations of a stage."""
    row, ops, par = tb.stages[stage], tb.ops, tb.par
    s, t, first, second = work.s, work.t, work.first, work.second
    wrap = row[WRAP] != 0
    op, end = row[OP_FIRST], row[OP_LAST]
    while op < end:
        o = ops[op]
        e1, e2 = d1 // o[DOWN1], d2 // o[DOWN2]
        src, dst = o[SRC] * plane * lanes, o[DST] * plane * lanes
        code, tangent = o[CODE], o[TANGENT] != 0
        if code in (CONV, POINTS):
            # An activation right behind a convolution takes each row while it is in cache.
            follower = -1
            behind = op + 1 < end and ops[op + 1, CODE] == ELEMENTWISE
            if behind and not record and ops[op + 1, SRC] == o[DST]:
                follower = op + 1
            if code == CONV:
                _convolve(tb, work, o, follower, src, dst, e1, e2, wrap, lanes, marginals)
            else:
                _convolve_points(tb, work, o, follower, src, dst, e1, e2, wrap, lanes, marginals)
            op += 1 if follower < 0 else 2
            continue
        height, width, value = o[H], o[W], par[o[PAR]]
        j0 = first_of(e2, wrap)
        n = (last_of(width, e2, wrap) - j0) * lanes
        for i in range(first_of(e1, wrap), last_of(height, e1, wrap)):
            at = (i * width + j0) * lanes
            a, b = src + at, dst + at
            if code == ELEMENTWISE:
                if record:
                    _record(tb, work, o, dst, i, lanes, marginals)
                step = marginals * lanes
                _elementwise(s, t, first, second, par, o, dst, i, e1, e2, wrap, lanes, step)
            elif code == SCALE:
                scale(s, b, value, n)
                if tangent:
                    scale(t, b, value, n)
            elif code == COPY:
                copy(s, b, s, a, n)
                if tangent:
                    copy(t, b, t, a, n)
            else:
                add(s, b, s, a, n)
                if tangent and o[TARGET_TANGENT]:
                    add(t, b, t, a, n)
                elif tangent:
                    copy(t, b, t, a, n)
        op += 1


@jit
def _from_input(work, height, width, d1, d2, wrap, lanes, channels):
    """Σ[u, u+δ] = Σ_c x_c[u]·y_c[u+δ]."""
    s, x, y = work.s, work.x, work.y
    size = height * width * lanes
    for i in range(first_of(d1, wrap), last_of(height, d1, wrap)):
        i2 = partner(i, d1, height)
        # A row that wraps has two parts: up to the end of the second image, and from its start.
        for part in range(2 if wrap and d2 > 0 else 1):
            j0 = width - d2 if part else first_of(d2, wrap)
            j1 = width if part or (wrap and d2 == 0) else min(width, width - d2)
            n = (j1 - j0) * lanes
            at, other = (i * width + j0) * lanes, (i2 * width + partner(j0, d2, width)) * lanes
            for channel in range(channels):
                a, b = channel * size + at, channel * size + other
                if channel == 0:
                    multiply(s, at, x, a, y, b, n)
                else:
                    add_product(s, at, x, a, y, b, n)


@jit
def plane_address(plane_at, table, h, w, d1, d2, i, j):
    """Where (i, j) of the plane of displacement (d1, d2) lies in a register, in positions."""
    begin = plane_at[table + (d1 + h - 1) * (2 * w - 1) + d2 + w - 1]
    return begin + (i - max(0, -d1)) * (w - abs(d2)) + j - max(0, -d2)


@jit
def _from_register(tb, work, row, d1, d2, wrap, lanes):
    height, width, tangent = row[S_H], row[S_W], row[TANGENT_IN] != 0
    s, t, stored_s, stored_t = work.s, work.t, work.stored_s, work.stored_t
    for i in range(first_of(d1, wrap), last_of(height, d1, wrap)):
        i2 = partner(i, d1, height)
        for part in range(2 if wrap and d2 > 0 else 1):
            j0 = width - d2 if part else first_of(d2, wrap)
            j1 = width if part or (wrap and d2 == 0) else min(width, width - d2)
            e2 = d2 - width if part else d2
            source = plane_address(
                tb.plane_at, row[SOURCE_PLANES], height, width, i2 - i, e2, i, j0
            )
            source = (row[SOURCE_AT] + source) * lanes
            at, n = (i * width + j0) * lanes, (j1 - j0) * lanes
            copy(s, at, stored_s, source, n)
            if tangent:
                copy(t, at, stored_t, source, n)


@jit
def _elementwise(s, t, first, second, par, o, dst, i, e1, e2, wrap, lanes, step):
    """An activation or LayerNorm on row i of a plane; `step` is from u to v in `first`."""
    height, width, base = o[H], o[W], o[MARGINAL] * lanes
    kind, at_par, tangent = o[KIND], o[PAR], o[TANGENT] != 0
    i2 = partner(i, e1, height)
    for part in range(2 if wrap and e2 > 0 else 1):
        j0 = width - e2 if part else first_of(e2, wrap)
        j1 = width if part or (wrap and e2 == 0) else min(width, width - e2)
        at = (i * width + j0) * lanes
        other = base + (i2 * width + partner(j0, e2, width)) * lanes
        n = (j1 - j0) * lanes
        a, d = base + at, dst + at
        elementwise_row(kind, s, d, t, d, first, a, second, other, step, n, par, at_par, tangent)


@jit
def _record(tb, work, o, dst, i, lanes, marginals):
    """Notes the variances in row i of the plane δ = 0, and what the dual makes of them."""
    width = o[W]
    base = o[MARGINAL] * lanes
    for k in range(i * width * lanes, (i + 1) * width * lanes):
        q = work.s[dst + k]
        u, v = prepare(o[KIND], q, tb.tiny[0])
        work.q[base + k] = q
        work.first[base + k] = u
        work.second[base + k] = u
        work.first[(marginals * lanes) + base + k] = v
        work.second[(marginals * lanes) + base + k] = v


@jit
def _convolve(tb, work, o, follower, src, dst, d1, d2, wrap, lanes, marginals):
    """A box patch: rows are summed over the first axis, the sum over the second; then affine."""
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
    f = tb.ops[max(follower, 0)]
    fused = follower >= 0 and f[KIND] == PIECEWISE and count2 == 3 and step2 == 1 and not wrap
    f_par, f_at = f[PAR], f[MARGINAL]
    k0 = base + taps[taps2] * lanes
    k1 = base + taps[taps2 + min(1, count2 - 1)] * lanes
    k2 = base + taps[taps2 + min(2, count2 - 1)] * lanes
    w, shift, zero = par[o[PAR]], par[o[PAR] + 1], lit(par[0], 0.0)
    start1, stride1, step = o[START1], o[STRIDE1], marginals * lanes
    for i in range(first_of(e1, wrap), last_of(o[H_OUT], e1, wrap)):
        top = start1 + stride1 * i
        at_x, mid = src + a2 * lanes, left * lanes
        _sum_rows(
            taps,
            s,
            sums_s,
            taps1,
            count1,
            top,
            a1,
            b1,
            height,
            width,
            at_x,
            mid,
            n,
            wrap,
            lanes,
        )
        if tangent:
            _sum_rows(
                taps,
                t,
                sums_t,
                taps1,
                count1,
                top,
                a1,
                b1,
                height,
                width,
                at_x,
                mid,
                n,
                wrap,
                lanes,
            )
        if wrap:
            _wrap_margins(sums_s, left, width, right, lanes)
            if tangent:
                _wrap_margins(sums_t, left, width, right, lanes)
        at = dst + (i * width_out + c2) * lanes
        if fused:
            mine = (f_at + i * width_out + c2) * lanes
            other = (f_at + (i + e1) * width_out + c2 + e2) * lanes
            conv3_relu_row(
                s, t, at, sums_s, sums_t, k0, k1, k2, w, shift, first, mine, second, other,
                step, n_out, par, f_par, tangent, trainable,
            )  # fmt: skip
            continue
        _sum_taps(taps, s, sums_s, at, base, taps2, count2, step2, w, shift, f2 - c2, lanes)
        if tangent:
            _sum_taps(taps, t, sums_t, at, base, taps2, count2, step2, w, zero, f2 - c2, lanes)
            if trainable:
                add(t, at, s, at, n_out)
        elif trainable:
            copy(t, at, s, at, n_out)
        if follower >= 0:
            _elementwise(s, t, first, second, par, f, dst, i, e1, e2, wrap, lanes, step)


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
def _convolve_points(tb, work, o, follower, src, dst, d1, d2, wrap, lanes, marginals):
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
        if follower >= 0:
            f, step = tb.ops[follower], marginals * lanes
            _elementwise(s, t, first, second, par, f, dst, i, e1, e2, wrap, lanes, step)


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


def room(sizes: Any, lanes: int, dtype: Any) -> Work:
    """The buffers of one thread."""

    def numbers(count: int) -> np.ndarray:
        return np.zeros(count * lanes, dtype=dtype)

    return Work(
        s=numbers(sizes.slots * sizes.plane),
        t=numbers(sizes.slots * sizes.plane),
        sums_s=numbers(sizes.buffer),
        sums_t=numbers(sizes.buffer),
        rows_s=numbers(sizes.row_pairs),
        rows_t=numbers(sizes.row_pairs),
        stored_s=numbers(sizes.registers),
        stored_t=numbers(sizes.registers),
        first=numbers(2 * sizes.marginals),
        second=numbers(2 * sizes.marginals),
        x=numbers(sizes.channels * sizes.plane),
        y=numbers(sizes.channels * sizes.plane),
        q=numbers(sizes.marginals),
        total_s=np.zeros(lanes),
        total_t=np.zeros(lanes),
        touched=np.zeros(sizes.row_pairs, dtype=np.uint8),
    )


def room_bytes(sizes: Any, lanes: int, itemsize: int) -> int:
    """What `room` takes."""
    numbers = 2 * (sizes.slots * sizes.plane + sizes.buffer + sizes.row_pairs + sizes.registers)
    numbers += 5 * sizes.marginals + 2 * sizes.channels * sizes.plane
    return numbers * lanes * itemsize + sizes.row_pairs
