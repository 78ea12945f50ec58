"""The recursion once more, in plain loops and 40 digits: an oracle that shares no code.

It reads a network's layers as data and imports nothing from the engines; where windows fall is
worked out here again, from the words of docs/networks.md. Slow: for grids of a few positions.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from functools import cache, partial

import mpmath
import numpy as np
from mpmath import mp, mpf

DIGITS = 40


@dataclass
class State:
    """Σ of (x, x), (y, y) and (x, y), and Θ of (x, y), each {(u, u'): value}."""

    space: tuple
    xx: dict
    yy: dict
    xy: dict
    tangent: dict

    def each(self, function, space=None):
        """`function` on all four, once for those that are one and the same."""
        ours = (self.xx, self.yy, self.xy, self.tangent)
        found = {id(d): function(d) for d in {id(d): d for d in ours}.values()}
        return State(self.space if space is None else space, *(found[id(d)] for d in ours))


def kernel(net, x, y):
    """(Σ, Θ) of one pair of inputs (*space, channels), as mpf."""
    with mp.workdps(DIGITS):
        state = start(x, y)
        for layer in net.layers:
            state = apply(layer, state)
        ((nngp,), (ntk,)) = state.xy.values(), state.tangent.values()
        return +nngp, +ntk


def start(x, y):
    space = x.shape[:-1]
    points = positions(space)

    def products(a, b):
        return {
            (u, v): sum(mpf(float(p)) * mpf(float(q)) for p, q in zip(a[u], b[v], strict=True))
            for u in points
            for v in points
        }

    xy = products(x, y)
    same = np.array_equal(x, y)
    xx, yy = (xy, xy) if same else (products(x, x), products(y, y))
    return State(space, xx, yy, xy, dict.fromkeys(xy, mpf(0)))


def positions(space):
    return list(itertools.product(*map(range, space)))


def apply(layer, state):
    name = type(layer).__name__
    if name in ("Dense", "Conv", "ConvLocal", "ConvTranspose"):
        return weights(layer, state)
    if name == "Rescale":
        return state.each(lambda d: {k: mpf(layer.factor) ** 2 * v for k, v in d.items()})
    if name == "LayerNorm":
        return normalise(state, layer.space)
    if name in ("Sum", "Product", "Concatenate"):
        return meeting(name, layer, [run(chain, state) for chain in layer.branches])
    if name == "Residual":
        return residual(layer, state)
    if name in ("Flatten", "GlobalAvgPool", "GlobalSumPool"):
        return readout(name, state)
    if name == "PixelShuffle":
        return shuffled(layer, state)
    if name == "PositionalEmbedding":
        return embedded(state, mpf(layer.weight_std) ** 2, layer.length, layer.trainable)
    if name == "ClassToken":
        return behind_tokens(layer, state)
    if name == "SelfAttention":
        return attention(layer, state)
    if name in DUALS:
        return activation(layer, state)
    return linear(layer, state)


def embedded(state, square, length=None, trained=True):
    def own(u, v):
        distance = sum((a - b) ** 2 for a, b in zip(u, v, strict=True))
        if length is None:
            return square if u == v else mpf(0)
        return square * mpmath.exp(-distance / mpf(length) ** 2)

    def added(d):
        return {(u, v): value + own(u, v) for (u, v), value in d.items()}

    tangent = added(state.tangent) if trained else state.tangent
    return replace(state.each(added), tangent=tangent)


def behind_tokens(layer, state):
    """Tokens first, and then the positions row by row."""
    size, w2 = len(positions(state.space)), mpf(layer.weight_std) ** 2
    places = {u: (layer.count + i,) for i, u in enumerate(positions(state.space))}
    space = (layer.count + size,)
    own = {(t, t) for t in positions((layer.count,))}

    def added(d, square):
        found = {(u, v): square if (u, v) in own else mpf(0) for u in positions(space)
                 for v in positions(space)}  # fmt: skip
        return found | {(places[u], places[v]): value for (u, v), value in d.items()}

    xx, yy, xy = (added(getattr(state, part), w2) for part in ("xx", "yy", "xy"))
    return State(space, xx, yy, xy, added(state.tangent, w2 * int(layer.trainable)))


def attention(layer, state):
    """Heads one after the other: queries, keys, values, and weights for the sum."""
    points = positions(state.space)
    seen = state
    if layer.positions is not None:
        half = mpf(1) / 2 if layer.positions == "concatenate" else mpf(1)
        seen = seen.each(lambda d: {k: half * v for k, v in d.items()})
        seen = embedded(seen, half * mpf(layer.position_std) ** 2, None, layer.trainable)
    qk2 = (mpf(layer.query_std) * mpf(layer.key_std)) ** 2
    ov2, b2 = (mpf(layer.value_std) * mpf(layer.out_std)) ** 2, mpf(layer.bias_std) ** 2
    learn = int(layer.trainable and layer.weights)

    if not layer.linear_scaling:

        def dot(a, b):
            return mpmath.fsum(a[k] * b[k] for k in a)

        def of(s, seen):
            whole = dot(seen, s)
            return {k: ov2 * qk2 * v * whole + b2 for k, v in seen.items()}

        s, t, ss, tt = state.xy, state.tangent, seen.xy, seen.tangent
        whole, changed = dot(ss, s), dot(ss, t) + dot(tt, s)
        tangent = {
            k: ov2 * qk2 * (ss[k] * changed + whole * (tt[k] + 4 * learn * ss[k])) + learn * b2
            for k in s
        }
        parts = (of(getattr(state, p), getattr(seen, p)) for p in ("xx", "yy", "xy"))
        return State(state.space, *parts, tangent)

    def weights_of(covariance):
        rows = {}
        for u in points:
            logits = [mpmath.sqrt(qk2) * covariance[u, v] for v in points]
            if layer.mechanism == "softmax":
                powers = [mpmath.exp(value) for value in logits]
                logits = [power / mpmath.fsum(powers) for power in powers]
            elif layer.mechanism != "identity":
                change = abs if layer.mechanism == "abs" else lambda a: max(a, mpf(0))
                logits = [change(value) for value in logits]
            rows[u] = dict(zip(points, logits, strict=True))
        return rows

    g, h = weights_of(seen.xx), weights_of(seen.yy)

    def through(d, left, right):
        return {
            (u, v): ov2
            * mpmath.fsum(left[u][a] * d[a, b] * right[v][b] for a in points for b in points)
            for u in points
            for v in points
        }

    xx, yy, xy = through(state.xx, g, g), through(state.yy, h, h), through(state.xy, g, h)
    tangent = through(state.tangent, g, h)
    tangent = {k: v + learn * (2 * xy[k] + b2) for k, v in tangent.items()}
    biased = ({k: v + b2 for k, v in d.items()} for d in (xx, yy, xy))
    return State(state.space, *biased, tangent)


def run(chain, state):
    for layer in chain.layers:
        state = apply(layer, state)
    return state


def meeting(name, layer, ends):
    if name == "Concatenate" and layer.axis != -1:
        return one_after_the_other(ends, layer.axis)
    factors = [mpf(1)] * len(ends)
    if name == "Concatenate":
        widths = [mpf(w) for w in layer.widths or [1] * len(ends)]
        factors = [w / sum(widths) for w in widths]

    def over(part, function):
        pairs = [(factor, getattr(end, part)) for factor, end in zip(factors, ends, strict=True)]
        return {k: function([f * d[k] for f, d in pairs]) for k in pairs[0][1]}

    joined = mpmath.fprod if name == "Product" else mpmath.fsum
    parts = {part: over(part, joined) for part in ("xx", "yy", "xy", "tangent")}
    if name == "Product":
        parts["tangent"] = {
            k: mpmath.fsum(
                end.tangent[k] * mpmath.fprod(other.xy[k] for other in ends if other is not end)
                for end in ends
            )
            for k in ends[0].xy
        }
    return State(ends[0].space, **parts)


def one_after_the_other(ends, axis):
    sizes = [end.space[axis] for end in ends]
    space = (*ends[0].space[:axis], sum(sizes), *ends[0].space[axis + 1 :])

    owners = [(place, k) for place, size in enumerate(sizes) for k in range(size)]

    def own(u):
        """The branch that a position belongs to, and its place there."""
        place, k = owners[u[axis]]
        return place, (*u[:axis], k, *u[axis + 1 :])

    def blocks(part):
        found = {}
        for u in positions(space):
            for v in positions(space):
                (i, a), (j, b) = own(u), own(v)
                found[u, v] = getattr(ends[i], part)[a, b] if i == j else mpf(0)
        return found

    return State(space, *map(blocks, ("xx", "yy", "xy", "tangent")))


def weights(layer, state):
    w2, b2 = mpf(layer.weight_std) ** 2, mpf(layer.bias_std) ** 2
    name = type(layer).__name__
    if name != "Dense":
        out, patch = (transposed if name == "ConvTranspose" else patches)(layer, state.space)

        def mean(d):
            return {
                (o, p): sum(d.get((u, v), mpf(0)) for u, v in zip(patch(o), patch(p), strict=True))
                / len(patch(o))
                for o in positions(out)
                for p in positions(out)
            }

        state = state.each(mean, out)
    tangent = {k: w2 * v for k, v in state.tangent.items()}
    new = state.each(lambda d: {k: w2 * v + b2 for k, v in d.items()})
    if layer.trainable:
        count = 1 if name == "Dense" else len(patch(positions(out)[0]))
        rate = w2 if layer.weight_rate is None else mpf(layer.weight_rate) * count
        shift = b2 if layer.bias_rate is None else mpf(layer.bias_rate)
        tangent = {k: v + rate * state.xy[k] + shift for k, v in tangent.items()}
    new = replace(new, tangent=tangent)
    if name == "ConvLocal":
        return new.each(lambda d: {(o, p): v if o == p else mpf(0) for (o, p), v in d.items()})
    return new


def axes(value, dims):
    return (value,) * dims if isinstance(value, int) else tuple(value)


def patches(layer, space):
    """The output grid, and for an output position the list of input positions (or None)."""
    dims = len(space)
    stride = axes(layer.stride, dims)
    offsets = layer.patch if layer.offsets is not None else None
    if offsets is None:
        sizes, dilation = axes(layer.patch, dims), axes(layer.dilation, dims)
        offsets = [
            tuple(t * d for t, d in zip(tap, dilation, strict=True))
            for tap in itertools.product(*map(range, sizes))
        ]
        extents = [d * (n - 1) + 1 for n, d in zip(sizes, dilation, strict=True)]
        if layer.padding == "valid" or not isinstance(layer.padding, str):
            ends = [(0, 0)] * dims
            if layer.padding != "valid":
                ends = [(p, p) if isinstance(p, int) else p for p in axes(layer.padding, dims)]
            first = [-low for low, _ in ends]
            sizes = [n + sum(end) for n, end in zip(space, ends, strict=True)]
            out = [(n - e) // s + 1 for n, e, s in zip(sizes, extents, stride, strict=True)]
        else:
            out = [math.ceil(n / s) for n, s in zip(space, stride, strict=True)]
            missing = [
                max(0, (o - 1) * s + e - n)
                for o, s, e, n in zip(out, stride, extents, space, strict=True)
            ]
            first = [-(m // 2) for m in missing]
    elif layer.padding == "valid":
        low = [min(0, *(o[i] for o in offsets)) for i in range(dims)]
        high = [max(0, *(o[i] for o in offsets)) for i in range(dims)]
        first = [-a for a in low]
        out = [
            (n - 1 - b + a) // s + 1 for n, a, b, s in zip(space, low, high, stride, strict=True)
        ]
    else:
        first, out = [0] * dims, [math.ceil(n / s) for n, s in zip(space, stride, strict=True)]

    @cache
    def patch(output):
        found = []
        for offset in offsets:
            place = tuple(
                f + s * o + t for f, s, o, t in zip(first, stride, output, offset, strict=True)
            )
            if layer.padding == "circular":
                place = tuple(p % n for p, n in zip(place, space, strict=True))
            inside = all(0 <= p < n for p, n in zip(place, space, strict=True))
            found.append(place if inside else None)
        return found

    return tuple(out), patch


def transposed(layer, space):
    """As `patches`: each position goes to a multiple of the stride, and a window reads there."""
    dims = len(space)
    sizes, stride = axes(layer.patch, dims), axes(layer.stride, dims)
    before, out = [], []
    for n, k, s in zip(space, sizes, stride, strict=True):
        valid = layer.padding == "valid"
        before.append(k - 1 if valid or s > k - 1 else math.ceil((k + s - 2) / 2))
        out.append(n * s + (max(k - s, 0) if valid else 0))

    @cache
    def patch(output):
        found = []
        for tap in itertools.product(*map(range, sizes)):
            place = [o + t - b for o, t, b in zip(output, tap, before, strict=True)]
            if layer.padding == "circular":
                place = [p % (n * s) for p, n, s in zip(place, space, stride, strict=True)]
            met = all(
                p % s == 0 and 0 <= p // s < n for p, n, s in zip(place, space, stride, strict=True)
            )
            found.append(tuple(p // s for p, s in zip(place, stride, strict=True)) if met else None)
        return found

    return tuple(out), patch


def shuffled(layer, state):
    """Positions of one cell share no channel."""
    factors = axes(layer.factor, len(state.space))
    out = tuple(n * f for n, f in zip(state.space, factors, strict=True))

    def split(u):
        parts = [divmod(i, f) for i, f in zip(u, factors, strict=True)]
        return tuple(cell for cell, _ in parts), tuple(place for _, place in parts)

    def finer(d):
        found = {}
        for o in positions(out):
            for p in positions(out):
                (u, a), (v, b) = split(o), split(p)
                found[o, p] = d[u, v] if a == b else mpf(0)
        return found

    return state.each(finer, out)


def linear(layer, state):
    """Pooling: each output as a list of (input position, weight)."""
    out, reads = pooled(layer, state.space)

    def apply_twice(d):
        return {
            (o, p): sum(a * b * d[u, v] for u, a in reads(o) for v, b in reads(p))
            for o in positions(out)
            for p in positions(out)
        }

    found = state.each(apply_twice, out)
    one = type(layer).__name__ == "Slice" and isinstance(layer.axes[0], int)
    return readout("Flatten", found) if one else found


def pooled(layer, space):
    name, dims = type(layer).__name__, len(space)
    if name == "LinearMap":
        several = isinstance(layer.matrix[0][0], tuple)
        matrices = layer.matrix if several else (layer.matrix,) * dims
        lines = [list(map(list, m)) for m in matrices]
        out = tuple(map(len, lines))
        taps = None
    elif name in LINES:
        lines = LINES[name](layer, space)
        out, taps = tuple(map(len, lines)), None
    else:
        lines = None
        out, first, stride, taps = windows(layer, space)

    @cache
    def reads(output):
        if lines is not None:
            rows = [line[o] for line, o in zip(lines, output, strict=True)]
            found = [
                (u, math.prod(r[i] for r, i in zip(rows, u, strict=True))) for u in positions(space)
            ]
        else:
            found = []
            for tap, weight in taps:
                u = tuple(
                    f + s * o + t for f, s, o, t in zip(first, stride, output, tap, strict=True)
                )
                if all(0 <= i < n for i, n in zip(u, space, strict=True)):
                    found.append((u, weight))
            if getattr(layer, "normalize_edges", False):
                found = [(u, mpf(1) / len(found)) for u, _ in found]
        return [(u, mpf(w)) for u, w in found if w != 0]

    return out, reads


def picked(places, n):
    return [[int(i == place) for i in range(n)] for place in places]


def subsampled(layer, space):
    stride = axes(layer.stride, len(space))
    return [picked(range(0, n, s), n) for n, s in zip(space, stride, strict=True)]


def upsampled(layer, space):
    factor = axes(layer.factor, len(space))
    return [picked([o // f for o in range(n * f)], n) for n, f in zip(space, factor, strict=True)]


def sliced(layer, space):
    one = isinstance(layer.axes[0], int)
    places = [
        [list(range(n))[a]] if one else list(range(n))[slice(*a)]
        for n, a in zip(space, layer.axes, strict=True)
    ]
    return [picked(p, n) for p, n in zip(places, space, strict=True)]


def resized(layer, space):
    lines = []
    for n, m in zip(space, axes(layer.shape, len(space)), strict=True):
        centres = [(o + mpf(1) / 2) * n / m for o in range(m)]
        if layer.method == "nearest":
            lines.append(picked([int(mpmath.floor(c)) for c in centres], n))
            continue
        half = max(mpf(n) / m, mpf(1)) if layer.antialias else mpf(1)
        line = [
            [max(mpf(0), 1 - abs(c - mpf(1) / 2 - i) / half) for i in range(n)] for c in centres
        ]
        lines.append([[w / sum(row) for w in row] for row in line])
    return lines


def padded(layer, space):
    lines = []
    for n, size in zip(space, axes(layer.size, len(space)), strict=True):
        low, high = (size, size) if isinstance(size, int) else size
        places = []
        for i in range(-low, n + high):
            mirrored = -i if i < 0 else 2 * (n - 1) - i if i >= n else i
            edge = min(max(i, 0), n - 1)
            found = {"zeros": i, "circular": i % n, "reflect": mirrored, "edge": edge}
            places.append(found[layer.mode])
        lines.append(picked(places, n))
    return lines


LINES = {
    "Subsample": subsampled,
    "Upsample": upsampled,
    "Slice": sliced,
    "Resize": resized,
    "Pad": padded,
}


def windows(layer, space):
    name, dims = type(layer).__name__, len(space)
    if name in ("AvgPool", "SumPool"):
        size = axes(layer.size, dims)
        stride = size if layer.stride is None else axes(layer.stride, dims)
        share = mpf(1) / math.prod(size) if name == "AvgPool" else mpf(1)
        taps = [(tap, share) for tap in itertools.product(*map(range, size))]
        if layer.padding == "valid":
            out = tuple((n - k) // s + 1 for n, k, s in zip(space, size, stride, strict=True))
            first = (0,) * dims
        else:
            out = tuple(math.ceil(n / s) for n, s in zip(space, stride, strict=True))
            first = tuple(
                -(max(0, (o - 1) * s + k - n) // 2)
                for o, s, k, n in zip(out, stride, size, space, strict=True)
            )
        return out, first, stride, taps
    if name == "GaussianPool":
        s = layer.factor
        stride = axes(s if layer.stride is None else layer.stride, dims)
        line = {i: mpmath.exp(-mpf(i * i) / (s * s)) for i in range(-s, s + 1)}
        total = sum(line.values())
        taps = [
            (tap, mpmath.fprod(line[i] / total for i in tap))
            for tap in itertools.product(range(-s, s + 1), repeat=dims)
        ]
        out = tuple(n // t for n, t in zip(space, stride, strict=True))
        first = tuple(
            (n - 1 - (o - 1) * t) // 2 for n, o, t in zip(space, out, stride, strict=True)
        )
        return out, first, stride, taps
    stride, first = axes(layer.stride, dims), axes(layer.start, dims)
    if layer.per_axis or not isinstance(layer.filter[0], tuple):
        lines = layer.filter if layer.per_axis else (layer.filter,) * dims
        lengths = tuple(map(len, lines))
        taps = [
            (tap, math.prod(line[i] for line, i in zip(lines, tap, strict=True)))
            for tap in itertools.product(*map(range, lengths))
        ]
    else:
        lengths, inner = [], layer.filter
        for _ in range(dims):
            lengths.append(len(inner))
            inner = inner[0]
        taps = []
        for tap in itertools.product(*map(range, lengths)):
            value = layer.filter
            for i in tap:
                value = value[i]
            taps.append((tap, value))
    out = layer.size
    if out is None:
        out = tuple(
            (n - f - k) // s + 1 for n, f, k, s in zip(space, first, lengths, stride, strict=True)
        )
    return axes(out, dims), first, stride, taps


def readout(name, state):
    if name == "Flatten":

        def mean(d):
            own = [v for (u, w), v in d.items() if u == w]
            return {((), ()): sum(own) / len(own)}
    else:

        def mean(d):
            return {((), ()): sum(d.values()) / (len(d) if name == "GlobalAvgPool" else 1)}

    return state.each(mean, ())


def residual(layer, state):
    body = shortcut = state
    for inner in layer.body.layers:
        body = apply(inner, body)
    for inner in layer.shortcut.layers if layer.shortcut is not None else ():
        shortcut = apply(inner, shortcut)

    def add(a, b):
        return {k: a[k] + b[k] for k in a}

    return State(
        body.space,
        add(body.xx, shortcut.xx),
        add(body.yy, shortcut.yy),
        add(body.xy, shortcut.xy),
        add(body.tangent, shortcut.tangent),
    )


def normalise(state, space):
    def mean(d):
        return mpmath.fsum(d[u, u] for u in positions(state.space)) / len(positions(state.space))

    def divided(d, first, second):
        new = {}
        whole = mpmath.sqrt(mean(first) * mean(second))
        for (u, v), value in d.items():
            norm = whole if space else mpmath.sqrt(first[u, u] * second[v, v])
            new[u, v] = value / norm if norm else mpf(0)
        return new

    xx, yy = state.xx, state.yy
    return State(
        state.space,
        divided(xx, xx, xx),
        divided(yy, yy, yy),
        divided(state.xy, xx, yy),
        divided(state.tangent, xx, yy),
    )


def activation(layer, state):
    dual = cache(partial(DUALS[type(layer).__name__], layer))  # of equal inputs all are the same

    def k(d, first, second):
        return {(u, v): dual(s, first[u, u], second[v, v])[0] for (u, v), s in d.items()}

    xx, yy, xy = state.xx, state.yy, state.xy
    tangent = {
        (u, v): t * dual(xy[u, v], xx[u, u], yy[v, v])[1] for (u, v), t in state.tangent.items()
    }
    if xx is yy is xy:
        return State(state.space, *[k(xx, xx, xx)] * 3, tangent)
    return State(state.space, k(xx, xx, xx), k(yy, yy, yy), k(xy, xx, yy), tangent)


def angle(s, q, r):
    norm = mpmath.sqrt(q * r)
    return norm, max(mpf(-1), min(mpf(1), s / norm)) if norm else mpf(0)


def relu(layer, s, q, r):
    norm, c = angle(s, q, r)
    theta = mpmath.acos(c)
    scale = 1 if layer.normalized else mpf(1) / 2
    k = norm * (mpmath.sin(theta) + (mp.pi - theta) * c) / mp.pi
    return scale * k, scale * (mp.pi - theta) / mp.pi


def leaky(layer, s, q, r):
    """(1−a)²·relu⊗relu + a·identity, from σ(u) = a·u + (1−a)·max(u, 0)."""
    norm, c = angle(s, q, r)
    theta, a = mpmath.acos(c), mpf(layer.slope)
    k = (1 - a) ** 2 * norm * (mpmath.sin(theta) + (mp.pi - theta) * c) / (2 * mp.pi) + a * s
    k_dot = (1 - a) ** 2 * (mp.pi - theta) / (2 * mp.pi) + a
    scale = 2 / (1 + a * a) if layer.normalized else 1
    return scale * k, scale * k_dot


def error_function(layer, s, q, r):
    root = mpmath.sqrt((1 + 2 * q) * (1 + 2 * r))
    scale = 1 / (2 / mp.pi * mpmath.asin(mpf(2) / 3)) if layer.normalized else 1
    k = 2 / mp.pi * mpmath.asin(2 * s / root)
    return scale * k, scale * 4 / mp.pi / mpmath.sqrt(root**2 - 4 * s * s)


def sine(layer, s, q, r):
    a2 = mpf(layer.frequency) ** 2
    decay = mpmath.exp(-a2 * (q + r) / 2)
    scale = 2 / (1 - mpmath.exp(-2 * a2)) if layer.normalized else 1
    return scale * decay * mpmath.sinh(a2 * s), scale * a2 * decay * mpmath.cosh(a2 * s)


def exponential(layer, s, q, r):
    norm, c = angle(s, q, r)
    kappa = mpmath.exp((c - 1) / mpf(layer.sigma) ** 2)
    return norm * kappa, kappa / mpf(layer.sigma) ** 2


def polynomial(layer, s, q, r):
    norm, c = angle(s, q, r)
    return norm * c**layer.degree, layer.degree * c ** (layer.degree - 1)


DUALS = {
    "ReLU": relu,
    "LeakyReLU": leaky,
    "Erf": error_function,
    "Sine": sine,
    "Exponential": exponential,
    "Polynomial": polynomial,
}
