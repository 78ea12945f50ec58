"""Compiled entry points of the way back: groups of pairs of images, and tiles of vectors."""

from __future__ import annotations

from ..blocks import pack, pack_marginals, spread_image
from ..planes import run_on_vectors
from ..rows import add, add_lanes, copy, fill, spread
from ..scalars import lit
from ..tables import SLOT, TANGENT_IN, TANGENT_OUT
from .jit import jit
from .planes import again
from .stages import back_through


@jit
def image_back(
    tb, work, back, x, y, aux_x, aux_y, rows, j0, count, shape, lanes, plane, gs, gt,
    out_x, out_y, upper, alone, weights,
):  # fmt: skip
    """The way back for K(x_i, y_j), rows[0] ≤ i < rows[1], and `count` ≤ lanes images y_j from j0.

    Gradients in K are in gs and gt at (i, j), and count for j > i if `upper`. Those in inputs and
    marginals, (positions·channels) and then marginals, are added to row i − rows[0] of out_x, and
    to row j of out_y. `alone`: x is y, and images are taken with themselves, gradients in row 0.
    """
    stages, positions, channels, marginals = shape
    zero, size = lit(back.s[0], 0.0), positions * channels
    work.groups[0] = alone
    pack(work.y, y, j0, count, lanes, positions, channels)
    pack_marginals(work.second, aux_y, j0, count, lanes, marginals)
    fill(back.y, 0, zero, size * lanes)
    fill(back.second, 0, zero, marginals * lanes)
    if alone:
        pack(work.x, y, j0, count, lanes, positions, channels)
        pack_marginals(work.first, aux_y, j0, count, lanes, marginals)
    for i in range(rows[0], rows[1]):
        any_of = False
        for lane in range(lanes):
            back.readout_s[lane] = 0
            back.readout_t[lane] = 0
            if lane < count and (not upper or j0 + lane > i):
                any_of = True
                back.readout_s[lane] = gs[i, j0 + lane]
                back.readout_t[lane] = gt[i, j0 + lane]
        if not any_of:
            continue
        if not alone:
            spread_image(work, x, aux_x, i, lanes, positions, channels, marginals)
        fill(back.x, 0, zero, size * lanes)
        fill(back.first, 0, zero, marginals * lanes)
        back_through(tb, work, back, stages, lanes, plane, marginals, channels, weights)
        if alone:
            add(back.y, 0, back.x, 0, size * lanes)
            add(back.second, 0, back.first, 0, marginals * lanes)
            continue
        mine = out_x[i - rows[0]]
        for channel in range(channels):
            begin = channel * positions * lanes
            add_lanes(mine, channel, channels, back.x, begin, positions, lanes)
        add_lanes(mine, size, 1, back.first, 0, marginals, lanes)
    for lane in range(count):
        for channel in range(channels):
            for position in range(positions):
                place = (channel * positions + position) * lanes
                out_y[j0 + lane, position * channels + channel] += back.y[place + lane]
        for k in range(marginals):
            out_y[j0 + lane, size + k] += back.second[k * lanes + lane]


@jit
def vector_back(
    tb, work, back, s, t, gs, gt, aux_x, aux_y, rows, cols, lanes, marginals, out_x, out_y,
    weights,
):  # fmt: skip
    """The way back for a tile of Σ and Θ through layers on vectors: gs and gt, in place.

    Gradients in marginals are added to out_x (n, marginals) and out_y (m, marginals).
    """
    row = tb.stages[0]
    slot, zero = row[SLOT] * lanes, lit(back.s[0], 0.0)
    for first in range(cols[0], cols[1], lanes):
        n = min(lanes, cols[1] - first)
        pack_marginals(work.second, aux_y, first, n, lanes, marginals)
        fill(back.second, 0, zero, marginals * lanes)
        for i in range(rows[0], rows[1]):
            spread(work.first, 0, aux_x[i], 0, 2 * marginals, lanes)
            fill(back.first, 0, zero, marginals * lanes)
            # What lies behind the last of n columns is no pair: it has no gradients.
            fill(work.s, 0, zero, lanes)
            fill(work.t, 0, zero, lanes)
            fill(back.s, slot, zero, lanes)
            fill(back.t, slot, zero, lanes)
            copy(work.s, 0, s[i], first, n)
            if row[TANGENT_IN]:
                copy(work.t, 0, t[i], first, n)
            copy(back.s, slot, gs[i], first, n)
            if row[TANGENT_OUT]:
                copy(back.t, slot, gt[i], first, n)
            run_on_vectors(tb, work, lanes, marginals, False)
            again(tb, work, back, 0, 0, 0, lanes, 1, marginals, weights)
            copy(gs[i], first, back.s, 0, n)
            if row[TANGENT_IN]:
                copy(gt[i], first, back.t, 0, n)
            add_lanes(out_x[i], 0, 1, back.first, 0, marginals, lanes)
        for k in range(marginals):
            for lane in range(n):
                out_y[first + lane, k] += back.second[k * lanes + lane]
