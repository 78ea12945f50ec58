from __future__ import annotations

import numpy as np
import pytest

from systems import nystrom_factor
from tangency.learn.solvers.preconditioner import from_factor, no_preconditioner
from tangency.learn.solvers.probes import draw_probes, inverse_diagonal


def estimate(matrix, alpha, count, rank=30, seed=0):
    diagonal = np.diagonal(matrix).copy()
    factor = nystrom_factor(matrix, np.arange(rank)) if rank else None
    pre = no_preconditioner(diagonal) if factor is None else from_factor(factor, diagonal)
    inverse = np.linalg.inv(matrix + alpha * np.eye(len(matrix)))
    probes = draw_probes(len(matrix), count, seed)
    found = inverse_diagonal(pre, diagonal, alpha, probes, inverse @ probes)
    true = np.diagonal(inverse)
    return found, np.sqrt(np.mean((found.values - true) ** 2)) / true.mean(), true


@pytest.mark.parametrize("rank", [0, 30])
@pytest.mark.parametrize("alpha", [1e-3, 0.1, 10.0, 1e4])
def test_the_error_is_what_it_says(matrix, alpha, rank):
    said, was = [], []
    for seed in range(8):
        found, error, _ = estimate(matrix, alpha, 16, rank, seed)
        said.append(found.error)
        was.append(error)
    assert np.mean(was) < 0.2
    assert 0.6 * np.mean(was) - 1e-7 < np.mean(said) < 1.5 * np.mean(was) + 1e-7


def test_the_error_falls_with_the_number_of_probes(matrix):
    few, many = (np.mean([estimate(matrix, 0.1, s, seed=i)[1] for i in range(5)]) for s in (4, 64))
    assert many < 0.5 * few


def test_a_large_alpha_or_a_full_preconditioner_leaves_nothing_to_chance(matrix):
    assert estimate(matrix, 1e6, 2)[1] < 1e-5
    assert estimate(matrix, 1e-2, 2, rank=len(matrix))[1] < 1e-6


def test_bounds(matrix):
    for alpha in (1e-3, 1.0):
        found, _, _ = estimate(matrix, alpha, 2)
        assert np.all(found.values >= 1 / (np.diagonal(matrix) + alpha))
        assert np.all(found.values <= 1 / alpha)


def test_a_multiple_of_the_identity_is_met_exactly():
    found, error, _ = estimate(3.0 * np.eye(20), 0.5, 4, rank=0)
    assert error < 1e-14
    assert found.error < 1e-14
