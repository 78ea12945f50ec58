"""Operations on planes of pairs {(u, u + δ)}: the compiled walk over a program's tables.

A plane buffer ("slot") holds, for every position u of the grid and every image of a group ("lane",
innermost), the covariance of the first image at u with the lane's image at u + δ. Only positions
with both u and u + δ on the grid are filled, unless the stage wraps around.
"""

from __future__ import annotations

from .box import convolve_box, is_box
from .convolve import convolve, convolve_points, elementwise, partner
from .expanded import prepare_part, series_blocks
from .jit import jit
from .rows import (
    add,
    add_product,
    affine,
    bits_of,
    copy,
    first_of,
    keep,
    last_of,
    multiply,
    products,
    scale,
)
from .scalars import SERIES, lit
from .tables import (
    CODE,
    DOWN1,
    DOWN2,
    DST,
    KEEPS,
    KEPT_BEFORE,
    KEPT_BEHIND,
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
    TANGENT,
    TANGENT_IN,
    TARGET_TANGENT,
    TRAINABLE,
    WRAP,
    H,
    W,
)

CONV, POINTS, ELEMENTWISE, SCALE, COPY, ADD = range(6)
"""The codes of `program.Code`, as constants that compiled code can read."""


@jit
def run_plane(tb, work, stage, d1, d2, lanes, plane, marginals, channels, record):
    """Fills a plane from its source and takes it through all operations of the stage."""
    row = tb.stages[stage]
    wrap = row[WRAP] != 0
    if row[SOURCE] < 0:
        from_input(work, row[S_H], row[S_W], d1, d2, wrap, lanes, channels)
    else:
        from_register(tb, work, row, d1, d2, wrap, lanes)
    run_operations(tb, work, stage, d1, d2, lanes, plane, marginals, record)


@jit
def run_operations(tb, work, stage, d1, d2, lanes, plane, marginals, record):
    """Takes the plane in slot 0 through the operations of a stage."""
    row, ops, marks = tb.stages[stage], tb.ops, tb.marks
    wrap = row[WRAP] != 0
    op, end = row[OP_FIRST], row[OP_LAST]
    while op < end:
        o = ops[op]
        code = o[CODE]
        if code not in (CONV, POINTS):
            change_rows(tb, work, op, d1, d2, wrap, lanes, plane, marginals, record)
            op += 1
            continue
        e1, e2 = d1 // o[DOWN1], d2 // o[DOWN2]
        src, dst = o[SRC] * plane * lanes, o[DST] * plane * lanes
        # An activation right behind a convolution takes each row while it is in cache.
        follower = -1
        behind = op + 1 < end and ops[op + 1, CODE] == ELEMENTWISE
        if behind and not record and ops[op + 1, SRC] == o[DST]:
            follower = op + 1
        kept = marks[op, KEPT_BEHIND] * plane * lanes
        if code == CONV and is_box(tb, work, o, follower, wrap, lanes):
            convolve_box(tb, work, o, follower, src, dst, kept, e1, e2, lanes, marginals)
        elif code == CONV:
            convolve(tb, work, o, follower, src, dst, kept, e1, e2, wrap, lanes, marginals)
        else:
            convolve_points(tb, work, o, follower, src, dst, kept, e1, e2, wrap, lanes, marginals)
        op += 1 if follower < 0 else 2


@jit
def change_rows(tb, work, op, d1, d2, wrap, lanes, plane, marginals, record):
    """An operation that takes each position by itself, on all rows of a plane."""
    o, marks, value = tb.ops[op], tb.marks, tb.par[tb.ops[op, PAR]]
    s, t = work.s, work.t
    e1, e2 = d1 // o[DOWN1], d2 // o[DOWN2]
    src, dst = o[SRC] * plane * lanes, o[DST] * plane * lanes
    code, tangent = o[CODE], o[TANGENT] != 0
    height, width = o[H], o[W]
    j0 = first_of(e2, wrap)
    n = (last_of(width, e2, wrap) - j0) * lanes
    kept = marks[op, KEPT_BEFORE] * plane * lanes if marks[op, KEEPS] > 0 else -1
    for i in range(first_of(e1, wrap), last_of(height, e1, wrap)):
        at = (i * width + j0) * lanes
        a, b = src + at, dst + at
        if kept >= 0:
            keep(work, kept + at, a, n, tangent)
        if code == ELEMENTWISE:
            if record:
                _record(tb, work, o, dst, i, lanes, marginals)
            step = marginals * lanes
            elementwise(s, t, work.first, work.second, tb.par, o, dst, i, e1, e2, wrap, lanes, step)
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


@jit
def run_on_vectors(tb, work, lanes, marginals, record):
    """Takes pairs of vectors, planes of one position, through the operations of the only stage.

    A convolution is an affine map there: what reaches over positions is not compiled for vectors.
    """
    row, s, t = tb.stages[0], work.s, work.t
    for op in range(row[OP_FIRST], row[OP_LAST]):
        o = tb.ops[op]
        if o[CODE] != CONV:
            change_rows(tb, work, op, 0, 0, False, lanes, 1, marginals, record)
            continue
        src, dst = o[SRC] * lanes, o[DST] * lanes
        tangent, trainable = o[TANGENT] != 0, o[TRAINABLE] != 0
        w, shift = tb.par[o[PAR]], tb.par[o[PAR] + 1]
        affine(s, dst, s, src, w, shift, lanes)
        if tangent:
            affine(t, dst, t, src, w, lit(w, 0.0), lanes)
            if trainable:
                add(t, dst, s, dst, lanes)
        elif trainable:
            copy(t, dst, s, dst, lanes)
        kept = tb.marks[op, KEPT_BEHIND] * lanes
        if kept >= 0:
            keep(work, kept, dst, lanes, tangent or trainable)


@jit
def from_input(work, height, width, d1, d2, wrap, lanes, channels):
    """Σ[u, u+δ] = Σ_c x_c[u]·y_c[u+δ]."""
    s, x, y, image, groups = work.s, work.x, work.y, work.image, work.groups[0] != 0
    positions, bits = height * width, bits_of(lanes)
    size = positions * lanes
    for i in range(first_of(d1, wrap), last_of(height, d1, wrap)):
        i2 = partner(i, d1, height)
        # A row that wraps has two parts: up to the end of the second image, and from its start.
        for part in range(2 if wrap and d2 > 0 else 1):
            j0 = width - d2 if part else first_of(d2, wrap)
            j1 = width if part or (wrap and d2 == 0) else min(width, width - d2)
            n = (j1 - j0) * lanes
            at, other = (i * width + j0) * lanes, (i2 * width + partner(j0, d2, width)) * lanes
            if not groups:
                products(s, at, image, i * width + j0, y, other, channels, positions, bits, n)
                continue
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
def from_register(tb, work, row, d1, d2, wrap, lanes):
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
def _record(tb, work, o, dst, i, lanes, marginals):
    """Notes the variances in row i of the plane δ = 0, and what the dual makes of them."""
    width, count, par = o[W], 1, tb.par
    base, block, step = o[MARGINAL] * lanes, o[H] * o[W] * lanes, marginals * lanes
    if o[KIND] == SERIES:
        count = series_blocks(par, o[PAR])
    for part in range(count):
        for k in range(i * width * lanes, (i + 1) * width * lanes):
            q, at = work.s[dst + k], base + part * block + k
            u, v = prepare_part(o[KIND], q, tb.tiny[0], par, o[PAR], part)
            work.q[at] = q
            work.first[at] = u
            work.second[at] = u
            work.first[step + at] = v
            work.second[step + at] = v
