"""The way back through whole stages: from the readout or a pooled covariance to their source."""

from __future__ import annotations

from ..convolve import partner
from ..planes import from_input, from_register, plane_address, run_operations
from ..rows import add, add_products, add_scaled, fill, first_of, last_of
from ..scalars import lit
from ..stages import run_stages
from ..tables import (
    AXIS1,
    AXIS2,
    S_DOWN1,
    S_DOWN2,
    S_END1,
    S_END2,
    S_H,
    S_OUT1,
    S_OUT2,
    S_W,
    SHIFT1_FIRST,
    SHIFT1_LAST,
    SHIFT2_FIRST,
    SHIFT2_LAST,
    SINK,
    SINK_AT,
    SINK_PLANES,
    SLOT,
    SOURCE,
    SOURCE_AT,
    SOURCE_PLANES,
    TANGENT_IN,
    TANGENT_OUT,
)
from .jit import jit
from .planes import again


@jit
def back_through(tb, work, back, count, lanes, plane, marginals, channels, weights):
    """From gradients in the readout of each lane to those in inputs, marginals and weights.

    `back.readout_s` and `back.readout_t` hold the former; the latter are added to `back`.
    """
    if count > 1:
        # What earlier stages stored is read again on the way back.
        run_stages(tb, work, count - 1, lanes, plane, marginals, channels, False, True)
        fill(back.stored_s, 0, lit(back.s[0], 0.0), back.stored_s.shape[0])
        fill(back.stored_t, 0, lit(back.s[0], 0.0), back.stored_t.shape[0])
    for stage in range(count - 1, -1, -1):
        row = tb.stages[stage]
        for k2 in range(row[SHIFT2_FIRST], row[SHIFT2_LAST]):
            d2 = tb.shifts[k2]
            if row[SINK] >= 0:
                _spread_columns(tb, back, row, d2, lanes)
            for k1 in range(row[SHIFT1_FIRST], row[SHIFT1_LAST]):
                d1 = tb.shifts[k1]
                if row[SOURCE] < 0:
                    from_input(work, row[S_H], row[S_W], d1, d2, False, lanes, channels)
                else:
                    from_register(tb, work, row, d1, d2, False, lanes)
                run_operations(tb, work, stage, d1, d2, lanes, plane, marginals, False)
                if row[SINK] < 0:
                    _from_readout(tb, back, row, d1, d2, lanes, plane)
                else:
                    _spread_rows(tb, back, row, d1, d2, lanes, plane)
                again(tb, work, back, stage, d1, d2, lanes, plane, marginals, weights)
                if row[SOURCE] < 0:
                    _to_input(work, back, row[S_H], row[S_W], d1, d2, lanes, channels)
                else:
                    _to_register(tb, back, row, d1, d2, lanes)


@jit
def _from_readout(tb, back, row, d1, d2, lanes, plane):
    """G₁[i,i']·G₂[j,j'] times the gradients in the readout."""
    height, width, tangent = row[S_END1], row[S_END2], row[TANGENT_OUT] != 0
    e1, e2 = d1 // row[S_DOWN1], d2 // row[S_DOWN2]
    g1 = row[AXIS1] + (e1 + height - 1) * height
    g2 = row[AXIS2] + (e2 + width - 1) * width
    s, t, of_s, of_t, weight = back.s, back.t, back.readout_s, back.readout_t, tb.row_weights
    src = row[SLOT] * plane * lanes
    for i in range(first_of(e1, False), last_of(height, e1, False)):
        for j in range(first_of(e2, False), last_of(width, e2, False)):
            w = weight[g1 + i] * weight[g2 + j]
            at = src + (i * width + j) * lanes
            for lane in range(lanes):
                s[at + lane] = w * of_s[lane]
            if tangent:
                for lane in range(lanes):
                    t[at + lane] = w * of_t[lane]


@jit
def _spread_columns(tb, back, row, d2, lanes):
    """Gradients in the row sums of (o, o'), from those in a pooled covariance."""
    rows_s, rows_t, stored_s, stored_t = back.rows_s, back.rows_t, back.stored_s, back.stored_t
    targets, position, weight, plane_at = tb.targets, tb.term_at, tb.term_weight, tb.plane_at
    tangent, width, out1, out2 = row[TANGENT_OUT] != 0, row[S_END2], row[S_OUT1], row[S_OUT2]
    table = row[AXIS2] + d2 // row[S_DOWN2] + width - 1
    planes, sink, zero = row[SINK_PLANES], row[SINK_AT], lit(back.s[0], 0.0)
    for o in range(out1):
        for o2 in range(out1):
            begin = (o * out1 + o2) * width * lanes
            fill(rows_s, begin, zero, width * lanes)
            if tangent:
                fill(rows_t, begin, zero, width * lanes)
            for k in range(tb.target_of[table], tb.target_of[table + 1]):
                p, p2, term, count = targets[k, 0], targets[k, 1], targets[k, 2], targets[k, 3]
                at = plane_address(plane_at, planes, out1, out2, o2 - o, p2 - p, o, p)
                at = (sink + at) * lanes
                for m in range(term, term + count):
                    to = begin + position[m] * lanes
                    add_scaled(rows_s, to, stored_s, at, weight[m], lanes)
                    if tangent:
                        add_scaled(rows_t, to, stored_t, at, weight[m], lanes)


@jit
def _spread_rows(tb, back, row, d1, d2, lanes, plane):
    """Gradients in the plane of a displacement, from those in row sums."""
    height, width, out = row[S_END1], row[S_END2], row[S_OUT1]
    targets, position, weight = tb.targets, tb.term_at, tb.term_weight
    s, t, tangent, zero = back.s, back.t, row[TANGENT_OUT] != 0, lit(back.s[0], 0.0)
    e1, e2 = d1 // row[S_DOWN1], d2 // row[S_DOWN2]
    table = row[AXIS1] + e1 + height - 1
    j0 = first_of(e2, False)
    n = (last_of(width, e2, False) - j0) * lanes
    src, step = (row[SLOT] * plane + j0) * lanes, width * lanes
    for i in range(first_of(e1, False), last_of(height, e1, False)):
        fill(s, src + i * step, zero, n)
        if tangent:
            fill(t, src + i * step, zero, n)
    for k in range(tb.target_of[table], tb.target_of[table + 1]):
        at = ((targets[k, 0] * out + targets[k, 1]) * width + j0) * lanes
        for m in range(targets[k, 2], targets[k, 2] + targets[k, 3]):
            to = src + position[m] * step
            add_scaled(s, to, back.rows_s, at, weight[m], n)
            if tangent:
                add_scaled(t, to, back.rows_t, at, weight[m], n)


@jit
def _to_register(tb, back, row, d1, d2, lanes):
    height, width, tangent = row[S_H], row[S_W], row[TANGENT_IN] != 0
    j0 = first_of(d2, False)
    n = (last_of(width, d2, False) - j0) * lanes
    for i in range(first_of(d1, False), last_of(height, d1, False)):
        to = plane_address(tb.plane_at, row[SOURCE_PLANES], height, width, d1, d2, i, j0)
        to, at = (row[SOURCE_AT] + to) * lanes, (i * width + j0) * lanes
        add(back.stored_s, to, back.s, at, n)
        if tangent:
            add(back.stored_t, to, back.t, at, n)


@jit
def _to_input(work, back, height, width, d1, d2, lanes, channels):
    """From Σ[u, u+δ] = Σ_c x_c[u]·y_c[u+δ] to both images."""
    size, j0 = height * width * lanes, first_of(d2, False)
    n = (last_of(width, d2, False) - j0) * lanes
    for i in range(first_of(d1, False), last_of(height, d1, False)):
        at = (i * width + j0) * lanes
        other = (partner(i, d1, height) * width + partner(j0, d2, width)) * lanes
        add_products(back.x, at, back.s, at, work.y, other, channels, size, n)
        add_products(back.y, other, back.s, at, work.x, at, channels, size, n)
