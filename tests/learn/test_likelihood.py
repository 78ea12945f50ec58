"""The log marginal likelihood by all solvers: exact where it is, unbiased where it is estimated."""

from __future__ import annotations

import numpy as np
import pytest

import tangency as tg
from tangency import NNGP, GaussianProcess
from tangency.errors import InputError
from tangency.learn import CG, Features, Nystrom, marginal_likelihood
from tangency.learn.lanczos import trace_log

NET = "dense:b=1 relu dense"


@pytest.fixture
def wave(rng):
    X = rng.standard_normal((150, 4))
    y = np.sin(2 * X[:, 0] + 1) + 0.3 * rng.standard_normal(150)
    return X, np.stack([y, 100 * y**2], axis=1)


def dense(K, y, noise):
    """The value at the best amplitudes, and these, from a determinant and a solve."""
    n, y = len(y), y - y.mean(axis=0)
    G = K + noise * np.eye(n)
    s2 = np.einsum("ij,ij->j", y, np.linalg.solve(G, y)) / n
    each = -0.5 * n * np.log(2 * np.pi * np.e * s2) - 0.5 * np.linalg.slogdet(G)[1]
    return each.sum(), np.sqrt(s2)


class TestExact:
    @pytest.mark.parametrize("solver", ["auto", "cholesky", "eigh"])
    def test_it_is_that_of_the_matrix(self, wave, solver):
        X, y = wave
        found = marginal_likelihood(NET, X, y, 0.1, solver=solver)
        value, amplitudes = dense(NNGP(NET)(X), y, 0.1)
        assert found.value == pytest.approx(value, rel=1e-10)
        np.testing.assert_allclose(found.amplitude, amplitudes, rtol=1e-9)
        assert (found.error, found.products) == (0.0, None)

    def test_it_is_that_of_the_process(self, wave):
        X, y = wave
        model = GaussianProcess(NET, noise=[0.1, 10.0]).fit(X, y[:, 0])
        found = marginal_likelihood(NET, X, y[:, 0], model.noise_)
        assert found.value == pytest.approx(model.log_marginal_likelihood_, rel=1e-10)
        assert found.amplitude == pytest.approx(model.amplitude_, rel=1e-9)

    def test_landmarks_are_exact_for_their_matrix(self, wave):
        X, y = wave
        some = marginal_likelihood(NET, X, y, 0.1, solver=Nystrom(20))
        factor = tg.learn.low_rank(lambda i: NNGP(NET)(X, X[i]), NNGP(NET).diag(X), 20).factor
        value, amplitudes = dense(factor @ factor.T, y, 0.1)
        assert some.value == pytest.approx(value, rel=1e-9)
        np.testing.assert_allclose(some.amplitude, amplitudes, rtol=1e-9)
        whole = marginal_likelihood(NET, X, y, 0.1, solver=Nystrom(150))
        assert whole.value == pytest.approx(dense(NNGP(NET)(X), y, 0.1)[0], rel=1e-6)

    def test_features_are_exact_for_their_products(self, wave):
        X, y = wave
        found = marginal_likelihood(NET, X, y, 0.1, solver=Features(40))
        features = tg.LayerwiseFeatures(NNGP(NET), 40, random_state=0).fit(X).transform(X)
        value, _ = dense(features @ features.T, y, 0.1)
        assert found.value == pytest.approx(value, rel=1e-8)
        assert found.solver == "features"

    def test_units_of_the_targets_shift_it(self, wave):
        X, y = wave
        for solver in ("cholesky", Nystrom(20), CG(rank=30)):
            one, scaled, moved = (
                marginal_likelihood(NET, X, t, 0.1, solver=solver) for t in (y, 1e6 * y, y + 1e6)
            )
            assert scaled.value == pytest.approx(one.value - 300 * np.log(1e6), rel=1e-9)
            assert moved.value == pytest.approx(one.value, rel=1e-6)
            np.testing.assert_allclose(scaled.amplitude, 1e6 * one.amplitude, rtol=1e-6)


class TestEstimated:
    @pytest.mark.parametrize("rank", [10, 60])
    @pytest.mark.parametrize("noise", [0.01, 1.0])
    def test_it_is_unbiased_and_knows_its_error(self, wave, rank, noise):
        X, y = wave
        value, amplitudes = dense(NNGP(NET)(X), y, noise)
        found = [
            marginal_likelihood(NET, X, y, noise, solver=CG(rank=rank, probes=8, seed=s))
            for s in range(12)
        ]
        away = np.array([each.value - value for each in found])
        errors = np.array([each.error for each in found])
        assert (errors > 0).all()
        assert abs(away.mean()) < 3.5 * errors.mean() / np.sqrt(12) + 0.02
        assert 0.4 < np.sqrt(np.mean(away**2)) / errors.mean() < 1.9
        np.testing.assert_allclose(found[0].amplitude, amplitudes, rtol=1e-3)
        assert found[0].products > 2

    def test_a_better_preconditioner_leaves_less_to_estimate(self, wave):
        X, y = wave
        few, many = (marginal_likelihood(NET, X, y, 0.1, solver=CG(rank=r)) for r in (5, 100))
        assert many.error < 0.3 * few.error
        assert many.products < few.products
        plain = marginal_likelihood(NET, X, y, 0.1, solver=CG(precondition="none"))
        assert abs(plain.value - dense(NNGP(NET)(X), y, 0.1)[0]) < 4 * plain.error + 0.02

    def test_of_the_identity_nothing_is_left(self):
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(30, 4))
        found = trace_log(lambda v: v.copy(), signs, 20)
        assert abs(found.value) < 1e-12
        assert (found.error, found.products) == (0.0, 1)

    def test_of_a_random_matrix(self, rng):
        A = rng.standard_normal((60, 60))
        A = A @ A.T / 60 + np.eye(60)
        signs = rng.choice([-1.0, 1.0], size=(60, 200))
        found = trace_log(lambda v: A @ v, signs, 60)
        assert abs(found.value - np.linalg.slogdet(A)[1]) < 4 * found.error
        single = [trace_log(lambda v: A @ v, signs[:, i : i + 2], 60).value for i in (0, 2)]
        L = np.linalg.eigh(A)
        log = (L[1] * np.log(L[0])) @ L[1].T
        exact = [np.einsum("ij,ij->", s, log @ s) / 2 for s in (signs[:, :2], signs[:, 2:4])]
        np.testing.assert_allclose(single, exact, rtol=1e-2)


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"noise": 0.0}, "noise must be .* greater than 0"),
            ({"kernel": "precomputed"}, "is for estimators"),
            ({"solver": CG(probes=1)}, "needs two probes, got 1"),
            ({"solver": CG(checkpoint="a.npz")}, "has no checkpoint"),
            (
                {"solver": CG(max_iter=1, rank=1, seed=3), "noise": 1e-6},
                "conjugate gradients found",
            ),
            ({"solver": "x"}, "solver='x' is not known"),
            ({"y": np.ones(150)}, "output 1 of y does not vary"),
            ({"kernel": 3}, "is not a kernel"),
        ],
    )
    def test_what_makes_no_sense(self, wave, options, message):
        X, y = wave
        with pytest.raises(InputError, match=message):
            marginal_likelihood(**{"kernel": NET, "X": X, "y": y, "noise": 0.1, **options})
