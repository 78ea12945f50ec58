"""No decision of a model depends on the units that the targets come in."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from tangency import NNGP, GaussianProcess, KernelRegressor
from tangency.learn import SearchWarning
from tangency.learn.grid import edge_of, search, warn_at_edge
from tangency.learn.solvers import CG, Nystrom

NETWORK = "dense:b=0.5 relu dense relu dense"
FACTORS = (1e-200, 1e-6, 1e-3, 100.0, 1e6, 1e150)


@pytest.fixture(scope="module")
def table():
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X[:160]), y[:160]


MODELS = {
    "ml": GaussianProcess(NETWORK),
    "list": GaussianProcess(NETWORK, noise=[1e-3, 0.1, 1.0, 10.0]),
    "uncentred": GaussianProcess(NETWORK, center=False),
    "loo": KernelRegressor(NNGP(NETWORK)),
    "one": KernelRegressor(NNGP(NETWORK), alpha=1.0),
    "flow": KernelRegressor(NNGP(NETWORK), training_time=0.1, alpha=0.01),
    "nystrom": KernelRegressor(NNGP(NETWORK), solver=Nystrom(40)),
    "cg": KernelRegressor(NNGP(NETWORK), solver=CG(rank=30)),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("outputs", [1, 3])
def test_scaled_targets_give_scaled_predictions(table, name, outputs):
    X, y = table
    model = MODELS[name]
    targets = y if outputs == 1 else np.column_stack([y, np.sin(y), X[:, 0] * X[:, 1]])
    before = model.fit(X, targets).predict(X[:20])
    chosen = getattr(model, "alpha_", None) or model.noise_
    for factor in FACTORS:
        after = model.fit(X, factor * targets).predict(X[:20]) / factor
        np.testing.assert_allclose(after, before, rtol=1e-7, atol=1e-9 * np.abs(before).max())
        assert (getattr(model, "alpha_", None) or model.noise_) == chosen
        if isinstance(model, GaussianProcess):
            continue
        assert model.rkhs_norm_ > 0
        if name != "flow":
            assert 0 < model.loo_score_ < 1


@pytest.mark.parametrize("name", ["ml", "loo", "nystrom", "cg"])
def test_outputs_in_different_units_count_alike(table, name):
    X, y = table
    noisy = np.random.default_rng(0).standard_normal(len(y))
    both = np.column_stack([y, noisy])
    model = MODELS[name]
    before = model.fit(X, both).predict(X[:20])
    chosen = getattr(model, "alpha_", None) or model.noise_
    for units in ([1e6, 1.0], [1.0, 1e6], [1e-3, 1e4]):
        after = model.fit(X, both * units).predict(X[:20]) / units
        assert (getattr(model, "alpha_", None) or model.noise_) == chosen
        np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("name", ["ml", "loo", "nystrom", "cg"])
def test_a_number_added_to_the_targets_is_added_to_the_predictions(table, name):
    X, y = table
    model = MODELS[name]
    before = model.fit(X, y).predict(X[:20])
    chosen = getattr(model, "alpha_", None) or model.noise_
    for shift in (-1e3, 1e5):
        after = model.fit(X, y + shift).predict(X[:20]) - shift
        assert (getattr(model, "alpha_", None) or model.noise_) == chosen
        np.testing.assert_allclose(after, before, rtol=1e-6)


@pytest.mark.parametrize("outputs", [1, 2])
def test_deviations_scale_with_the_targets(table, outputs):
    X, y = table
    targets = y if outputs == 1 else np.column_stack([y, 1000 * X[:, 0]])
    model = GaussianProcess(NETWORK).fit(X, targets)
    mean, deviation = model.predict(X[:9], return_std=True)
    _, covariance = model.predict(X[:9], return_cov=True)
    assert deviation.shape == mean.shape
    variance = np.moveaxis(np.diagonal(covariance), 0, -1)
    np.testing.assert_allclose(deviation**2, variance)
    scaled = GaussianProcess(NETWORK).fit(X, 7e3 * targets)
    np.testing.assert_allclose(scaled.predict(X[:9], return_std=True)[1], 7e3 * deviation)
    np.testing.assert_allclose(scaled.amplitude_, 7e3 * model.amplitude_)
    # s² = ỹᵀ(K + σ²I)⁻¹ỹ/n, term by term
    matrix = NNGP(NETWORK)(X) + model.noise_ * np.eye(len(X))
    residual = targets - targets.mean(axis=0)
    squares = np.sum(residual * np.linalg.solve(matrix, residual), axis=0) / len(X)
    np.testing.assert_allclose(np.square(model.amplitude_), squares, rtol=1e-8)


def test_a_noise_that_is_given_leaves_the_prior_as_it_is(table):
    X, y = table
    model = GaussianProcess(NETWORK, noise=1.0).fit(X, y)
    deviation = model.predict(X[:9], return_std=True)[1]
    again = GaussianProcess(NETWORK, noise=1.0).fit(X, 1e4 * y)
    np.testing.assert_array_equal(again.predict(X[:9], return_std=True)[1], deviation)
    assert again.amplitude_ == 1.0


def test_the_intervals_of_a_scaled_process_hold_what_they_say(rng):
    X, new = rng.standard_normal((60, 4)), rng.standard_normal((300, 4))
    prior = NNGP(NETWORK)(np.vstack([X, new])) + 1e-10 * np.eye(360)
    draws = 1e3 * np.linalg.cholesky(prior) @ rng.standard_normal((360, 20))
    y = draws[:60] + 1e2 * rng.standard_normal((60, 20))
    mean, deviation = GaussianProcess(NETWORK, center=False).fit(X, y).predict(new, return_std=True)
    inside = np.mean(np.abs(mean - draws[60:]) < 1.96 * deviation)
    assert abs(inside - 0.95) < 0.03


def test_targets_that_do_not_vary_keep_the_prior(table):
    X, _ = table
    model = GaussianProcess(NETWORK).fit(X, np.full(len(X), 0.1))
    np.testing.assert_array_equal(model.predict(X[:5]), 0.1)
    assert model.amplitude_ == 1.0


def test_a_grid_grows_where_the_best_stands_at_its_edge():
    grid = np.array([1.0, 10.0, 100.0])
    for centre in (-6.0, 9.0):
        found = search(lambda a, c=centre: 1 + (np.log10(a) - c) ** 2, grid, 1e-12)
        assert np.log10(found.best) == pytest.approx(centre)
        assert found.at_edge == ""
        assert len(found.alphas) == len(found.losses)
    stopped = search(lambda a: 1 + (np.log10(a) + 6) ** 2, grid, 1e-3)
    assert stopped.best == pytest.approx(1e-2)
    assert stopped.at_edge == "lower"
    assert edge_of([1.0]) == ""


def falling(rng, lowest):
    """K with eigenvalues from 1 down to 10 to the `lowest`, and a draw from its process."""
    basis, _ = np.linalg.qr(rng.standard_normal((40, 40)))
    values = np.logspace(0, lowest, 40)
    matrix = (basis * values) @ basis.T
    return 0.5 * (matrix + matrix.T), basis @ (np.sqrt(values) * rng.choice([-1.0, 1.0], 40))


@pytest.mark.parametrize("solver", ["eigh", Nystrom(40)])
def test_an_optimum_below_the_grid_is_found(rng, solver):
    matrix, y = falling(rng, -13)
    model = KernelRegressor("precomputed", center=False, solver=solver).fit(matrix, y)
    assert model.alphas_[0] < model.alpha_ < 1e-11 * np.trace(matrix) / 40
    # the grid as it began, and steps of the same ratio below it
    np.testing.assert_allclose(np.diff(np.log10(model.alphas_)), 0.5, rtol=1e-6)


@pytest.mark.parametrize("solver", ["eigh", Nystrom(40)])
def test_an_optimum_at_the_rounding_of_the_kernel_is_said(rng, solver):
    matrix, y = falling(rng, -18)
    model = KernelRegressor("precomputed", center=False, solver=solver)
    with pytest.warns(SearchWarning, match="the best alpha, .* smallest .* alpha=0") as told:
        model.fit(matrix, y)
    assert told[0].filename == __file__
    assert model.alpha_ == model.alphas_[0]


def test_a_noise_at_the_rounding_of_the_kernel_is_said(rng):
    matrix, y = falling(rng, -18)

    def kernel(X, Y):
        return matrix[np.ix_(X[:, 0].astype(int), Y[:, 0].astype(int))]

    with pytest.warns(SearchWarning, match="the best noise, .* smallest"):
        GaussianProcess(kernel, center=False).fit(np.arange(40.0)[:, None], y)


def test_the_warning_names_only_remedies_that_apply():
    with pytest.warns(SearchWarning, match="pass the inputs as float64 .they are float32"):
        warn_at_edge("lower", 1e-5, "alpha", "float32")
    with pytest.warns(SearchWarning, match="largest .*another kernel"):
        warn_at_edge("upper", 1e5, "alpha", "float64")
    warn_at_edge("", 1.0, "alpha", "float64")


def test_cg_says_that_its_grid_ends():
    matrix = np.ones((12, 12)) + 0.01 * np.eye(12)
    y = np.tile([1.0, -1.0], 6)  # the others always say the opposite
    model = KernelRegressor("precomputed", solver="cg", center=False)
    with pytest.warns(SearchWarning, match="the best alpha, .* largest .* K explains little"):
        model.fit(matrix, y)
    assert model.alpha_ == model.alphas_[-1]
    wider = KernelRegressor("precomputed", solver="eigh", center=False).fit(matrix, y)
    assert wider.alpha_ > 2 * model.alpha_
