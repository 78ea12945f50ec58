"""The pages for those who come from other libraries: what they show is so."""

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF, DotProduct

import tangency as tg
from manual import run_examples


def test_from_scikit_learn():
    run_examples("from-scikit-learn.md", 15)


def test_from_gpytorch():
    pytest.importorskip("torch")
    run_examples("from-gpytorch.md", 10)


def test_from_jax():
    pytest.importorskip("torch")
    run_examples("from-jax.md", 6)


def test_the_kernels_of_the_tables():
    x = np.random.default_rng(0).normal(size=(5, 3))
    assert np.allclose(tg.NNGP("dense rbf0.5 dense")(x), RBF(1.0)(x), rtol=1e-12)
    assert np.allclose(tg.NNGP("dense:b=1")(x), DotProduct(1.0)(x), rtol=1e-12)
