"""Random networks of finite width against the kernels of infinite ones, layer by layer.

With one nonlinearity between weights the mean over networks is the infinite-width kernel at any
width, so that nothing but chance separates the two; only layers that measure a norm over their
channels add a bias of order 1/width, which their width keeps below the error. Seeds are fixed:
with some 90 cases of two statistics, 4.5 standard errors would be passed by chance once in 800
runs of the whole file. Every case checks its own power too: had the kernel been wrong by a factor
of 1.02, the test would have failed.
"""

import numpy as np
import pytest
from draws import kernel_draws, score

import tangency as tg

torch = pytest.importorskip("torch")

LIMIT = 4.5


def inputs(shape, n=3):
    """Inputs of norm about 1, with one a multiple of another."""
    x = np.random.default_rng(11).normal(size=(n, *shape)) / np.sqrt(shape[-1])
    x[-1] = 0.3 * x[0]
    return x


def check(net, shape, width, draws, dtype=torch.float32):
    torch.set_num_threads(1)
    module = tg.finite.build(net, width, shape, dtype=dtype)
    x = inputs(shape)
    found = kernel_draws(module, x, draws)
    expected = tg.gram(net, x, engine="reference")
    for name, values in zip(("nngp", "ntk"), found, strict=True):
        limit = getattr(expected, name)
        if limit is None or not np.any(limit):
            assert not np.any(values)
            continue
        result = score(values, limit)
        assert result.entries < LIMIT, (name, result)
        assert result.scale < LIMIT, (name, result)
        assert result.would_notice > LIMIT, (name, result)


ACTIVATIONS = {
    "relu": 500,
    "relu:raw": 500,
    "leaky0.3": 500,
    "leaky0.3:raw": 500,
    "abs": 500,
    "erf": 500,
    "erf:raw": 500,
    "gelu": 500,
    "gelu:raw": 500,
    "sin": 500,
    "sin:frequency=2,raw": 500,
    "cos": 500,
    "cos:frequency=2,raw": 500,
    "hermite1": 500,
    "hermite2": 1500,
    "hermite3:raw": 3000,
    "activation:function=tanh": 500,
    "activation:function=sigmoid": 500,
    "activation:function=softplus": 500,
    "activation:function=silu": 500,
    "activation:function=elu": 500,
    "activation:function=gaussian": 500,
    "activation:function=tanh,raw": 500,
    "poly1": 500,
    "poly2": 1500,
    "poly3": 3000,
    "exp1": 500,
    "exp0.6": 500,
}


@pytest.mark.parametrize(("text", "draws"), ACTIVATIONS.items(), ids=ACTIVATIONS)
def test_activation(text, draws):
    check(tg.parse(f"dense:b=0.3 {text} dense:w=1.2,b=0.2"), (3,), 1000, draws)


def test_activation_of_a_callable():
    def bump(u):
        return u / (1 + u * u)

    net = tg.Sequential(tg.Dense(), tg.Activation(bump), tg.Dense())
    check(net, (3,), 1000, 500)


DENSE = [
    "dense",
    "dense:w=1.5,b=0.5",
    "dense:frozen",
    "dense:frozen relu dense",
    "dense:b=0.4 relu dense:w=2,b=0.1,frozen",
    "dense:w=0.5,b=0.4,frozen relu dense:frozen",
    "dense rescale0.5 relu rescale3 dense",
    "dense:b=0.7 layernorm relu dense",
    "dense relu dense layernorm dense",
]


@pytest.mark.parametrize("text", DENSE)
def test_weights(text):
    wide = text.count("dense") == 3
    check(tg.parse(text), (3,), 300 if wide else 1000, 2000 if wide else 500)


LINES = [
    "conv3",
    "conv2",
    "conv1",
    "conv3:stride=2",
    "conv4:stride=3",
    "conv2:dilation=2",
    "conv3:stride=2,dilation=2",
    "conv3:pad=valid",
    "conv2:pad=valid,stride=2,dilation=3",
    "conv3:pad=circular",
    "conv3:pad=circular,stride=2,dilation=2",
    "conv9:pad=circular",
    "conv9",
    "conv3:w=1.5,b=0.5",
    "conv3:b=0.5,frozen",
    "conv[[-2],[0],[1]]",
    "conv[[-2],[0],[1]]:pad=valid",
    "conv[[1],[3]]:pad=valid,stride=2",
    "conv[[-3],[-1]]:pad=valid",
    "conv[[-2],[7]]:pad=circular,stride=2",
]


@pytest.mark.parametrize("text", LINES)
def test_convolution_on_a_line(text):
    check(tg.parse(f"{text} relu gap dense"), (6, 2), 1000, 300)


GRIDS = [
    ((4, 3, 2), "conv3"),
    ((4, 3, 2), "conv2x3:stride=2x1"),
    ((4, 3, 2), "conv2:dilation=1x2,pad=valid"),
    ((4, 3, 2), "conv3x2:pad=circular,stride=1x2"),
    ((4, 3, 2), "conv[[0,0],[0,1],[-1,1]]"),
    ((4, 3, 2), "conv[[0,0],[0,1],[-1,1]]:pad=valid,b=0.3"),
    ((4, 3, 2), "conv[[0,0],[5,1],[-1,1]]:pad=circular,stride=2"),
    ((3, 2, 2, 1), "conv2"),
    ((3, 2, 2, 1), "conv2x1x3:stride=2x1x1,pad=circular"),
    ((3, 2, 2, 1), "conv[[0,0,0],[1,0,-1]]:pad=valid"),
]


@pytest.mark.parametrize(("shape", "text"), GRIDS, ids=[t for _, t in GRIDS])
def test_convolution_on_a_grid(shape, text):
    check(tg.parse(f"{text} relu gap dense"), shape, 500, 500)


POOLS = [
    ((6, 2), "avg2"),
    ((6, 2), "avg3:stride=2,pad=same"),
    ((6, 2), "gauss2"),
    ((6, 2), "gauss1:stride=2"),
    ((6, 2), "sub2"),
    ((6, 2), "pool[1,2,1]:stride=2,start=-1,size=3"),
    ((6, 2), "map[[1,0,0,0.5,0,0],[0,-1,0,0,0,2]]"),
    ((4, 3, 2), "avg2x3"),
    ((4, 3, 2), "gauss2:stride=2x1"),
    ((4, 3, 2), "sub1x2"),
    ((4, 3, 2), "pool[[1,2],[0,-1]]:start=-1x0,size=3x2"),
    ((4, 3, 2), "pool[[1,2],[1,1,1]]:peraxis"),
    ((4, 3, 2), "map[[[1,0,0,1],[0,2,0,0]],[[1,1,1]]]"),
]


@pytest.mark.parametrize("place", ["conv2 relu {} flatten dense", "conv2 {} relu gap dense"])
@pytest.mark.parametrize(("shape", "text"), POOLS, ids=[t for _, t in POOLS])
def test_pooling(shape, text, place):
    check(tg.parse(place.format(text)), shape, 1000, 300)


def test_pooling_of_the_input():
    check(tg.parse("avg2 conv3 relu gap dense"), (6, 2), 1000, 300)
    check(tg.parse("flatten dense relu dense"), (4, 3, 2), 1000, 500)
    check(tg.parse("gap dense relu dense"), (4, 3, 2), 1000, 500)


RESIDUALS = [
    ((3,), "dense res(relu dense:b=0.3) dense"),
    ((3,), "dense res(relu dense | dense:w=0.5) dense"),
    ((3,), "dense res(dense:frozen | relu rescale0.5) dense"),
    ((3,), "dense res(relu res(dense | dense) | dense) dense"),
    ((3,), "res(dense) dense"),  # the input itself, beside hidden channels
    ((3,), "res(dense | rescale2) dense relu dense"),
    ((3,), "dense relu res(dense | dense)"),  # the outputs are a sum
    ((3,), "res(dense relu dense:w=2 | dense) rescale0.5"),
    ((6, 2), "conv3 res(relu conv3) gap dense"),
    ((6, 2), "conv2 res(relu conv3:stride=2 | conv1:stride=2) flatten dense"),
    ((6, 2), "conv3 res(avg2 conv3 | relu avg2) gap dense"),
    ((6, 2), "res(conv3:pad=circular) relu gap dense" if False else "res(conv3) conv2 relu gap dense"),
    ((6, 2), "conv3 relu res(gap dense | flatten) dense"),
    ((4, 3, 2), "conv2 layernorm res(relu conv3 | conv1) flatten dense"),
]


@pytest.mark.parametrize(("shape", "text"), RESIDUALS, ids=[t for _, t in RESIDUALS])
def test_residual(shape, text):
    check(tg.parse(text), shape, 64, 6000)


DEEP_LINEAR = [
    ((3,), "dense:b=0.5 dense:w=1.3 dense"),
    ((3,), "dense relu dense:b=0.4 dense"),
    ((6, 2), "conv3 conv2:stride=2 relu gap dense"),
    ((6, 2), "conv3 relu conv[[-1],[0],[2]]:pad=circular flatten dense"),
    ((4, 3, 2), "conv2 relu gauss2 conv2:w=1.2,b=0.3 gap dense"),
    ((3, 2, 2, 1), "conv2 relu conv2:pad=valid flatten dense"),
]


@pytest.mark.parametrize(("shape", "text"), DEEP_LINEAR, ids=[t for _, t in DEEP_LINEAR])
def test_weights_between_hidden_layers(shape, text):
    check(tg.parse(text), shape, 64, 6000)
