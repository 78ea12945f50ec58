"""Low-rank approximations: what they are, how good they are, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangency import NTK, InputError
from tangency.learn.lowrank import METHODS, low_rank

EVERY = pytest.mark.parametrize("method", METHODS)


def approximate(K, rank, **options):
    return low_rank(lambda i: K[:, i], np.diag(K), rank, **options)


def spectral(n, values, seed=0):
    """A matrix with these leading eigenvalues and random eigenvectors."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, len(values))))
    return (q * values) @ q.T


def kernel_matrix(n=60, dtype=np.float64):
    X = np.random.default_rng(1).standard_normal((n, 4)).astype(dtype)
    return NTK("dense:b=0.5 relu dense")(X)


@EVERY
@given(seed=st.integers(0, 2**32 - 1), rank=st.integers(1, 30))
def test_the_factor_is_the_projection_onto_the_columns_of_the_pivots(method, seed, rank):
    K = kernel_matrix(30)
    found = approximate(K, rank, method=method, seed=seed)
    S = found.pivots
    assert len(set(S)) == found.rank == rank
    projected = K[:, S] @ np.linalg.solve(K[np.ix_(S, S)], K[S])
    approximation = found.factor @ found.factor.T
    np.testing.assert_allclose(approximation, projected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(approximation[S], K[S], rtol=0, atol=1e-11)
    assert found.residual_trace == pytest.approx(np.trace(K - approximation), abs=1e-10)
    assert found.trace == pytest.approx(np.trace(K))


@EVERY
def test_the_rank_of_the_matrix_is_found_and_not_exceeded(method):
    K = spectral(80, [5.0, 4.0, 3.0, 2.0, 1.0])
    found = approximate(K, 40, method=method, seed=3)
    # pivots that were not chosen by size let rounding grow, up to a pivot or two of its own
    assert found.rank == 5 if method == "rpcholesky" else 5 <= found.rank <= 7
    np.testing.assert_allclose(found.factor @ found.factor.T, K, atol=1e-12)
    assert found.error < 1e-14


def test_a_diagonal_that_was_rounded_another_way_ends_all_the_same():
    K, calls = spectral(80, [5.0, 4.0, 3.0, 2.0, 1.0]), []

    def columns(indices):
        calls.append(indices)
        assert len(calls) < 100, "it goes on for ever"
        return K[:, indices]

    found = low_rank(columns, np.diag(K) * (1 + 1e-9), 40)
    np.testing.assert_allclose(found.factor @ found.factor.T, K, atol=1e-8)


@EVERY
def test_rows_of_zeros_and_copies_are_no_pivots(method):
    X = np.random.default_rng(0).standard_normal((6, 3))
    X = np.concatenate([X, X, np.zeros((3, 3)), 2 * X])
    K = X @ X.T
    found = approximate(K, 20, method=method)
    assert found.rank == 3
    assert not set(found.pivots) & {12, 13, 14}
    assert approximate(np.zeros((4, 4)), 2, method=method).factor.shape == (4, 0)
    assert approximate(np.zeros((4, 4)), 2, method=method).error == 0


@EVERY
def test_float32_columns_never_overshoot_the_diagonal(method):
    X = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    near = np.concatenate([X, X * np.float32(1 + 3e-7), X + np.float32(1e-6)])
    K = NTK("dense relu dense relu dense")(near)
    assert K.dtype == np.float32
    found = approximate(K, 150, method=method)
    assert found.factor.dtype == np.float64
    diagonal = np.diag(K).astype(float)
    left = diagonal - np.square(found.factor).sum(axis=1)
    assert np.all(left >= -1e-12 * diagonal)
    assert left.sum() == pytest.approx(found.residual_trace, abs=1e-9)
    # the arc cosine of near-copies is good to √eps, no worse must come of it
    gap = np.abs(found.factor @ found.factor.T - K).max() / diagonal.max()
    assert gap < 2 * math.sqrt(np.finfo(np.float32).eps)


def test_the_trace_error_is_within_the_theory_of_the_best():
    values = 0.7 ** np.arange(40)
    K, r, slack = spectral(120, values), 5, 0.5
    best = values[r:].sum() / values.sum()
    # Chen, Epperly, Tropp & Webber 2024, theorem 1.1: this many pivots suffice for (1 + slack)
    enough = math.ceil(r / slack + r * math.log(1 / (slack * best)))
    errors = [approximate(K, enough, seed=s).error for s in range(20)]
    assert np.mean(errors) <= (1 + slack) * best
    # far fewer come near the best approximation of their own rank in practice
    few = [approximate(K, 10, seed=s).error for s in range(20)]
    assert np.mean(few) < 4 * values[10:].sum() / values.sum()


@pytest.mark.parametrize("method", ["rpcholesky", "leverage"])
def test_a_few_large_outliers_are_found_where_uniform_choice_misses_them(method):
    rng = np.random.default_rng(0)
    crowd = rng.standard_normal((1, 8)) + 0.01 * rng.standard_normal((380, 8))
    K = NTK("dense relu dense")(np.concatenate([crowd, 3 * rng.standard_normal((20, 8))]))
    errors = {m: np.mean([approximate(K, 30, method=m, seed=s).error for s in range(8)])
              for m in (method, "uniform")}  # fmt: skip
    assert errors[method] < errors["uniform"] / 5


def test_pivots_are_drawn_in_proportion_to_the_residual_diagonal():
    # K = diag(1, 2, 3, 0): the law of two draws without replacement is known
    K, counts, runs = np.diag([1.0, 2.0, 3.0, 0.0]), np.zeros((4, 4)), 3000
    for seed in range(runs):
        first, second = approximate(K, 2, seed=seed).pivots
        counts[first, second] += 1
    weights = np.diag(K) / 6
    expected = np.outer(weights, weights) / (1 - weights)[:, None]
    np.fill_diagonal(expected, 0)
    sigma = np.sqrt(expected * (1 - expected) * runs)
    assert np.all(np.abs(counts - runs * expected) <= 4 * sigma)


def test_rejection_in_blocks_draws_as_one_at_a_time_does():
    # correlated rows, so that blocks do reject: the second pivot given the first is known
    X = np.array([[1.0, 0.0], [0.9, 0.1], [0.2, 1.0]])
    K, counts, runs = X @ X.T, np.zeros((3, 3)), 3000
    for seed in range(runs):
        first, second = approximate(K, 2, seed=seed).pivots
        counts[first, second] += 1
    d = np.diag(K)
    left = np.maximum(d[None, :] - K**2 / d[:, None], 0)
    np.fill_diagonal(left, 0)
    expected = (d / d.sum())[:, None] * left / left.sum(axis=1, keepdims=True)
    sigma = np.sqrt(expected * (1 - expected) * runs)
    assert np.all(np.abs(counts - runs * expected) <= 4 * sigma + 1e-9)


@EVERY
def test_entries_spare_columns_and_change_nothing(method):
    K, asked = kernel_matrix(200), []

    def columns(i):
        asked.append(len(i))
        return K[:, i]

    plain = approximate(K, 40, method=method, seed=1)
    lean = low_rank(columns, np.diag(K), 40, method=method, seed=1,
                    entries=lambda i, j: K[np.ix_(i, j)])  # fmt: skip
    np.testing.assert_array_equal(plain.pivots, lean.pivots)
    np.testing.assert_allclose(plain.factor, lean.factor, rtol=0, atol=1e-12)
    assert sum(asked) == 40


@EVERY
def test_a_seed_fixes_the_pivots_and_another_changes_them(method):
    K = kernel_matrix(200)
    runs = [approximate(K, 10, method=method, seed=s) for s in (4, 4, 5)]
    np.testing.assert_array_equal(runs[0].factor, runs[1].factor)
    assert not np.array_equal(runs[0].pivots, runs[2].pivots)
    given_state = approximate(K, 10, method=method, seed=np.random.default_rng(4))
    np.testing.assert_array_equal(runs[0].pivots, given_state.pivots)


@EVERY
def test_it_stops_at_the_tolerance_and_tells_how_far_it_is(method):
    K, told = kernel_matrix(120), []
    found = approximate(K, 120, method=method, tol=0.05,
                        progress=lambda *state: told.append(state))  # fmt: skip
    assert found.error <= 0.05
    assert 1 < found.rank < 120
    assert told[-1] == (found.rank, pytest.approx(found.error))
    assert [count for count, _ in told] == sorted({count for count, _ in told})


@EVERY
def test_the_full_rank_gives_the_matrix_itself(method):
    K = kernel_matrix(40)
    found = approximate(K, 1000, method=method)
    assert sorted(found.pivots) == list(range(40))
    np.testing.assert_allclose(found.factor @ found.factor.T, K, atol=1e-10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "best"}, "method must be one of rpcholesky, uniform, leverage; got 'best'"),
        ({"rank": 0}, "rank must be a whole number of at least 1, got 0"),
        ({"rank": 2.5}, "rank must be a whole number of at least 1, got 2.5"),
        ({"rank": True}, "rank must be a whole number"),
        ({"tol": 1.0}, "tol must be a number from 0 up to 1, got 1.0"),
        ({"tol": float("nan")}, "tol must be a number from 0 up to 1, got nan"),
        ({"diagonal": np.ones((2, 2))}, r"diagonal .* shape \(2, 2\)"),
        ({"diagonal": np.array([1.0, np.nan, 1.0])}, "diagonal .* not finite"),
        ({"diagonal": np.array([1.0, -2.0, 1.0])}, "negative entry, -2"),
        ({"columns": lambda i: np.ones((2, 2))}, r"columns gave an array of shape \(2, 2\)"),
        ({"columns": lambda i: np.full((3, len(i)), np.nan)}, "not finite"),
        ({"columns": lambda i: np.full((3, len(i)), "a")}, "dtype <U1; expected real numbers"),
    ],
)
def test_what_cannot_be_approximated_is_refused(change, message):
    arguments = {"columns": lambda i: np.eye(3)[:, i], "diagonal": np.ones(3), "rank": 2}
    with pytest.raises(InputError, match=message):
        low_rank(**arguments | change)
