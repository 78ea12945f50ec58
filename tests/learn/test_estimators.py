from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.model_selection import train_test_split

from tangency import NNGP, NTK, KernelClassifier, KernelRegressor
from tangency.errors import InputError
from tangency.learn import IllConditionedWarning


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X / 16, y, train_size=300, test_size=300, stratify=y, random_state=0)


def refit_without(model, X, y, i):
    rest = np.arange(len(X)) != i
    return type(model)(model.kernel, alpha=model.alpha_, center=model.center).fit(X[rest], y[rest])


class TestRegressor:
    @pytest.mark.parametrize("outputs", [(), (1,), (3,)])
    def test_ridge_is_the_textbook_formula(self, kernel, vectors, outputs):
        rng = np.random.default_rng(4)
        y, new = rng.standard_normal((14, *outputs)) + 3.0, rng.standard_normal((6, 5))
        model = KernelRegressor(kernel, alpha=0.3).fit(vectors, y)
        dual = np.linalg.solve(kernel(vectors) + 0.3 * np.eye(14), y - y.mean(axis=0))
        np.testing.assert_allclose(model.dual_coef_, dual, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(
            model.predict(new), y.mean(axis=0) + kernel(new, vectors) @ dual, rtol=1e-9
        )
        assert model.predict(new).shape == (6, *outputs)
        assert np.shape(model.intercept_) == outputs
        assert model.rkhs_norms_.shape == (outputs or (1,))
        squared = np.sum(dual * (kernel(vectors) @ dual))
        assert isinstance(model.rkhs_norm_, float)
        assert model.rkhs_norm_ == pytest.approx(np.sqrt(squared), rel=1e-9)

    def test_without_centring_it_is_scikit_learns_kernel_ridge(self, vectors):
        y = vectors[:, 0] + 3.0
        ours = KernelRegressor(rbf_kernel, alpha=0.3, center=False).fit(vectors, y)
        theirs = KernelRidge(alpha=0.3, kernel="rbf").fit(vectors, y)
        np.testing.assert_allclose(ours.dual_coef_, theirs.dual_coef_, rtol=1e-9)
        np.testing.assert_allclose(ours.predict(vectors), theirs.predict(vectors), rtol=1e-9)
        assert ours.intercept_ == 0.0

    def test_alpha_zero_interpolates_with_the_smallest_norm(self, kernel, vectors):
        y = np.arange(14.0)
        model = KernelRegressor(kernel, alpha=0).fit(vectors, y)
        np.testing.assert_allclose(model.predict(vectors), y, atol=1e-9)
        residual = y - y.mean()
        norm = np.sqrt(residual @ np.linalg.solve(kernel(vectors), residual))
        assert model.rkhs_norm_ == pytest.approx(norm, rel=1e-9)
        forever = KernelRegressor(kernel, training_time=np.inf).fit(vectors, y)
        np.testing.assert_array_equal(forever.dual_coef_, model.dual_coef_)

    @pytest.mark.parametrize("time", [0.0, 0.02, 0.5, 20.0])
    def test_gradient_flow_is_the_matrix_exponential(self, kernel, vectors, time):
        y = np.sin(3 * vectors[:, 0]) + 1.0
        matrix, new = kernel(vectors), vectors[::-1] * 0.7
        model = KernelRegressor(kernel, training_time=time, center=False).fit(vectors, y)
        learned = np.linalg.solve(matrix, (np.eye(14) - expm(-time * matrix)) @ y)
        np.testing.assert_allclose(
            model.predict(new), kernel(new, vectors) @ learned, rtol=1e-8, atol=1e-9
        )
        assert model.loo_score_ is None
        assert model.alpha_ == 0.0

    def test_gradient_flow_is_gradient_descent_with_small_steps(self, kernel, vectors):
        y = np.sin(3 * vectors[:, 0])
        model = KernelRegressor(kernel, training_time=1.0, alpha=0.1).fit(vectors, y)
        matrix, dual, steps = kernel(vectors), np.zeros(14), 40000
        for _ in range(steps):
            # the gradient of ½‖Kc - ỹ‖² + ½α cᵀKc in the RKHS, at a learning rate of 1/steps
            dual += (y - y.mean() - matrix @ dual - 0.1 * dual) / steps
        np.testing.assert_allclose(model.dual_coef_, dual, rtol=2e-3, atol=1e-4)

    def test_time_zero_predicts_the_mean(self, kernel, vectors):
        model = KernelRegressor(kernel, training_time=0).fit(vectors, vectors[:, 0] + 3)
        np.testing.assert_allclose(model.predict(vectors), 3 + vectors[:, 0].mean())
        assert model.rkhs_norm_ == 0.0

    @pytest.mark.parametrize("alpha", [0.2, [0.02, 0.2, 2.0], "loo", None, 0])
    @pytest.mark.parametrize("center", [True, False])
    def test_the_loo_score_is_that_of_refits(self, kernel, vectors, alpha, center):
        y = vectors[:, :2] ** 2
        model = KernelRegressor(kernel, alpha=alpha, center=center).fit(vectors, y)
        left_out = np.vstack(
            [refit_without(model, vectors, y, i).predict(vectors[i : i + 1]) for i in range(14)]
        )
        total = np.sum((y - y.mean(axis=0)) ** 2, axis=0)
        r2 = np.mean(1 - np.sum((y - left_out) ** 2, axis=0) / total)
        assert model.loo_score_ == pytest.approx(r2, rel=1e-8, abs=1e-8)
        chosen = np.flatnonzero(model.alphas_ == model.alpha_)[0]
        # each output counts in units of its targets, as it does in R²
        removed = y - y.mean(axis=0) if center else y
        spread = np.mean(removed**2, axis=0)
        each = np.mean((y - left_out) ** 2, axis=0) / spread
        assert model.loo_losses_[chosen] == pytest.approx(each.mean() * spread.mean(), rel=1e-8)
        assert model.loo_losses_[chosen] == model.loo_losses_.min()

    def test_the_search_scales_with_the_kernel(self, kernel, vectors):
        y = vectors[:, 0] ** 2
        small = KernelRegressor(kernel).fit(vectors, y)
        large = KernelRegressor(1e6 * kernel).fit(vectors, y)
        assert large.alpha_ == pytest.approx(1e6 * small.alpha_)
        np.testing.assert_allclose(large.predict(vectors), small.predict(vectors), rtol=1e-6)

    def test_constant_targets_take_the_largest_alpha(self, kernel, vectors):
        model = KernelRegressor(kernel).fit(vectors, np.full(14, 2.0))
        assert model.alpha_ == model.alphas_[-1]
        np.testing.assert_array_equal(model.predict(vectors), 2.0)

    def test_float32_samples_agree_with_float64_and_predict_float64(self, kernel, vectors):
        y = vectors[:, 0] ** 2
        narrow = vectors.astype(np.float32)
        single = KernelRegressor(kernel, alpha=0.1).fit(narrow, y)
        double = KernelRegressor(kernel, alpha=0.1).fit(narrow.astype(np.float64), y)
        assert single.X_fit_.dtype == np.float32
        assert single.predict(narrow).dtype == np.float64
        np.testing.assert_allclose(single.predict(narrow), double.predict(vectors), atol=2e-4)

    def test_a_precomputed_matrix_gives_the_same_model_and_stays_whole(self, kernel, vectors):
        y, new = vectors[:, 0] ** 2, vectors[:4] + 0.1
        matrix = kernel(vectors)
        before = matrix.copy()
        for alpha in (0.1, "loo"):
            given = KernelRegressor("precomputed", alpha=alpha).fit(matrix, y)
            own = KernelRegressor(kernel, alpha=alpha).fit(vectors, y)
            np.testing.assert_allclose(
                given.predict(kernel(new, vectors)), own.predict(new), rtol=1e-9
            )
            assert given.X_fit_ is None
            assert given.n_features_in_ == 14
        np.testing.assert_array_equal(matrix, before)

    @pytest.mark.parametrize("alpha", [0.1, "loo", 0])
    def test_an_indefinite_precomputed_matrix_is_refused(self, vectors, alpha):
        distances = -linear_kernel(vectors)
        with pytest.raises(InputError, match=r"not positive semidefinite.*distance matrix"):
            KernelRegressor("precomputed", alpha=alpha).fit(distances, vectors[:, 0])

    def test_copies_with_different_targets_get_their_mean_and_a_warning(self):
        X = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        model = KernelRegressor(linear_kernel, alpha=0)
        with pytest.warns(IllConditionedWarning, match=r"rank 2 of 3.*drop the 1 sample"):
            model.fit(X, [1.0, 3.0, 7.0])
        assert model.predict(X[:1]) == pytest.approx(2.0)

    def test_overflow_is_an_error_not_a_nan(self, vectors):
        with pytest.raises(InputError, match=r"targets overflow when centred.*scale y down"):
            KernelRegressor(alpha=0.1).fit(vectors, np.full(14, 1e308))
        model = KernelRegressor("precomputed", alpha=0.01)
        model.fit(linear_kernel(vectors), vectors[:, 0] ** 2)
        huge = 1e307 * np.sign(model.dual_coef_)[None]
        with pytest.raises(InputError, match=r"predictions overflowed: 1 of 1.*raise alpha"):
            model.predict(huge)

    def test_one_sample_is_enough_without_a_choice(self):
        model = KernelRegressor(alpha=0.1).fit([[1.0, 2.0]], [3.0])
        assert model.predict([[0.0, 1.0]]) == pytest.approx(3.0)
        assert model.loo_score_ is None
        with pytest.raises(ValueError, match="1 sample"):
            KernelRegressor(alpha="loo").fit([[1.0, 2.0]], [3.0])

    def test_parameters_are_checked_before_the_kernel_is_computed(self, vectors):
        def never(X, Y):
            raise AssertionError("computed")

        with pytest.raises(ValueError, match="alpha=-1"):
            KernelRegressor(never, alpha=-1).fit(vectors, vectors[:, 0])

    def test_it_beats_a_line_on_real_data(self):
        X, y = load_diabetes(return_X_y=True)
        X = X / X.std(axis=0)
        model = KernelRegressor().fit(X[:300], y[:300])
        assert model.score(X[300:], y[300:]) > 0.45
        assert abs(model.loo_score_ - model.score(X[300:], y[300:])) < 0.1


class TestClassifier:
    def test_it_is_regression_on_one_hot_targets(self, kernel):
        X, y = load_iris(return_X_y=True)
        model = KernelClassifier(kernel, alpha=0.1).fit(X, y)
        functions = KernelRegressor(kernel, alpha=0.1).fit(X, np.eye(3)[y])
        np.testing.assert_allclose(model.decision_function(X), functions.predict(X), rtol=1e-9)
        np.testing.assert_allclose(model.rkhs_norms_, functions.rkhs_norms_)
        assert model.rkhs_norm_ == pytest.approx(np.linalg.norm(model.rkhs_norms_))
        np.testing.assert_array_equal(
            model.predict(X), np.argmax(model.decision_function(X), axis=1)
        )

    @pytest.mark.parametrize(
        "labels",
        [
            np.array([0, 1, 2]),
            np.array([-5, 7, 1000]),
            np.array([1.0, 2.0, 4.0]),
            np.array(["cat", "dog", "horse"]),
            np.array(["cat", "dog", "horse"], dtype=object),
        ],
    )
    def test_labels_may_be_anything_that_sorts(self, labels):
        X, codes = load_iris(return_X_y=True)
        model = KernelClassifier(alpha=0.01).fit(X, labels[codes])
        reference = KernelClassifier(alpha=0.01).fit(X, codes)
        np.testing.assert_array_equal(model.predict(X), labels[reference.predict(X)])
        np.testing.assert_array_equal(model.classes_, labels)

    @pytest.mark.parametrize("labels", [np.array([False, True]), np.array(["no", "yes"])])
    def test_two_classes_have_one_decision(self, labels):
        X, codes = load_iris(return_X_y=True)
        X, codes = X[50:], codes[50:] - 1
        model = KernelClassifier(alpha=0.01).fit(X, labels[codes])
        decision = model.decision_function(X)
        assert decision.shape == (100,)
        np.testing.assert_array_equal(model.predict(X), labels[(decision > 0).astype(int)])
        # both functions sum to 1, so their difference is that of ridge on ±1 targets
        signs = KernelRegressor(alpha=0.01).fit(X, 2.0 * codes - 1)
        np.testing.assert_allclose(decision, signs.predict(X), atol=1e-9)

    @pytest.mark.parametrize("alpha", [0.05, "loo"])
    def test_the_loo_score_is_the_accuracy_of_refits(self, alpha):
        X, y = load_iris(return_X_y=True)
        X, y = X[::4] / 4, y[::4]
        model = KernelClassifier(alpha=alpha).fit(X, y)
        hits = [
            refit_without(model, X, y, i).predict(X[i : i + 1])[0] == y[i] for i in range(len(X))
        ]
        assert model.loo_score_ == np.mean(hits)
        assert model.loo_score_ < 1.0

    def test_one_class_is_refused(self):
        with pytest.raises(ValueError, match="two classes; y has only one class"):
            KernelClassifier().fit(np.eye(3), ["a", "a", "a"])

    def test_numbers_that_are_no_labels_are_refused(self):
        with pytest.raises(ValueError, match="Unknown label type: continuous"):
            KernelClassifier().fit(np.eye(3), [0.1, 0.2, 0.3])

    @pytest.mark.parametrize("kind", [NTK, NNGP])
    def test_dense_kernels_read_real_digits(self, digits, kind):
        X_train, X_test, y_train, y_test = digits
        model = KernelClassifier(kind("dense relu dense relu dense")).fit(X_train, y_train)
        assert model.score(X_test, y_test) > 0.94
        assert model.loo_score_ > 0.94

    def test_a_convolutional_kernel_reads_real_digits(self, digits):
        X_train, X_test, y_train, y_test = (a[:100] for a in digits)
        kernel = NTK("conv3 relu avg2 conv3 relu flatten dense", input_shape=(8, 8, 1))
        model = KernelClassifier(kernel).fit(X_train, y_train)
        assert model.score(X_test, y_test) > 0.85

    def test_stopping_early_shrinks_the_function(self, digits):
        X, _, y, _ = digits
        norms = [KernelClassifier(training_time=t).fit(X, y).rkhs_norm_ for t in (0.01, 1, 100)]
        assert norms[0] < norms[1] < norms[2] <= KernelClassifier(alpha=0).fit(X, y).rkhs_norm_


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(-3, 3), st.floats(-3, 3))
def test_more_ridge_means_a_smaller_norm_and_a_larger_error(seed, first, second):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((8, 3)), rng.standard_normal(8)
    low, high = (KernelRegressor(alpha=10.0**e).fit(X, y) for e in sorted((first, second + 1e-3)))
    assert high.rkhs_norm_ <= low.rkhs_norm_ * (1 + 1e-12)
    errors = [np.mean((model.predict(X) - y) ** 2) for model in (low, high)]
    assert errors[0] <= errors[1] * (1 + 1e-9) + 1e-20
