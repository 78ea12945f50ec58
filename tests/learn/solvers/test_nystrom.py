from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from systems import nystrom_factor
from tangency import InputError, KernelClassifier, KernelRegressor
from tangency.learn import IllConditionedWarning, load
from tangency.learn.solvers import CG, Nystrom


def fitted(kernel, X, y, alpha=0.1, **options):
    return KernelRegressor(kernel, alpha=alpha, **options).fit(X, y)


def test_all_landmarks_give_the_exact_fit(ntk, samples, targets):
    for parameters in ({}, {"alpha": [0.1, 1.0]}, {"alpha": "loo"}, {"center": False}):
        exact = fitted(ntk, samples, targets, solver="eigh", **parameters)
        found = fitted(ntk, samples, targets, solver=Nystrom(500), **parameters)
        assert found.X_fit_.shape == samples.shape
        assert found.alpha_ == pytest.approx(exact.alpha_)
        np.testing.assert_allclose(found.predict(samples), exact.predict(samples), atol=1e-7)
        np.testing.assert_allclose(found.loo_losses_, exact.loo_losses_, rtol=1e-5)
        np.testing.assert_allclose(found.rkhs_norms_, exact.rkhs_norms_, rtol=1e-6)
        assert found.loo_score_ == pytest.approx(exact.loo_score_, rel=1e-6)


@pytest.mark.parametrize("method", ["rpcholesky", "uniform", "leverage"])
@pytest.mark.parametrize("center", [True, False])
def test_it_is_ridge_regression_with_the_approximate_kernel(
    ntk, samples, targets, matrix, method, center
):
    found = fitted(ntk, samples, targets, solver=Nystrom(25, method), center=center)
    assert found.solver_ == "nystrom"
    assert found.X_fit_.shape == (25, 6)
    places = [int(np.flatnonzero((samples == row).all(axis=1))[0]) for row in found.X_fit_]
    factor = nystrom_factor(matrix, np.array(places))
    approximate = factor @ factor.T
    mean = targets.mean(axis=0) * center
    solved = np.linalg.solve(approximate + 0.1 * np.eye(150), targets - mean)
    np.testing.assert_allclose(found.predict(samples), approximate @ solved + mean, atol=1e-7)
    norms = np.sqrt(np.einsum("ij,ij->j", solved, approximate @ solved))
    np.testing.assert_allclose(found.rkhs_norms_, norms, rtol=1e-6)
    # leaving out by hand, with the landmarks as they are
    kept = np.arange(150) != 7
    inner = approximate[np.ix_(kept, kept)] + 0.1 * np.eye(149)
    mean = targets[kept].mean(axis=0) * center
    there = approximate[7, kept] @ np.linalg.solve(inner, targets[kept] - mean) + mean
    given = KernelRegressor("precomputed", alpha=0.1, center=center).fit(approximate, targets)
    assert found.loo_losses_[0] == pytest.approx(given.loo_losses_[0], rel=1e-6)
    assert np.all(np.abs(there - targets[7]) < 10)


def test_gradient_flow_and_no_ridge(ntk, samples, targets):
    y = targets[:, 0]
    flow = KernelRegressor(ntk, training_time=2.0)
    exact = flow.fit(samples, y).predict(samples)
    found = KernelRegressor(ntk, training_time=2.0, solver=Nystrom(150)).fit(samples, y)
    np.testing.assert_allclose(found.predict(samples), exact, atol=1e-7)
    assert found.loo_score_ is None
    least_squares = KernelRegressor(ntk, alpha=0, solver=Nystrom(10)).fit(samples, y)
    rows = ntk(samples, least_squares.X_fit_)
    expected = rows @ np.linalg.lstsq(rows, y - y.mean())[0] + y.mean()
    np.testing.assert_allclose(least_squares.predict(samples), expected, atol=1e-6)
    assert math.isfinite(least_squares.loo_score_)


def test_precomputed_matrices_and_plain_functions(ntk, samples, targets, matrix):
    found = fitted("precomputed", matrix, targets, solver=Nystrom(20))
    assert found.dual_coef_.shape == targets.shape
    assert np.count_nonzero(found.dual_coef_[:, 0]) == 20
    direct = fitted(ntk, samples, targets, solver=Nystrom(20))
    np.testing.assert_allclose(found.predict(matrix), direct.predict(samples), atol=1e-8)
    plain = fitted(rbf_kernel, samples, targets, solver=Nystrom(150))
    exact = fitted(rbf_kernel, samples, targets)
    np.testing.assert_allclose(plain.predict(samples), exact.predict(samples), atol=1e-7)


def test_classification_images_and_saving(tmp_path):
    from tangency import NTK

    rng = np.random.default_rng(0)
    images, y = rng.random((60, 4, 4, 1)).astype(np.float32), np.arange(60) % 3
    images[y == 1, :2] += 1
    images[y == 2, 2:] += 1
    model = KernelClassifier(NTK("conv3 relu gap dense"), solver=Nystrom(15)).fit(images, y)
    assert model.X_fit_.shape == (15, 4, 4, 1)
    assert model.X_fit_.dtype == np.float32
    assert model.score(images, y) > 0.9
    again = load(model.save(tmp_path / "m"))
    np.testing.assert_array_equal(again.decision_function(images), model.decision_function(images))


def test_dependent_landmarks_do_no_harm(ntk, samples, targets):
    X = np.repeat(samples[:20], 3, axis=0)
    y = np.repeat(targets[:20], 3, axis=0)
    found = fitted(ntk, X, y, solver=Nystrom(50, "uniform"))
    exact = fitted(ntk, X, y)
    assert len(found.X_fit_) <= 20
    if len(found.X_fit_) == 20:
        np.testing.assert_allclose(found.predict(X), exact.predict(X), atol=1e-6)


def test_leave_one_out_without_a_ridge_where_all_samples_are_landmarks(ntk, samples, targets):
    for parameters in (
        {"alpha": 0.0},
        {"alpha": [0.0, 1e-3, 0.1]},
        {"alpha": 0.0, "center": False},
    ):
        exact = fitted(ntk, samples, targets, solver="eigh", **parameters)
        found = fitted(ntk, samples, targets, solver=Nystrom(150), **parameters)
        np.testing.assert_allclose(found.loo_losses_, exact.loo_losses_, rtol=1e-4)
        assert found.alpha_ == exact.alpha_
    copies = np.repeat(samples[:40], 2, axis=0)
    y = np.random.default_rng(0).standard_normal(80)
    with pytest.warns(IllConditionedWarning, match=r"drop the 40 sample\(s\)"):
        exact = fitted(ntk, copies, y, alpha=0.0, solver="eigh")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IllConditionedWarning)
        found = fitted(ntk, copies, y, alpha=0.0, solver=Nystrom(80))
    assert found.loo_score_ == pytest.approx(exact.loo_score_, rel=1e-4)


def test_directions_that_are_rounding_are_told(ntk, samples):
    copies = np.repeat(samples[:40].astype(np.float32), 2, axis=0)
    y = np.random.default_rng(0).standard_normal(80)
    with pytest.warns(IllConditionedWarning, match=r"40 of its columns .* as float64") as told:
        fitted(ntk, copies, y, alpha=0.0, solver=Nystrom(80, "uniform"))
    assert told[0].filename == __file__


def test_rejected_candidates_take_no_columns(ntk, samples, targets):
    class Counting:
        columns = 0

        def __call__(self, X, Y):
            if len(X) == len(samples) and len(Y) != len(samples):
                self.columns += len(Y)
            return ntk(X, Y)

    kernel = Counting()
    fitted(kernel, samples, targets, solver=Nystrom(60))
    assert kernel.columns == 120  # and once more, to see whether they are those of a kernel


@pytest.mark.parametrize("solver", [Nystrom(40), CG(rank=40)], ids=["nystrom", "cg"])
def test_a_matrix_that_no_kernel_has_is_refused(samples, targets, solver):
    distances = np.sqrt(np.square(samples[:, None] - samples).sum(axis=2))
    matrix = distances + 1.0 * np.eye(150)
    for kernel, X in (
        ("precomputed", matrix),
        (lambda a, b: np.sqrt(np.square(a[:, None] - b).sum(axis=2)) + (a[:, None] == b).all(2),
         samples),
    ):  # fmt: skip
        with pytest.raises(InputError, match=r"not positive semidefinite .* is at most -"):
            fitted(kernel, X, targets, alpha=36.0, solver=solver)
