"""Probabilities: a temperature that suits held-out scores, in any units, never in another order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict

from tangency import NTK, KernelClassifier
from tangency.errors import InputError
from tangency.learn import CG, Nystrom, load
from tangency.learn.uncertainty.temperature import fit_temperature

NETWORK = NTK("dense relu dense")


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16, y[:300], X[300:] / 16, y[300:]


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    order = np.random.default_rng(1).permutation(len(y))
    return X[order] / 4, y[order]


def calibration_error(probabilities, y, bins=10):
    """ECE: the mean gap between confidence and accuracy over bins of confidence."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [(confidence[place == b] - right[place == b]).sum() for b in range(bins)]
    return np.abs(gaps).sum() / len(y)


@pytest.mark.parametrize(
    "options",
    [{}, {"alpha": 0.1}, {"alpha": 10.0}, {"solver": "nystrom"}, {"alpha": 0.1, "solver": "cg"}],
)
def test_probabilities_of_digits_are_calibrated(digits, options):
    X, y, new, truth = digits
    model = KernelClassifier(NETWORK, **options).fit(X, y)
    found = model.predict_proba(new)
    values = model.decision_function(new)
    plain = log_loss(truth, softmax(values, axis=1))
    best = min(log_loss(truth, softmax(values / t, axis=1)) for t in np.geomspace(0.02, 1, 80))
    assert best <= log_loss(truth, found) < 1.02 * best < 0.3 * plain
    assert calibration_error(found, truth) < 0.04
    np.testing.assert_array_equal(found.argmax(axis=1), model.predict(new))
    assert calibration_error(softmax(values, axis=1), truth) > 0.5


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
def test_they_are_probabilities_in_the_order_of_the_values(iris, classes, center):
    X, y = iris
    X, y = X[y < classes], np.array(["x", "b", "a"])[y[y < classes]]
    model = KernelClassifier(NETWORK, alpha=0.1, center=center).fit(X[:60], y[:60])
    found = model.predict_proba(X)
    assert found.shape == (len(X), classes)
    assert found.dtype == np.float64
    assert found.min() >= 0
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(model.classes_[found.argmax(axis=1)], model.predict(X))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), found, rtol=1e-12)
    if classes == 2:
        sigmoid = 1 / (1 + np.exp(-model.decision_function(X) / model.temperature_))
        np.testing.assert_allclose(found[:, 1], sigmoid, rtol=1e-9)
    again = KernelClassifier(NETWORK, alpha=0.1, center=center).fit(X[:60], y[:60])
    assert again.temperature_ == model.temperature_


def objective(scores, codes, weights, temperature):
    """The log loss towards the targets of the docstring, written out."""
    n, k = weights.sum() ** 2 / np.sum(weights**2), scores.shape[1]
    targets = np.full(scores.shape, 1 / (n + 2) / (k - 1))
    targets[np.arange(len(codes)), codes] = (n + 1) / (n + 2)
    return -np.average(
        np.sum(targets * log_softmax(scores / temperature, axis=1), axis=1), weights=weights
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 30), st.integers(2, 5), st.integers(0, 10**6), st.floats(-0.5, 3))
def test_the_temperature_is_the_minimum(n, k, seed, signal):
    rng = np.random.default_rng(seed)
    codes, weights = rng.integers(0, k, n), rng.uniform(0.1, 2.0, n)
    scores = rng.standard_normal((n, k)) + signal * np.eye(k)[codes]
    found = fit_temperature(scores, codes, weights)
    reached = objective(scores, codes, weights, found)
    for other in found * np.array([0.9, 0.99, 1.01, 1.1, 2.0]):
        if objective(scores, codes, weights, other) < reached - 1e-12:
            # cut where the scores mislead: as faint as it may be
            assert found > 100
            assert other > found
    assert 0 < found < 1e5


@pytest.mark.parametrize("factor", [1e-150, 1e-8, 1e6, 1e150])
def test_scores_in_other_units_or_shifted_are_the_same(factor):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 40)
    scores = rng.standard_normal((40, 3)) + 2 * np.eye(3)[codes]
    expected = fit_temperature(scores, codes, None)
    assert fit_temperature(factor * scores, codes, None) == pytest.approx(factor * expected)
    assert fit_temperature(scores + rng.random((40, 1)), codes, None) == pytest.approx(expected)


def test_scores_that_never_miss_leave_some_doubt():
    """Of n held-out samples none was missed: as if of n + 2 one had been, (n + 1)/(n + 2)."""
    codes = np.arange(40) % 2
    sure = np.eye(2)[codes]
    temperature = fit_temperature(sure, codes, None)
    assert softmax(sure[0] / temperature)[0] == pytest.approx(41 / 42, rel=1e-9)
    weighted = fit_temperature(sure, codes, np.full(40, 7.0))
    assert weighted == pytest.approx(temperature, rel=1e-12)
    few = fit_temperature(sure, codes, np.where(np.arange(40) < 4, 1.0, 1e-12))
    assert softmax(sure[0] / few)[0] == pytest.approx(5 / 6, rel=1e-6)


def test_scores_that_say_nothing_or_mislead():
    codes = np.arange(10) % 2
    assert fit_temperature(np.full((10, 2), 0.3), codes, None) == 1.0
    misleading = np.eye(2)[1 - codes]
    faint = softmax(misleading / fit_temperature(misleading, codes, None), axis=1)
    assert np.all(np.abs(faint - 0.5) < 1e-3)
    np.testing.assert_array_equal(faint.argmax(axis=1), misleading.argmax(axis=1))
    one_row = np.zeros((10, 2))
    one_row[0] = 1.0, -1.0
    assert fit_temperature(one_row, codes, np.where(np.arange(10) == 0, 1e-300, 1.0)) > 0


@pytest.mark.parametrize("alpha", [0, 1e-3, 1e9])
@pytest.mark.filterwarnings("ignore::tangency.learn.IllConditionedWarning")
def test_odd_fits_have_probabilities_too(iris, alpha):
    X, y = iris
    pair = KernelClassifier(NETWORK, alpha=alpha).fit(X[y != 2][:2], ["a", "b"])  # one of each
    once = np.where(np.arange(40) == 3, 7, y[:40])
    rare = KernelClassifier(NETWORK, alpha=alpha).fit(X[:40], once)
    random = KernelClassifier(NETWORK, alpha=alpha).fit(X, np.arange(len(X)) % 2)
    for model in (pair, rare, random):
        assert np.isfinite(model.predict_log_proba(X)).all()
        probabilities = model.predict_proba(X)
        np.testing.assert_array_equal(
            model.classes_[probabilities.argmax(axis=1)], model.predict(X)
        )


def test_weights_count_in_the_calibration(iris):
    """Samples that are wrong on purpose cost certainty as far as they weigh."""
    X, y = iris
    noisy = np.where(np.arange(len(y)) % 5 == 0, (y + 1) % 3, y)
    wrong = noisy != y
    found = {}
    for weight in (1e-9, 0.3, 1.0):
        weights = np.where(wrong, weight, 1.0)
        model = KernelClassifier(NETWORK, alpha=0.1).fit(X, noisy, sample_weight=weights)
        found[weight] = model.predict_proba(X).max(axis=1).mean()
    assert found[1e-9] > found[0.3] > found[1.0]
    clean = KernelClassifier(NETWORK, alpha=0.1).fit(X[~wrong], y[~wrong])
    assert found[1e-9] == pytest.approx(clean.predict_proba(X).max(axis=1).mean(), rel=1e-4)


def test_without_leave_one_out_there_are_none(iris):
    X, y = iris
    for model, reason in (
        (
            KernelClassifier(NETWORK, training_time=2.0),
            r"closed form for training_time=2\.0; leave",
        ),
        (
            KernelClassifier(NETWORK, alpha=0.1, solver=CG(probes=0)),
            r"CG\(probes=0\) leaves out",
        ),
    ):
        assert model.fit(X, y).temperature_ is None
        for name in ("predict_proba", "predict_log_proba"):
            assert not hasattr(model, name)
            with pytest.raises(AttributeError, match=f"has no attribute '{name}'") as raised:
                getattr(model, name)
            assert raised.match("has no attribute")
            with pytest.raises(InputError, match=reason):
                raise raised.value.__cause__
        wrapped = CalibratedClassifierCV(model, method="temperature", cv=3).fit(X, y)
        assert log_loss(y, wrapped.predict_proba(X)) < 0.4
    endless = KernelClassifier(NETWORK, training_time=np.inf, alpha=0.1).fit(X, y)
    assert endless.predict_proba(X).shape == (len(X), 3)


def test_they_come_back_from_a_file_and_files_without_a_temperature_say_so(tmp_path, iris):
    X, y = iris
    model = KernelClassifier(NETWORK).fit(X, y)
    again = load(model.save(tmp_path / "m.npz"))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    del model.temperature_
    older = load(model.save(tmp_path / "old.npz"))
    np.testing.assert_array_equal(older.predict(X), again.predict(X))
    with pytest.raises(InputError, match=r"holds no temperature_.*fit it again"):
        older.predict_proba(X)


def test_scikit_learns_tools_take_them(iris):
    X, y = iris
    model = KernelClassifier(NETWORK, alpha=0.1)
    held_out = cross_val_predict(model, X, y, cv=3, method="predict_proba")
    assert log_loss(y, held_out) < 0.3
    voting = VotingClassifier(
        [("kernel", model), ("linear", LogisticRegression())], voting="soft"
    ).fit(X, y)
    assert voting.score(X, y) > 0.9


def test_a_calibration_display(iris):
    pytest.importorskip("matplotlib")
    X, y = iris
    two = KernelClassifier(NETWORK, alpha=0.1).fit(X[y > 0], y[y > 0] == 2)
    shown = CalibrationDisplay.from_estimator(two, X[y > 0], y[y > 0] == 2, n_bins=5)
    assert shown.estimator_name == "KernelClassifier"


def test_nystrom_and_precomputed_agree_with_samples(iris):
    X, y = iris
    direct = KernelClassifier(NETWORK, alpha=0.1).fit(X, y).predict_proba(X[:9])
    given = KernelClassifier("precomputed", alpha=0.1).fit(NETWORK(X), y)
    np.testing.assert_allclose(given.predict_proba(NETWORK(X[:9], X)), direct, rtol=1e-9)
    landmarks = KernelClassifier(NETWORK, alpha=0.1, solver=Nystrom(len(X))).fit(X, y)
    np.testing.assert_allclose(landmarks.predict_proba(X[:9]), direct, rtol=1e-4)
