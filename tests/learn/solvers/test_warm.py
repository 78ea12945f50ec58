from __future__ import annotations

import numpy as np

from systems import system
from tangency.learn.solvers.block_cg import start
from tangency.learn.solvers.warm import Solved, start_from


def exact(matrix, targets, alpha):
    solution = np.linalg.solve(matrix + alpha * np.eye(len(matrix)), targets)
    return Solved(alpha, solution, np.zeros_like(targets))


def error(matrix, targets, alpha, state):
    missing = exact(matrix, targets, alpha).solution - state.solution
    return np.sqrt(np.einsum("ij,ij->j", missing, matrix @ missing + alpha * missing))


def test_nothing_known_is_zero(matrix, targets):
    problem = system(matrix, targets, 0.1)
    assert not start_from(problem, []).solution.any()
    zeros = Solved(1.0, np.zeros_like(targets), targets)
    assert not start_from(problem, [zeros]).solution.any()


def test_the_residual_is_that_of_the_solution(matrix, targets):
    rng = np.random.default_rng(0)
    rough = rng.standard_normal(targets.shape)
    known = Solved(0.4, rough, targets - matrix @ rough - 0.4 * rough)
    state = start_from(system(matrix, targets, 0.1), [known, exact(matrix, targets, 1.0)])
    residual = targets - matrix @ state.solution - 0.1 * state.solution
    np.testing.assert_allclose(state.residual, residual, atol=1e-8 * np.abs(targets).max())


def test_more_solutions_bring_it_nearer(matrix, targets):
    problem = system(matrix, targets, 0.1)
    known = [exact(matrix, targets, alpha) for alpha in (0.3, 1.0, 3.0)]
    errors = [error(matrix, targets, 0.1, start(problem, known[0].solution))]
    errors += [error(matrix, targets, 0.1, start_from(problem, known[:k])) for k in (1, 2, 3)]
    for nearer, farther in zip(errors[1:], errors[:-1], strict=True):
        assert np.all(nearer < farther)


def test_the_solution_itself_and_copies_of_it(matrix, targets):
    one = exact(matrix, targets, 0.1)
    state = start_from(system(matrix, targets, 0.1), [one, one])
    np.testing.assert_allclose(state.solution, one.solution, atol=1e-6 * np.abs(targets).max())
