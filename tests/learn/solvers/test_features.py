"""Ridge regression on layerwise features: what it equals, what it keeps, what it refuses."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

import tangency as tg
from tangency import InputError, KernelClassifier, KernelRegressor
from tangency.learn import CG, Features, LayerwiseFeatures, ModelFileError, load
from tangency.learn.features import chain
from tangency.learn.solvers import choose_solver, features, linear, rules
from tangency.nets.operators import Pointwise

NET = "conv3 relu avg2 conv3 relu gap dense"
DIGITS, LABELS = load_digits(return_X_y=True)
IMAGES = (DIGITS / 16).reshape(-1, 8, 8, 1)
SMALL = Features(60, widths=20)


def ridge(F, y, alpha, center=True, weights=None):
    """Plain normal equations: coefficients, mean."""
    w = np.ones(len(y)) if weights is None else weights
    mean = (w @ y) / w.sum() * center
    gram = (F.T * w) @ F + alpha * np.eye(F.shape[1])
    return np.linalg.solve(gram, (F.T * w) @ (y - mean)), mean


def test_landmarks_that_reach_the_rank_give_the_exact_fit(ntk, samples, targets):
    for parameters in ({}, {"alpha": [0.1, 1.0]}, {"center": False}, {"training_time": 2.0}):
        options = {"alpha": 0.1, **parameters}
        exact = KernelRegressor(ntk, solver="eigh", **options).fit(samples, targets)
        found = KernelRegressor(ntk, solver=Features(500, widths=500), **options)
        found.fit(samples, targets)
        assert found.alpha_ == exact.alpha_
        assert (found.solver_, found.X_fit_) == ("features", None)
        np.testing.assert_allclose(found.predict(samples), exact.predict(samples), atol=1e-5)
        np.testing.assert_allclose(found.rkhs_norms_, exact.rkhs_norms_, rtol=1e-4)
        if exact.loo_losses_ is None:
            assert found.loo_losses_ is found.loo_score_ is None
        else:
            np.testing.assert_allclose(found.loo_losses_, exact.loo_losses_, rtol=1e-4)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("block", [2**23, 64 * 7])
def test_it_is_ridge_regression_on_the_features(monkeypatch, center, weighted, block):
    monkeypatch.setattr(features, "_BLOCK", block)
    monkeypatch.setattr(features, "_FEWEST_ROWS", 7)
    X, y = IMAGES[:90], np.column_stack([LABELS[:90], LABELS[:90] ** 2.0])
    weights = np.random.default_rng(0).uniform(0.5, 2, 90) if weighted else None
    model = KernelRegressor(NET, alpha=0.02, center=center, solver=SMALL)
    model.fit(X, y, sample_weight=weights)
    F = model.features_.transform(X)
    assert F.shape == (90, model.features_.size)
    coefficients, mean = ridge(F, y, 0.02, center, weights)
    np.testing.assert_allclose(model.dual_coef_, coefficients, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, mean)
    np.testing.assert_allclose(model.predict(X), F @ coefficients + mean, atol=1e-6)
    np.testing.assert_allclose(model.rkhs_norms_, np.linalg.norm(coefficients, axis=0))
    left_out = np.empty_like(y)
    for i in range(90):
        kept = np.arange(90) != i
        w = None if weights is None else weights[kept]
        inner, mean = ridge(F[kept], y[kept], 0.02, center, w)
        left_out[i] = F[i] @ inner + mean
    w = np.ones(90) if weights is None else weights
    squares = np.average(np.square(y - left_out), axis=0, weights=w)
    variances = np.average(np.square(y - (w @ y) / w.sum() * center), axis=0, weights=w)
    assert model.loo_losses_[0] == pytest.approx(np.mean(squares / variances * variances.mean()))


def test_without_a_ridge_it_is_the_interpolant_of_least_norm():
    X, y = IMAGES[:40], LABELS[:40].astype(float)
    model = KernelRegressor(NET, alpha=0, solver=Features(200, widths=60)).fit(X, y)
    F = model.features_.transform(X)
    expected = np.linalg.lstsq(F, y - y.mean(), rcond=1e-9)[0]
    np.testing.assert_allclose(model.predict(X), y, atol=1e-4)
    assert model.rkhs_norm_ == pytest.approx(np.linalg.norm(expected), rel=1e-3)


def test_the_search_needs_few_passes(monkeypatch):
    passes = []
    residuals = linear.LinearFit.residuals

    def counted(self, alphas):
        passes.append(len(alphas))
        return residuals(self, alphas)

    monkeypatch.setattr(linear.LinearFit, "residuals", counted)
    model = KernelClassifier(NET, solver=SMALL).fit(IMAGES[:200], LABELS[:200])
    assert sum(passes) == len(model.alphas_)
    assert passes[0] > 10
    assert len(passes) < 6
    again = KernelClassifier(NET, alpha=list(model.alphas_), solver=SMALL)
    again.fit(IMAGES[:200], LABELS[:200])
    assert again.alpha_ == model.alpha_
    np.testing.assert_allclose(again.loo_losses_, model.loo_losses_, rtol=1e-9)
    # one pass for each few alphas gives the same
    monkeypatch.setattr(linear, "_RESIDUALS", 1)
    slow = KernelClassifier(NET, solver=SMALL).fit(IMAGES[:200], LABELS[:200])
    np.testing.assert_array_equal(slow.loo_losses_, model.loo_losses_)


def test_the_search_goes_below_the_rounding_of_single_precision():
    """Features keep their rounding, and leave-one-out sees what it costs."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 4)).astype(np.float32)
    options, net = Features(12, widths=12), "dense relu dense"
    F = LayerwiseFeatures(tg.NTK(net), 12, widths=12, random_state=0).fit(X).transform(X)
    y = F.astype(float) @ rng.standard_normal(F.shape[1]) + 1e-4 * rng.standard_normal(300)
    model = KernelRegressor(net, solver=options, center=False).fit(X, y)
    assert model.alpha_ < 0.3 * np.finfo(np.float32).eps * np.square(F).sum()


@pytest.mark.slow
def test_digits_are_learnt_as_by_the_kernel_and_probabilities_calibrated():
    X, test = IMAGES[:600].astype(np.float32), IMAGES[600:900].astype(np.float32)
    net = "conv3 relu conv3 relu gap dense"
    exact = KernelClassifier(net, alpha=1e-3, solver="eigh").fit(X, LABELS[:600])
    model = KernelClassifier(net, alpha=1e-3, solver=Features(1500)).fit(X, LABELS[:600])
    assert model.features_.error_ < 0.01
    assert model.loo_score_ == pytest.approx(exact.loo_score_, abs=0.01)
    scores = [each.score(test, LABELS[600:900]) for each in (model, exact)]
    assert scores[0] == pytest.approx(scores[1], abs=0.015)
    np.testing.assert_allclose(model.predict_proba(test).sum(axis=1), 1)


def test_the_same_bits_on_every_run():
    one, two = (
        KernelRegressor(NET, alpha=0.1, solver=SMALL).fit(IMAGES[:80], LABELS[:80])
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.dual_coef_, two.dual_coef_)


@pytest.mark.parametrize("net", [NET, "conv3 gelu res(conv3 relu conv3) flatten dense"])
def test_models_on_features_are_saved(tmp_path, net):
    model = KernelClassifier(3.0 * tg.NTK(tg.parse(net)), alpha=0.1, solver=SMALL)
    model.fit(IMAGES[:60].astype(np.float32), LABELS[:60])
    again = load(model.save(tmp_path / "model.npz"))
    assert again.solver == SMALL
    np.testing.assert_array_equal(again.predict_proba(IMAGES), model.predict_proba(IMAGES))
    assert again.features_.error_ == model.features_.error_
    again.save(tmp_path / "again.npz")


@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
def test_maps_are_saved(tmp_path, kind):
    features = LayerwiseFeatures(kind(NET), 30, widths=[10, 40], random_state=3)
    features.fit(IMAGES[:60])
    again = load(features.save(tmp_path / "map.npz"))
    np.testing.assert_array_equal(again.transform(IMAGES), features.transform(IMAGES))
    assert (again.error_, again.widths_, again.size) == (features.error_, (10, 40), 30)
    assert again.get_params()["widths"] == [10, 40]


def damaged(path, change):
    import json

    with np.load(path) as archive:
        arrays = dict(archive)
    header = json.loads(arrays["header"].tobytes())
    change(header, arrays)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    "change",
    [
        lambda h, a: a.pop("0_sigma"),
        lambda h, a: a.update({"1_root": a["1_root"][:-1]}),
        lambda h, a: a.update({"0_sigma": a["0_sigma"][:, :-1]}),
        lambda h, a: a.update({"1_theta": a["1_theta"] * np.nan}),
        lambda h, a: a.update({"0_q": -a["0_q"]}),
        lambda h, a: a.update({"readout_1": a["readout_1"][1:]}),
        lambda h, a: h["map"].update(shape=[5]),
        lambda h, a: h["map"].update(widths="x"),
        lambda h, a: h["map"].update(errors=["0", "1"]),
        lambda h, a: h["map"].update(kernel={"type": "NTK", "net": "dense"}),
    ],
)
def test_a_damaged_map_is_refused(tmp_path, change):
    features = LayerwiseFeatures(tg.NTK(NET), 30, widths=20, random_state=3).fit(IMAGES[:60])
    path = features.save(tmp_path / "map.npz")
    damaged(path, change)
    with pytest.raises(ModelFileError, match=r"map\.npz"):
        load(path).transform(IMAGES)


def test_batches_give_the_fit_of_all():
    X, y = IMAGES[:150], LABELS[:150].astype(float)
    weights = np.random.default_rng(0).uniform(0, 2, 150)
    model = KernelRegressor(NET, alpha=0.05, solver=SMALL)
    for rows in (slice(0, 60), slice(60, 61), slice(61, 150)):
        assert model.partial_fit(X[rows], y[rows], weights[rows]) is model
    F = model.features_.transform(X)
    coefficients, mean = ridge(F, y, 0.05, True, weights)
    np.testing.assert_allclose(model.predict(X), F @ coefficients + mean, atol=1e-6)
    assert model.loo_score_ is None
    # the landmarks are those of the first batch
    first = KernelRegressor(NET, alpha=0.05, solver=SMALL).fit(X[:60], y[:60])
    np.testing.assert_array_equal(first.features_.transform(X), F)


def test_a_number_added_to_the_targets_costs_batches_no_more_than_a_fit():
    X, y = IMAGES[:100], LABELS[:100] / 10
    parts = np.array_split(np.arange(100), 3)
    for center in (True, False):
        model = KernelRegressor(NET, alpha=0.01, center=center, solver=SMALL)
        for rows in parts:
            model.partial_fit(X[rows], y[rows] + 1e8 * center)
        F = model.features_.transform(X)
        coefficients, mean = ridge(F, y, 0.01, center)
        expected = F @ coefficients + mean
        np.testing.assert_allclose(model.predict(X) - 1e8 * center, expected, atol=1e-6)
    constant = KernelRegressor(NET, alpha=0.01, solver=SMALL).partial_fit(X, np.full(100, 0.1))
    assert not constant.dual_coef_.any()
    assert constant.intercept_ == 0.1


def test_batches_have_the_same_columns():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(DIGITS[:60, 10:13], columns=["a", "b", "c"])
    y = LABELS[:60].astype(float)
    model = KernelRegressor(alpha=0.1, solver=SMALL).partial_fit(table, y)
    before = model.predict(table)
    with pytest.raises(InputError, match=r"the batches before had \['a', 'b', 'c'\]"):
        model.partial_fit(table[["b", "a", "c"]], y)
    np.testing.assert_array_equal(model.predict(table), before)
    model.partial_fit(table, y)


@pytest.mark.parametrize(
    "weights", [np.rec.array([(1, 2.0)] * 50), [None] * 50, np.full(50, np.nan), "heavy"]
)
def test_weights_of_batches_are_checked(weights):
    model = KernelRegressor(NET, alpha=0.1, solver=SMALL).partial_fit(IMAGES[:50], LABELS[:50])
    with pytest.raises(InputError, match="sample_weight"):
        model.partial_fit(IMAGES[:50], LABELS[:50], weights)
    before = model.predict(IMAGES[:50])
    model.partial_fit(IMAGES[:50], LABELS[:50], np.zeros(50))
    np.testing.assert_array_equal(model.predict(IMAGES[:50]), before)


@pytest.mark.parametrize("options", [{"alpha": 0}, {"alpha": 0, "training_time": 3.0}])
def test_batches_without_a_ridge(options):
    X, y = IMAGES[:100], LABELS[:100].astype(float)
    model = KernelRegressor(NET, center=False, solver=Features(20, widths=20), **options)
    model.partial_fit(X[:50], y[:50]).partial_fit(X[50:], y[50:])
    F = model.features_.transform(X)
    values, vectors = np.linalg.eigh(F.T @ F)
    time = options.get("training_time", np.inf)
    shrink = -np.expm1(-time * values) / values
    expected = F @ (vectors @ (shrink * (vectors.T @ (F.T @ y))))
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-5)


def test_a_first_batch_without_weight_fits_nothing():
    model = KernelRegressor(NET, alpha=0.1, solver=SMALL)
    model.partial_fit(IMAGES[:50], LABELS[:50], np.zeros(50))
    with pytest.raises(NotFittedError):
        model.predict(IMAGES[:50])
    model.partial_fit(IMAGES[:50], LABELS[:50])
    assert model.predict(IMAGES[:50]).shape == (50,)


def test_what_landmarks_depend_on_stays_the_same_from_batch_to_batch():
    model = KernelRegressor(NET, alpha=0.1, solver=SMALL).partial_fit(IMAGES[:50], LABELS[:50])
    before = model.predict(IMAGES[:50])
    for options, said in (
        ({"kernel": tg.NNGP(NET)}, "kernel was changed after the first batch"),
        ({"solver": Features(60, widths=21)}, "solver was changed after the first batch"),
    ):
        with pytest.raises(InputError, match=said):
            model.set_params(**options).partial_fit(IMAGES[50:90], LABELS[50:90])
        model.set_params(kernel=NET, solver=SMALL)
    np.testing.assert_array_equal(model.predict(IMAGES[:50]), before)
    model.set_params(alpha=1e6).partial_fit(IMAGES[:50], LABELS[:50])  # of all samples
    np.testing.assert_allclose(model.predict(IMAGES[:50]), LABELS[:50].mean(), rtol=1e-2)


def test_classes_by_batches(tmp_path):
    model = KernelClassifier(NET, alpha=0.05, solver=SMALL)
    with pytest.raises(InputError, match="needs classes"):
        model.partial_fit(IMAGES[:100], LABELS[:100])
    model.partial_fit(IMAGES[:100], LABELS[:100], classes=range(10))
    model.partial_fit(IMAGES[100:105], LABELS[100:105])
    F = model.features_.transform(IMAGES[:105])
    coefficients, mean = ridge(F, np.eye(10)[LABELS[:105]], 0.05)
    expected = (F @ coefficients + mean).argmax(axis=1)
    np.testing.assert_array_equal(model.predict(IMAGES[:105]), expected)
    with pytest.raises(InputError, match="11, which is not one of classes"):
        model.partial_fit(IMAGES[:2], [3, 11])
    with pytest.raises(InputError, match="those of the first call"):
        model.partial_fit(IMAGES[:2], [3, 1], classes=[1, 3])
    with pytest.raises(InputError, match="the batches before had"):
        model.partial_fit(IMAGES[:2, :4], [3, 1])
    with pytest.raises(InputError, match="fitted by partial_fit"):
        model.predict_proba(IMAGES[:3])
    np.testing.assert_array_equal(model.predict(IMAGES[:105]), expected)
    again = load(model.save(tmp_path / "model.npz"))
    np.testing.assert_array_equal(again.predict(IMAGES), model.predict(IMAGES))
    with pytest.raises(InputError, match="comes from a file"):
        again.partial_fit(IMAGES[:5], LABELS[:5])


def test_what_batches_need():
    with pytest.raises(AttributeError) as raised:
        KernelRegressor(NET).partial_fit  # noqa: B018
    assert 'set solver="features"' in str(raised.value.__cause__)
    model = KernelRegressor(NET, solver="features")
    with pytest.raises(InputError, match="give one number"):
        model.partial_fit(IMAGES[:50], LABELS[:50])
    fitted = clone(model).set_params(alpha=1.0, solver=SMALL).fit(IMAGES[:50], LABELS[:50])
    with pytest.raises(InputError, match="was not fitted by partial_fit"):
        fitted.partial_fit(IMAGES[:50], LABELS[:50])


def test_a_matrix_out_of_reach_is_approximated_unasked():
    few = choose_solver(2000, alpha="loo", available=10**10, evaluations=1e13)
    many = choose_solver(2000, alpha="loo", available=10**10, evaluations=2e14)
    assert (few.solver.__class__.__name__, many.solver) == ("Eigh", Features())
    assert "2e+14 evaluations of duals" in many.reason
    images = np.broadcast_to(np.float32(0), (50_000, 32, 32, 3))
    gap = KernelClassifier("conv3 relu conv3 relu gap dense")
    assert gap.explain_solver(images).startswith("features: the matrix would take 3e+15")
    assert gap.explain_solver(images[:500]).startswith("eigh")
    flat = KernelClassifier("conv3 relu conv3 relu flatten dense")
    assert flat.explain_solver(images).startswith("cg")
    assert KernelClassifier("precomputed").explain_solver(np.eye(3)).startswith("eigh")
    store = KernelClassifier("conv3 relu conv3 relu gap dense", store="K.zarr")
    assert store.explain_solver(images).startswith("cg")


def test_a_network_without_features_is_not_approximated_unasked(monkeypatch):
    monkeypatch.setattr(rules, "REACH", 100)
    monkeypatch.setattr(chain, "_KNOWN", tuple(k for k in chain._KNOWN if k is not Pointwise))
    model = KernelRegressor("dense relu dense", alpha=0.1)
    assert model.explain_solver(DIGITS[:40]).startswith("cholesky")


def test_an_approximation_unasked_is_said(monkeypatch):
    monkeypatch.setattr(rules, "REACH", 100)
    model = KernelRegressor("dense relu dense", alpha=0.1)
    with pytest.warns(UserWarning, match=r'took "features".* relative error is \d'):
        model.fit(DIGITS[:40], LABELS[:40])
    assert model.solver_ == "features"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.set_params(solver="features").fit(DIGITS[:40], LABELS[:40])


def test_what_is_refused(samples, targets):
    with pytest.raises(InputError, match="looks at the samples"):
        KernelRegressor("precomputed", solver="features").fit(np.eye(5), np.arange(5.0))
    with pytest.raises(InputError, match="needs NTK"):
        KernelRegressor(lambda X, Y: X @ Y.T, solver="features").fit(samples, targets)
    for bad, message in (
        ({"n_components": 0}, "n_components must be a whole number"),
        ({"widths": 0.5}, "widths must be a whole number"),
        ({"widths": [3, 0]}, "each of widths"),
        ({"method": "best"}, "method"),
        ({"device": 3}, "device must be a name"),
        ({"progress": "x"}, "progress"),
    ):
        with pytest.raises(InputError, match=message):
            Features(**bad)
    assert Features(widths=[3, 4]).widths == (3, 4)
    assert repr(Features(7)) == "Features(n_components=7)"
    assert CG() != Features()


def test_features_without_room_are_refused(monkeypatch):
    import psutil

    little = psutil.virtual_memory()._replace(available=70_000)
    monkeypatch.setattr(features.psutil, "virtual_memory", lambda: little)
    model = KernelRegressor(NET, alpha=0.1, solver=Features(30, widths=10))
    with pytest.raises(tg.MemoryLimitError, match="of which half is for them"):
        model.fit(IMAGES[:400], LABELS[:400])
