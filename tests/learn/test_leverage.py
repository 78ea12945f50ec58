"""Estimated leverage scores beside the exact ones."""

from __future__ import annotations

import numpy as np
import pytest

from tangency import NTK
from tangency.learn.leverage import _scores, leverage_scores


def entries_of(K):
    return lambda rows, columns: K[np.ix_(rows, columns)]


def scores_of(K, size, seed=0):
    asked = []

    def entries(rows, columns):
        asked.append(len(rows) * len(columns))
        return K[np.ix_(rows, columns)]

    found = leverage_scores(entries, np.diag(K), size, np.random.default_rng(seed))
    return found, sum(asked)


def test_rows_that_stand_alone_score_highest():
    rng = np.random.default_rng(0)
    crowd = rng.standard_normal((1, 6)) + 0.05 * rng.standard_normal((290, 6))
    K = NTK("dense relu dense")(np.concatenate([crowd, rng.standard_normal((10, 6))]))
    for seed in range(5):
        found, _ = scores_of(K, 40, seed)
        assert np.all((found > 0) & (found <= 1))
        assert set(np.argsort(-found)[:10]) == set(range(290, 300))


def exact_scores(K, rank):
    """With the ridge that the best approximation of this rank leaves, by rank."""
    ridge = np.linalg.eigvalsh(K)[:-rank].sum() / rank
    return np.diag(np.linalg.solve(K + ridge * np.eye(len(K)), K))


@pytest.mark.parametrize("size", [40, 80])
def test_they_follow_the_exact_scores(size):
    X = np.random.default_rng(0).standard_normal((400, 3))
    K = NTK("dense:b=0.3 relu dense")(X * np.linspace(0.3, 3, 400)[:, None])
    exact = exact_scores(K, int(size / (4 * np.log(size))))
    for seed in range(3):
        found, _ = scores_of(K, size, seed)
        assert np.median(np.abs(np.log(found / exact))) < 0.4


def test_with_all_rows_as_landmarks_they_are_exact():
    K = NTK("dense relu dense")(np.random.default_rng(0).standard_normal((30, 4)))
    everything = np.arange(30)
    found = _scores(entries_of(K), np.diag(K), everything, everything, np.ones(30), 7)
    np.testing.assert_allclose(found, exact_scores(K, 7), rtol=1e-9)


def test_a_weight_stands_for_copies_of_a_landmark():
    K = NTK("dense relu dense")(np.random.default_rng(0).standard_normal((30, 4)))
    few, weights = np.array([3, 8, 20, 21]), np.sqrt([1.0, 3.0, 2.0, 1.0])
    copies = np.repeat(few, [1, 3, 2, 1])
    ask = entries_of(K), np.diag(K), np.arange(30)
    weighted = _scores(*ask, few, weights, 2)
    np.testing.assert_allclose(_scores(*ask, copies, np.ones(7), 2), weighted, rtol=1e-9)


def test_few_columns_are_computed():
    K = NTK("dense relu dense")(np.random.default_rng(0).standard_normal((600, 5)))
    _, asked = scores_of(K, 30)
    assert asked < 4 * 30 * 600


@pytest.mark.parametrize("size", [1, 5, 100])
def test_small_and_deficient_matrices_have_scores(size):
    K = np.outer(np.arange(5.0), np.arange(5.0))
    found, _ = scores_of(K, size)
    assert np.all(np.isfinite(found))
    assert found[0] == 0
    assert np.all(found[1:] > 0)
