"""Scores of uncertainty against other computations, and of models known to be right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.datasets import load_iris
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import BayesianRidge, LogisticRegression, Ridge
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tangency import GaussianProcess, KernelClassifier, KernelRegressor
from tangency.errors import InputError
from tangency.learn import calibration
from tangency.learn.uncertainty.scores import binned, crps, log_loss

NET = "dense:b=0.5 erf dense"


def made(n=40, m=30, seed=0):
    random = np.random.default_rng(seed)
    X = random.uniform(-2, 2, (n + m, 2))
    y = 3 + np.sin(2 * X[:, 0]) + X[:, 1] + 0.2 * random.standard_normal(n + m)
    return X[:n], y[:n], X[n:], y[n:]


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    order = np.random.default_rng(1).permutation(len(y))
    X, y = X[order] / 4, np.array(["b", "a", "c"])[y[order]]
    return X[:90], y[:90], X[90:], y[90:]


def test_scores_of_densities():
    y, mean, std = np.array([0.3, -2.0, 5.0]), np.array([0.0, 1.0, 5.0]), np.array([0.5, 2.0, 0.1])
    np.testing.assert_allclose(log_loss(y, mean, std), -norm.logpdf(y, mean, std), rtol=1e-12)
    for t, m, s, found in zip(y, mean, std, crps(y, mean, std), strict=True):
        below = quad(lambda u, m=m, s=s: norm.cdf(u, m, s) ** 2, m - 12 * s, t)[0]
        above = quad(lambda u, m=m, s=s: norm.sf(u, m, s) ** 2, t, max(t, m) + 12 * s)[0]
        assert found == pytest.approx(below + above, rel=1e-6)


def test_bins_hold_equal_counts_and_what_chance_alone_gives():
    random = np.random.default_rng(0)
    confidence = random.uniform(0.4, 1.0, 400)
    draws = [binned(confidence, random.random(400) < confidence, 8) for _ in range(400)]
    found = draws[0]
    assert found.counts.tolist() == [50] * 8
    assert np.all(np.diff(found.confidence) > 0)
    errors = [each.ece for each in draws]
    assert np.mean(errors) == pytest.approx(found.by_chance, rel=0.05)
    assert np.std(errors) < np.mean([each.error for each in draws])
    shares = np.mean([np.abs(e.accuracy - e.confidence) < 2 * e.errors for e in draws])
    assert shares == pytest.approx(0.95, abs=0.02)


def test_equal_confidences_stay_together_whatever_their_order():
    confidence = np.array([0.5] * 7 + [1.0] * 5)
    right = np.array([1, 0, 1, 0, 0, 0, 1] + [1] * 5, float)
    order = np.random.default_rng(0).permutation(12)
    for found in (binned(confidence, right, 5), binned(confidence[order], right[order], 5)):
        assert found.counts.tolist() == [7, 5]
        assert found.ece == pytest.approx(abs(3 - 3.5) / 12)
    assert binned(np.ones(4), np.ones(4), 10).ece == 0.0


def test_a_density_that_is_right_is_found_to_be():
    random = np.random.default_rng(0)
    mean, std = random.standard_normal(4000), random.uniform(0.1, 2.0, 4000)
    y = mean + std * random.standard_normal(4000)
    found = calibration({"right": (mean, std), "too sure": (mean, std / 2)}, None, y)
    right, sure = found.scores.values()
    assert np.all(np.abs(right.coverage - found.levels) < 3 * found.errors)
    assert right.gap < 2 * found.by_chance < 0.3 * sure.gap
    assert right.nll < sure.nll - 3 * sure.nll_error
    assert right.crps < sure.crps
    assert right.nll == pytest.approx(-norm.logpdf(y, mean, std).mean())
    np.testing.assert_allclose(sure.width, right.width / 2)


def test_the_noise_of_a_process_is_part_of_what_it_says_of_targets():
    X, y, new, truth = made()
    model = GaussianProcess(NET).fit(X, y)
    mean, std = model.predict(new, return_std=True)
    whole = np.sqrt(std**2 + model.amplitude_**2 * model.noise_)
    of_model = calibration(model, new, truth).scores["GaussianProcess"]
    by_hand = calibration((mean, whole), None, truth).scores["model"]
    assert of_model.nll == pytest.approx(by_hand.nll, rel=1e-12)
    np.testing.assert_array_equal(of_model.coverage, by_hand.coverage)
    scaled = make_pipeline(StandardScaler(), GaussianProcess(NET)).fit(X, y)
    other = GaussianProcess(NET).fit((X - X.mean(axis=0)) / X.std(axis=0), y)
    moved = (new - X.mean(axis=0)) / X.std(axis=0)
    one, two = calibration(scaled, new, truth), calibration(other, moved, truth)
    assert one.scores["Pipeline"].crps == pytest.approx(two.scores["GaussianProcess"].crps)


def test_an_ensemble_and_models_of_others_say_it_themselves():
    X, y, new, truth = made()
    models = {
        "ensemble": GaussianProcess(NET, inference="ensemble", noise=0.1).fit(X, y),
        "sklearn": GaussianProcessRegressor(alpha=0.04).fit(X, y),
        "linear": BayesianRidge().fit(X, y),
    }
    found = calibration(models, new, truth)
    for name, model in models.items():
        mean, std = model.predict(new, return_std=True)
        assert found.scores[name].nll == pytest.approx(-norm.logpdf(truth, mean, std).mean())


def test_a_ridge_fit_is_judged_by_its_intervals():
    X, y, new, truth = made()
    model = KernelRegressor(NET).fit(X, y)
    piped = make_pipeline(StandardScaler(), KernelRegressor(NET)).fit(X, y)
    searched = GridSearchCV(KernelRegressor(NET), {"center": [True]}, cv=2).fit(X, y)
    models = {"plain": model, "piped": piped, "searched": searched}
    found = calibration(models, new, truth, levels=(0.9, 0.5))
    np.testing.assert_array_equal(found.scores["searched"].width, found.scores["plain"].width)
    lower, upper = model.predict_interval(new, coverage=[0.5, 0.9])
    np.testing.assert_array_equal(found.levels, [0.5, 0.9])
    plain = found.scores["plain"]
    np.testing.assert_allclose(plain.width, np.mean(upper - lower, axis=1))
    np.testing.assert_allclose(plain.coverage, np.mean((lower <= truth) & (truth <= upper), axis=1))
    assert np.isnan(plain.nll)
    assert found.scores["piped"].coverage[1] > 0.6
    assert found.table().rows[0][2] == ""
    assert "90 % intervals hold plain" in found.summary


def test_probabilities_are_scored_as_others_score_them(iris):
    X, y, new, truth = iris
    models = {"ours": KernelClassifier(NET).fit(X, y), "linear": LogisticRegression().fit(X, y)}
    found = calibration(models, new, truth, bins=5)
    for name, model in models.items():
        chances, scores = model.predict_proba(new), found.scores[name]
        assert scores.nll == pytest.approx(sklearn_log_loss(truth, chances))
        assert scores.brier == pytest.approx(brier_score_loss(truth, chances, scale_by_half=False))
        assert scores.accuracy == model.score(new, truth)
        assert scores.bins.counts.sum() == found.count == len(truth)
    codes = np.searchsorted(models["ours"].classes_, truth)
    given = calibration(models["ours"].predict_proba(new), None, codes, bins=5).scores["model"]
    assert given.brier == pytest.approx(found.scores["ours"].brier)
    assert given.bins.ece == pytest.approx(found.scores["ours"].bins.ece)
    assert found.table().columns[6] == "ECE"
    assert "by chance alone" in found.summary


def test_a_class_that_was_ruled_out_costs_infinitely_much():
    found = calibration(np.array([[1.0, 0.0], [0.5, 0.5]]), None, [1, 0]).scores["model"]
    assert found.nll == np.inf
    assert found.brier == pytest.approx((2.0 + 0.5) / 2)


def test_figures_show_each_model(iris):
    X, y, new, truth = made()
    found = calibration({"a": (truth, 1.0), "b": KernelRegressor(NET).fit(X, y)}, new, truth)
    figure = found.plot()
    left, right = figure.axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["a", "b"]
    assert len(right.lines) == 2
    assert "diagonal" in found.reading
    X, y, new, truth = iris
    classes = calibration(KernelClassifier(NET).fit(X, y), new, truth)
    panel = figure.add_subplot()
    assert classes.plot(panel) is figure
    assert "KernelClassifier: ECE" in panel.get_legend().get_texts()[0].get_text()
    assert "diagonal" in classes.reading
    assert found.plot(figure.add_subplot()) is figure


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        ({}, {}, "models is empty"),
        ({"r": (0.0, 1.0), "c": np.eye(3)}, {}, "c give classes, and r do not"),
        (
            {"r": (np.zeros(2), 1.0)},
            {},
            r"r predicts \(2,\) of float64, and y has 3 targets of one",
        ),
        ({"r": (np.zeros(3), 0.0)}, {}, "standard deviations that are not above zero"),
        ({"r": Ridge()}, {}, "X is None, but r must predict"),
        (np.zeros(3), {}, r"model must be a fitted estimator, a pair \(mean, std\)"),
        (np.ones((3, 2)), {}, "not probabilities: each must add up to 1"),
        ({"r": (np.zeros(3), 1.0)}, {"levels": [0.5, 1.0]}, "levels must be numbers between 0"),
        ({"r": (np.zeros(3), 1.0)}, {"bins": 0}, "bins must be a whole number of at least 1"),
    ],
)
def test_errors_are_in_words(models, options, message):
    with pytest.raises(InputError, match=message):
        calibration(models, None, [0, 1, 0], **options)


def test_errors_of_samples_and_models():
    X, y, new, truth = made()
    with pytest.raises(InputError, match=r"lin is Ridge\(\), which gives no uncertainty"):
        calibration({"lin": Ridge().fit(X, y)}, new, truth)
    with pytest.raises(InputError, match=r"shape \(30, 2\); score several outputs one by one"):
        calibration((0.0, 1.0), new, np.zeros((30, 2)))
    with pytest.raises(InputError, match="y has NaN"):
        calibration((np.zeros(2), 1.0), None, [0.0, np.nan])
    with pytest.raises(InputError, match=r"y holds 7, which is not one of the classes of model"):
        calibration(np.eye(2), None, [0, 7])
