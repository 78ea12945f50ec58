"""Estimators on inputs with masks and on graphs."""

from functools import cache

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score

import tangency as tg
from tangency.learn import kernel_predictions

NET = "aggregate dense relu gap dense"
rng = np.random.default_rng(0)


def graph(n):
    edges = np.triu(rng.random((n, n)) < 0.5, 1)
    return rng.normal(size=(n, 2)), np.eye(n) + edges + edges.T


X = tg.Graphs(*map(list, zip(*(graph(n) for n in rng.integers(3, 7, size=20)), strict=True)))
Y = np.array([x[~m, 0].mean() + x[~m, 1].max() for x, m in zip(X.X, X.mask, strict=True)])
KERNEL = tg.NTK(NET)


@cache
def gram():
    """Not at import: every process that collects this file would compile for it."""
    return KERNEL(X)


def precomputed(model, rows):
    return model.predict(gram()[rows][:, :15])


@pytest.mark.parametrize("solver", ["cholesky", "eigh", "cg", "nystrom"])
def test_regression_on_graphs_is_that_on_their_matrix(solver):
    model = tg.KernelRegressor(KERNEL, alpha=0.01, solver=solver).fit(X[:15], Y[:15])
    same = tg.KernelRegressor("precomputed", alpha=0.01, solver=solver).fit(
        gram()[:15, :15], Y[:15]
    )
    expected = precomputed(same, slice(15, None))
    assert np.allclose(model.predict(X[15:]), expected, rtol=1e-5, atol=1e-5)
    if solver in ("cholesky", "eigh"):
        assert model.loo_score_ == pytest.approx(same.loo_score_, rel=1e-8)


def test_classifiers_processes_and_predictions_take_them():
    labels = np.where(np.median(Y) < Y, "high", "low")
    model = tg.KernelClassifier(NET).fit(X, labels, sample_weight=np.arange(20) % 4)
    assert model.predict_proba(X[:3]).shape == (3, 2)
    for inference in ("posterior", "ensemble"):
        process = tg.GaussianProcess(NET, noise=0.01, inference=inference).fit(X[:15], Y[:15])
        mean, std = process.predict(X[15:], return_std=True)
        assert mean.shape == std.shape == (5,)
        assert np.all(std > 0)
    found = kernel_predictions(KERNEL, X[:5], Y[:5])
    assert np.allclose(found.mean[0], Y[:5], atol=1e-6)
    assert "cholesky" in tg.KernelRegressor(NET, alpha=0.1).explain_solver(X)


def test_cross_validation_splits_them_and_test_sets_may_be_of_other_sizes():
    scores = cross_val_score(tg.KernelRegressor(KERNEL, alpha=0.01), X, Y, cv=3)
    assert np.isfinite(scores).all()
    model = tg.KernelRegressor(KERNEL, alpha=0.01).fit(X, Y)
    assert np.allclose(model.predict(X.on((9,))), model.predict(X), rtol=1e-9)


def test_sequences_are_learned_from():
    words = [rng.normal(size=(n, 2)) for n in rng.integers(2, 6, size=12)]
    model = tg.KernelRegressor("conv3 relu gap dense").fit(tg.Masked(words), np.arange(12.0))
    assert np.isfinite(model.predict(tg.Masked(words[:2]))).all()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (tg.KernelRegressor("precomputed"), "takes K\\(X\\), a square matrix"),
        (tg.KernelRegressor(NET, solver="features"), 'solver="features" does not know'),
        (tg.KernelRegressor(lambda x, y: x), "which only kernels of this library know"),
    ],
)
def test_what_does_not_know_them_says_so(model, message):
    with pytest.raises(tg.InputError, match=f"X is Graphs.*{message}"):
        model.fit(X, Y)


def test_predictions_are_for_the_same_kind_of_inputs(tmp_path):
    model = tg.KernelRegressor(KERNEL, alpha=0.01).fit(X, Y)
    with pytest.raises(tg.InputError, match="X is an array; KernelRegressor was fitted on Graphs"):
        model.predict(X.X)
    with pytest.raises(tg.InputError, match="X has 1 channels; KernelRegressor was fitted on 2"):
        model.predict(tg.Graphs(X.X[..., :1], X.adjacency, X.mask))
    on_arrays = tg.KernelRegressor("conv3 relu gap dense", alpha=0.01).fit(X.X, Y)
    with pytest.raises(tg.InputError, match="X is Masked; KernelRegressor was fitted on an array"):
        on_arrays.predict(tg.Masked(X.X, X.mask))
    with pytest.raises(ValueError, match="X_fit_=Graphs"):
        model.save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match=r"20.*19|19.*20"):
        model.fit(X, Y[:19])


def test_landmarks_among_graphs():
    features = tg.NystromFeatures(NET, n_components=len(X), random_state=0)
    found = features.fit_transform(X)
    assert np.allclose(found @ found.T, tg.NTK(NET)(X), rtol=1e-8)
    # BLAS may round the solution for three columns otherwise than that for all.
    assert np.allclose(features.transform(X[2:5]), found[2:5], rtol=1e-12, atol=1e-13)
    assert isinstance(features.components_, tg.Graphs)
    with pytest.raises(tg.InputError, match="X is an array; NystromFeatures was fitted on Graphs"):
        features.transform(X.X)
    with pytest.raises(tg.InputError, match="channels; NystromFeatures was fitted on"):
        features.transform(tg.Graphs(X.X[..., :1], X.adjacency, X.mask))
    with pytest.raises(tg.InputError, match="whose edges this function"):
        tg.LayerwiseFeatures(NET).fit(X)


def test_a_fit_from_a_store(tmp_path):
    y = np.arange(float(len(X)))
    stored = tg.KernelRegressor(NET, store=tmp_path / "K.zarr").fit(X, y)
    assert np.allclose(stored.predict(X), tg.KernelRegressor(NET).fit(X, y).predict(X))
