from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from systems import system
from tangency import InputError
from tangency.learn.solvers import block_cg
from tangency.learn.solvers.block_cg import NotDefiniteError, run, start


def solved(problem, max_iter=500, first=None):
    steps = []
    state = run(problem, start(problem, first), max_iter, lambda s: steps.append(s.iteration))
    assert steps == list(range(1, state.iteration + 1))
    return state


def exact(matrix, alpha, targets):
    return np.linalg.solve(matrix + alpha * np.eye(len(matrix)), targets)


@pytest.mark.parametrize("rank", [0, 30])
@pytest.mark.parametrize("alpha", [1e-2, 1.0, 1e3])
def test_it_solves(matrix, targets, alpha, rank):
    problem = system(matrix, targets, alpha, rank)
    state = solved(problem)
    assert state.worst(problem.wanted) <= 1
    expected = exact(matrix, alpha, targets)
    np.testing.assert_allclose(state.solution, expected, atol=1e-7 * np.abs(expected).max())


def test_the_bound_holds_for_functions(matrix, targets, ntk, samples):
    new = np.random.default_rng(9).standard_normal((80, 6))
    new *= np.sqrt(ntk.diag(samples).max() / ntk.diag(new))[:, None] ** 0.5
    largest = np.sqrt(max(ntk.diag(new).max(), ntk.diag(samples).max()))
    for tol in (1e-1, 1e-3, 1e-5):
        problem = system(matrix, targets, 0.1, rank=20, tol=tol)
        missing = exact(matrix, 0.1, targets) - solved(problem).solution
        norms = np.sqrt(np.einsum("ij,ij->j", missing, matrix @ missing))
        assert np.all(norms <= tol)
        assert np.all(np.abs(ntk(new, samples) @ missing) <= tol * largest)


def test_dependent_zero_and_repeated_columns(matrix, targets):
    block = np.column_stack([targets, targets.sum(axis=1), targets[:, 0], np.zeros(len(targets))])
    problem = system(matrix, block, 0.1, rank=20)
    state = start(problem)
    assert state.directions.shape[1] == 2
    state = run(problem, state, 500, lambda s: None)
    assert state.worst(problem.wanted) <= 1
    expected = exact(matrix, 0.1, block)
    np.testing.assert_allclose(state.solution, expected, atol=1e-7 * np.abs(expected).max())
    assert not state.solution[:, -1].any()


def test_one_hot_targets_take_no_more_steps_than_without_the_dependent_one(matrix):
    codes = np.arange(len(matrix)) % 3
    block = np.eye(3)[codes] - 1 / 3
    all_three, two = (
        solved(system(matrix, b, 0.1, rank=20)).iteration for b in (block, block[:, :2])
    )
    # Rounding, which differs by BLAS and processor, moves the last step by a few.
    assert all_three <= 1.1 * two


@given(st.integers(1, 12), st.integers(1, 6), st.floats(1e-3, 1e3), st.integers(0, 5))
def test_any_small_system(size, columns, alpha, seed):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((size, max(size // 2, 1)))
    matrix, targets = root @ root.T, rng.integers(-1, 2, (size, columns)).astype(float)
    problem = system(matrix, targets, alpha, tol=1e-7)
    state = solved(problem)
    assert state.worst(problem.wanted) <= 1
    np.testing.assert_allclose(state.solution, exact(matrix, alpha, targets), atol=1e-5 / alpha)


def test_columns_that_have_converged_go_on_to_help_the_others(matrix, targets):
    """Without their directions the others would take more steps than they do alone."""
    for alpha, rank in ((0.1, 0), (1e-3, 0), (1e-2, 20)):
        strict = solved(system(matrix, targets[:, :1], alpha, rank)).iteration
        rng = np.random.default_rng(0)
        block = np.hstack([targets[:, :1], rng.choice([-1.0, 1.0], (len(matrix), 8))])
        problem = system(matrix, block, alpha, rank)
        problem.wanted[1:] *= 1e4
        state = solved(problem)
        assert np.all(state.bounds <= problem.wanted)
        assert state.directions.shape[1] == 9
        assert state.iteration < strict


def test_a_preconditioner_saves_steps(matrix, targets):
    plain, better = (solved(system(matrix, targets, 0.1, rank)).iteration for rank in (0, 60))
    assert better < 0.7 * plain


def test_a_first_solution_saves_steps(matrix, targets):
    problem = system(matrix, targets, 0.1)
    near = exact(matrix, 0.1001, targets)
    assert solved(problem, first=near).iteration < solved(problem).iteration
    ready = solved(problem, first=exact(matrix, 0.1, targets))
    assert ready.iteration == 0


def test_it_stops_at_the_largest_number_of_steps(matrix, targets):
    state = solved(system(matrix, targets, 1e-3), max_iter=3)
    assert state.iteration == 3


def test_it_stops_where_nothing_improves(matrix, targets, monkeypatch):
    monkeypatch.setattr(block_cg, "_PATIENCE", 7)
    monkeypatch.setattr(block_cg, "_GAIN", 0.0)
    assert solved(system(matrix, targets, 1e-3)).iteration == 7


def test_an_indefinite_matrix_is_refused(targets):
    matrix = np.diag(np.linspace(-1, 1, len(targets)))
    with pytest.raises(NotDefiniteError, match=r"not positive definite at alpha=0.1.*raise alpha"):
        solved(system(matrix, targets, 0.1))


def test_overflow_is_refused(matrix, targets):
    with (
        np.errstate(all="ignore"),
        pytest.raises(InputError, match=r"conjugate gradients overflowed.*scale the inputs"),
    ):
        solved(system(matrix * 1e300, targets * 1e200, 0.1))
