"""The paper's feature map, built out of vectors: its inner products are the kernels.

φ₀ and φ₁ of finitely many points are the rows of a root of their Gram matrix of κ₀ and κ₁. With
them the map is finite: patches are put side by side, M(x, y)[u] = (φ₀(x[u]) ⊗ y[u], φ₁(x[u])), and
pooling is a matrix. No covariance is followed from layer to layer.
"""

import numpy as np
import pytest

import tangency as tg
from tangency.nets import kappa0, kappa1

SHIFTS = (-1, 0, 1)


def root(gram):
    """Rows with these inner products."""
    values, vectors = np.linalg.eigh(gram)
    return vectors * np.sqrt(np.maximum(values, 0))


def phi(x):
    """(φ₀, φ₁) of all local features x (n, positions, d): (n, positions, features) each."""
    flat = x.reshape(-1, x.shape[-1])
    norms = np.linalg.norm(flat, axis=1)
    cosines = np.clip(flat @ flat.T / np.outer(norms, norms), -1, 1)
    np.fill_diagonal(cosines, 1.0)
    zero, one = root(kappa0(cosines)), norms[:, None] * root(kappa1(cosines))
    return zero.reshape(*x.shape[:2], -1), one.reshape(*x.shape[:2], -1)


def M(x, y):
    zero, one = phi(x)
    product = np.einsum("nui,nuj->nuij", zero, y).reshape(*x.shape[:2], -1)
    return np.concatenate([product, one], axis=2), one


def P(x):
    """Patch extraction: |S|^{-1/2} times the values on the patch, zeros outside."""
    padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
    n = x.shape[1]
    parts = [padded[:, 1 + v : 1 + v + n] for v in SHIFTS]
    return np.concatenate(parts, axis=2) / np.sqrt(len(SHIFTS))


def A(x, matrix):
    return np.einsum("vu,nuf->nvf", matrix, x)


def products(features):
    """Inner products of signals of features: the mean over positions."""
    return np.einsum("nuf,muf->nm", features, features) / features.shape[1]


def agree(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.max(expected))


@pytest.mark.parametrize("depth", [2, 3])
def test_of_vectors(depth):
    """x₁ = y₁ = x, then x_k = φ₁(x_{k−1}), y_k = M(x_{k−1}, y_{k−1})."""
    vectors = np.random.default_rng(0).normal(size=(4, 1, 3))
    x = y = vectors
    for _ in range(depth - 1):
        y, x = M(x, y)
    agree(products(y), tg.NTK(tg.mlp(depth))(vectors[:, 0]))
    agree(products(x), tg.NNGP(tg.mlp(depth))(vectors[:, 0]))


def test_of_signals():
    """x₁ = y₁ = P¹x, then x_k = P^k A^{k−1} φ₁(x_{k−1}), y_k = P^k A^{k−1} M(x_{k−1}, y_{k−1})."""
    rng = np.random.default_rng(1)
    signals, pooling = rng.normal(size=(2, 4, 2)), rng.random(size=(3, 4))
    last = rng.random(size=(2, 3))
    x = y = P(signals)
    y, x = M(x, y)
    x, y = P(A(x, pooling)), P(A(y, pooling))
    y, x = M(x, y)
    net = tg.Sequential(
        tg.Conv(3),
        tg.ReLU(),
        tg.LinearMap(pooling),
        tg.Conv(3),
        tg.ReLU(),
        tg.LinearMap(last),
        tg.Flatten(),
        tg.Dense(),
    )
    agree(products(A(y, last)), tg.NTK(net)(signals))
    agree(products(A(x, last)), tg.NNGP(net)(signals))
