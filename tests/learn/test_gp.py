from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

import tangency as tg
from tangency import NNGP, NTK, GaussianProcess, KernelRegressor
from tangency.errors import InputError
from tangency.learn import IllConditionedWarning
from traced import traced

NETWORK = "dense relu dense relu dense"


@pytest.fixture
def new(rng):
    return rng.standard_normal((6, 5))


@pytest.fixture
def targets(vectors):
    return np.sin(2 * vectors[:, 0]) + 2.0


class TestPosterior:
    @pytest.mark.parametrize("noise", [1e-2, 0.5])
    @pytest.mark.parametrize("outputs", [1, 2])
    def test_it_is_scikit_learns_gaussian_process(self, vectors, new, noise, outputs):
        y = vectors[:, 0] if outputs == 1 else vectors[:, :2]
        ours = GaussianProcess(RBF(2.0), noise=noise, center=False).fit(vectors, y)
        theirs = GaussianProcessRegressor(RBF(2.0), alpha=noise, optimizer=None).fit(vectors, y)
        mean, covariance = ours.predict(new, return_cov=True)
        expected, their_covariance = theirs.predict(new, return_cov=True)
        np.testing.assert_allclose(mean, expected, rtol=1e-8, atol=1e-10)
        first = their_covariance if outputs == 1 else their_covariance[..., 0]
        np.testing.assert_allclose(covariance, first, atol=1e-9)
        assert ours.log_marginal_likelihood_ == pytest.approx(
            theirs.log_marginal_likelihood_value_, rel=1e-9
        )

    def test_the_mean_is_kernel_ridge_and_the_kernel_the_nngp(self, vectors, new, targets):
        model = GaussianProcess(NETWORK, noise=0.1).fit(vectors, targets)
        ridge = KernelRegressor(NNGP(NETWORK), alpha=0.1).fit(vectors, targets)
        np.testing.assert_allclose(model.predict(new), ridge.predict(new), rtol=1e-9)
        assert model.kernel_ == NNGP(NETWORK)
        assert model.noise_ == 0.1

    def test_deviations_are_the_diagonal_of_the_covariance(self, vectors, new, targets):
        model = GaussianProcess(tg.parse(NETWORK)).fit(vectors, targets)
        mean, deviation = model.predict(new, return_std=True)
        again, covariance = model.predict(new, return_cov=True)
        np.testing.assert_array_equal(mean, again)
        np.testing.assert_allclose(deviation**2, np.diagonal(covariance), rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(covariance, covariance.T)

    def test_no_noise_means_no_doubt_at_the_data(self, vectors, targets):
        model = GaussianProcess(NETWORK, noise=0).fit(vectors, targets)
        mean, deviation = model.predict(vectors, return_std=True)
        np.testing.assert_allclose(mean, targets, atol=1e-9)
        assert np.all(deviation < 1e-6)
        assert np.all(model.predict(vectors + 1.0, return_std=True)[1] > 1e-3)

    def test_the_interval_holds_what_it_says(self, rng):
        X, new = rng.standard_normal((60, 4)), rng.standard_normal((400, 4))
        prior = NNGP(NETWORK)(np.vstack([X, new])) + 1e-10 * np.eye(460)
        draws = np.linalg.cholesky(prior) @ rng.standard_normal((460, 30))
        y = draws[:60] + 0.1 * rng.standard_normal((60, 30))
        model = GaussianProcess(NETWORK, noise=0.01, center=False).fit(X, y)
        mean, deviation = model.predict(new, return_std=True)
        inside = np.mean(np.abs(mean - draws[60:]) < 1.96 * deviation[:, None])
        assert abs(inside - 0.95) < 0.015
        assert GaussianProcess(NETWORK, center=False).fit(X, y).noise_ == pytest.approx(
            0.01, rel=1.5
        )

    def test_copies_without_noise_warn_and_name_the_noise(self):
        X = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        with pytest.warns(IllConditionedWarning, match=r"rank 2 of 3.*set noise to about"):
            model = GaussianProcess(NETWORK, noise=0).fit(X, [1.0, 1.0, 2.0])
        assert model.log_marginal_likelihood_ is None
        mean, deviation = model.predict(X, return_std=True)
        np.testing.assert_allclose(mean, [1.0, 1.0, 2.0], atol=1e-6)
        assert np.all(deviation < 1e-6)

    def test_images_and_float32(self, rng):
        images = rng.random((8, 4, 4, 1)).astype(np.float32)
        model = GaussianProcess("conv3 relu gap dense", noise=0.1).fit(images, np.arange(8.0))
        mean, deviation = model.predict(images[:3], return_std=True)
        assert mean.dtype == deviation.dtype == np.float64


def explicit_ensemble(X, y, new, time, noise=0.0):
    """Lee et al. 2019, section 2.3, term by term with a matrix exponential."""
    n = len(X)
    k_tt, k_nt, k_nn = NNGP(NETWORK)(X), NNGP(NETWORK)(new, X), NNGP(NETWORK)(new)
    theta, theta_n = NTK(NETWORK)(X) + noise * np.eye(n), NTK(NETWORK)(new, X)
    decay = np.zeros((n, n)) if np.isinf(time) else expm(-time * theta)
    b = theta_n @ np.linalg.inv(theta) @ (np.eye(n) - decay)
    return b @ y, k_nn + b @ k_tt @ b.T - b @ k_nt.T - k_nt @ b.T


class TestEnsemble:
    @pytest.mark.parametrize("time", [0.0, 0.05, 1.0, np.inf])
    @pytest.mark.parametrize("noise", [None, 0.2])
    def test_it_is_the_published_formula(self, vectors, new, targets, time, noise):
        model = GaussianProcess(
            NETWORK, inference="ensemble", training_time=time, noise=noise, center=False
        ).fit(vectors, targets)
        mean, covariance = model.predict(new, return_cov=True)
        expected = explicit_ensemble(vectors, targets, new, time, noise or 0.0)
        np.testing.assert_allclose(mean, expected[0], rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(covariance, expected[1], rtol=1e-8, atol=1e-9)
        again, deviation = model.predict(new, return_std=True)
        np.testing.assert_array_equal(again, mean)
        np.testing.assert_allclose(deviation**2, np.diagonal(covariance), rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(model.predict(new), mean, rtol=1e-12)
        assert model.log_marginal_likelihood_ is None

    def test_time_zero_is_the_prior(self, vectors, new, targets):
        model = GaussianProcess(NETWORK, inference="ensemble", training_time=0)
        mean, covariance = model.fit(vectors, targets).predict(new, return_cov=True)
        np.testing.assert_array_equal(covariance, NNGP(NETWORK)(new))
        np.testing.assert_allclose(mean, targets.mean())

    def test_at_the_end_all_networks_agree_on_the_data(self, vectors, targets):
        model = GaussianProcess(NETWORK, inference="ensemble").fit(vectors, targets)
        mean, deviation = model.predict(vectors, return_std=True)
        np.testing.assert_allclose(mean, targets, atol=1e-9)
        assert np.all(deviation < 1e-5)

    def test_the_mean_is_the_ntk_regressor(self, vectors, new, targets):
        for time in (0.3, np.inf):
            model = GaussianProcess(NETWORK, inference="ensemble", training_time=time)
            ridge = KernelRegressor(NTK(NETWORK), training_time=time)
            np.testing.assert_allclose(
                model.fit(vectors, targets).predict(new),
                ridge.fit(vectors, targets).predict(new),
                rtol=1e-10,
            )

    def test_with_the_last_layer_alone_the_ensemble_is_bayesian(self, vectors, new, targets):
        # Θ = K when only the last layer is trained: both processes are the same at t = ∞
        frozen = "dense:frozen relu dense:frozen relu dense"
        trained = GaussianProcess(frozen, inference="ensemble").fit(vectors, targets)
        bayes = GaussianProcess(frozen, noise=0).fit(vectors, targets)
        for one, other in zip(
            trained.predict(new, return_cov=True), bayes.predict(new, return_cov=True), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-9)

    @pytest.mark.parametrize("time", [0.02, 0.5])
    def test_simulated_networks_have_this_mean_and_covariance(self, vectors, new, targets, time):
        """Draw f₀ from the prior, train each linearised network by its differential equation."""
        rng, draws = np.random.default_rng(9), 40_000
        both = np.vstack([new, vectors])
        prior = NNGP(NETWORK)(both)
        start = np.linalg.cholesky(prior + 1e-12 * np.eye(20)) @ rng.standard_normal((20, draws))
        # d/dt f(x) = -Θ(x, X)(f(X) - y) at all 20 points: one linear system, no closed form
        system = np.zeros((20, 20))
        system[:, 6:] = -NTK(NETWORK)(both, vectors)
        rest = np.concatenate([np.zeros(6), targets])[:, None]
        trained = (expm(time * system) @ (start - rest) + rest)[:6]
        model = GaussianProcess(
            NETWORK, inference="ensemble", training_time=time, center=False
        ).fit(vectors, targets)
        mean, covariance = model.predict(new, return_cov=True)
        variance = np.diagonal(covariance)
        error_of_mean = np.sqrt(variance / draws)
        assert np.all(np.abs(trained.mean(axis=1) - mean) < 4.5 * error_of_mean)
        error = np.sqrt((np.outer(variance, variance) + covariance**2) / draws)
        assert np.all(np.abs(np.cov(trained) - covariance) < 4.5 * error)

    def test_the_network_may_come_as_a_kernel_with_an_input_shape(self, rng):
        rows = rng.random((6, 16))
        kernel = NTK("conv3 relu gap dense", input_shape=(4, 4, 1))
        flat = GaussianProcess(kernel, inference="ensemble").fit(rows, np.arange(6.0))
        grid = GaussianProcess("conv3 relu gap dense", inference="ensemble")
        images = rows.reshape(6, 4, 4, 1)
        grid.fit(images, np.arange(6.0))
        for one, other in zip(
            flat.predict(rows[:2], return_std=True),
            grid.predict(images[:2], return_std=True),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)

    def test_several_outputs_share_one_covariance(self, vectors, new):
        model = GaussianProcess(NETWORK, inference="ensemble").fit(vectors, vectors[:, :3])
        mean, deviation = model.predict(new, return_std=True)
        assert mean.shape == (6, 3)
        assert deviation.shape == (6,)


@pytest.mark.parametrize("inference", ["posterior", "ensemble"])
def test_deviations_take_blocks_of_rows(rng, monkeypatch, inference):
    X, new = rng.standard_normal((30, 3)), rng.standard_normal((1500, 3))
    model = GaussianProcess(NETWORK, noise=0.1, inference=inference).fit(X, np.sin(X[:, :2]))
    whole = model.predict(new, return_std=True)
    monkeypatch.setattr("tangency.learn.gp.DEVIATION_BYTES", 1)  # 256 rows, the least
    for one, other in zip(model.predict(new, return_std=True), whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    rows = []
    parts = GaussianProcess._parts
    monkeypatch.setattr(
        GaussianProcess, "_parts", lambda self, k, x, f: rows.append(len(x)) or parts(self, k, x, f)
    )
    model.predict(new, return_std=True)
    assert rows == [256, 256, 256, 256, 256, 220]


def test_the_memory_of_deviations_does_not_grow_with_the_points(rng):
    X, new = rng.standard_normal((300, 3)), rng.standard_normal((30_000, 3))
    model = GaussianProcess(NETWORK, noise=0.1).fit(X, X[:, 0])
    model.predict(new[:300], return_std=True)
    _, peak = traced(lambda: model.predict(new, return_std=True))
    assert peak < 8 * 2**24 + 30_000 * 8 * 8  # the matrix alone would have 72 MB, its copies 290


def test_both_kinds_of_spread_at_once_are_refused(vectors, targets):
    model = GaussianProcess(NETWORK).fit(vectors, targets)
    with pytest.raises(ValueError, match=r"both true; ask for return_cov alone"):
        model.predict(vectors, return_std=True, return_cov=True)


def test_a_precomputed_matrix_gives_means_without_variances(vectors, new, targets, tmp_path):
    kernel = NNGP(NETWORK)
    direct = GaussianProcess(kernel, noise=0.1).fit(vectors, targets)
    model = GaussianProcess("precomputed", noise=0.1).fit(kernel(vectors), targets)
    np.testing.assert_allclose(model.predict(kernel(new, vectors)), direct.predict(new), rtol=1e-10)
    evidence = direct.log_marginal_likelihood_
    assert model.log_marginal_likelihood_ == pytest.approx(evidence, rel=1e-10)
    for spread in ({"return_std": True}, {"return_cov": True}):
        with pytest.raises(
            InputError, match=r"precomputed.*variances need K\(x, x\) at new points"
        ):
            model.predict(kernel(new, vectors), **spread)
    with pytest.raises(InputError, match="a square matrix"):
        model.fit(kernel(new, vectors), targets[:6])
    stored = tg.gram.compute(kernel, vectors, store=tmp_path / "K.zarr")
    again = GaussianProcess("precomputed", noise=0.1).fit(stored, targets)
    np.testing.assert_allclose(again.dual_coef_, direct.dual_coef_, rtol=1e-10)


@pytest.mark.parametrize(
    "kernel",
    [
        NTK(NETWORK) + NNGP(NETWORK),
        NTK(NETWORK, normalize=True),
        RBF(),
        "precomputed",
    ],
)
def test_an_ensemble_needs_its_network(vectors, targets, kernel):
    with pytest.raises(InputError, match="needs the network itself, for both its kernels"):
        GaussianProcess(kernel, inference="ensemble").fit(vectors, targets)


def test_refitting_with_the_other_inference_leaves_nothing_behind(vectors, new, targets):
    model = GaussianProcess(NETWORK, inference="ensemble").fit(vectors, targets)
    model.set_params(inference="posterior", noise=0.1).fit(vectors, targets)
    fresh = GaussianProcess(NETWORK, noise=0.1).fit(vectors, targets)
    for one, other in zip(
        model.predict(new, return_std=True), fresh.predict(new, return_std=True), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert model.operator_ is None
