"""Sums, products and multiples of kernels, and kernels as JSON."""

import copy
import json
import pickle

import numpy as np
import pytest
from hypothesis import given

import tangency as tg
from strategies import networks
from tangency.kernels import Product, Scaled, Sum, kernel_from_dict

A, B = tg.NTK("dense relu dense"), tg.NNGP("dense erf dense", normalize=True)
X = np.random.default_rng(0).normal(size=(4, 3))
Y = np.random.default_rng(1).normal(size=(2, 3))

COMBINED = [
    (A + B, lambda a, b: a + b),
    (A * B, lambda a, b: a * b),
    (2 * A, lambda a, b: 2 * a),
    (A * 0.5, lambda a, b: 0.5 * a),
    (0 * A + B, lambda a, b: b),
    (A + 3 * B * A + B, lambda a, b: a + 3 * b * a + b),
]


@pytest.mark.parametrize(("kernel", "formula"), COMBINED)
def test_values(kernel, formula):
    assert np.allclose(kernel(X), formula(A(X), B(X)), rtol=1e-15)
    assert np.allclose(kernel(X, Y), formula(A(X, Y), B(X, Y)), rtol=1e-15)
    assert np.allclose(kernel.diag(X), formula(A.diag(X), B.diag(X)), rtol=1e-15)
    assert np.array_equal(kernel(X), kernel(X).T)
    assert np.linalg.eigvalsh(kernel(X))[0] > -1e-12
    assert np.array_equal(np.diag(kernel.distance(X)), np.zeros(4))


@pytest.mark.parametrize(("kernel", "formula"), COMBINED)
def test_copies_and_json(kernel, formula):
    assert kernel_from_dict(json.loads(json.dumps(kernel.to_dict()))) == kernel
    assert pickle.loads(pickle.dumps(kernel)) == copy.deepcopy(kernel) == kernel
    assert hash(copy.deepcopy(kernel)) == hash(kernel)


def test_types():
    assert isinstance(A + B, Sum)
    assert isinstance(A * B, Product)
    assert isinstance(2 * A, Scaled)


@given(networks())
def test_json_of_any_network_kernel(case):
    net, shape = case
    for kernel in (tg.NTK(net, shape), tg.NNGP(net, normalize=True)):
        assert kernel_from_dict(json.loads(json.dumps(kernel.to_dict()))) == kernel


@pytest.mark.parametrize("factor", [-1, float("nan"), float("inf"), True])
def test_only_factors_that_keep_a_kernel_positive(factor):
    with pytest.raises(tg.InputError, match="multiplied by a number of at least 0, got"):
        factor * A


@pytest.mark.parametrize("other", [1, "k", None])
def test_only_kernels_are_added(other):
    with pytest.raises(TypeError):
        A + other


def test_only_kernels_and_numbers_multiply():
    with pytest.raises(TypeError):
        A * "2"


@pytest.mark.parametrize(
    "data", [{}, {"type": "RBF"}, {"type": "NTK"}, {"type": "Sum", "parts": 3}, 7]
)
def test_what_describes_no_kernel(data):
    with pytest.raises(tg.InputError, match="this does not describe a kernel"):
        kernel_from_dict(data)


def test_custom_functions_cannot_be_saved_as_text():
    body = tg.Sequential(tg.Activation(np.cos), tg.Dense())
    kernel = tg.NTK(tg.Sequential(tg.Dense(), tg.Residual(body), tg.Dense()))
    with pytest.raises(tg.InputError, match="holds a custom function cannot be saved"):
        kernel.to_dict()
    assert tg.NTK("dense activation:function=tanh dense").to_dict()["net"]


def test_sums_and_products_in_loops_stay_flat():
    total, product = A, B
    for _ in range(999):
        total = total + B
    for _ in range(9):
        product = product * A
    assert total.parts == (A,) + 999 * (B,)
    assert product.parts == (B,) + 9 * (A,)
    assert np.allclose(total(X), A(X) + 999 * B(X), rtol=1e-12)
    assert str(pickle.loads(pickle.dumps(total))) == str(total)
    nested = Sum((Sum((A, B)), A))
    assert np.array_equal((A + B + A)(X), nested(X))
    assert Scaled(Sum((A, B)), 2) == (A + B) * 2
