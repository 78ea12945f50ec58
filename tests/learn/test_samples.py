from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from tangency import NTK, KernelRegressor
from tangency.errors import InputError
from traced import traced

IMAGES = NTK("conv3 relu gap dense")


def images(n=6, dtype=np.float64):
    return np.random.default_rng(2).random((n, 4, 3, 2)).astype(dtype)


def test_images_count_their_values_as_features():
    model = KernelRegressor(IMAGES, alpha=0.1).fit(images(), np.arange(6.0))
    assert model.n_features_in_ == 24
    assert model.predict(images(2)).shape == (2,)
    np.testing.assert_array_equal(model.X_fit_, images())


def test_rows_and_images_are_the_same_with_an_input_shape():
    rows = images().reshape(6, -1)
    flat = KernelRegressor(NTK("conv3 relu gap dense", input_shape=(4, 3, 2)), alpha=0.1)
    grid = KernelRegressor(IMAGES, alpha=0.1).fit(images(), np.arange(6.0))
    np.testing.assert_array_equal(
        flat.fit(rows, np.arange(6.0)).predict(rows), grid.predict(images())
    )


@pytest.mark.parametrize("given", [(5, 24), (5, 3, 4, 2), (5, 4, 3), (5, 4, 3, 2, 1)])
def test_samples_of_another_shape_are_refused(given):
    model = KernelRegressor(IMAGES, alpha=0.1).fit(images(), np.arange(6.0))
    with pytest.raises(InputError, match=r"fitted on samples of shape \(4, 3, 2\)"):
        model.predict(np.zeros(given))


def test_images_after_rows_are_refused():
    model = KernelRegressor(alpha=0.1).fit(np.eye(4), np.arange(4.0))
    with pytest.raises(InputError, match=r"samples of shape \(2, 2\).*shape \(4,\)"):
        model.predict(np.zeros((3, 2, 2)))


def test_a_fit_on_images_forgets_the_names_of_a_table():
    pandas = pytest.importorskip("pandas")
    model = KernelRegressor(alpha=0.1).fit(
        pandas.DataFrame(np.eye(3), columns=["a", "b", "c"]), [1.0, 2.0, 3.0]
    )
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    model.set_params(kernel=IMAGES).fit(images(), np.arange(6.0))
    assert not hasattr(model, "feature_names_in_")


def test_later_changes_of_the_data_do_not_change_the_model():
    X = images()
    model = KernelRegressor(IMAGES, alpha=0.1).fit(X, np.arange(6.0))
    before = model.predict(images())
    X[:] = 0.0
    np.testing.assert_array_equal(model.predict(images()), before)


def test_bytes_are_read_as_numbers():
    model = KernelRegressor(IMAGES, alpha=0.1).fit((images() * 255).astype(np.uint8), np.arange(6))
    assert model.X_fit_.dtype == np.float64
    assert model.X_fit_.max() > 1.0


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.full((3, 2), np.nan), "NaN"),
        (np.full((3, 2, 2, 1), np.inf), "infinity"),
        (np.zeros((0, 4)), "0 sample"),
        (np.zeros((0, 4, 4, 1)), "0 sample"),
        (np.zeros(3), "Reshape your data"),
        (np.zeros((3, 2), dtype=complex), "Complex data not supported"),
        ([[1.0, 2.0], [1.0]], "inhomogeneous"),
        (sparse.eye(3), "Sparse data was passed"),
        (np.array([["a", "b"]] * 3), "string"),
    ],
)
def test_bad_samples_are_refused(bad, message):
    kernel = IMAGES if getattr(bad, "ndim", 2) == 4 else None
    with pytest.raises((ValueError, TypeError), match=message):
        KernelRegressor(kernel, alpha=0.1).fit(bad, np.arange(3.0))


def test_numbers_of_samples_and_targets_must_agree():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        KernelRegressor(IMAGES, alpha=0.1).fit(images(), np.arange(5.0))
    with pytest.raises(ValueError, match="Input y contains NaN"):
        KernelRegressor(IMAGES, alpha=0.1).fit(images(), np.full(6, np.nan))


def test_a_precomputed_matrix_must_be_square():
    with pytest.raises(InputError, match=r"needs K\(X, X\), a square matrix.*\(3, 2\)"):
        KernelRegressor("precomputed", alpha=0.1).fit(np.ones((3, 2)), np.arange(3.0))


@pytest.mark.parametrize("solver", ["cholesky", "eigh", "cg", "nystrom"])
def test_a_precomputed_matrix_is_read_only_to_the_fit(solver):
    """Solvers that overwrite a matrix take a copy of it, once; the others take none."""
    X = np.random.default_rng(0).standard_normal((1000, 3))
    matrix, y = NTK("dense relu dense")(X), np.arange(1000.0)
    matrix.flags.writeable = False
    before = matrix.copy()
    model = KernelRegressor("precomputed", alpha=1.0, solver=solver).fit(matrix[:50, :50], y[:50])
    _, peak = traced(lambda: model.fit(matrix, y))
    np.testing.assert_array_equal(matrix, before)
    if solver == "cholesky":
        # the copy, and blocks of 1,024 rows on the way
        assert peak < 3.2 * matrix.nbytes
    if solver == "cg":
        # blocks of 1,024 rows where it is looked at for symmetry
        assert peak < 2.2 * matrix.nbytes


def test_torch_tensors_are_taken():
    torch = pytest.importorskip("torch")
    model = KernelRegressor(IMAGES, alpha=0.1).fit(torch.tensor(images()), np.arange(6.0))
    reference = KernelRegressor(IMAGES, alpha=0.1).fit(images(), np.arange(6.0))
    np.testing.assert_array_equal(
        model.predict(torch.tensor(images())), reference.predict(images())
    )
