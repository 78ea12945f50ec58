"""Whole stages: all planes of a source, into a pooled covariance or the readout."""

from __future__ import annotations

import numpy as np

from .jit import jit
from .planes import plane_address, run_plane
from .rows import add_scaled, fill, first_of, last_of, whole
from .scalars import lit
from .simd import load, store, width
from .tables import (
    AXIS1,
    AXIS2,
    S_DOWN1,
    S_DOWN2,
    S_END1,
    S_END2,
    S_OUT1,
    S_OUT2,
    SHIFT1_FIRST,
    SHIFT1_LAST,
    SHIFT2_FIRST,
    SHIFT2_LAST,
    SINK,
    SINK_AT,
    SINK_PLANES,
    SLOT,
    TANGENT_OUT,
    WRAP,
)

_U = np.uint64


@jit
def run_stages(tb, work, count, lanes, plane, marginals, channels, record, planes_too):
    """Evaluates all stages for one image (or group) against a group of `lanes` images.

    Args:
        record: the two groups are one and the same: find its marginals on the way.
        planes_too: False stops the last stage at its plane δ = 0 (for marginals alone).
    """
    for stage in range(count):
        row = tb.stages[stage]
        if record:
            # Σ of an image with itself at δ = 0 are the marginals, which all planes need.
            run_plane(tb, work, stage, 0, 0, lanes, plane, marginals, channels, True)
            if stage == count - 1 and not planes_too:
                return
        # Of an image with itself, the planes δ and −δ have the same numbers at the readout, whose
        # weights are symmetric.
        half = record and row[SINK] < 0 and row[WRAP] == 0
        if row[SINK] >= 0:
            _zero_register(tb, work, stage, lanes)
        else:
            for lane in range(lanes):
                work.total_s[lane] = 0.0
                work.total_t[lane] = 0.0
        for k2 in range(row[SHIFT2_FIRST], row[SHIFT2_LAST]):
            d2 = tb.shifts[k2]
            if row[SINK] >= 0:
                for k in range(row[S_OUT1] * row[S_OUT1]):
                    work.touched[k] = 0
            for k1 in range(row[SHIFT1_FIRST], row[SHIFT1_LAST]):
                d1 = tb.shifts[k1]
                if half and (d2 < 0 or (d2 == 0 and d1 < 0)):
                    continue
                run_plane(tb, work, stage, d1, d2, lanes, plane, marginals, channels, False)
                if row[SINK] < 0:
                    twice = half and (d1 != 0 or d2 != 0)
                    _read_out(tb, work, row, d1, d2, lanes, plane, 2.0 if twice else 1.0)
                else:
                    _pool_rows(tb, work, row, d1, d2, lanes, plane)
            if row[SINK] >= 0:
                _pool_columns(tb, work, row, d2, lanes)


@jit
def _zero_register(tb, work, stage, lanes):
    """A register starts at zero, unless an earlier stage adds into it too."""
    row = tb.stages[stage]
    for earlier in range(stage):
        if tb.stages[earlier][SINK] == row[SINK]:
            return
    at = row[SINK_AT] * lanes
    n = (row[S_OUT1] * row[S_OUT2]) ** 2 * lanes
    fill(work.stored_s, at, lit(work.s[0], 0.0), n)
    fill(work.stored_t, at, lit(work.s[0], 0.0), n)


@jit
def _read_out(tb, work, row, d1, d2, lanes, plane, times):
    """Adds Σ_u G₁[i,i']·G₂[j,j']·Σ[u,u'] of a plane to the totals, in float64 across rows.

    `times`: how often the plane counts.
    """
    wrap = row[WRAP] != 0
    height, width = row[S_END1], row[S_END2]
    e1, e2 = d1 // row[S_DOWN1], d2 // row[S_DOWN2]
    g1 = row[AXIS1] + (e1 if wrap else e1 + height - 1) * height
    g2 = row[AXIS2] + (e2 if wrap else e2 + width - 1) * width
    j0, j1 = first_of(e2, wrap), last_of(width, e2, wrap)
    n = (j1 - j0) * lanes
    src = row[SLOT] * plane * lanes
    weights, row_weights = tb.weights, tb.row_weights
    for which in range(2 if row[TANGENT_OUT] else 1):
        x = work.t if which else work.s
        sums = work.sums_t if which else work.sums_s
        total = work.total_t if which else work.total_s
        fill(sums, 0, lit(sums[0], 0.0), n)
        for i in range(first_of(e1, wrap), last_of(height, e1, wrap)):
            if weights[g1 + i] != 0.0:
                at = src + (i * width + j0) * lanes
                add_scaled(sums, 0, x, at, row_weights[g1 + i], n)
        for j in range(j0, j1):
            w = times * weights[g2 + j]
            if w != 0.0:
                for lane in range(lanes):
                    total[lane] += w * sums[(j - j0) * lanes + lane]


@jit
def _pool_rows(tb, work, row, d1, d2, lanes, plane):
    """Adds A₁[o,i]·A₁[o',i'] times the rows of a plane to the row sums of (o, o')."""
    s, t, rows_s, rows_t, touched = work.s, work.t, work.rows_s, work.rows_t, work.touched
    targets, position, weight = tb.targets, tb.term_at, tb.term_weight
    wrap, tangent = row[WRAP] != 0, row[TANGENT_OUT] != 0
    height, width, out = row[S_END1], row[S_END2], row[S_OUT1]
    e1, e2 = d1 // row[S_DOWN1], d2 // row[S_DOWN2]
    table = row[AXIS1] + (e1 if wrap else e1 + height - 1)
    j0 = first_of(e2, wrap)
    n = (last_of(width, e2, wrap) - j0) * lanes
    src = (row[SLOT] * plane + j0) * lanes
    step = width * lanes
    zero = lit(s[0], 0.0)
    for k in range(tb.target_of[table], tb.target_of[table + 1]):
        pair = targets[k, 0] * out + targets[k, 1]
        term, count = targets[k, 2], targets[k, 3]
        at = (pair * width + j0) * lanes
        if not touched[pair]:
            touched[pair] = 1
            fill(rows_s, at, zero, n)
            if tangent:
                fill(rows_t, at, zero, n)
        _add_terms(position, weight, rows_s, rows_t, at, s, t, src, step, term, count, n, tangent)


@jit
def _add_terms(position, weight, out_s, out_t, at, x_s, x_t, src, step, k, count, n, tangent):
    """out += Σ_k weight_k · x[src + step·position_k] for Σ and Θ, up to four terms in a pass.

    One call for all of it, with its loops in place: rows are short, and arrays take long to pass.
    """
    at, src, step, k, n = _U(at), _U(src), _U(step), _U(k), _U(n)
    end, by = whole(out_s, n), _U(width(out_s))
    while count > 0:
        take = min(count, 4)
        i0, i1 = src + step * _U(position[k]), src + step * _U(position[k + 1])
        i2, i3 = src + step * _U(position[k + 2]), src + step * _U(position[k + 3])
        w0, w1, w2, w3 = weight[k], weight[k + 1], weight[k + 2], weight[k + 3]
        for which in range(2 if tangent else 1):
            out, x = (out_t, x_t) if which else (out_s, x_s)
            if take == 1:
                for c in range(_U(0), end, by):
                    store(out, at + c, load(out, at + c) + w0 * load(x, i0 + c))
                for c in range(end, n):
                    out[at + c] += w0 * x[i0 + c]
            elif take == 2:
                for c in range(_U(0), end, by):
                    first = w0 * load(x, i0 + c) + w1 * load(x, i1 + c)
                    store(out, at + c, load(out, at + c) + first)
                for c in range(end, n):
                    out[at + c] += w0 * x[i0 + c] + w1 * x[i1 + c]
            elif take == 3:
                for c in range(_U(0), end, by):
                    first = w0 * load(x, i0 + c) + w1 * load(x, i1 + c)
                    store(out, at + c, load(out, at + c) + (first + w2 * load(x, i2 + c)))
                for c in range(end, n):
                    out[at + c] += (w0 * x[i0 + c] + w1 * x[i1 + c]) + w2 * x[i2 + c]
            else:
                for c in range(_U(0), end, by):
                    first = w0 * load(x, i0 + c) + w1 * load(x, i1 + c)
                    second = w2 * load(x, i2 + c) + w3 * load(x, i3 + c)
                    store(out, at + c, load(out, at + c) + (first + second))
                for c in range(end, n):
                    both = w0 * x[i0 + c] + w1 * x[i1 + c]
                    out[at + c] += both + (w2 * x[i2 + c] + w3 * x[i3 + c])
        k, count = k + _U(take), count - take


@jit
def _pool_columns(tb, work, row, d2, lanes):
    """Sums the row sums over the second axis into the stored covariance."""
    rows_s, rows_t, stored_s, stored_t = work.rows_s, work.rows_t, work.stored_s, work.stored_t
    targets, position, weight = tb.targets, tb.term_at, tb.term_weight
    plane_at, touched = tb.plane_at, work.touched
    wrap, tangent = row[WRAP] != 0, row[TANGENT_OUT] != 0
    width, out1, out2 = row[S_END2], row[S_OUT1], row[S_OUT2]
    e2 = d2 // row[S_DOWN2]
    table = row[AXIS2] + (e2 if wrap else e2 + width - 1)
    planes, sink = row[SINK_PLANES], row[SINK_AT]
    for o in range(out1):
        for o2 in range(out1):
            pair = o * out1 + o2
            if not touched[pair]:
                continue
            src = pair * width * lanes
            for k in range(tb.target_of[table], tb.target_of[table + 1]):
                p, p2, term, count = targets[k, 0], targets[k, 1], targets[k, 2], targets[k, 3]
                at = plane_address(plane_at, planes, out1, out2, o2 - o, p2 - p, o, p)
                at = (sink + at) * lanes
                _add_terms(
                    position, weight, stored_s, stored_t, at, rows_s, rows_t, src, lanes, term,
                    count, lanes, tangent,
                )  # fmt: skip
