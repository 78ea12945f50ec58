"""Compiled loops over blocks of covariances: what NumPy has no single operation for.

A block is a matrix of rows (input i, position u) and columns (input j, position u'), flat and row
after row. Columns are padded, so that whole vectors are read and written: no number then depends on
where in a block it lies.
"""

from __future__ import annotations

import numpy as np

from ..fused.elementwise import elementwise_row
from ..fused.expanded import prepare_part
from ..fused.rows import add
from ..fused.scalars import NORMALIZE, lit
from ..fused.simd import load, spread, store, width
from .jit import jit

_U = np.uint64


@jit
def prepare(kind, q, out, par, tiny):
    """What a dual keeps of inputs of variances q (n,): u, v of one or more parts, out (n, 2k)."""
    for i in range(len(q)):
        for part in range(out.shape[1] // 2):
            u, v = prepare_part(kind, q[i], tiny, par, 0, part)
            out[i, 2 * part] = u
            out[i, 2 * part + 1] = v


@jit
def scaled(s, i, value, x, j, columns):
    """A row times a number, and times a row of others, in place."""
    i, j, step = _U(i), _U(j), _U(width(s))
    for k in range(_U(0), _U(columns), step):
        store(s, i + k, load(s, i + k) * (value * load(x, j + k)))


@jit
def pointwise(kind, s, t, tangent, first, second, own, size, steps, par):
    """A dual, in place: k(s), and t·k̇(s) if `tangent`.

    first (rows, 2k) and second (any, 2k·columns): what `prepare` made of both sides. The row of
    `second` for row i·size + u is i·steps[0] + u·steps[1]. own (2k·columns): room.
    """
    parts = first.shape[1]
    columns = len(own) // parts
    at_input, at_position = steps
    flat = second.reshape(-1)
    for row in range(first.shape[0]):
        other = (row // size) * at_input + (row % size) * at_position
        at = row * columns
        if kind == NORMALIZE:
            scaled(s, at, first[row, 0], flat, other * parts * columns, columns)
            if tangent:
                scaled(t, at, first[row, 0], flat, other * parts * columns, columns)
            continue
        for part in range(parts):
            value = first[row, part]
            for k in range(part * columns, (part + 1) * columns):
                own[k] = value
        elementwise_row(
            kind, s, at, t, at, own, 0, flat, other * parts * columns, columns, columns, par, 0,
            tangent, 2 * columns,
        )  # fmt: skip


@jit
def product(out, o, out_row, a, i, a_row, b, j, b_row, rows, depth, columns):
    """out[r, c] = Σ_k a[r, k]·b[k, c], one k after the other; `columns` fill vectors.

    Matrices begin at the offsets o, i and j, and their rows are so many numbers apart.
    """
    o, i, j, depth, columns = _U(o), _U(i), _U(j), _U(depth), _U(columns)
    out_row, a_row, b_row, step, zero = _U(out_row), _U(a_row), _U(b_row), _U(width(out)), a[0]
    zero = lit(zero, 0.0)
    whole, both = _U(rows) - _U(rows) % _U(4), columns - columns % (_U(2) * step)
    for r in range(_U(0), whole, _U(4)):
        p, q = i + r * a_row, o + r * out_row
        p1, p2, p3 = p + a_row, p + _U(2) * a_row, p + _U(3) * a_row
        for c in range(_U(0), both, _U(2) * step):
            x0, x1, x2, x3 = spread(zero), spread(zero), spread(zero), spread(zero)
            y0, y1, y2, y3 = spread(zero), spread(zero), spread(zero), spread(zero)
            at = j + c
            for k in range(depth):
                x, y = load(b, at), load(b, at + step)
                at += b_row
                a0, a1, a2, a3 = a[p + k], a[p1 + k], a[p2 + k], a[p3 + k]
                x0, x1, x2, x3 = x0 + a0 * x, x1 + a1 * x, x2 + a2 * x, x3 + a3 * x
                y0, y1, y2, y3 = y0 + a0 * y, y1 + a1 * y, y2 + a2 * y, y3 + a3 * y
            w = q + c
            store(out, w, x0)
            store(out, w + step, y0)
            store(out, w + out_row, x1)
            store(out, w + out_row + step, y1)
            store(out, w + _U(2) * out_row, x2)
            store(out, w + _U(2) * out_row + step, y2)
            store(out, w + _U(3) * out_row, x3)
            store(out, w + _U(3) * out_row + step, y3)
        for c in range(both, columns, step):
            x0, x1, x2, x3 = spread(zero), spread(zero), spread(zero), spread(zero)
            at = j + c
            for k in range(depth):
                x = load(b, at)
                at += b_row
                x0, x1 = x0 + a[p + k] * x, x1 + a[p1 + k] * x
                x2, x3 = x2 + a[p2 + k] * x, x3 + a[p3 + k] * x
            w = q + c
            store(out, w, x0)
            store(out, w + out_row, x1)
            store(out, w + _U(2) * out_row, x2)
            store(out, w + _U(3) * out_row, x3)
    for r in range(whole, _U(rows)):
        p, q = i + r * a_row, o + r * out_row
        for c in range(_U(0), columns, step):
            total, at = spread(zero), j + c
            for k in range(depth):
                total = total + a[p + k] * load(b, at)
                at += b_row
            store(out, q + c, total)


@jit
def products_left(out, maps, s, inputs, before, after, columns):
    """Of each first input its map (after, before) applied to its rows."""
    for i in range(inputs):
        product(
            out, i * after * columns, columns, maps, i * after * before, before,
            s, i * before * columns, columns, after, before, columns,
        )  # fmt: skip


@jit
def products_right(out, s, maps, rows, one, inputs, before, wide, after, columns, columns_out):
    """Of each second input its map (before, after) applied to its columns, `wide` for each.

    one: rows of a block of which each first input has a second one of its own; else 0.
    """
    for r in range(0, rows, one if one > 0 else rows):
        here = r // one if one > 0 else 0
        for j in range(inputs):
            product(
                out, r * columns_out + j * after, columns_out, s, r * columns + j * wide, columns,
                maps, (here + j) * before * after, after, one if one > 0 else rows, before, after,
            )  # fmt: skip


@jit
def shifted(out, s, sources, runs, inputs, before, after, columns, columns_out, full):
    """Σ_v s[u + v, u' + v]; of a diagonal Σ_v s[u + v].

    sources (v, after): the position that is read, −1 for none. runs (any, 4): v, the first position
    after, the first before, and how many follow each other. full: (inputs, wide, wide out) of the
    second inputs; no inputs for a diagonal.
    """
    seconds, wide, wide_out = full
    first = 0
    for v in range(sources.shape[0]):
        last = first
        while last < len(runs) and runs[last, 0] == v:
            last += 1
        for i in range(inputs):
            for u in range(after):
                if sources[v, u] < 0:
                    continue
                source = (i * before + sources[v, u]) * columns
                target = (i * after + u) * columns_out
                if seconds == 0:
                    add(out, target, s, source, columns)
                for j in range(seconds):
                    x, y = source + j * wide, target + j * wide_out
                    for run in range(first, last):
                        add(out, y + runs[run, 1], s, x + runs[run, 2], runs[run, 3])
        first = last


@jit
def masked(s, left, right, size, steps):
    """Zeros where a position is masked, in place: left (rows,), right (any, columns) as numbers.

    steps: as in `pointwise`.
    """
    at_input, at_position = steps
    columns = right.shape[1]
    for row in range(len(left)):
        at = row * columns
        if left[row] == 0:
            for k in range(columns):
                s[at + k] = 0
            continue
        other = (row // size) * at_input + (row % size) * at_position
        for k in range(columns):
            s[at + k] *= right[other, k]


@jit
def rows_mapped(out, s, starts, places, values, inputs, before, columns):
    """A sparse map (after, before), rows `starts`, applied to the rows of each first input."""
    after = len(starts) - 1
    for i in range(inputs):
        for u in range(after):
            target = (i * after + u) * columns
            for entry in range(starts[u], starts[u + 1]):
                source, value = (i * before + places[entry]) * columns, values[entry]
                for k in range(columns):
                    out[target + k] += value * s[source + k]


@jit
def columns_mapped(out, s, starts, places, values, rows, inputs, wide, wide_out, ends):
    """The same map added for the columns of each second input; ends: columns before and after."""
    columns, columns_out = ends
    for r in range(rows):
        for j in range(inputs):
            source, target = r * columns + j * wide, r * columns_out + j * wide_out
            for u in range(len(starts) - 1):
                total = out[target + u]
                for entry in range(starts[u], starts[u + 1]):
                    total += values[entry] * s[source + places[entry]]
                out[target + u] = total


@jit
def placed(out, s, places, inputs, after, columns, columns_out, full):
    """Writes a grid to its places in a larger one."""
    seconds, wide, wide_out = full
    before = len(places)
    for i in range(inputs):
        for u in range(before):
            source = (i * before + u) * columns
            target = (i * after + places[u]) * columns_out
            if seconds == 0:
                for k in range(columns):
                    out[target + k] = s[source + k]
            for j in range(seconds):
                for k in range(before):
                    out[target + j * wide_out + places[k]] = s[source + j * wide + k]


@jit
def diagonal(out, s, inputs, size, seconds, wide, columns, columns_out):
    """Σ[u, u] of Σ[u, u']."""
    for i in range(inputs):
        for u in range(size):
            row = i * size + u
            for j in range(seconds):
                out[row * columns_out + j] = s[row * columns + j * wide + u]


@jit
def spread_out(out, s, inputs, size, seconds, wide, columns, columns_out):
    """Σ[u, u'] with Σ[u, u] on its diagonal, in zeros."""
    for i in range(inputs):
        for u in range(size):
            row = i * size + u
            for j in range(seconds):
                out[row * columns_out + j * wide + u] = s[row * columns + j]


@jit
def summed(out, s, own, inputs, size, columns, columns_out, full):
    """Σ over all positions, out (inputs, columns_out); own (columns): room."""
    seconds, wide, _ = full
    for i in range(inputs):
        own[:] = 0
        for u in range(size):
            at = (i * size + u) * columns
            for k in range(columns):
                own[k] += s[at + k]
        if seconds == 0:
            for k in range(columns):
                out[i * columns_out + k] = own[k]
        for j in range(seconds):
            total = own[j * wide]
            for k in range(1, size):
                total += own[j * wide + k]
            out[i * columns_out + j] = total
