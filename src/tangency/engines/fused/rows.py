"""Loops over one row of positions × images, the innermost work of the engine.

Arrays are flat and addressed by offsets: slices would count references, which costs more than a
short row does. Offsets become unsigned, so that none is looked at for counting from the end.
Rows are taken in whole vectors; what is left over, on fewer lanes than a vector has, one by one.
"""

from __future__ import annotations

import numpy as np

from .jit import jit
from .simd import load, store, total, width

_U = np.uint64


@jit
def first_of(d, wrap):
    """The first position u with u + d on the axis."""
    return 0 if wrap else max(0, -d)


@jit
def last_of(n, d, wrap):
    """One past the last position u with u + d on the axis."""
    return n if wrap else min(n, n - d)


@jit
def whole(x, n):
    """How many of n numbers fill vectors."""
    return _U(n) - _U(n) % _U(width(x))


@jit
def bits_of(lanes):
    """The logarithm of a number of lanes, a power of two."""
    bits = 0
    while lanes > 1:
        lanes //= 2
        bits += 1
    return bits


@jit
def fill(out, at, value, n):
    at = _U(at)
    for k in range(_U(n)):
        out[at + k] = value


@jit
def copy(out, at, x, i, n):
    at, i = _U(at), _U(i)
    end, step = whole(out, n), _U(width(out))
    for k in range(_U(0), end, step):
        store(out, at + k, load(x, i + k))
    for k in range(end, _U(n)):
        out[at + k] = x[i + k]


@jit
def keep(work, to, at, n, tangent):
    """Copies a row of Σ, and of Θ where there is one, to the tape."""
    copy(work.tape_s, to, work.s, at, n)
    if tangent:
        copy(work.tape_t, to, work.t, at, n)


@jit
def add(out, at, x, i, n):
    at, i = _U(at), _U(i)
    end, step = whole(out, n), _U(width(out))
    for k in range(_U(0), end, step):
        store(out, at + k, load(out, at + k) + load(x, i + k))
    for k in range(end, _U(n)):
        out[at + k] += x[i + k]


@jit
def scale(out, at, factor, n):
    at = _U(at)
    for k in range(_U(n)):
        out[at + k] *= factor


@jit
def sum2(out, at, x, i, j, n):
    at, i, j = _U(at), _U(i), _U(j)
    end, step = whole(out, n), _U(width(out))
    for k in range(_U(0), end, step):
        store(out, at + k, load(x, i + k) + load(x, j + k))
    for k in range(end, _U(n)):
        out[at + k] = x[i + k] + x[j + k]


@jit
def sum3(out, at, x, i, j, h, n):
    at, i, j, h = _U(at), _U(i), _U(j), _U(h)
    end, step = whole(out, n), _U(width(out))
    for k in range(_U(0), end, step):
        store(out, at + k, load(x, i + k) + load(x, j + k) + load(x, h + k))
    for k in range(end, _U(n)):
        out[at + k] = x[i + k] + x[j + k] + x[h + k]


@jit
def add_scaled(out, at, x, i, w, n):
    at, i = _U(at), _U(i)
    end, step = whole(out, n), _U(width(out))
    for k in range(_U(0), end, step):
        store(out, at + k, load(out, at + k) + w * load(x, i + k))
    for k in range(end, _U(n)):
        out[at + k] += w * x[i + k]


@jit
def products(out, at, x, i, y, j, channels, size, bits, n):
    """Σ_c x_c·y_c: x has one number for each position, y one for each of 2**bits lanes.

    Numbers of a channel follow `size` positions behind those of the one before.
    """
    at, i, j = _U(at), _U(i), _U(j)
    bits, far, near = _U(bits), _U(size) << _U(bits), _U(size)
    step = _U(width(out))
    # A vector must not reach into the next position.
    end = _U(n) if _U(1) << bits >= step else _U(0)
    for k in range(_U(0), end, step):
        p, q = i + (k >> bits), j + k
        total = x[p] * load(y, q)
        for c in range(_U(1), _U(channels)):
            total = total + x[p + c * near] * load(y, q + c * far)
        store(out, at + k, total)
    for k in range(end, _U(n)):
        p, q = i + (k >> bits), j + k
        value = x[p] * y[q]
        for c in range(_U(1), _U(channels)):
            value += x[p + c * near] * y[q + c * far]
        out[at + k] = value


@jit
def multiply(out, at, x, i, y, j, n):
    at, i, j = _U(at), _U(i), _U(j)
    end, step = whole(out, n), _U(width(out))
    for k in range(_U(0), end, step):
        store(out, at + k, load(x, i + k) * load(y, j + k))
    for k in range(end, _U(n)):
        out[at + k] = x[i + k] * y[j + k]


@jit
def add_product(out, at, x, i, y, j, n):
    at, i, j = _U(at), _U(i), _U(j)
    end, step = whole(out, n), _U(width(out))
    for k in range(_U(0), end, step):
        store(out, at + k, load(out, at + k) + load(x, i + k) * load(y, j + k))
    for k in range(end, _U(n)):
        out[at + k] += x[i + k] * y[j + k]


@jit
def spread(out, at, x, i, count, lanes):
    """Each number of x, `lanes` times."""
    at, i = _U(at), _U(i)
    for k in range(_U(count)):
        value = x[i + k]
        for lane in range(_U(lanes)):
            out[at + k * _U(lanes) + lane] = value


@jit
def affine(out, at, x, i, w, shift, n):
    at, i = _U(at), _U(i)
    for k in range(_U(n)):
        out[at + k] = w * x[i + k] + shift


@jit
def affine3(out, at, x, i, j, h, w, shift, n):
    at, i, j, h = _U(at), _U(i), _U(j), _U(h)
    end, step = whole(out, n), _U(width(out))
    for k in range(_U(0), end, step):
        store(out, at + k, w * (load(x, i + k) + load(x, j + k) + load(x, h + k)) + shift)
    for k in range(end, _U(n)):
        out[at + k] = w * (x[i + k] + x[j + k] + x[h + k]) + shift


@jit
def strided(out, at, x, i, w, step, count, lanes):
    """out += w times every `step`-th position of x."""
    for k in range(_U(count)):
        o, p = _U(at) + k * _U(lanes), _U(i) + k * _U(step) * _U(lanes)
        for lane in range(_U(lanes)):
            out[o + lane] += w * x[p + lane]


@jit
def add_affine3(out, at, x, i, j, h, w, n):
    at, i, j, h = _U(at), _U(i), _U(j), _U(h)
    end, step = whole(out, n), _U(width(out))
    for k in range(_U(0), end, step):
        both = w * (load(x, i + k) + load(x, j + k) + load(x, h + k))
        store(out, at + k, load(out, at + k) + both)
    for k in range(end, _U(n)):
        out[at + k] += w * (x[i + k] + x[j + k] + x[h + k])


@jit
def add_lanes(out, at, stride, x, i, count, lanes):
    """out[at + stride·k] += the sum of x[i + lanes·k] over its lanes, for k < count."""
    at, i, stride, lanes = _U(at), _U(i), _U(stride), _U(lanes)
    step = _U(width(x))
    end = whole(x, lanes)
    for k in range(_U(count)):
        here = i + k * lanes
        value = x[here] - x[here]
        for lane in range(_U(0), end, step):
            value += total(load(x, here + lane))
        for lane in range(end, lanes):
            value += x[here + lane]
        out[at + stride * k] += value


@jit
def add_products(out, at, x, i, y, j, channels, size, n):
    """out_c += x·y_c: numbers of a channel follow `size` numbers behind those of the one before."""
    at, i, j, size = _U(at), _U(i), _U(j), _U(size)
    end, step = whole(out, n), _U(width(out))
    for k in range(_U(0), end, step):
        value = load(x, i + k)
        for c in range(_U(channels)):
            p, q = at + c * size + k, j + c * size + k
            store(out, p, load(out, p) + value * load(y, q))
    for k in range(end, _U(n)):
        for c in range(_U(channels)):
            out[at + c * size + k] += x[i + k] * y[j + c * size + k]
