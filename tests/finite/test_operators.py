"""The operator against the matrix."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import cg

from tangency import InputError
from tangency.finite import empirical_ntk, ntk_operator
from torch_modules import MODULES, made


def matrix(module, x, y=None):
    full = empirical_ntk(module, x, y, outputs="full").numpy()
    n, m, q, _ = full.shape
    return full.transpose(0, 2, 1, 3).reshape(n * q, m * q)


@pytest.mark.parametrize("name", MODULES)
def test_products(name):
    module, x = made(name)
    rng = np.random.default_rng(0)
    k = matrix(module, x[:3], x[3:])
    operator = ntk_operator(module, x[:3], x[3:])
    assert operator.shape == k.shape
    v, w = rng.standard_normal(k.shape[1]), rng.standard_normal(k.shape[0])
    np.testing.assert_allclose(operator @ v, k @ v, rtol=1e-9)
    np.testing.assert_allclose(operator.rmatvec(w), k.T @ w, rtol=1e-9)
    np.testing.assert_allclose(operator @ np.eye(k.shape[1]), k, rtol=1e-9, atol=1e-12)


def test_conjugate_gradients():
    module, x = made("convolutional")
    k = matrix(module, x)
    target = np.random.default_rng(0).standard_normal(len(k))
    found, failed = cg(ntk_operator(module, x, ridge=0.1), target, rtol=1e-12)
    assert failed == 0
    np.testing.assert_allclose(found, np.linalg.solve(k + 0.1 * np.eye(len(k)), target), rtol=1e-8)


def test_little_memory_and_single_precision():
    module, x = made("dense", dtype=torch.float32)
    operator = ntk_operator(module, x, max_memory=30_000)
    assert operator.dtype == np.float32
    v = np.ones(15, dtype=np.float32)
    np.testing.assert_allclose(operator @ v, matrix(module, x) @ v, rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"ridge": -1.0}, "at least 0"), ({"ridge": 1.0, "Y": np.ones((1, 5))}, "leave out Y")],
)
def test_bad_ridges(options, message):
    module, x = made("dense")
    with pytest.raises(InputError, match=message):
        ntk_operator(module, x, **options)


def test_absurd_vectors_and_limits_are_told():
    module, X = torch.nn.Linear(3, 1), np.ones((2, 3), np.float32)
    with pytest.raises(InputError, match="the vector must be numbers"):
        ntk_operator(module, X).matvec(np.array(["a", None], dtype=object))
    with pytest.raises(InputError, match="max_memory must be a number of bytes"):
        ntk_operator(module, X, max_memory=float("inf"))


def test_vectors_of_any_layout():
    module, x = made("convolutional")
    operator = ntk_operator(module, x)
    vector = np.arange(float(operator.shape[1]))
    fixed = vector.copy()
    fixed.flags.writeable = False
    for same in (vector[::-1].copy()[::-1], vector.astype(">f8"), fixed):
        assert np.array_equal(operator @ same, operator @ vector)
