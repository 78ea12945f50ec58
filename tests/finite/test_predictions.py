"""Closed forms of the infinite ensemble, against other closed forms and against real networks."""

import numpy as np
import pytest

import tangency as tg
from tangency import finite

torch = pytest.importorskip("torch")

from tangency.finite.training import train  # noqa: E402
from tangency.learn.predictions import kernel_predictions  # noqa: E402

NET = "dense:b=0.3 erf dense"
X = np.random.default_rng(5).normal(size=(10, 3))
Y = np.sin(X[:6] @ [1.0, -1.0, 0.5])
NTK, NNGP = tg.NTK(NET), tg.NNGP(NET)


def test_ensemble_of_the_estimator():
    times = [0.0, 0.7, np.inf]
    found = kernel_predictions(NTK, X[:6], Y, X[6:], times)
    for k, time in enumerate(times):
        gp = tg.GaussianProcess(
            NTK, inference="ensemble", training_time=time, noise=0.0, center=False
        )
        mean, covariance = gp.fit(X[:6], Y).predict(X[6:], return_cov=True)
        np.testing.assert_allclose(found.mean[k], mean, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.covariance[k], covariance, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(found.std[0], np.sqrt(NNGP.diag(X[6:])), rtol=1e-9)


def test_the_last_layer_alone_ends_at_the_posterior():
    found = kernel_predictions(NNGP, X[:6], Y, X[6:])
    K, cross = NNGP(X[:6]), NNGP(X[6:], X[:6])
    np.testing.assert_allclose(found.mean[0], cross @ np.linalg.solve(K, Y), rtol=1e-6)
    posterior = NNGP(X[6:]) - cross @ np.linalg.solve(K, cross.T)
    np.testing.assert_allclose(found.covariance[0], posterior, atol=1e-7)


def test_the_last_layer_alone_is_the_frozen_network():
    frozen = tg.NTK("dense:b=0.3,frozen erf dense")
    for lr in (None, 0.02):
        one, other = (kernel_predictions(k, X[:6], Y, X[6:], [3.0], lr) for k in (NNGP, frozen))
        np.testing.assert_allclose(one.mean, other.mean, rtol=1e-9)
        np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-9, atol=1e-12)


def test_descent_step_by_step():
    lr, theta = 0.05, NTK(X[:6])
    found = kernel_predictions(NTK, X[:6], Y, times=lr * np.arange(4), lr=lr)
    f, spread = np.zeros(6), np.eye(6)
    for k in range(4):
        np.testing.assert_allclose(found.mean[k], f, atol=1e-12)
        np.testing.assert_allclose(found.covariance[k], spread @ NNGP(X[:6]) @ spread.T, atol=1e-9)
        f, spread = f + lr * theta @ (Y - f), spread - lr * theta @ spread
    flow = kernel_predictions(NTK, X[:6], Y, times=[2.0])
    fine = kernel_predictions(NTK, X[:6], Y, times=[2.0], lr=1e-5)
    np.testing.assert_allclose(fine.mean, flow.mean, atol=1e-4)


@pytest.mark.parametrize("net", [NET, "dense:b=0.3,frozen erf dense"])
def test_trained_networks(net):
    """Mean and variance over random networks in training.

    64 networks of 8 outputs each. With 18 means and 18 variances, 4 standard errors would be
    passed by chance in one run out of 400, were the draws not fixed.
    """
    networks, outputs, lr = 64, 8, 0.05
    y = np.stack([Y] * outputs, axis=1)
    runs = []
    for seed in range(networks):
        module = finite.build(net, 512, (3,), outputs=outputs, seed=seed)
        how = {"X_test": X[6:], "record": [8, 60], "kernel_points": 0}
        runs.append(train(module, X[:6], y, lr, 60, **how))
    values = np.stack([run.test_values for run in runs])  # (networks, t, m, outputs)
    kernel = tg.NTK(NET) if net == NET else tg.NNGP(NET)
    expected = kernel_predictions(kernel, X[:6], Y, X[6:], runs[0].times, lr)
    mean, error = _mean(values)
    assert np.max(np.abs(mean - expected.mean) / error) < 4
    spread, error = _mean(np.square(values - expected.mean[None, :, :, None]))
    assert np.max(np.abs(spread - expected.std**2) / error) < 4
    assert np.max(error / expected.std**2) < 0.12  # or the test would say little


def _mean(values):
    """Mean over networks and outputs, and its standard error, from networks alone."""
    per_network = values.mean(axis=-1)
    return per_network.mean(axis=0), per_network.std(axis=0, ddof=1) / len(values) ** 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": tg.NTK(NET) + tg.NNGP(NET)}, r"expected NTK\(net\)"),
        ({"kernel": tg.NTK(NET, normalize=True)}, "without normalize"),
        ({"y": Y[:2]}, r"for 6 inputs; got float64 of shape \(2,\)"),
        ({"y": Y * np.inf}, "y holds NaN"),
        ({"times": [-1.0]}, "0 or more"),
        ({"times": [1.0], "lr": 10.0}, "lr=10 diverges: the limit is"),
    ],
)
def test_errors(change, message):
    with pytest.raises(tg.InputError, match=message):
        kernel_predictions(**{"kernel": NTK, "X": X[:6], "y": Y, **change})
