from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

from tangency import KernelRegressor
from tangency.learn.conditioning import IllConditionedWarning
from tangency.learn.grams import as_train_gram, train_gram
from tangency.learn.regularization import make_regularization
from tangency.learn.solvers.direct import fit_dual


def mean_square(residuals):
    return float(np.mean(residuals**2))


def fit(gram, targets, alpha=None, time=None, centred=True):
    return fit_dual(gram, targets, make_regularization(alpha, time), mean_square, centred=centred)


def test_cholesky_and_the_spectrum_give_the_same_fit(kernel, vectors):
    targets = vectors[:, :2] - vectors[:, :2].mean(axis=0)
    one = fit(train_gram(kernel, vectors), targets, alpha=0.01)
    # a finite alpha with t = ∞ in a list of two takes the spectrum
    many = fit(train_gram(kernel, vectors), targets, alpha=[0.01, 1e9])
    assert one.alpha == many.alpha == 0.01
    np.testing.assert_allclose(one.dual, many.dual, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(one.norms, many.norms, rtol=1e-9)
    np.testing.assert_allclose(one.residuals, many.residuals, rtol=1e-9)
    assert one.losses == pytest.approx(many.losses[:1])
    assert len(one.alphas) == len(one.losses) == 1


@pytest.mark.parametrize(
    ("alpha", "time"), [(0.0, None), (0.2, None), (None, 3.0), (0.2, 3.0), ("loo", None)]
)
def test_the_norms_are_those_of_the_function(kernel, vectors, alpha, time):
    found = fit(train_gram(kernel, vectors), vectors[:, :2], alpha, time, centred=False)
    squared = np.einsum("ij,ik,kj->j", found.dual, kernel(vectors), found.dual)
    np.testing.assert_allclose(found.norms, np.sqrt(squared), rtol=1e-8)


def test_leave_one_out_is_absent_where_it_has_no_closed_form(kernel, vectors):
    stopped = fit(train_gram(kernel, vectors), vectors[:, :1], None, 2.0)
    assert stopped.residuals is None
    assert stopped.losses is None
    alone = fit(train_gram(kernel, vectors[:1]), vectors[:1, :1], 0.1, centred=False)
    assert alone.residuals is None


@pytest.mark.parametrize("time", [None, 1e300])
def test_a_singular_matrix_gets_the_minimum_norm_and_a_warning(rng, time):
    factor = rng.standard_normal((12, 3))
    matrix = factor @ factor.T
    targets = rng.standard_normal((12, 1))
    with pytest.warns(IllConditionedWarning, match="rank 3 of 12") as caught:
        found = fit(as_train_gram(matrix, "precomputed", None), targets, 0, time, centred=False)
    expected = np.linalg.pinv(matrix, rcond=1e-10, hermitian=True) @ targets
    np.testing.assert_allclose(found.dual, expected, atol=1e-10)
    text = str(caught[0].message)
    assert "condition number" in text
    assert "need not be met exactly" in text
    assert "normalise" in text
    assert "copies" not in text
    # what the message advises must end the warning
    alpha = float(re.search(r"alpha to about (\S+) or more", text).group(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(as_train_gram(matrix, "precomputed", None), targets, alpha, centred=False)


def test_the_warning_points_at_the_callers_line(rng):
    factor = rng.standard_normal((12, 3))
    with pytest.warns(IllConditionedWarning) as caught:
        KernelRegressor("precomputed", alpha=0).fit(factor @ factor.T, np.ones(12))
    assert caught[0].filename == __file__


def test_the_advice_counts_copies_and_names_the_dtype(kernel, vectors):
    samples = np.vstack([vectors, vectors[:2]]).astype(np.float32)
    with pytest.warns(IllConditionedWarning, match=r"drop the 2 sample.*copies") as caught:
        fit(train_gram(kernel, samples), np.ones((16, 1)), 0, centred=False)
    assert "float64 (they are float32)" in str(caught[0].message)


def test_an_alpha_below_the_noise_is_named(rng):
    factor = rng.standard_normal((12, 3))
    with pytest.warns(IllConditionedWarning, match=r"alpha=1e-18 lies below the noise"):
        fit(as_train_gram(factor @ factor.T, "precomputed", None), np.ones((12, 1)), 1e-18)


def test_a_singular_matrix_is_fine_with_a_ridge_a_choice_or_a_short_time(rng):
    factor = rng.standard_normal((12, 3))
    for alpha, time in [(0.1, None), ("loo", None), (None, 10.0)]:
        found = fit(
            as_train_gram(factor @ factor.T, "precomputed", None), np.ones((12, 1)), alpha, time
        )
        assert np.isfinite(found.dual).all()


def test_a_factor_that_fails_falls_back_to_the_spectrum(kernel, vectors):
    gram = train_gram(kernel, vectors)
    gram.matrix[0, :] = gram.matrix[:, 0] = 0.0
    gram.matrix[0, 0] = -0.5  # more rounding than any alpha here can mend
    with pytest.warns(IllConditionedWarning, match=r"alpha=0\.1 lies below the noise"):
        found = fit(gram, np.ones((14, 1)), 0.1, centred=False)
    assert np.isfinite(found.dual).all()
