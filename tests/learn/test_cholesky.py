from __future__ import annotations

import numpy as np
import pytest

from tangency.errors import InputError
from tangency.learn.cholesky import inverse_factor, solve_ridge
from tangency.learn.grams import as_train_gram, train_gram


def precomputed(matrix):
    return as_train_gram(matrix, "precomputed", None)


@pytest.mark.parametrize("size", [1, 2, 40, 700])  # 700: more than one block of columns
@pytest.mark.parametrize("alpha", [1e-3, 1.0])
def test_everything_agrees_with_a_plain_solve(size, alpha):
    rng = np.random.default_rng(size)
    factor = rng.standard_normal((size, size))
    matrix = factor @ factor.T / size
    targets = rng.standard_normal((size, 2))
    inverse = np.linalg.inv(matrix + alpha * np.eye(size))
    found = solve_ridge(precomputed(matrix), targets, alpha)
    assert found is not None
    dual = inverse @ targets
    scale = np.abs(inverse).max()
    np.testing.assert_allclose(found.dual, dual, atol=1e-10 * scale)
    np.testing.assert_allclose(found.inverse_ones, inverse.sum(axis=0), atol=1e-10 * scale)
    np.testing.assert_allclose(found.inverse_diagonal, np.diagonal(inverse), rtol=1e-10)
    np.testing.assert_allclose(
        found.kernel_norms, np.einsum("ij,ik,kj->j", dual, matrix, dual), rtol=1e-9
    )


def test_it_works_in_the_memory_of_the_matrix(kernel, vectors):
    gram = train_gram(kernel, vectors)
    before = gram.matrix.copy()
    assert solve_ridge(gram, np.ones((14, 1)), 0.1) is not None
    lower = np.tril_indices(14, -1)
    # C order seen from LAPACK is transposed: the factor's triangle is the upper one here
    assert not np.allclose(gram.matrix.T[lower], before.T[lower])
    np.testing.assert_array_equal(np.tril(gram.matrix), np.tril(before))


@pytest.mark.parametrize("size", [3, 600])
def test_a_failure_leaves_the_matrix_as_it_was(kernel, size):
    gram = train_gram(kernel, np.random.default_rng(1).standard_normal((size, 2)))
    gram.matrix[-1, -1] = -1.0
    before = gram.matrix.copy()
    assert solve_ridge(gram, np.ones((size, 1)), 0.5) is None
    np.testing.assert_array_equal(gram.matrix, before)
    assert inverse_factor(gram.matrix, 0.5) is None
    np.testing.assert_array_equal(gram.matrix, before)


def test_an_indefinite_matrix_is_refused_even_where_alpha_would_hide_it():
    with pytest.raises(InputError, match="not positive semidefinite"):
        solve_ridge(precomputed(np.diag([1.0, -0.1])), np.ones((2, 1)), 5.0)


def test_the_zero_matrix_is_a_kernel():
    found = solve_ridge(precomputed(np.zeros((3, 3))), np.ones((3, 1)), 2.0)
    assert found is not None
    np.testing.assert_allclose(found.dual, 0.5)
    np.testing.assert_array_equal(found.kernel_norms, 0.0)


@pytest.mark.parametrize("size", [4, 600])
def test_the_inverse_factor_inverts_and_gives_the_determinant(size):
    factor = np.random.default_rng(size).standard_normal((size, 2 * size)) / np.sqrt(size)
    matrix = factor @ factor.T
    whitener = inverse_factor(matrix.copy(), 0.2)
    assert whitener is not None
    shifted = matrix + 0.2 * np.eye(size)
    np.testing.assert_allclose(whitener @ whitener.T @ shifted, np.eye(size), atol=1e-10)
    log_det = -2 * np.log(np.diagonal(whitener)).sum()
    assert log_det == pytest.approx(np.linalg.slogdet(shifted)[1], rel=1e-10, abs=1e-10)
