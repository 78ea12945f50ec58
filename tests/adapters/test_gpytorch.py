"""The adapter for GPyTorch, held to the kernels themselves, in its models."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch

import tangency as tg

gpytorch = pytest.importorskip("gpytorch")

from tangency.adapters import GPyTorchKernel  # noqa: E402
from tangency.adapters import gpytorch as module  # noqa: E402

GENERATOR = torch.manual_seed(0)
X = torch.randn(12, 3, dtype=torch.float64, generator=GENERATOR)
Y = torch.sin(2 * X[:, 0]) + X[:, 1] ** 2
NET = "dense:w=1.2,b=0.7 erf dense"


def made(kernel=None, **options):
    return GPyTorchKernel(tg.NNGP(NET) if kernel is None else kernel, **options).double()


def test_the_example_of_the_class_runs():
    failed, tried = doctest.testmod(module)
    assert tried >= 5
    assert failed == 0


@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
def test_values_are_those_of_the_kernel(kind):
    kernel = made(kind(NET))
    with torch.no_grad():
        found = kernel(X).to_dense(), kernel(X, X[:5]).to_dense(), kernel(X, diag=True)
    wanted = kind(NET)(X), kind(NET)(X, X[:5]), kind(NET).diag(X)
    for mine, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-5)  # parameters begin in float32
    np.testing.assert_allclose(found[0], kernel.kernel(X), rtol=1e-12)


def test_batches_of_inputs_are_matrices_one_by_one():
    kernel, batch = made(), torch.stack([X, 2 * X])
    with torch.no_grad():
        found = kernel(batch, X[:4]).to_dense()
        wanted = torch.stack([kernel.kernel(X, X[:4]), kernel.kernel(2 * X, X[:4])])
        pairs = kernel(batch, batch.flip(0), diag=True)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    np.testing.assert_allclose(pairs[0], kernel.kernel(X, 2 * X).diagonal(), rtol=1e-12)
    assert pairs.shape == (2, 12)


def test_networks_with_masks_are_refused():
    """Blocks of K(X) would have other diagonals than K(X) of the same samples."""
    kernel = made("dense:b=0.5 relu res(dense relu dropout0.5 dense) dense")
    with pytest.raises(tg.InputError, match=r"takes no networks with Dropout: .*; leave it out"):
        kernel(X).to_dense()


def test_active_dims_choose_features():
    kernel = made(active_dims=(0, 2))
    with torch.no_grad():
        found = kernel(X).to_dense()
    np.testing.assert_allclose(found, kernel.kernel(X[:, [0, 2]]), rtol=1e-12)


def test_derivatives_in_inputs_and_numbers_are_right():
    kernel = made()
    raws = [raw for _, raw in sorted(kernel.named_parameters())]

    def matrix(x, y, *values):
        for raw, value in zip(raws, values, strict=True):
            raw.data = value.detach()
        pair = dict(zip(sorted(kernel.values), values, strict=True))
        free = {
            n: kernel.constraint_for_parameter_name(f"raw_{n}").transform(v)
            for n, v in pair.items()
        }
        return kernel._open.at(free)(x, y)

    first, second = X[:3].clone().requires_grad_(), X[3:5].clone().requires_grad_()
    given = [raw.detach().clone().requires_grad_() for raw in raws]
    right = torch.autograd.grad(
        matrix(first, second, *given).square().sum(), [first, second, *given]
    )
    found = torch.autograd.grad(
        kernel(first, second).to_dense().square().sum(), [first, second, *raws]
    )
    for mine, wanted in zip(found, right, strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-10)
    step = 1e-5
    moved = [(X[:3] + s * torch.eye(3, dtype=X.dtype)) for s in (step, -step)]
    up, down = (kernel(m, X[3:5]).to_dense().square().sum().item() for m in moved)
    np.testing.assert_allclose((up - down) / (2 * step), found[0].diagonal().sum(), rtol=1e-7)


def test_equal_inputs_keep_the_derivatives_of_each():
    kernel, first, second = made(), X[:4].clone().requires_grad_(), X[:4].clone().requires_grad_()
    weights = torch.arange(16.0, dtype=X.dtype).reshape(4, 4)
    left, right = torch.autograd.grad(
        (weights * kernel(first, second).to_dense()).sum(), [first, second]
    )
    both = X[:4].clone().requires_grad_()
    (whole,) = torch.autograd.grad((weights * kernel(both).to_dense()).sum(), [both])
    np.testing.assert_allclose(left + right, whole, rtol=1e-6, atol=1e-8)
    assert float(right.abs().max()) > 0


class Process(gpytorch.models.ExactGP):
    def __init__(self, likelihood, kernel):
        super().__init__(X, Y, likelihood)
        self.mean_module = gpytorch.means.ConstantMean()
        self.covar_module = gpytorch.kernels.ScaleKernel(kernel)

    def forward(self, x):
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def test_a_process_learns_the_numbers():
    likelihood = gpytorch.likelihoods.GaussianLikelihood()
    model = Process(likelihood, GPyTorchKernel("dense:w=?,b=? erf dense")).double()
    objective = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.2)
    before = {
        name: float(value.detach()) for name, value in model.covar_module.base_kernel.values.items()
    }
    losses = []
    model.train()
    for _ in range(12):
        optimizer.zero_grad()
        loss = -objective(model(X), Y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1
    after = model.covar_module.base_kernel.kernel.net.layers[0]
    assert before == {"0__weight_std": pytest.approx(1.0), "0__bias_std": pytest.approx(0.1)}
    assert after.weight_std != pytest.approx(1.0, abs=1e-2)
    model.eval()
    with torch.no_grad():
        found = likelihood(model(X[:3] + 0.1))
    assert bool((found.stddev > 0).all())


def test_states_are_saved_and_restored():
    kernel = made()
    kernel.initialize(raw_0__bias_std=torch.tensor(0.3))
    other = made()
    other.load_state_dict(kernel.state_dict())
    assert other.kernel == kernel.kernel != made().kernel


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_shape": torch.Size([2])}, "has no batch_shape"),
        ({"ard_num_dims": 3}, "has no ard_num_dims"),
        ({"free": ("1__bias_std",)}, "no parameter that can be chosen"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(tg.InputError, match=message):
        made(**options)
