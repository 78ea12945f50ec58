"""Random networks of finite width against the kernels of infinite ones, layer by layer.

With one nonlinearity between weights the mean over networks is the infinite-width kernel at any
width, so that nothing but chance separates the two; only layers that measure a norm over their
channels add a bias of order 1/width, which their width keeps below the error. Seeds are fixed;
with other seeds, 4.5 standard errors would be passed by chance by one of the thousand numbers
compared here once in 150 runs of the whole file. Every case checks its own power too: had the
kernel been wrong by a factor of 1.02, the test would have failed.
"""

import numpy as np
import pytest

import tangency as tg
from draws import kernel_draws, score
from tangency import finite

torch = pytest.importorskip("torch")

LIMIT = 4.5


def inputs(shape, n=3):
    """Inputs of norm about 1, with one a multiple of another."""
    x = np.random.default_rng(11).normal(size=(n, *shape)) / np.sqrt(shape[-1])
    x[-1] = 0.3 * x[0]
    return x


def check(net, shape, width, draws):
    module = finite.build(net, width, shape)
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


ACTIVATIONS = [
    "relu",
    "relu:raw",
    "leaky0.3",
    "leaky0.3:raw",
    "abs",
    "erf",
    "erf:raw",
    "gelu",
    "gelu:raw",
    "sin",
    "sin:frequency=2,raw",
    "cos",
    "cos:frequency=2,raw",
    "hermite1",
    "hermite2",
    "hermite3:raw",
    "activation:function=tanh",
    "activation:function=sigmoid",
    "activation:function=softplus",
    "activation:function=silu",
    "activation:function=elu",
    "activation:function=gaussian",
    "activation:function=tanh,raw",
    "poly1",
    "poly2",
    "poly3",
    "exp1",
    "exp0.6",
]
# Polynomials of Gaussians have heavy tails: their means take more draws.
MANY = {"hermite2": 1500, "poly2": 1500, "hermite3:raw": 14000, "poly3": 8000}


@pytest.mark.parametrize("text", ACTIVATIONS)
def test_activation(text):
    net = tg.parse(f"dense:b=0.3 {text} dense:w=1.2,b=0.2")
    check(net, (3,), 1000, MANY.get(text, 500))


def test_activation_of_a_callable():
    def bump(u):
        return u / (1 + u * u)

    net = tg.Sequential(tg.Dense(), tg.Activation(bump), tg.Dense())
    check(net, (3,), 1000, 500)


DENSE = [
    ("dense", 8, 20),  # nothing is left to chance
    ("dense:w=1.5,b=0.5", 8, 20),
    ("dense:frozen", 8, 20),
    ("dense:frozen relu dense", 1000, 500),
    ("dense:b=0.4 relu dense:w=2,b=0.1,frozen", 1000, 500),
    ("dense:w=0.5,b=0.4,frozen relu dense:frozen", 1000, 500),
    ("dense rescale0.5 relu rescale3 dense", 1000, 500),
    ("dense:b=0.7 layernorm relu dense", 1000, 500),
    ("dense layernorm dense", 1000, 500),
]


@pytest.mark.parametrize(("text", "width", "draws"), DENSE, ids=[t for t, *_ in DENSE])
def test_weights(text, width, draws):
    check(tg.parse(text), (3,), width, draws)


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
    "conv3 layernorm",
    "conv[[-2],[0],[1]]",
    "conv[[-2],[0],[1]]:pad=valid",
    "conv[[1],[3]]:pad=valid,stride=2",
    "conv[[-3],[-1]]:pad=valid",
    "conv[[-2],[7]]:pad=circular,stride=2",
]


@pytest.mark.parametrize("text", LINES)
def test_convolution_on_a_line(text):
    check(tg.parse(f"{text} relu gap dense"), (6, 2), 1000, 600)


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
    check(tg.parse(f"{text} relu gap dense"), shape, 500, 600)


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
    ((4, 3, 2), "pool[[1,2],[0,-1]]:start=[-1,0],size=3x2"),
    ((4, 3, 2), "pool[[1,2],[1,1,1]]:peraxis"),
    ((4, 3, 2), "map[[[1,0,0,1],[0,2,0,0]],[[1,1,1]]]"),
]


@pytest.mark.parametrize(("shape", "text"), POOLS, ids=[t for _, t in POOLS])
def test_pooling(shape, text):
    line = len(shape) == 2
    check(tg.parse(f"conv2 relu {text} flatten dense"), shape, 1000, 300 if line else 120)
    check(tg.parse(f"conv2 {text} relu gap dense"), shape, 500, 1400 if line else 900)


def test_pooling_of_the_input():
    check(tg.parse("avg2 conv3 relu gap dense"), (6, 2), 1000, 600)
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
    ((6, 2), "conv2 res(relu conv3) gap dense"),
    ((6, 2), "conv2 res(relu conv3:stride=2 | conv1:stride=2) flatten dense"),
    ((6, 2), "conv3 res(avg2 conv3 | relu avg2) gap dense"),
    ((6, 2), "res(conv3) conv2 relu gap dense"),
    ((6, 2), "conv3 relu res(gap dense | flatten) dense"),
    ((4, 3, 2), "conv2:pad=valid res(relu conv2 | conv1) flatten dense"),
]


@pytest.mark.parametrize(("shape", "text"), RESIDUALS, ids=[t for _, t in RESIDUALS])
def test_residual(shape, text):
    check(tg.parse(text), shape, *((32, 8000) if len(shape) > 1 else (64, 10000)))


def test_more_channels_in_the_input_than_hidden_ones():
    check(tg.parse("res(dense) dense"), (12,), 8, 8000)


MIDDLE = [
    ((3,), "dense:b=0.5 dense:w=1.3 dense"),
    ((3,), "dense relu dense:b=0.4 dense"),
    ((6, 2), "conv3 conv2:stride=2 relu gap dense"),
    ((6, 2), "conv3 relu conv[[-1],[0],[2]]:pad=circular flatten dense"),
    ((4, 3, 2), "conv2 relu gauss2 conv2:w=1.2,b=0.3 gap dense"),
    ((3, 2, 2, 1), "conv2 relu conv2:pad=valid flatten dense"),
]


@pytest.mark.parametrize(("shape", "text"), MIDDLE, ids=[t for _, t in MIDDLE])
def test_weights_between_hidden_layers(shape, text):
    check(tg.parse(text), shape, *((32, 7000) if len(shape) > 1 else (64, 16000)))


TAILS = [
    ((3,), "dense:b=0.2 relu"),
    ((3,), "dense gelu rescale2"),
    ((3,), "res(dense | dense:w=0.5) erf"),
    ((6, 2), "conv3 relu gap"),
]


@pytest.mark.parametrize(("shape", "text"), TAILS, ids=[t for _, t in TAILS])
def test_outputs_after_an_activation(shape, text):
    """The outputs are then not linear in the last weights, but each has mean f(x)f(y) = NNGP."""
    outputs, draws = 1000, 400
    x = inputs(shape)
    module = finite.build(text, 2, shape, outputs=outputs)
    generator = torch.Generator().manual_seed(0)
    covariances, tangents = [], []
    for _ in range(draws):
        for p in module.parameters():
            p.data.normal_(generator=generator)
        f = module(x)
        covariances.append((f @ f.T).detach() / outputs)
        # Outputs share no weights: the gradient of their sum has the gradients of all of them.
        rows = [
            torch.cat(
                [
                    g.flatten()
                    for g in torch.autograd.grad(v, module.parameters(), retain_graph=True)
                ]
            )
            for v in f.sum(1)
        ]
        tangents.append(torch.stack(rows) @ torch.stack(rows).T / outputs)
    expected = tg.gram(text, x, engine="reference")
    for found, limit in ((covariances, expected.nngp), (tangents, expected.ntk)):
        result = score(torch.stack(found).double().numpy(), limit)
        assert max(result.entries, result.scale) < LIMIT < result.would_notice, result


def test_outputs_are_independent():
    module = finite.build("dense relu dense", 50, (3,), outputs=2)
    x = torch.as_tensor(inputs((3,)), dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    products = []
    for _ in range(2000):
        for p in module.parameters():
            p.data.normal_(generator=generator)
        f = module(x).detach()
        products.append(torch.outer(f[:, 0], f[:, 1]))
    found = torch.stack(products)
    z = found.mean(0) / (found.std(0) / len(found) ** 0.5)
    assert z.abs().max() < LIMIT


DEEP = [
    ((3,), "dense relu dense:b=0.3 relu dense"),
    ((3,), "dense layernorm erf dense relu dense:b=0.1"),
    ((6, 2), "conv3 relu conv3:stride=2 gelu gap dense"),
    ((4, 2), "conv3 res(relu conv3) exp1 flatten dense"),
]


@pytest.mark.parametrize(("shape", "text"), DEEP, ids=[t for _, t in DEEP])
def test_distance_from_the_limit_falls_with_the_root_of_the_width(shape, text):
    """With several nonlinearities a network of finite width is biased; the bias falls faster.

    Root mean square distances at widths w and 16w have the ratio 4, with an error that follows
    from the number of draws: 5 % for 200 draws of the larger width.
    """
    x, net = inputs(shape), tg.parse(text)
    expected = tg.gram(net, x, engine="reference")
    distances = []
    for width, draws in ((16, 1000), (256, 200)):
        found = kernel_draws(finite.build(net, width, shape), x, draws, chunk=20)
        distances.append(
            [np.sqrt(np.mean((f - e) ** 2)) for f, e in zip(found, expected, strict=True)]
        )
    ratios = np.divide(*distances)
    assert np.all((ratios > 3.3) & (ratios < 5.2)), ratios
