"""Threads of the linear algebra: few for small fits, never more than are allowed, given back."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from tangency.errors import InputError
from tangency.learn import GaussianProcess, KernelRegressor, process, threads
from tangency.learn.solvers import direct

BLAS = ThreadpoolController().select(user_api="blas")


def in_force():
    return [library.num_threads for library in BLAS.lib_controllers]


@pytest.fixture(autouse=True)
def three():
    with threadpool_limits(3, user_api="blas"):
        if in_force() != [3] * len(BLAS.lib_controllers) or not BLAS.lib_controllers:
            pytest.skip("this BLAS cannot be told how many threads to take")
        yield


@pytest.mark.parametrize(
    ("n", "processors", "expected"),
    [(2, 8, 1), (threads.SMALL - 1, 8, 1), (threads.SMALL, 2, 2), (threads.SMALL, 8, 3)],
)
def test_limits(monkeypatch, n, processors, expected):
    monkeypatch.setattr(joblib, "cpu_count", lambda: processors)
    with threads.blas_threads(n):
        assert set(in_force()) == {expected}
    assert set(in_force()) == {3}


def test_given_back_after_an_error():
    with pytest.raises(InputError), threads.blas_threads(5):
        raise InputError("x")
    assert set(in_force()) == {3}


@pytest.mark.parametrize(
    ("module", "name", "model"),
    [
        (direct, "decompose", KernelRegressor()),
        (direct, "solve_ridge", KernelRegressor(alpha=1.0)),
        (process, "decompose", GaussianProcess(noise=[0.1, 1.0])),
        (process, "inverse_factor", GaussianProcess(noise=0.1)),
        (process, "decompose", GaussianProcess(inference="ensemble")),
    ],
)
def test_every_solver_is_limited(monkeypatch, module, name, model):
    seen, inner = [], getattr(module, name)

    def spy(*args, **options):
        seen.append(set(in_force()))
        return inner(*args, **options)

    monkeypatch.setattr(module, name, spy)
    X = np.random.default_rng(0).normal(size=(9, 3))
    model.fit(X, X[:, 0])
    assert seen == [{1}]
    assert set(in_force()) == {3}
