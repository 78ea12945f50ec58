"""Random networks of finite width: the covariance of their outputs, an oracle without recursion.

Each test draws many networks, averages f(x)f(y) over them and over the channels of the output and
compares with the NNGP kernel in units of the standard error. Channels of a network are not
independent at finite width, networks are, so the error is measured over networks. The tangent
kernel comes from the same networks in PyTorch, through their Jacobians.
"""

import numpy as np
import pytest

import oracle
import tangency as tg
from cases import each

torch = pytest.importorskip("torch")

# The mean is biased by O(1/width); 128 keeps that below the standard errors used here.
WIDTH = 128


def correlate(x, patch, stride, padding):
    """Patches (positions, patch·channels) of a batch (n, positions, channels), one axis."""
    n, size, _ = x.shape
    if padding == "same":
        out = -(-size // stride)
        missing = max(0, (out - 1) * stride + patch - size)
        x = np.pad(x, ((0, 0), (missing // 2, missing - missing // 2), (0, 0)))
    out = (x.shape[1] - patch) // stride + 1
    return np.stack(
        [x[:, o * stride : o * stride + patch, :].reshape(n, -1) for o in range(out)], axis=1
    )


class Finite:
    """One draw of a network of one spatial axis or none, applied to a batch."""

    def __init__(self, rng):
        self.rng = rng

    def weights(self, x, w, b, taps=1):
        shape = (x.shape[-1], WIDTH)
        # A layer's variance is averaged over the patch and, past the input, over the channels.
        fan = x.shape[-1] if self.hidden else taps
        theta = self.rng.normal(size=shape) * w / np.sqrt(fan)
        self.hidden = True
        return x @ theta + b * self.rng.normal(size=WIDTH)

    def run(self, net, x):
        self.hidden = False
        return self.layers(net, x)

    def layers(self, net, x):
        for layer in net:
            x = self.layer(layer, x)
        return x

    def layer(self, layer, x):
        if isinstance(layer, tg.Dense):
            return self.weights(x, layer.weight_std, layer.bias_std)
        if isinstance(layer, tg.Conv):
            rows = correlate(x, layer.patch, layer.stride, layer.padding)
            return self.weights(rows, layer.weight_std, layer.bias_std, layer.patch)
        if isinstance(layer, tg.AvgPool):
            parts = [
                x[:, i :: layer.size][:, : x.shape[1] // layer.size] for i in range(layer.size)
            ]
            return sum(parts) / layer.size
        if isinstance(layer, tg.GlobalAvgPool):
            return x.mean(axis=1)
        if isinstance(layer, tg.Flatten):
            return x.reshape(len(x), -1)
        if isinstance(layer, tg.LayerNorm):
            centred = x - x.mean(axis=-1, keepdims=True)
            return centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True))
        if isinstance(layer, tg.Residual):
            cut = x if layer.shortcut is None else self.layers(layer.shortcut, x)
            return self.layers(layer.body, x) + cut
        return layer(x)


@each("sampled")
def test_covariance_of_random_networks(shape, text):
    net, draws = tg.parse(text), 300
    rng = np.random.default_rng(20)
    x = rng.normal(size=(3, *shape))
    x[2] = 0.3 * x[0]
    found = np.empty((draws, 3, 3))
    for i in range(draws):
        f = Finite(rng).run(net, x)
        found[i] = f @ f.T / WIDTH
    error = found.std(axis=0) / np.sqrt(draws)
    z = (found.mean(axis=0) - oracle.NNGP(net)(x)) / error
    assert np.max(np.abs(z)) < 4
    # The power of the test: a variance that is off by an eighth lies outside.
    assert np.max(np.diag(error) / np.diag(oracle.NNGP(net)(x))) < 0.03


def jacobian_gram(text, x, width, seed):
    """Θ of one finite network, by autograd: dense layers only, NTK parametrisation."""
    generator = torch.Generator().manual_seed(seed)
    net, parameters, sizes = tg.parse(text), [], x.shape[-1]
    for index, layer in enumerate(net):
        if isinstance(layer, tg.Dense):
            out = 1 if index == len(net) - 1 else width
            shape = (sizes, out)
            theta = torch.randn(shape, generator=generator, dtype=torch.float64)
            beta = torch.randn(out, generator=generator, dtype=torch.float64)
            parameters += [
                theta.requires_grad_(layer.trainable),
                beta.requires_grad_(layer.trainable),
            ]
            sizes = width

    def forward(z):
        rest = iter(parameters)
        first = True
        for layer in net:
            if isinstance(layer, tg.Dense):
                theta, beta = next(rest), next(rest)
                fan = 1 if first else z.shape[-1]
                z, first = layer.weight_std * fan**-0.5 * (z @ theta) + layer.bias_std * beta, False
            else:
                z = layer(z)
        return z[..., 0]

    wanted = [p for p in parameters if p.requires_grad]
    rows = []
    for row in torch.tensor(x):
        gradients = torch.autograd.grad(forward(row), wanted)
        rows.append(torch.cat([g.reshape(-1) for g in gradients]))
    matrix = torch.stack(rows)
    return (matrix @ matrix.T).numpy()


@pytest.mark.parametrize(
    "text",
    [
        "dense relu dense relu dense",
        "dense:b=0.3 relu dense:w=1.2,b=0.1,frozen erf dense",
        "dense:frozen leaky0.2 dense gelu dense:frozen",
    ],
)
def test_tangent_kernel_of_random_networks(text):
    draws, x = 80, np.random.default_rng(3).normal(size=(3, 4))
    found = np.stack([jacobian_gram(text, x, 128, seed) for seed in range(draws)])
    error = found.std(axis=0) / np.sqrt(draws)
    expected = oracle.NTK(text)(x)
    assert np.max(np.abs(found.mean(axis=0) - expected) / error) < 4
    assert np.max(np.diag(error) / np.diag(expected)) < 0.045
