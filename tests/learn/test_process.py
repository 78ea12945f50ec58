from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import multivariate_normal

from tangency import NNGP
from tangency.learn import IllConditionedWarning
from tangency.learn.grams import as_train_gram, train_gram
from tangency.learn.process import fit_ensemble, fit_posterior
from tangency.learn.regularization import make_noise_regularization


def posterior(gram, targets, noise):
    return fit_posterior(gram, targets, make_noise_regularization(noise, None, "posterior"))


def log_density(y, covariance):
    return multivariate_normal(np.zeros(len(y)), covariance).logpdf(y)


@pytest.mark.parametrize("noise", [1e-3, 0.2])
@pytest.mark.parametrize("trusted", [True, False])  # by Cholesky, and from the spectrum
def test_the_posterior_solves_and_whitens(kernel, vectors, noise, trusted):
    matrix, targets = kernel(vectors), vectors[:, :2]
    gram = train_gram(kernel, vectors) if trusted else as_train_gram(matrix, "precomputed", None)
    found = posterior(gram, targets, noise)
    inverse = np.linalg.inv(matrix + noise * np.eye(14))
    np.testing.assert_allclose(found.dual, inverse @ targets, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.whitener @ found.whitener.T, inverse, rtol=1e-7, atol=1e-8)
    law = multivariate_normal(np.zeros(14), matrix + noise * np.eye(14))
    assert found.evidence == pytest.approx(law.logpdf(targets.T).sum(), rel=1e-10)


@pytest.mark.parametrize("trusted", [True, False])
def test_a_likelihood_below_the_range_is_minus_infinity(kernel, vectors, trusted):
    def fitted(targets):
        matrix = kernel(vectors)
        gram = (
            train_gram(kernel, vectors) if trusted else as_train_gram(matrix, "precomputed", None)
        )
        return posterior(gram, targets, 0.2)

    huge = 2.0**1000
    found, plain = fitted(huge * vectors[:, :2]), fitted(vectors[:, :2])
    assert found.evidence == -np.inf
    np.testing.assert_allclose(found.dual / huge, plain.dual, rtol=1e-12)


def test_the_noise_of_greatest_likelihood_is_chosen(kernel, vectors, rng):
    matrix = kernel(vectors)
    targets = rng.multivariate_normal(np.zeros(14), matrix + 0.5 * np.eye(14), size=200).T
    found = posterior(train_gram(kernel, vectors), targets, [0.01, 0.5, 25.0])
    assert found.noise == 0.5
    assert found.evidence == found.evidences.max()
    for noise, evidence in zip(found.noises, found.evidences, strict=True):
        covariance = matrix + noise * np.eye(14)
        likelihoods = []
        for y in targets.T:
            # the amplitude of greatest likelihood, by a search of its own
            best = minimize_scalar(lambda t, y=y, c=covariance: -log_density(y, np.exp(t) * c))
            likelihoods.append(-best.fun)
        assert evidence == pytest.approx(sum(likelihoods), rel=1e-8)
    searched = posterior(train_gram(kernel, vectors), targets, "ml")
    assert 0.25 < searched.noise < 1.0
    assert len(searched.noises) > 10


def test_a_singular_matrix_without_noise_has_no_density(rng):
    factor = rng.standard_normal((8, 3))
    gram = as_train_gram(factor @ factor.T, "precomputed", None)
    with pytest.warns(IllConditionedWarning, match=r"With noise=0.*set noise to about"):
        found = posterior(gram, np.ones((8, 1)), 0)
    assert found.evidence is None
    assert found.evidences is None
    assert found.whitener.shape == (8, 3)
    again = as_train_gram(factor @ factor.T, "precomputed", None)
    assert posterior(again, np.ones((8, 1)), [0, 0.1]).noise == 0.1


@pytest.mark.parametrize("time", [0.0, 1.0, np.inf])
def test_the_operator_gives_the_coefficients(vectors, time):
    regularization = make_noise_regularization(None, time, "ensemble")
    found = fit_ensemble(
        train_gram(NNGP("dense erf dense"), vectors), vectors[:, :2], regularization
    )
    np.testing.assert_allclose(found.operator @ vectors[:, :2], found.dual)
    np.testing.assert_allclose(found.operator, found.operator.T, atol=1e-12)
    assert found.operator.any() == (time > 0)
