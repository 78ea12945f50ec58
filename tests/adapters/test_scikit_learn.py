"""The adapter for scikit-learn's Gaussian processes, held to scikit-learn and to PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel
from sklearn.model_selection import GridSearchCV

import tangency as tg
from tangency.adapters import SklearnKernel
from tangency.learn.parameters import changed

X = np.random.default_rng(0).standard_normal((14, 3))
Y = np.sin(2 * X[:, 0]) + X[:, 1] ** 2
NET = "dense:w=1.2,b=0.7 erf dense:w=0.8,b=0.3 relu dense"


@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
def test_values_are_those_of_the_kernel(kind):
    kernel = SklearnKernel(kind(NET))
    np.testing.assert_array_equal(kernel(X), kind(NET)(X))
    np.testing.assert_array_equal(kernel(X, X[:5]), kind(NET)(X, X[:5]))
    np.testing.assert_array_equal(kernel.diag(X), kind(NET).diag(X))
    assert not kernel.is_stationary()
    assert kernel.requires_vector_input


def by_torch(kernel, names, x):
    """∂K/∂log θ, one entry of K after the other."""
    logs = [torch.tensor(0.0, dtype=torch.float64, requires_grad=True) for _ in names]
    values = dict(tg.learn.parameters.parameters(kernel))
    inside = {f"net__{n}": values[f"net__{n}"] * s.exp() for n, s in zip(names, logs, strict=True)}
    matrix = changed(kernel, inside)(torch.from_numpy(x))
    rows = [torch.autograd.grad(entry, logs, retain_graph=True) for entry in matrix.ravel()]
    return np.array(rows, dtype=float).reshape(len(x), len(x), len(names))


@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
def test_gradients_are_those_of_pytorch(kind):
    kernel = SklearnKernel(kind(NET))
    matrix, gradient = kernel(X[:5], eval_gradient=True)
    names = [each.name for each in kernel.hyperparameters]
    assert names == ["0__weight_std", "0__bias_std", "2__weight_std", "2__bias_std"]
    wanted = by_torch(kind(NET), names, X[:5])
    # rounding of K over the step 2e-3, and the fourth power of the step
    np.testing.assert_allclose(gradient, wanted, atol=1e-9 * np.abs(matrix).max())


def test_a_gradient_between_two_sets_is_refused_as_in_scikit_learn():
    with pytest.raises(ValueError, match="Gradient can only be evaluated when Y is None"):
        SklearnKernel(NET)(X, X, eval_gradient=True)


def test_theta_are_logarithms_within_bounds():
    kernel = SklearnKernel(
        NET, free=("2__bias_std", "0__weight_std"), free_bounds={"bias_std": (0.1, 2)}
    )
    np.testing.assert_allclose(np.exp(kernel.theta), [0.3, 1.2])
    np.testing.assert_allclose(np.exp(kernel.bounds), [[0.1, 2], [0.01 * 1.2, 100 * 1.2]])


def test_other_values_make_another_kernel_and_leave_the_first():
    kernel = SklearnKernel(tg.NNGP("dense:b=1 erf dense"))
    other = kernel.clone_with_theta(np.log([2.0, 0.5]))
    np.testing.assert_array_equal(other(X), tg.NNGP("dense:w=2,b=0.5 erf dense")(X))
    np.testing.assert_array_equal(kernel(X), tg.NNGP("dense:b=1 erf dense")(X))
    np.testing.assert_array_equal(other.bounds, kernel.bounds)
    assert kernel == clone(kernel) != other
    assert (
        repr(other)
        == "SklearnKernel(NNGP(Sequential(Dense(weight_std=2.0, bias_std=0.5), Erf(), Dense())))"
    )


def test_marks_say_what_is_free_and_zero_starts_at_a_tenth():
    kernel = SklearnKernel("dense:b=? erf dense")
    assert [each.name for each in kernel.hyperparameters] == ["0__bias_std"]
    np.testing.assert_array_equal(kernel(X), tg.NTK("dense:b=0.1 erf dense")(X))
    assert [each.name for each in SklearnKernel("dense erf dense").hyperparameters] == [
        "0__weight_std"
    ]
    assert SklearnKernel(NET, free=()).theta.shape == (0,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kernel": 3}, "expected the kernel of a network, such as NNGP"),
        ({"kernel": tg.NTK(NET) + tg.NTK(NET)}, "Add and multiply what the adapters give"),
        ({"kernel": NET, "free": ("7__bias_std",)}, "no parameter that can be chosen"),
        ({"kernel": NET, "free_bounds": {"bias_std": (1.0, 0.1)}}, "must rise"),
        ({"kernel": NET, "free_bounds": {"bias": (0.1, 1.0)}}, "which is not free"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(tg.InputError, match=message):
        SklearnKernel(**given)


def test_a_regressor_finds_numbers_of_greater_likelihood():
    x = np.random.default_rng(1).standard_normal((40, 2))
    y = np.sin(2 * x[:, 0] + x[:, 1]) + 0.2 * np.random.default_rng(2).standard_normal(40)
    kernel = ConstantKernel() * SklearnKernel(tg.NNGP("dense:b=1 erf dense")) + WhiteKernel(0.1)
    fixed = GaussianProcessRegressor(kernel, optimizer=None).fit(x, y)
    model = GaussianProcessRegressor(kernel).fit(x, y)
    found = model.log_marginal_likelihood_value_
    assert found > fixed.log_marginal_likelihood_value_ + 1
    gradient = model.log_marginal_likelihood(model.kernel_.theta, eval_gradient=True)[1]
    low, high = model.kernel_.bounds.T
    inside = (model.kernel_.theta > low + 1e-3) & (model.kernel_.theta < high - 1e-3)
    assert inside.sum() >= 2
    np.testing.assert_allclose(gradient[inside], 0, atol=1e-2)
    mean, std = model.predict(x[:3], return_std=True)
    assert mean.shape == std.shape == (3,)


def test_a_classifier_and_a_search_take_images_as_rows():
    digits, classes = load_digits(n_class=2, return_X_y=True)
    images = digits[:40] / 16
    kernel = SklearnKernel(tg.NNGP("conv3:b=1 relu flatten dense", input_shape=(8, 8, 1)))
    model = GaussianProcessClassifier(kernel, max_iter_predict=20, optimizer=None)
    grid = {"kernel__kernel__net__0__bias_std": [0.5, 1.0]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(images, classes[:40])
    assert search.best_score_ == 1.0
