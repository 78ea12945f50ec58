"""Conformal intervals: those of n refits, in one factorisation, and their coverage."""

from __future__ import annotations

import numpy as np
import pytest

from tangency import NNGP, NTK, KernelRegressor
from tangency.errors import InputError
from tangency.learn import Nystrom, load
from tangency.learn.uncertainty import jackknife

KERNEL = NTK("dense:b=0.5 relu dense:b=0.2 erf dense")


def made(n=24, m=7, outputs=None, seed=0):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n + m, 3))
    noise = random.standard_normal((n + m, outputs or 1)) * np.arange(1, (outputs or 1) + 1)
    y = 5.0 + np.sin(X[:, [0]] * 2) + X[:, [1]] ** 2 + 0.3 * noise
    y = y if outputs else y[:, 0]
    return X[:n], y[:n], X[n:], y[n:]


def by_refits(kernel, X, y, new, coverage, weights=None, **options):
    """Barber et al. 2021, equation 1.6, word for word."""
    n = len(X)
    lower, upper = [], []
    for i in range(n):
        others = np.arange(n) != i
        w = None if weights is None else weights[others]
        model = KernelRegressor(kernel, **options).fit(X[others], y[others], sample_weight=w)
        size, at = np.abs(y[i] - model.predict(X[[i]])[0]), model.predict(new)
        lower.append(at - size)
        upper.append(at + size)
    k = int((n + 1) * (1 - coverage) + 1e-9)
    return np.sort(lower, axis=0)[k - 1], np.sort(upper, axis=0)[n - k]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("outputs", [None, 2])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.03])
def test_intervals_are_those_of_refits(alpha, center, outputs, weighted):
    X, y, new, _ = made(outputs=outputs)
    weights = np.random.default_rng(1).uniform(0.1, 3.0, len(X)) if weighted else None
    options = {"alpha": alpha, "center": center}
    model = KernelRegressor(KERNEL, **options).fit(X, y, sample_weight=weights)
    found = model.predict_interval(new, coverage=0.8)
    wanted = by_refits(KERNEL, X, y, new, 0.8, weights, **options)
    assert found.lower.shape == model.predict(new).shape
    for ends, others in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ends, others, rtol=1e-7, atol=1e-7)


def test_several_coverages_are_nested_and_in_their_order():
    X, y, new, _ = made()
    model = KernelRegressor(KERNEL, alpha=0.1).fit(X, y)
    lower, upper = model.predict_interval(new, coverage=[0.5, 0.9])
    assert lower.shape == (2, len(new))
    assert np.all(lower[1] <= lower[0])
    assert np.all(upper[0] <= upper[1])
    for place, coverage in enumerate((0.5, 0.9)):
        np.testing.assert_array_equal(model.predict_interval(new, coverage).lower, lower[place])


def test_blocks_of_rows_change_nothing(monkeypatch):
    X, y, new, _ = made(m=600)
    model = KernelRegressor(KERNEL, alpha=0.1).fit(X, y)
    whole = model.predict_interval(new)
    monkeypatch.setattr(jackknife, "DEVIATION_BYTES", 1)
    for ends, others in zip(model.predict_interval(new), whole, strict=True):
        np.testing.assert_allclose(ends, others, rtol=1e-12)


def test_a_sample_of_weight_zero_is_none():
    X, y, new, _ = made()
    weights = np.ones(len(X))
    weights[[3, 8]] = 0.0
    kept = weights > 0
    found = KernelRegressor(KERNEL, alpha=0.1).fit(X, y, sample_weight=weights)
    wanted = KernelRegressor(KERNEL, alpha=0.1).fit(X[kept], y[kept])
    for ends, others in zip(found.predict_interval(new), wanted.predict_interval(new), strict=True):
        np.testing.assert_allclose(ends, others, rtol=1e-12)
    assert len(found.loo_residuals_) == kept.sum()


@pytest.mark.parametrize("alpha", [0.1, "loo"])
def test_coverage_is_near_what_was_asked_for_on_new_samples(alpha):
    """Twelve draws of noise that no Gaussian process would expect: heavy tails."""
    shares = []
    for seed in range(12):
        random = np.random.default_rng(seed)
        X = random.uniform(-2, 2, (260, 2))
        y = np.sin(3 * X[:, 0]) * X[:, 1] + 0.3 * random.standard_t(2.5, 260)
        model = KernelRegressor(NNGP("dense:b=1 erf dense"), alpha=alpha).fit(X[:60], y[:60])
        lower, upper = model.predict_interval(X[60:], coverage=[0.8, 0.9])
        shares.append(np.mean((lower <= y[60:]) & (y[60:] <= upper), axis=1))
    mean = np.mean(shares, axis=0)
    assert np.all(mean > [0.6, 0.8])  # what is proved: 2·coverage - 1
    np.testing.assert_allclose(mean, [0.8, 0.9], atol=0.04)


def test_units_of_the_targets_are_those_of_the_intervals():
    X, y, new, _ = made()
    one = KernelRegressor(KERNEL).fit(X, y).predict_interval(new)
    other = KernelRegressor(KERNEL).fit(X, 1e6 * y + 1e6).predict_interval(new)
    for ends, others in zip(one, other, strict=True):
        np.testing.assert_allclose(1e6 * ends + 1e6, others, rtol=1e-9)


def test_too_much_coverage_says_how_many_samples_it_takes():
    X, y, new, _ = made(n=10)
    model = KernelRegressor(KERNEL, alpha=0.1).fit(X, y)
    with pytest.raises(InputError, match=r"takes 19 samples, and there are 10; ask for"):
        model.predict_interval(new, coverage=0.95)
    with pytest.raises(InputError, match="infinitely many samples"):
        model.predict_interval(new, coverage=1.0)
    with pytest.raises(InputError, match="coverage must be"):
        model.predict_interval(new, coverage="most")
    with pytest.raises(InputError, match="coverage is empty"):
        model.predict_interval(new, coverage=[])
    least = KernelRegressor(KERNEL, alpha=0.1).fit(X[:9], y[:9])  # (n + 1)(1 - 0.9) is 1
    assert np.all(np.isfinite(least.predict_interval(new, coverage=0.9)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "precomputed"}, "need the matrix of the training samples"),
        ({"kernel": KERNEL, "solver": "cg"}, 'solver="cg" estimates .* probes; fit with'),
        ({"kernel": KERNEL, "solver": Nystrom(8)}, "chooses its landmarks with all samples"),
        ({"kernel": KERNEL, "training_time": 2.0, "alpha": None}, r"training_time \(here 2.0\)"),
    ],
)
def test_what_has_no_exact_leave_one_out_is_refused(options, message):
    X, y, new, _ = made()
    if options["kernel"] == "precomputed":
        X, new = KERNEL(X), KERNEL(new, X)
    model = KernelRegressor(**{"alpha": 0.1, **options}).fit(X, y)
    with pytest.raises(InputError, match=message):
        model.predict_interval(new)


def test_copies_without_a_ridge_are_refused():
    X, y, new, _ = made()
    X[1], y[1] = X[0], y[0]
    with pytest.warns(match="rank"):
        model = KernelRegressor(KERNEL, alpha=0.0).fit(X, y)
    with pytest.raises(InputError, match="singular to working precision at alpha=0"):
        model.predict_interval(new, coverage=0.5)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_saved_model_gives_the_same_intervals(tmp_path, weighted):
    X, y, new, _ = made(outputs=2)
    weights = np.linspace(0.5, 2.0, len(X)) if weighted else None
    model = KernelRegressor(KERNEL, alpha=0.1).fit(X, y, sample_weight=weights)
    again = load(model.save(tmp_path / "model.npz"))
    for ends, others in zip(again.predict_interval(new), model.predict_interval(new), strict=True):
        np.testing.assert_array_equal(ends, others)


@pytest.mark.parametrize("center", [True, False])
def test_parameters_set_after_the_fit_change_no_interval(tmp_path, center):
    X, y, new, _ = made()
    model = KernelRegressor(KERNEL, alpha=0.1, center=center).fit(X, y)
    right = model.predict_interval(new)
    model.set_params(center=not center, alpha=7.0)
    for each in (model, load(model.save(tmp_path / "model.npz"))):
        np.testing.assert_array_equal(each.predict_interval(new), right)


def test_residuals_are_what_the_score_is_made_of():
    X, y, _, _ = made(outputs=2)
    model = KernelRegressor(KERNEL, alpha=0.1).fit(X, y)
    share = 1 - np.sum(model.loo_residuals_**2, axis=0) / np.sum((y - y.mean(axis=0)) ** 2, axis=0)
    assert model.loo_score_ == pytest.approx(share.mean(), rel=1e-12)
