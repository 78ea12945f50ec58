"""Losses against automatic differentiation, and targets that do not fit."""

import numpy as np
import pytest

import tangency as tg

torch = pytest.importorskip("torch")

from tangency.finite.losses import LOSSES, as_targets, find_loss  # noqa: E402


def values(n=5, outputs=3):
    return torch.randn(n, outputs, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@pytest.fixture(params=LOSSES)
def loss(request):
    return find_loss(request.param)


def targets(loss, f):
    y = np.arange(len(f)) % 3 if loss.name == "cross_entropy" else np.cos(f.numpy())
    return as_targets(y, f.shape, loss, f)


def test_values_are_those_of_pytorch():
    f = values()
    classes = torch.arange(5) % 3
    entropy = torch.nn.functional.cross_entropy(f, classes, reduction="sum")
    chosen = find_loss("cross_entropy")
    assert torch.isclose(chosen.value(f, targets(chosen, f)), entropy, rtol=1e-12)
    squared = torch.nn.functional.mse_loss(f, torch.cos(f), reduction="sum") / 2
    chosen = find_loss("squared")
    assert torch.isclose(chosen.value(f, torch.cos(f)), squared, rtol=1e-12)


def test_gradients(loss):
    f = values().requires_grad_()
    y = targets(loss, f.detach())
    (expected,) = torch.autograd.grad(loss.value(f, y), f)
    torch.testing.assert_close(loss.gradient(f, y).detach(), expected)


def test_no_curvature_is_above_the_bound(loss):
    # Two equal outputs far above the third reach the bound 1/2 of cross-entropy.
    f = torch.tensor([[20.0, 20.0, -20.0]], dtype=torch.float64)
    y = targets(loss, f)
    hessian = torch.autograd.functional.hessian(lambda g: loss.value(g, y), f).reshape(3, 3)
    assert torch.linalg.eigvalsh(hessian)[-1] == pytest.approx(loss.curvature, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "y", "message"),
    [
        ("squared", np.zeros(4), r"shape \(5, 3\).* got float64 of shape \(4,\)"),
        ("squared", np.full((5, 3), np.nan), "y holds NaN"),
        ("squared", np.array(["a"] * 5), r"<U1 of shape \(5,\)"),
        ("cross_entropy", np.arange(5), "below the 3 outputs.* from 0 to 4"),
        ("cross_entropy", np.zeros(5), "classes numbered from 0.* got float64"),
        ("cross_entropy", -np.ones(5, int), "from -1 to -1"),
    ],
)
def test_targets_that_do_not_fit(name, y, message):
    with pytest.raises(tg.InputError, match=message):
        as_targets(y, torch.Size((5, 3)), find_loss(name), torch.zeros(1))


def test_an_unknown_loss():
    with pytest.raises(tg.InputError, match="loss must be squared or cross_entropy, got 'hinge'"):
        find_loss("hinge")


@pytest.mark.parametrize("dtype", [np.longdouble, ">f8", np.ulonglong, np.float16, bool])
def test_targets_of_types_that_pytorch_lacks(dtype):
    f = torch.zeros(2, 1)
    found = as_targets(np.array([1, 0]).astype(dtype), f.shape, find_loss("squared"), f)
    assert found.dtype == f.dtype
    assert found.tolist() == [[1.0], [0.0]]
