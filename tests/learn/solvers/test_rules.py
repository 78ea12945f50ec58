from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from tangency import NTK, KernelClassifier, KernelRegressor, MemoryLimitError
from tangency.learn.solvers import CG, Cholesky, Eigh, Nystrom, choose_solver, rules
from tangency.learn.solvers.cg import make_operator
from tangency.learn.solvers.options import name_of
from traced import traced

PLENTY = 10**12


def chosen(n, **parameters):
    choice = choose_solver(n, **{"available": PLENTY, **parameters})
    return name_of(choice.solver), choice.reason


@pytest.mark.parametrize(
    ("n", "parameters", "name", "reason"),
    [
        (15_000, {"alpha": 1.0}, "cholesky", "one alpha > 0, up to 15,000"),
        (15_001, {"alpha": 1.0}, "cg", "15,001 samples are more than 15,000"),
        (8_000, {}, "eigh", '"loo" chooses'),
        (8_001, {}, "cg", "8,001 samples are more than 8,000"),
        (8_001, {"alpha": [1.0, 2.0]}, "cg", "several alphas"),
        (90_000, {"alpha": 0.0}, "eigh", "alpha = 0"),
        (90_000, {"alpha": [0.0, 1.0]}, "eigh", "alpha = 0"),
        (90_000, {"training_time": 3.0}, "eigh", "finite training time"),
        (1_000, {"alpha": 1.0, "available": 10**6}, "cg", "cholesky would need 7.6 MiB of the"),
        (1_000, {"available": 20 * 10**6}, "cg", "eigh would need"),
        (1_000, {"alpha": 1.0, "solver": "nystrom"}, "nystrom", "asked for"),
    ],
)
def test_what_auto_takes(n, parameters, name, reason):
    found, why = chosen(n, **parameters)
    assert found == name
    assert reason in why


@pytest.mark.parametrize(
    ("solver", "parameters", "message"),
    [
        ("cholesky", {"alpha": 0}, r'"cholesky" needs alpha > 0, got 0; .* solver="eigh"'),
        ("cg", {"alpha": [0.0, 1.0]}, '"cg" needs alpha > 0'),
        ("cholesky", {"alpha": "loo"}, 'takes one alpha > 0; to choose .*"eigh"'),
        ("cg", {"training_time": 2.0}, "a finite training_time takes"),
        ("cholesky", {"training_time": 2.0, "alpha": 1.0}, "a finite training_time takes"),
    ],
)
def test_solvers_refuse_what_they_were_not_made_for(solver, parameters, message):
    with pytest.raises(ValueError, match=message):
        choose_solver(100, solver=solver, **parameters)
    with pytest.raises(ValueError, match=message):
        KernelRegressor(solver=solver, **parameters).fit(np.eye(3), [1.0, 2.0, 3.0])


@pytest.mark.parametrize("solver", [Cholesky(), Eigh()], ids=name_of)
def test_memory_is_checked_before_anything_is_computed(monkeypatch, solver):
    class Memory:
        available = 10**6

    def kernel(X, Y):
        raise AssertionError("computed")

    monkeypatch.setattr(rules.psutil, "virtual_memory", lambda: Memory)
    X, y = np.random.default_rng(0).random((400, 2)), np.arange(400.0)
    with pytest.raises(MemoryLimitError, match=r'are free; solver="cg" needs no more than') as told:
        KernelRegressor(kernel, alpha=1.0, solver=solver).fit(X, y)
    assert f'solver="{name_of(solver)}" for 400 samples needs' in str(told.value)


def test_many_outputs_and_copies_are_counted():
    few, many = (rules.memory_need(CG(), 10_000, outputs) for outputs in (1, 1001))
    assert many - few == 20 * 8 * 10_000 * 1000
    assert rules.memory_need(CG(), 10_000) == rules.memory_need(CG(), 10_000, 10)
    assert rules.memory_need(Cholesky(), 100, 5) == rules.memory_need(Cholesky(), 100)


def test_the_memory_of_many_outputs_is_about_what_it_takes():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((800, 5)), rng.standard_normal((800, 150))
    model = KernelRegressor(NTK("dense relu dense"), alpha=1.0, solver=CG(matrix="on_the_fly"))
    model.fit(X[:50], y[:50])
    _, peak = traced(lambda: model.fit(X, y))
    need = rules.memory_need(CG(), *y.shape)
    assert 0.6 * need < peak < 1.2 * need + 2**24


def test_a_kernel_of_the_users_own_takes_room_twice(monkeypatch):
    X, y = np.random.default_rng(0).random((400, 2)), np.arange(400.0)
    monkeypatch.setattr(
        rules.psutil, "virtual_memory", lambda: SimpleNamespace(available=12 * 400**2)
    )
    with pytest.raises(MemoryLimitError, match=r'"cholesky" for 400 samples needs 2\.4 MiB'):
        KernelRegressor(rbf_kernel, alpha=1.0, solver="cholesky").fit(X, y)
    KernelRegressor("precomputed", alpha=1.0, solver="cholesky").fit(rbf_kernel(X), y)


def test_a_matrix_in_memory_is_checked_too(monkeypatch):
    class Tiles:
        size, nbytes = 40, 10**7

    monkeypatch.setattr(rules.psutil, "virtual_memory", lambda: SimpleNamespace(available=10**6))
    with pytest.raises(MemoryLimitError, match=r"K of 40 samples in memory needs .*on_the_fly"):
        make_operator(Tiles(), "memory")


def test_estimators_can_be_asked():
    X = np.ones((50, 3), np.float32)
    assert KernelRegressor(alpha=1.0).explain_solver(X).startswith("cholesky: one alpha > 0")
    assert KernelClassifier().explain_solver(X).startswith('eigh: "loo" chooses')
    assert KernelClassifier(solver=Nystrom(5)).explain_solver(X).startswith("nystrom: asked for")
    assert KernelRegressor(training_time=1.0).explain_solver(X.tolist()).startswith("eigh: a fin")


@pytest.mark.parametrize("alpha", [0.1, "loo"])
@pytest.mark.parametrize("matrix", ["on_the_fly", "auto", "memory"])
def test_the_memory_that_is_stated_holds(alpha, matrix):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((700, 5)), rng.standard_normal((700, 10))
    solver = CG(matrix=matrix, max_iter=30, tol=1e-2)
    model = KernelRegressor(NTK("dense:b=1 relu dense"), alpha=alpha, solver=solver)
    model.fit(X[:50], y[:50])
    _, peak = traced(lambda: model.fit(X, y))
    stated = choose_solver(700, alpha=alpha, solver=solver)
    assert 0.5 * stated.need < peak < stated.need + stated.kept
    assert (stated.kept == 0) == (matrix == "on_the_fly")
    told = model.explain_solver(X)
    assert "for 10 outputs" in told
    assert ("and keeps up to 3.7 MiB of K" in told) == (matrix != "on_the_fly")


def test_what_is_kept_of_the_matrix_fits_in_half_of_the_memory():
    assert choose_solver(60_000, available=10**9).kept == 5 * 10**8
    assert choose_solver(1000, alpha=1.0).kept == 0
