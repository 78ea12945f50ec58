"""Leave-one-out in closed form against leaving one out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tangency import NTK
from tangency.learn.cholesky import solve_ridge
from tangency.learn.grams import as_train_gram, train_gram
from tangency.learn.loo import alpha_grid, choose_alpha, loo_residuals, spectral_residuals
from tangency.learn.spectrum import decompose


def brute_force(matrix, targets, alpha, *, center, rcond=1e-10):
    """Fit n times without one sample each; α = 0 by the pseudo-inverse."""
    residuals = np.empty_like(targets)
    for i in range(len(targets)):
        rest = np.arange(len(targets)) != i
        mean = targets[rest].mean(axis=0) if center else 0.0
        system = matrix[np.ix_(rest, rest)] + alpha * np.eye(rest.sum())
        inverse = np.linalg.pinv(system, rcond=rcond, hermitian=True)
        prediction = mean + matrix[i, rest] @ inverse @ (targets[rest] - mean)
        residuals[i] = targets[i] - prediction
    return residuals


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("alpha", [1e-3, 0.1, 10.0])
def test_both_solvers_equal_brute_force(kernel, vectors, alpha, center):
    rng = np.random.default_rng(3)
    targets = rng.standard_normal((14, 3)) + 5.0
    residual = targets - targets.mean(axis=0) if center else targets
    expected = brute_force(kernel(vectors), targets, alpha, center=center)
    spectral = spectral_residuals(
        decompose(train_gram(kernel, vectors)), residual, alpha, centred=center
    )
    np.testing.assert_allclose(spectral, expected, rtol=1e-10, atol=1e-10)
    solved = solve_ridge(train_gram(kernel, vectors), residual, alpha)
    assert solved is not None
    cholesky = loo_residuals(
        solved.dual, solved.inverse_ones, solved.inverse_diagonal, residual, centred=center
    )
    np.testing.assert_allclose(cholesky, expected, rtol=1e-10, atol=1e-10)


def test_one_hot_targets_of_a_class_with_one_member(kernel, vectors):
    targets = np.eye(3)[[0] * 7 + [1] * 6 + [2]]
    found = spectral_residuals(
        decompose(train_gram(kernel, vectors)), targets - targets.mean(axis=0), 0.05, centred=True
    )
    expected = brute_force(kernel(vectors), targets, 0.05, center=True)
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("center", [True, False])
def test_the_interpolant_of_a_regular_matrix(kernel, vectors, center):
    targets = np.sin(vectors[:, :2]) + 1.0
    residual = targets - targets.mean(axis=0) if center else targets
    found = spectral_residuals(
        decompose(train_gram(kernel, vectors)), residual, 0.0, centred=center
    )
    np.testing.assert_allclose(
        found, brute_force(kernel(vectors), targets, 0.0, center=center), atol=1e-9
    )


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize(
    "points",
    [
        np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-1.0, 0.3]]),  # a copy
        np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-1.0, 0.3]]),  # a zero
    ],
)
def test_the_interpolant_of_a_singular_matrix_is_the_limit_of_small_ridges(points, center):
    matrix = points @ points.T + (points @ points.T) ** 2  # rank at most 5
    targets = np.array([[1.0], [3.0], [2.0], [0.0], [-1.0]])
    residual = targets - targets.mean(axis=0) if center else targets
    spectrum = decompose(as_train_gram(matrix, "precomputed", None))
    assert spectrum.rank == 4
    np.testing.assert_allclose(
        spectral_residuals(spectrum, residual, 0.0, centred=center),
        brute_force(matrix, targets, 0.0, center=center),
        atol=1e-9,
    )


def test_copies_are_predicted_by_each_other():
    matrix = np.ones((2, 2))
    found = spectral_residuals(
        decompose(as_train_gram(matrix, "precomputed", None)),
        np.array([[1.0], [4.0]]),
        0.0,
        centred=False,
    )
    np.testing.assert_allclose(found, [[-3.0], [3.0]], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 9), st.integers(0, 10**6), st.floats(-4, 3), st.booleans())
def test_the_closed_form_is_a_law(size, seed, exponent, center):
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal((size, 4))
    targets = rng.standard_normal((size, 1)) + 1.0
    alpha = 10.0**exponent
    kernel = NTK("dense relu dense")
    residual = targets - targets.mean(axis=0) if center else targets
    found = spectral_residuals(
        decompose(train_gram(kernel, samples)), residual, alpha, centred=center
    )
    expected = brute_force(kernel(samples), targets, alpha, center=center, rcond=1e-15)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def mean_square(residuals):
    return float(np.mean(residuals**2))


def test_the_choice_is_the_smallest_loss_of_all(kernel, vectors):
    targets = vectors[:, :1] ** 2
    residual = targets - targets.mean(axis=0)
    alphas = np.array([1e-4, 1e-2, 1.0, 100.0])
    spectrum = decompose(train_gram(kernel, vectors))
    alpha, losses = choose_alpha(spectrum, residual, alphas, mean_square, centred=True)
    expected = [mean_square(brute_force(kernel(vectors), targets, a, center=True)) for a in alphas]
    np.testing.assert_allclose(losses, expected, rtol=1e-9)
    assert alpha == alphas[np.argmin(expected)]


def test_ties_go_to_the_larger_alpha(kernel, vectors):
    spectrum = decompose(train_gram(kernel, vectors))
    alphas = np.array([0.1, 1.0, 10.0])
    constant = np.zeros((14, 1))
    assert choose_alpha(spectrum, constant, alphas, mean_square, centred=True)[0] == 10.0
    assert choose_alpha(spectrum, constant, alphas, lambda _: 0.25, centred=True)[0] == 10.0


@pytest.mark.parametrize("size", [2, 50, 1797])
@pytest.mark.parametrize("scale", [1e-3, 40.0])
def test_the_grid_spans_interpolation_to_the_mean(size, scale):
    grid = alpha_grid(scale, 0.0, size)
    assert grid[0] == pytest.approx(1e-8 * scale)
    assert 10**-0.5 * 10 * size * scale < grid[-1] <= 10 * size * scale * (1 + 1e-12)
    np.testing.assert_allclose(grid[1:] / grid[:-1], 10**0.5)


def test_the_grid_stays_above_the_noise():
    assert alpha_grid(1.0, 0.01, 10)[0] > 0.01
    assert len(alpha_grid(1.0, 1e9, 10)) == 1
    assert alpha_grid(0.0, 0.0, 10)[0] == pytest.approx(1e-8)  # the zero kernel
