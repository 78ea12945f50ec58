"""Nyström features: exact where they should be, honest about the rest."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge

from tangency import NNGP, NTK, InputError, KernelRegressor, NystromFeatures
from tangency.learn.lowrank import METHODS

EVERY = pytest.mark.parametrize("method", METHODS)
KERNELS = [
    NTK("dense relu dense relu dense"),
    NNGP("dense erf dense"),
    2.0 * NTK("dense relu dense", normalize=True) + NNGP("dense gelu dense"),
]


@pytest.fixture
def points(rng):
    return rng.standard_normal((80, 5))


@EVERY
@pytest.mark.parametrize("kernel", KERNELS, ids=["NTK", "NNGP", "sum"])
def test_rows_of_landmarks_are_exact_and_others_projections(kernel, method, points):
    features = NystromFeatures(kernel, 25, method=method, random_state=0)
    F = features.fit_transform(points)
    K, S = kernel(points), features.component_indices_
    assert F.shape == (80, 25)
    np.testing.assert_array_equal(features.components_, points[S])
    np.testing.assert_allclose(F @ F[S].T, K[:, S], rtol=0, atol=1e-9)
    projected = K[:, S] @ np.linalg.solve(K[np.ix_(S, S)], K[S])
    np.testing.assert_allclose(F @ F.T, projected, rtol=0, atol=1e-9)
    assert features.error_ == pytest.approx(np.trace(K - projected) / np.trace(K), rel=1e-6)


def test_new_samples_follow_the_same_formula(points, rng):
    kernel, new = KERNELS[0], rng.standard_normal((30, 5))
    features = NystromFeatures(kernel, 20, random_state=0).fit(points)
    S = features.components_
    expected = kernel(new, S) @ np.linalg.solve(kernel(S), kernel(S, points))
    found = features.transform(new) @ features.transform(points).T
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_a_linear_model_on_all_landmarks_is_kernel_regression(points, rng):
    y, new = rng.standard_normal(80), rng.standard_normal((10, 5))
    features = NystromFeatures(KERNELS[0], 80).fit(points)
    linear = Ridge(alpha=0.3).fit(features.transform(points), y)
    exact = KernelRegressor(KERNELS[0], alpha=0.3).fit(points, y)
    # Ridge centres features as well as targets, so the ridge pulls elsewhere; without, they agree
    linear = Ridge(alpha=0.3, fit_intercept=False).fit(features.transform(points), y - y.mean())
    predicted = linear.predict(features.transform(new)) + y.mean()
    np.testing.assert_allclose(predicted, exact.predict(new), rtol=0, atol=1e-8)


def test_images_and_the_same_as_rows():
    images = load_digits().images[:120, ..., None] / 16
    kernel = NTK("conv3 relu gauss2 conv3 relu gap dense", input_shape=(8, 8, 1))
    features = NystromFeatures(kernel, 40, random_state=0)
    F = features.fit_transform(images)
    assert features.components_.shape == (40, 8, 8, 1)
    assert features.n_features_in_ == 64
    rows = images.reshape(120, -1)
    np.testing.assert_array_equal(
        NystromFeatures(kernel, 40, random_state=0).fit_transform(rows), F
    )
    with pytest.raises(InputError, match=r"samples of shape \(8, 4, 2\)"):
        features.transform(images.reshape(120, 8, 4, 2))


def test_kernels_that_are_plain_functions(points):
    def gaussian(X, Y):
        return np.exp(-0.5 * np.square(X[:, None] - Y[None]).sum(axis=-1))

    features = NystromFeatures(gaussian, 80)
    F = features.fit_transform(points)
    np.testing.assert_allclose(F @ F.T, gaussian(points, points), atol=1e-9)


def test_the_error_estimate_is_the_error(points):
    K = KERNELS[0](points)
    true, estimated = [], []
    for seed in range(30):
        features = NystromFeatures(KERNELS[0], 15, method="uniform", random_state=seed)
        F = features.fit_transform(points)
        true.append(np.linalg.norm(K - F @ F.T) / np.linalg.norm(K))
        estimated.append(features.frobenius_error_)
    assert np.corrcoef(true, estimated)[0, 1] > 0.5
    assert np.mean(estimated) == pytest.approx(np.mean(true), rel=0.05)


def test_the_error_is_zero_with_every_sample_a_landmark(points):
    features = NystromFeatures(KERNELS[0], 80).fit(points)
    assert features.error_ < 1e-12
    assert features.frobenius_error_ < 1e-12


def test_residuals_tell_what_the_features_do_not_know(points):
    crowd = 0.1 * points + 1
    features = NystromFeatures(KERNELS[0], 20, random_state=0).fit(crowd)
    stranger = np.array([[5.0, -5.0, 5.0, -5.0, 0.0]])
    known, unknown = features.residual(crowd), features.residual(stranger)
    assert known.max() < 0.1 < 0.5 < unknown[0] <= 1
    K = KERNELS[0].diag(crowd)
    assert known @ K / K.sum() == pytest.approx(features.error_, rel=1e-6)
    np.testing.assert_array_equal(features.residual(np.zeros((1, 5))), [0.0])


def test_copies_give_fewer_features_than_asked_for():
    X = np.repeat(np.random.default_rng(0).standard_normal((6, 3)), 5, axis=0)
    features = NystromFeatures(NTK("dense relu dense"), 25, random_state=0)
    F = features.fit_transform(X)
    assert F.shape == (30, 6)
    assert len(features.get_feature_names_out()) == 6
    np.testing.assert_allclose(F @ F.T, NTK("dense relu dense")(X), atol=1e-10)


@EVERY
def test_few_of_the_samples_can_be_looked_at(points, method):
    asked = []

    def kernel(X, Y):
        asked.append(len(X) * len(Y))
        return KERNELS[0](X, Y)

    options = {"method": method, "random_state": 0}
    features = NystromFeatures(kernel, 10, max_samples=30, **options).fit(points)
    assert len(set(features.component_indices_)) == 10
    np.testing.assert_array_equal(features.components_, points[features.component_indices_])
    everything = NystromFeatures(kernel, 10, max_samples=None, **options).fit(points)
    assert set(everything.component_indices_) != set(features.component_indices_)
    assert features.transform(points).shape == (80, 10)


def test_the_kernel_matrix_is_never_computed_whole(points):
    asked = []

    def kernel(X, Y):
        asked.append((len(X), len(Y)))
        return KERNELS[1](X, Y)

    X = np.tile(points, (20, 1)) * np.linspace(1, 2, 1600)[:, None]
    NystromFeatures(kernel, 24, random_state=0).fit(X)
    assert sum(a * b for a, b in asked if a == 1600) == 1600 * (24 + 32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "best"}, "method must be one of rpcholesky, uniform, leverage; got 'best'"),
        ({"kernel": "precomputed"}, 'no "precomputed" matrix; pass a kernel'),
        ({"kernel": 3}, "kernel=3 is not a kernel"),
        ({"max_samples": 0}, "max_samples must be a whole number of at least 1, got 0"),
    ],
)
def test_bad_parameters_are_refused(change, message, points):
    with pytest.raises(InputError, match=message):
        NystromFeatures(**change).fit(points)


def test_a_kernel_of_zeros_has_no_features():
    with pytest.raises(InputError, match="zero for every sample"):
        NystromFeatures().fit(np.zeros((3, 2)))


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_the_error_does_not_depend_on_the_scale(scale):
    X = np.random.default_rng(0).normal(size=(40, 3))
    kernel = NTK("dense relu dense")
    once = NystromFeatures(kernel, n_components=5, random_state=0).fit(X)
    again = NystromFeatures(kernel, n_components=5, random_state=0).fit(scale * X)
    assert once.frobenius_error_ > 0.01
    np.testing.assert_allclose(again.frobenius_error_, once.frobenius_error_, rtol=1e-10)
