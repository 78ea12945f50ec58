"""Random networks of finite width against the kernels of infinite ones, layer by layer.

With one nonlinearity between weights the mean over networks is the infinite-width kernel at any
width, so that nothing but chance separates the two; only layers that measure a norm over their
channels add a bias of order 1/width, which their width keeps below the error. Seeds are fixed;
with other seeds, 4.5 standard errors would be passed by chance by one of the thousand numbers
compared here once in 150 runs of the whole file. Every case checks its own power too: had the
kernel been wrong by a factor of 1.02, the test would have failed. Many draws of narrow networks
are much faster than fewer draws of wide ones that tell as much.
"""

import numpy as np
import pytest

import tangency as tg
from cases import activations, each
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


# Polynomials of Gaussians have heavy tails: their means take more draws.
MANY = {"hermite2": 1500, "poly2": 1500, "hermite3:raw": 14000, "poly3": 8000}
MANY |= {"monomial2": 1500, "rectified2": 1500, "powers[0.2,1,-0.5]": 1500, "poly2:raw": 1500}


@pytest.mark.parametrize("text", activations("finite"))
def test_activation(text):
    net = tg.parse(f"dense:b=0.3 {text} dense:w=1.2,b=0.2")
    check(net, (3,), 1000, MANY.get(text, 500))


def test_activation_of_a_callable():
    def bump(u):
        return u / (1 + u * u)

    net = tg.Sequential(tg.Dense(), tg.Activation(bump), tg.Dense())
    check(net, (3,), 1000, 500)


@each("finite_exact")
def test_weights_without_chance(shape, text):
    check(tg.parse(text), shape, 8, 20)


@each("finite_weights")
def test_weights(shape, text):
    check(tg.parse(text), shape, 1000, 500)


@each("finite_lines")
def test_convolution_on_a_line(shape, text):
    check(tg.parse(text), shape, 1000, 600)


@each("finite_grids")
def test_convolution_on_a_grid(shape, text):
    # Many weights, which are all drawn, tell much: fewer channels do.
    width = 125 if text.startswith(("local", "convt")) else 500
    check(tg.parse(text), shape, width, 600)


@each("finite_pooled")
def test_pooling_after_an_activation(shape, text):
    check(tg.parse(text), shape, 250, 1100 if len(shape) == 2 else 440)


@each("finite_blurred")
def test_pooling_before_an_activation(shape, text):
    check(tg.parse(text), shape, 128, 4800 if len(shape) == 2 else 3100)


def test_pooling_of_the_input():
    check(tg.parse("avg2 conv3 relu gap dense"), (6, 2), 1000, 600)
    check(tg.parse("flatten dense relu dense"), (4, 3, 2), 1000, 500)
    check(tg.parse("gap dense relu dense"), (4, 3, 2), 1000, 500)


@each("finite_sums")
def test_residual(shape, text):
    check(tg.parse(text), shape, *((32, 8000) if len(shape) > 1 else (64, 10000)))


@each("finite_met")
def test_branches_that_meet(shape, text):
    check(tg.parse(text), shape, 400, 3000)


@each("finite_attention")
def test_attention(shape, text):
    """Attention weights are means over keys: off by 1/width, which two widths take away."""
    x, draws, means, errors = inputs(shape), 700, [], []
    for width in (40, 80):
        found = kernel_draws(finite.build(text, width, shape), x, draws)
        means.append([values.mean(0) for values in found])
        errors.append([values.std(0) / np.sqrt(draws) for values in found])
    expected = tg.gram(text, x, engine="reference")
    for k, limit in enumerate((expected.nngp, expected.ntk)):
        mean = 2 * means[1][k] - means[0][k]
        error = np.sqrt(4 * errors[1][k] ** 2 + errors[0][k] ** 2)
        assert (np.abs(mean - limit) < LIMIT * error).all()
        assert (error < 0.08 * np.sqrt(np.outer(np.diag(limit), np.diag(limit)))).all()


def test_more_channels_in_the_input_than_hidden_ones():
    check(tg.parse("res(dense) dense"), (12,), 8, 8000)


@each("finite_inside")
def test_weights_between_hidden_layers(shape, text):
    check(tg.parse(text), shape, *((32, 7000) if len(shape) > 1 else (64, 16000)))


@each("finite_tails")
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


@each("finite_deep")
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
