"""Random layers, networks and inputs for the laws that hypothesis checks.

Strategies are made once: to make and validate one takes longer than to draw from it.
"""

from __future__ import annotations

import math
from functools import cache, partial

import numpy as np
from hypothesis import strategies as st

import tangency as tg
from tangency.nets.signal import Signal, input_signal

STD = st.sampled_from([0.5, 1.0, 1.5, 2**0.5, 1e-3])
BIAS = st.sampled_from([0.0, 0.0, 0.1, 1.0])
WHOLE = st.integers(1, 3)
LARGEST = 24
"""Positions of the largest grid that a network may come to."""


def per_axis(numbers: st.SearchStrategy, dims: int) -> st.SearchStrategy:
    """One number, or one for each axis."""
    if dims < 1:
        return numbers
    return numbers | st.tuples(*[numbers] * dims)


def weighted() -> dict:
    return {"weight_std": STD, "bias_std": BIAS, "trainable": st.booleans()}


@cache
def dense() -> st.SearchStrategy:
    return st.builds(tg.Dense, **weighted())


@cache
def learning() -> st.SearchStrategy:
    """Layers with learning rates of their own."""
    rates = st.none() | st.sampled_from([0.0, 0.5, 64.0])
    return st.builds(tg.Dense, bias_std=BIAS, weight_rate=rates, bias_rate=rates)


@cache
def convs(dims: int) -> st.SearchStrategy:
    """Convolutions with every option, for grids of `dims` axes."""
    common = {
        "stride": per_axis(st.sampled_from([1, 1, 2]), dims),
        "padding": st.sampled_from(["same", "valid", "circular"]),
        **weighted(),
    }
    boxes = st.builds(
        tg.Conv,
        per_axis(WHOLE, dims),
        dilation=per_axis(st.sampled_from([1, 1, 2]), dims),
        **common,
    )
    transposed = st.builds(
        tg.ConvTranspose,
        per_axis(WHOLE, dims),
        **{name: common[name] for name in common if name != "dilation"},
    )
    offset = st.tuples(*[st.integers(-2, 2)] * max(dims, 1))
    points = st.lists(offset, min_size=1, max_size=4, unique=True)
    local = st.builds(tg.ConvLocal, per_axis(WHOLE, dims) | points, **common)
    return boxes | st.builds(tg.Conv, points, **common) | transposed | local


@cache
def duals() -> st.SearchStrategy:
    """Activations with a closed form."""
    norm = {"normalized": st.booleans()}
    return st.one_of(
        st.builds(tg.ReLU, **norm),
        st.builds(tg.LeakyReLU, st.sampled_from([0.0, 0.1, 0.25, -0.5]), **norm),
        st.builds(tg.Abs, **norm),
        st.builds(tg.Erf, **norm),
        st.builds(tg.GELU, **norm),
        st.builds(tg.Sine, frequency=st.sampled_from([0.5, 1.0, 2.0]), **norm),
        st.builds(tg.Cosine, frequency=st.sampled_from([0.5, 1.0, 2.0]), **norm),
        st.builds(tg.Hermite, st.integers(1, 3), **norm),
        st.builds(tg.Exponential, st.sampled_from([0.5, 0.6, 1.0])),
        st.builds(tg.Polynomial, st.integers(1, 3)),
    )


@cache
def quadratures() -> st.SearchStrategy:
    names = st.sampled_from(["tanh", "sigmoid", "softplus", "silu", "elu", "gaussian"])
    return st.builds(tg.Activation, names, normalized=st.booleans())


@cache
def pools(dims: int) -> st.SearchStrategy:
    """Linear maps of grids of `dims` axes; `LinearMap` needs the sizes and comes with them."""
    numbers = st.sampled_from([0.5, 1.0, -0.25, 0.0, 1 / 3])
    line = st.lists(numbers, min_size=1, max_size=3)
    where = {
        "stride": per_axis(st.sampled_from([1, 2]), dims),
        "start": per_axis(st.integers(-1, 1), dims),
        "size": st.none() | per_axis(WHOLE, dims),
    }
    full = st.integers(0, 2**30).map(
        lambda seed: np.random.default_rng(seed).integers(-2, 3, (2,) * max(dims, 1)) / 4.0
    )
    return st.one_of(
        st.builds(
            tg.AvgPool,
            per_axis(WHOLE, dims),
            stride=st.none() | per_axis(WHOLE, dims),
            padding=st.sampled_from(["valid", "same"]),
        ),
        st.builds(
            tg.AvgPool,
            per_axis(WHOLE, dims),
            padding=st.just("same"),
            normalize_edges=st.just(True),
        ),
        st.builds(
            tg.SumPool,
            per_axis(WHOLE, dims),
            stride=st.none() | per_axis(WHOLE, dims),
            padding=st.sampled_from(["valid", "same"]),
        ),
        resamplings(dims),
        st.builds(tg.GaussianPool, WHOLE, stride=st.none() | per_axis(WHOLE, dims)),
        st.builds(tg.Subsample, per_axis(WHOLE, dims)),
        st.builds(tg.Pool, line, **where),
        st.builds(tg.Pool, full, **where),
        st.builds(
            tg.Pool,
            st.lists(line, min_size=max(dims, 1), max_size=max(dims, 1)),
            per_axis=st.just(True),
            **where,
        ),
    )


@cache
def resamplings(dims: int) -> st.SearchStrategy:
    """Layers that make grids of `dims` axes finer, coarser, larger or smaller."""
    end = st.none() | st.integers(-2, 3)
    part = st.tuples(end, end) | st.tuples(end, end, st.sampled_from([-1, 2]))
    ends = st.integers(0, 2)
    return st.one_of(
        st.builds(
            tg.Resize,
            per_axis(st.integers(1, 4), dims),
            st.sampled_from(["linear", "nearest"]),
            antialias=st.booleans(),
        ),
        st.builds(tg.Upsample, per_axis(st.integers(1, 2), dims)),
        st.builds(tg.PixelShuffle, per_axis(st.integers(1, 2), dims)),
        st.builds(
            tg.Pad,
            ends | st.tuples(*[ends | st.tuples(ends, ends)] * max(dims, 1)),
            st.sampled_from(["zeros", "circular", "reflect", "edge"]),
        ),
        st.tuples(*[part] * max(dims, 1)).map(lambda parts: tg.Slice(*parts)),
        st.tuples(*[st.integers(-1, 1)] * max(dims, 1)).map(lambda places: tg.Slice(*places)),
    )


@cache
def linear_maps(sizes: tuple[int, ...]) -> st.SearchStrategy:
    def matrices(seed: int, rows: int) -> tg.LinearMap:
        rng = np.random.default_rng(seed)
        return tg.LinearMap([rng.integers(-2, 3, (rows, n)) / 2 for n in sizes])

    return st.builds(matrices, st.integers(0, 2**30), st.integers(1, 2))


@cache
def any_layer(dims: int = 2) -> st.SearchStrategy:
    """Layers with all their options, whether or not they would fit a grid."""
    flat = st.one_of(
        dense(),
        learning(),
        convs(dims),
        duals(),
        quadratures(),
        pools(dims),
        linear_maps((3,) * max(dims, 1)),
        st.builds(tg.Rescale, st.sampled_from([0.5, -1.0, 2.0, 1e-7, 1e20])),
        st.builds(tg.LayerNorm, space=st.booleans()),
        attentions(),
        st.builds(tg.PositionalEmbedding, weight_std=STD, trainable=st.booleans()),
        st.builds(tg.ClassToken, weight_std=STD, count=st.integers(1, 2)),
        st.builds(tg.Dropout, st.sampled_from([0.5, 0.9, 1.0])),
        st.just(tg.Flatten()),
        st.just(tg.GlobalAvgPool()),
        st.just(tg.GlobalSumPool()),
    )
    return st.recursive(flat, _residuals, max_leaves=6)


def _residuals(layers: st.SearchStrategy) -> st.SearchStrategy:
    branch = st.lists(layers, min_size=1, max_size=3).map(lambda chosen: tg.Sequential(*chosen))
    some = st.lists(st.none() | branch, min_size=1, max_size=2)
    meeting = st.tuples(branch, some).map(lambda parts: (parts[0], *parts[1]))
    return st.one_of(
        st.builds(tg.Residual, branch, st.none() | branch),
        meeting.map(lambda chains: tg.Sum(*chains)),
        meeting.map(lambda chains: tg.Product(*chains)),
        st.tuples(meeting, st.integers(-1, 1)).map(lambda p: tg.Concatenate(*p[0], axis=p[1])),
        branch.map(lambda chain: tg.Concatenate(None, chain, widths=(2, 0.5))),
    )


def any_network() -> st.SearchStrategy:
    """Networks as data; most fit no input."""
    of_grids = {
        dims: st.lists(any_layer(dims), min_size=1, max_size=5).map(
            lambda layers: tg.Sequential(*layers)
        )
        for dims in (1, 2, 3)
    }
    return st.integers(1, 3).flatmap(of_grids.__getitem__)


@st.composite
def networks(draw, activations=duals, homogeneous: bool = False):
    """(network, input shape): a network that fits small inputs of 0 to 3 axes, to a vector."""
    dims = draw(st.sampled_from([0, 1, 1, 2, 2, 3]))
    shape = (*draw(st.tuples(*[st.integers(2, (9, 4, 2)[dims - 1])] * dims)), draw(WHOLE))
    chosen: list[tg.Layer] = []
    signal = input_signal(shape)
    for _ in range(draw(st.integers(1, 4))):
        # A product of two is homogeneous of degree two.
        layers = draw(_stage(signal.space, activations, not homogeneous))
        signal = _extend(chosen, signal, layers)
    if signal.space:
        readout = draw(st.sampled_from([tg.Flatten(), tg.GlobalAvgPool(), tg.GlobalSumPool()]))
        signal = _extend(chosen, signal, [readout])
    _extend(chosen, signal, [draw(dense())])
    net = tg.Sequential(*chosen)
    return (_without_bias(net) if homogeneous else net), shape


@cache
def _stage(space: tuple[int, ...], activations, products: bool) -> st.SearchStrategy:
    """A layer with weights, perhaps normalised, its activation, perhaps pooling or a shortcut."""
    dims = len(space)
    weights = convs(dims) | dense() if dims else dense()
    plain = dense() if not dims else st.builds(tg.Conv, st.sampled_from([1, 3]), **weighted())
    shuffle = [[tg.PixelShuffle(2)]] if dims else []
    norm = st.sampled_from(
        [[], [], [], [tg.LayerNorm()], [tg.LayerNorm(space=True)], [tg.Rescale(0.5)], *shuffle]
    )
    pool = st.lists(pools(dims) | linear_maps(space), max_size=1) if dims else st.just([])
    block = st.tuples(activations(), plain).map(lambda pair: [tg.Residual(tg.Sequential(*pair))])
    cut = st.tuples(activations(), plain, plain).map(
        lambda parts: [tg.Residual(tg.Sequential(parts[0], parts[1]), parts[2])]
    )
    meetings = branches(activations, plain, dims, products)
    parts = st.tuples(
        weights.map(lambda w: [w]),
        norm,
        st.one_of(st.just([]), st.just([]), block, cut, meetings),
        st.tuples(activations()).map(list),
        pool,
    )
    return parts.map(partial(sum, start=[]))


@cache
def attentions() -> st.SearchStrategy:
    """Attention of every kind, of small logits."""
    kinds = st.one_of(
        st.tuples(st.sampled_from(["softmax", "identity", "relu", "abs"]), st.just(True)),
        st.just(("identity", False)),
    )
    positions = st.sampled_from([None, "sum", "concatenate"])
    return st.tuples(kinds, positions, st.booleans()).map(
        lambda parts: tg.SelfAttention(
            parts[0][0],
            positions=parts[1],
            linear_scaling=parts[0][1],
            query_std=0.5,
            bias_std=0.3,
            trainable=parts[2],
        )
    )


def branches(activations, plain, dims: int, products: bool) -> st.SearchStrategy:
    """Branches that meet, and what makes their channels Gaussian again."""
    widths = st.none() | st.sampled_from([(1, 2), (0.5, 3)])
    block = st.tuples(activations(), plain).map(lambda parts: tg.Sequential(*parts))
    gate = st.tuples(plain, activations()).map(lambda parts: tg.Sequential(*parts))
    kinds = [
        st.tuples(block, plain).map(lambda parts: [tg.Sum(*parts, None)]),
        st.tuples(activations(), gate, widths, plain).map(
            lambda parts: [tg.Concatenate(*parts[:2], widths=parts[2]), parts[3]]
        ),
    ]
    if products:
        kinds.append(
            st.tuples(gate, plain).map(lambda parts: [tg.Product(parts[0], None), parts[1]])
        )
    if dims and products:
        kinds += [
            attentions().map(lambda layer: [tg.Residual(layer)]),
            attentions().map(lambda layer: [tg.PositionalEmbedding(weight_std=0.5), layer]),
        ]
    if dims:
        kinds.append(plain.map(lambda layer: [tg.Concatenate(layer, None, axis=0)]))
    return st.one_of(*kinds)


def _extend(chosen: list, signal: Signal, layers: list) -> Signal:
    """Adds the layers that fit, leaves out those that do not."""
    for layer in layers:
        try:
            after = layer.infer(signal)
        except tg.NetworkError:
            continue
        if math.prod(after.space) > LARGEST:
            continue
        chosen.append(layer)
        signal = after
    return signal


def _without_bias(layer):
    """The same layer, and those inside it, without biases."""
    if isinstance(layer, tg.Sequential):
        return tg.Sequential(*map(_without_bias, layer.layers))
    if hasattr(layer, "chains"):
        return layer.rebuilt([_without_bias(chain) for chain in layer.chains()])
    if isinstance(layer, tg.Dense | tg.Conv | tg.ConvTranspose | tg.SelfAttention):
        from dataclasses import replace

        return replace(layer, bias_std=0.0)
    return layer


def inputs(shape: tuple[int, ...], n: int, seed: int) -> np.ndarray:
    """Random inputs, with the awkward ones among them: zeros, a zero patch, twins, opposites."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, *shape))
    if n > 5:
        x[1] = x[0]
        x[2] = -x[0]
        x[3] = 0
        x[4] = x[0] * (1 + 1e-9)
        if len(shape) > 1:
            x[5, : (shape[0] + 1) // 2] = 0
    return x
