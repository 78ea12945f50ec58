from __future__ import annotations

import numpy as np
import pytest

from systems import nystrom_factor
from tangency.learn.solvers.preconditioner import from_factor, no_preconditioner


@pytest.mark.parametrize("alpha", [1e-6, 0.1, 100.0])
def test_it_inverts_f_f_transposed_plus_alpha(matrix, alpha):
    factor = nystrom_factor(matrix, np.arange(40))
    full = factor @ factor.T + alpha * np.eye(len(matrix))
    found = from_factor(factor.copy(), np.diagonal(matrix))
    inverse = np.linalg.inv(full)
    scale = np.abs(inverse).max()
    np.testing.assert_allclose(found.solve(np.eye(len(matrix)), alpha), inverse, atol=1e-6 * scale)
    np.testing.assert_allclose(found.inverse_diagonal(alpha), np.diagonal(inverse), rtol=1e-6)


def test_what_is_left_of_the_diagonal(matrix):
    factor = nystrom_factor(matrix, np.arange(40))
    left = from_factor(factor.copy(), np.diagonal(matrix)).left
    np.testing.assert_allclose(left, np.diagonal(matrix - factor @ factor.T), atol=1e-12)
    assert left[40:].min() > 0


def test_dependent_columns_are_left_out(matrix):
    factor = nystrom_factor(matrix, np.arange(5))
    found = from_factor(np.hstack([factor, factor, 0 * factor]), np.diagonal(matrix) * 3)
    assert len(found.values) == 5
    gram = found.vectors.T @ found.vectors
    np.testing.assert_allclose(gram, np.eye(5), atol=1e-10)


def test_none_is_alpha_times_the_identity():
    found = no_preconditioner(np.ones(3))
    np.testing.assert_array_equal(found.solve(np.eye(3), 0.5), 2 * np.eye(3))
    np.testing.assert_array_equal(found.inverse_diagonal(0.5), [2.0, 2.0, 2.0])
