"""Compiled entry points: blocks of pairs, of single images, and of vectors behind a readout."""

from __future__ import annotations

import numpy as np

from .expanded import prepare_part
from .jit import jit
from .planes import run_on_vectors
from .rows import copy, spread
from .simd import transpose, width
from .stages import run_stages
from .tables import SLOT, TANGENT_IN, TANGENT_OUT


@jit
def pack(out, x, first, count, lanes, positions, channels):
    """Images first..first+count−1 of x (n, positions·channels) as (channel, position, lane)."""
    for channel in range(channels):
        for position in range(positions):
            at = (channel * positions + position) * lanes
            source = position * channels + channel
            for lane in range(count):
                out[at + lane] = x[first + lane, source]
            for lane in range(count, lanes):
                out[at + lane] = 0


@jit
def pack_marginals(out, aux, first, count, lanes, marginals):
    """(u, v) of a group of images, (2, marginals, lane)."""
    for k in range(2 * marginals):
        for lane in range(count):
            out[k * lanes + lane] = aux[first + lane, k]
        for lane in range(count, lanes):
            out[k * lanes + lane] = 0


@jit
def spread_image(work, x, aux, i, lanes, positions, channels, marginals):
    """One image, the same in every lane."""
    for channel in range(channels):
        for position in range(positions):
            at = (channel * positions + position) * lanes
            value = x[i, position * channels + channel]
            work.image[channel * positions + position] = value
            for lane in range(lanes):
                work.x[at + lane] = value
    copy(work.one, 0, aux[i], 0, 2 * marginals)
    spread(work.first, 0, aux[i], 0, 2 * marginals, lanes)


PAIRS, UPPER, MARGINALS, DIAGONAL = range(4)
"""What `image_block` does: pairs of images, those with j > i, or images with themselves."""


@jit
def image_block(
    tb, work, x, y, aux_x, aux_y, i0, i1, j0, count, shape, lanes, plane, out_s, out_t, at, q, mode
):
    """K(x_i, y_j) for i0 ≤ i < i1 and `count` ≤ lanes images from y_{j0} on.

    `shape` is (stages, positions, channels, marginals). Results go to (at[0] + i, at[1] + j). With
    MARGINALS and DIAGONAL x is y, and what is found is q (n, marginals), and K(y_j, y_j) at
    (i0, j0 + lane). All in one function, as each function that calls `run_stages` would compile it
    again.
    """
    stages, positions, channels, marginals = shape
    alone = mode in (MARGINALS, DIAGONAL)
    work.groups[0] = alone
    pack(work.y, y, j0, count, lanes, positions, channels)
    if alone:
        pack(work.x, y, j0, count, lanes, positions, channels)
    else:
        pack_marginals(work.second, aux_y, j0, count, lanes, marginals)
    tangent = tb.stages[stages - 1][TANGENT_OUT] != 0
    for i in range(i0, i1):
        if not alone:
            spread_image(work, x, aux_x, i, lanes, positions, channels, marginals)
        planes_too = mode != MARGINALS
        run_stages(tb, work, stages, lanes, plane, marginals, channels, alone, planes_too)
        for lane in range(count):
            if alone:
                for k in range(marginals):
                    q[j0 + lane, k] = work.q[k * lanes + lane]
            if mode == MARGINALS or (mode == UPPER and j0 + lane <= i):
                continue
            out_s[at[0] + i, at[1] + j0 + lane] = work.total_s[lane]
            if tangent:
                out_t[at[0] + i, at[1] + j0 + lane] = work.total_t[lane]


@jit
def prepare_block(q, aux, kinds, par, i0, i1, tiny):
    """(u, v) of every marginal: aux (n, 2·marginals) from q (n, marginals).

    kinds (marginals, 3): of each its kind, where its parameters begin, and which of its pairs.
    """
    marginals = q.shape[1]
    for i in range(i0, i1):
        for k in range(marginals):
            u, v = prepare_part(kinds[k, 0], q[i, k], tiny, par, kinds[k, 1], kinds[k, 2])
            aux[i, k] = u
            aux[i, marginals + k] = v


@jit
def vector_block(tb, work, s, t, aux_x, aux_y, rows, cols, lanes, marginals, q, alone):
    """Takes the tile rows × cols of Σ and Θ through layers on vectors, in place.

    `alone`: the tile is one row of K(x_j, x_j), whose marginals go to q (marginals, n).
    """
    i0, i1 = rows
    j0, j1 = cols
    row = tb.stages[0]
    slot = row[SLOT] * lanes
    for first in range(j0, j1, lanes):
        n = min(lanes, j1 - first)
        if not alone:
            pack_marginals(work.second, aux_y, first, n, lanes, marginals)
        for i in range(i0, i1):
            if not alone:
                spread(work.first, 0, aux_x[i], 0, 2 * marginals, lanes)
            copy(work.s, 0, s[i], first, n)
            if row[TANGENT_IN]:
                copy(work.t, 0, t[i], first, n)
            run_on_vectors(tb, work, lanes, marginals, alone)
            copy(s[i], first, work.s, slot, n)
            if row[TANGENT_OUT]:
                copy(t[i], first, work.t, slot, n)
        if alone:
            for k in range(marginals):
                copy(q[k], first, work.q, k * lanes, n)


@jit
def mirror(k, rows, cols):
    """Copies a tile of a symmetric matrix, or its upper triangle, to its mirror image."""
    i0, i1 = rows
    j0, j1 = cols
    flat, n, size = k.reshape(-1), k.shape[1], width(k)
    for b in range(j0, j1, size):
        for a in range(i0, i1, size):
            if a + size <= min(i1, b) and b + size <= j1:
                transpose(flat, np.uint64(a * n + b), np.uint64(b * n + a), np.uint64(n))
                continue
            for j in range(b, min(b + size, j1)):
                for i in range(a, min(min(a + size, i1), j)):
                    k[j, i] = k[i, j]


@jit
def snap(tile, norms_x, norms_y, slack):
    """Makes ⟨x, y⟩ exactly ±‖x‖‖y‖ where rounding cannot tell them apart, as the reference does.

    Norms are (squares, roots): where the squares are equal, ‖x‖‖y‖ is that number to the last bit.
    """
    squares_x, roots_x = norms_x
    squares_y, roots_y = norms_y
    for i in range(tile.shape[0]):
        for j in range(tile.shape[1]):
            norm = roots_x[i] * roots_y[j]
            value = tile[i, j]
            if abs(value) >= norm - norm * slack:
                norm = squares_x[i] if squares_x[i] == squares_y[j] else norm
                tile[i, j] = norm if value > 0 else -norm if value < 0 else value
