from __future__ import annotations

import numpy as np
import pytest

from tangency import NTK
from tangency.errors import InputError
from tangency.learn.grams import as_train_gram, train_gram
from tangency.learn.spectrum import decompose


def precomputed(matrix):
    return as_train_gram(matrix, "precomputed", None)


def test_the_parts_multiply_back_to_the_matrix(kernel, vectors):
    matrix = kernel(vectors)
    spectrum = decompose(train_gram(kernel, vectors))
    again = spectrum.apply(spectrum.values, spectrum.to_basis(np.eye(14)))
    np.testing.assert_allclose(again, matrix, atol=1e-13 * spectrum.values[-1])
    assert spectrum.rank == spectrum.size == 14


def test_eigenvalues_are_ascending_and_never_negative(rng):
    factor = rng.standard_normal((30, 4))
    spectrum = decompose(precomputed(factor @ factor.T))
    assert np.all(np.diff(spectrum.values) >= 0)
    assert spectrum.values[0] >= 0
    assert spectrum.rank == 4


def test_eigenvectors_are_orthogonal_to_working_precision(rng):
    # the leaner LAPACK driver reaches only 1e-11 on such clustered spectra
    samples = rng.standard_normal((300, 60))
    vectors = decompose(train_gram(NTK("dense relu dense"), samples)).vectors
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(300), atol=1e-13)


def test_an_indefinite_matrix_is_refused():
    with pytest.raises(InputError, match=r"not positive semidefinite.*eigenvalue is -1"):
        decompose(precomputed(np.diag([1.0, 2.0, -1.0])))


def test_negative_rounding_raises_the_cutoff():
    noisy = np.diag([1.0, 2.0, -1e-9])
    assert decompose(precomputed(noisy)).cutoff == pytest.approx(1e-9)
    assert decompose(precomputed(noisy)).rank == 2


def test_the_description_gives_rank_and_condition():
    spectrum = decompose(precomputed(np.diag([0.0, 1.0, 4.0])))
    assert spectrum.describe().startswith(
        "rank 2 of 3, eigenvalues from 0 to 4, condition number infinite, noise level"
    )
    assert "condition number 5.0e+00" in spectrum.describe(shift=1.0)
