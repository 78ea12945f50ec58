"""The infinite network in training, without PyTorch: one network's path, and bad arguments."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg as sla

import tangency as tg
from tangency.learn import kernel_predictions

X = np.random.default_rng(5).normal(size=(8, 3))
Y = np.sin(X[:5] @ [1.0, -1.0, 0.5])
NTK = tg.NTK("dense:b=0.3 erf dense")


def test_the_path_of_one_network():
    """f_t = f₀ + Θ(x, X)Θ⁻¹(I − exp(−tΘ))(y − f₀), by the matrix exponential."""
    f0, f0_test = np.cos(X[:5, 0]), np.cos(X[5:, 0])
    times = [0.0, 0.4, 3.0]
    found = kernel_predictions(NTK, X[:5], Y, X[5:], times, f0=f0, f0_test=f0_test)
    theta, cross = NTK(X[:5]), NTK(X[5:], X[:5])
    for time, mean in zip(times, found.mean, strict=True):
        step = np.linalg.solve(theta, (np.eye(5) - sla.expm(-time * theta)) @ (Y - f0))
        np.testing.assert_allclose(mean, f0_test + cross @ step, rtol=1e-8)
    assert not found.covariance.any()
    on_training = kernel_predictions(NTK, X[:5], Y, times=[np.inf], f0=f0)
    np.testing.assert_allclose(on_training.mean[0], Y, rtol=1e-8)


def test_zero_is_the_default_start():
    plain = kernel_predictions(NTK, X[:5], Y, X[5:], [0.7], lr=0.1)
    zero = kernel_predictions(
        NTK, X[:5], Y, X[5:], [0.7], lr=0.1, f0=np.zeros(5), f0_test=np.zeros(3)
    )
    np.testing.assert_array_equal(plain.mean, zero.mean)


def test_very_small_steps_are_the_flow():
    flow = kernel_predictions(NTK, X[:5], Y, X[5:], [0.7])
    for lr in (1e-9, 1e-18, 1e-310):
        steps = kernel_predictions(NTK, X[:5], Y, X[5:], [0.7], lr=lr)
        np.testing.assert_allclose(steps.mean, flow.mean, rtol=1e-7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 0}, "lr must be a finite number greater than 0, or None for gradient flow; got 0"),
        ({"lr": -0.1}, "got -0.1"),
        ({"lr": np.nan}, "got nan"),
        ({"lr": "fast"}, "got 'fast'"),
        ({"lr": True}, "got True"),
        ({"times": "long"}, "times must be numbers, 0 or more; got 'long'"),
        ({"times": [np.nan]}, "times must be numbers"),
        ({"f0_test": Y}, "f0_test needs f0"),
        ({"f0": Y, "f0_test": Y}, "f0_test is for X_test"),
        ({"f0": Y, "X_test": X[5:]}, "f0_test is for X_test"),
        ({"f0": np.ones((5, 2))}, "as many outputs as y, 1; got 2"),
        ({"f0": Y[:2]}, r"f0 must be numbers \(n,\) or \(n, outputs\) for 5 inputs"),
        ({"f0": Y * np.nan}, "f0 holds NaN"),
        ({"y": [[1.0], [1.0, 2.0], 3.0, 4.0, 5.0]}, "y must be numbers"),
    ],
)
def test_errors(change, message):
    with pytest.raises(tg.InputError, match=message):
        kernel_predictions(**{"kernel": NTK, "X": X[:5], "y": Y, **change})


def test_tensors_that_require_a_gradient():
    torch = pytest.importorskip("torch")
    x, y = (torch.tensor(values, requires_grad=True) for values in (X, Y))
    found = kernel_predictions(NTK, x[:5], y, x[5:], [0.7])
    np.testing.assert_array_equal(found.mean, kernel_predictions(NTK, X[:5], Y, X[5:], [0.7]).mean)


def test_no_torch_is_needed():
    code = (
        "import sys, numpy as np, tangency as tg\n"
        "from tangency.learn import kernel_predictions\n"
        "kernel_predictions(tg.NTK('dense relu dense'), np.eye(2), [1.0, -1.0])\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("time", [1.0, np.inf])
def test_descent_that_diverges_is_refused_at_every_time(time):
    with pytest.raises(tg.InputError, match="lr=100 diverges: the limit is"):
        kernel_predictions(NTK, X[:5], Y, X[5:], [time], lr=100)
