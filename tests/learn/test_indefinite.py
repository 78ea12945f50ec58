"""Matrices that are no kernel's, in every solver and in Nyström features."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.datasets import load_iris
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel

from tangency import NTK, GaussianProcess, InputError, KernelClassifier, KernelRegressor
from tangency.learn import NystromFeatures
from tangency.learn.solvers import CG, Nystrom
from tangency.matrix.indefinite import (
    largest_partners,
    psd_tolerance,
    require_diagonal,
    require_pairs,
    require_psd_products,
    sample_of,
)

X, LABELS = load_iris(return_X_y=True)
D = cdist(X, X)
KERNEL = rbf_kernel(X)
SOLVERS = ["auto", "cholesky", "eigh", "cg", "nystrom", CG(precondition="none"), Nystrom(20)]


def hollow():
    zeroed = KERNEL.copy()
    np.fill_diagonal(zeroed, 0.0)
    return zeroed


def one_hole():
    zeroed = KERNEL.copy()
    zeroed[5, 5] = 0.0
    return zeroed


MATRICES = {
    "distances": D,
    "squares": D**2,
    "minus distances": -D,
    "minus squares": -(D**2),
    "distances and a ridge": D + np.eye(150),
    "hollow": hollow(),
    "one zero on the diagonal": one_hole(),
    "minus a kernel": -KERNEL,
    "sigmoid": np.tanh(0.05 * X @ X.T - 1.0),
    "a large diagonal": D + D.max() * np.eye(150),
}


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
@pytest.mark.parametrize("alpha", [0.1, 1e4])
@pytest.mark.parametrize("name", MATRICES)
def test_no_solver_takes_what_no_kernel_has(name, alpha, solver):
    model = KernelClassifier("precomputed", alpha=alpha, solver=solver)
    with pytest.raises(InputError, match=r"not positive semidefinite|has a negative entry"):
        model.fit(MATRICES[name], LABELS)


@pytest.mark.parametrize("solver", ["eigh", "cg", "nystrom"])
def test_the_choice_among_alphas_does_not_hide_it(solver):
    with pytest.raises(InputError, match=r"pass K\(X, X\) itself, not a distance matrix"):
        KernelRegressor("precomputed", solver=solver).fit(D, X[:, 0])


@pytest.mark.parametrize("solver", ["cholesky", "eigh", "cg", "nystrom"])
def test_an_asymmetric_matrix_is_refused(solver):
    skew = KERNEL + 0.1 * np.triu(np.ones((150, 150)), 1)
    with pytest.raises(InputError, match=r"not symmetric: K and its transpose differ by 0\.1"):
        KernelRegressor("precomputed", alpha=10.0, solver=solver).fit(skew, X[:, 0])


FUNCTIONS = {
    "distances": (cdist, "not positive semidefinite"),
    "minus squares": (lambda a, b: -(cdist(a, b) ** 2), "not positive semidefinite"),
    "asymmetric": (lambda a, b: a @ np.triu(np.ones((4, 4))) @ b.T, "not symmetric"),
    "indefinite": (lambda a, b: a @ np.diag([1.0, 1, 1, -1]) @ b.T, "not positive semidefinite"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    "model",
    [
        KernelRegressor(alpha=1e4, solver="cg"),
        KernelRegressor(alpha=1e4, solver=Nystrom(10)),
        KernelRegressor(alpha=1e4, solver=Nystrom(10, "leverage")),
        KernelRegressor(alpha=1e4, solver="cholesky"),
        NystromFeatures(n_components=10, random_state=0),
        NystromFeatures(n_components=10, method="leverage", random_state=0),
        NystromFeatures(n_components=10, max_samples=50, random_state=0),
        GaussianProcess(noise=1e4),
    ],
    ids=str,
)
def test_functions_that_are_no_kernels_are_refused(name, model):
    function, message = FUNCTIONS[name]
    with pytest.raises(InputError, match=message):
        model.set_params(kernel=function).fit(X, X[:, 0])


@pytest.mark.parametrize("kernel", [rbf_kernel, polynomial_kernel, NTK("dense relu dense")])
@pytest.mark.parametrize("scale", [1e-6, 1e5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kernels_are_taken_whatever_their_scale(kernel, scale, dtype):
    rows = X.astype(dtype)
    rows[3], rows[4] = 0.0, rows[7]  # a zero and a copy
    matrix = (scale * np.asarray(kernel(rows, rows))).astype(dtype)
    for solver in ("cg", "nystrom"):
        model = KernelRegressor("precomputed", alpha=scale, solver=solver)
        assert np.isfinite(model.fit(matrix, X[:, 0]).loo_score_)
    as_function = KernelRegressor(lambda a, b: kernel(a, b), alpha=1.0, solver="cg")
    assert np.isfinite(as_function.fit(rows, X[:, 0]).loo_score_)
    assert NystromFeatures(lambda a, b: kernel(a, b), 20, random_state=0).fit(rows).error_ < 1


def test_what_was_seen_is_named():
    with pytest.raises(
        InputError,
        match=r"150 x 150.*K\[\d+, \d+\] = 7\.09 beside K\[\d+, \d+\] = 0 and K.* at most -7\.09",
    ):
        KernelRegressor("precomputed", alpha=1.0, solver="cg").fit(D, X[:, 0])
    with pytest.raises(InputError, match=r"K\[2, 2\] = -1"):
        require_diagonal(np.array([1.0, 1.0, -1.0]), 2.0**-52)


def test_the_tolerance_of_pairs_is_that_of_eigenvalues():
    diagonal = np.array([4.0, 1.0, 2.0])
    partners = largest_partners(diagonal, 2.0**-52)
    tolerance = psd_tolerance(7.0, 3, 2.0**-52)
    for i, j in ((0, 1), (1, 2)):
        shifted = np.diag(diagonal + tolerance)[np.ix_([i, j], [i, j])]
        shifted[0, 1] = shifted[1, 0] = partners[i] * partners[j]
        assert abs(np.linalg.eigvalsh(shifted)[0]) < 1e-12
    block = np.diag(diagonal)
    block[1, 2] = 2.0
    with pytest.raises(InputError, match=r"K\[1, 2\] = 2 "):
        require_pairs(block, np.arange(3), np.arange(3), diagonal, partners)


def test_products_find_a_negative_direction_among_many(rng):
    """One eigenvalue of -0.02 among 400 up to 100: no pair shows it, nor a part of the rows."""
    basis, _ = np.linalg.qr(rng.standard_normal((400, 400)))
    values = np.concatenate([[-0.02], np.logspace(-3, 2, 399)])
    matrix = (basis * values) @ basis.T
    diagonal = np.diagonal(matrix).copy()
    top = basis[:, 200:] * np.sqrt(values[200:])
    with pytest.raises(InputError, match=r"smallest eigenvalue is at most -0\.0"):
        require_psd_products(
            lambda v: matrix @ v, lambda v: top @ (top.T @ v), diagonal, 2.0**-52, 0
        )
    good = (basis * np.abs(values)) @ basis.T
    for left_over in (lambda v: top @ (top.T @ v), lambda v: 0 * v):
        assert require_psd_products(lambda v: good @ v, left_over, diagonal, 2.0**-52, 0) == 8


def test_products_of_a_small_or_empty_matrix(rng):
    for matrix in (np.zeros((5, 5)), np.eye(5), np.ones((1, 1)), np.ones((20, 20))):
        diagonal = np.diagonal(matrix).copy()
        require_psd_products(lambda v, m=matrix: m @ v, lambda v: 0 * v, diagonal, 2.0**-52, 0)


def test_a_sample_is_all_of_few_rows_and_some_of_many():
    np.testing.assert_array_equal(sample_of(10), np.arange(10))
    some = sample_of(1000)
    assert len(some) == len(set(some)) == 256
    np.testing.assert_array_equal(some, sample_of(1000))
