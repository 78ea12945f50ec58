"""Splits: disjoint, complete, stratified, repeatable."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tangency.data import DataError, random_split, stratified_split, stratified_subset
from tangency.data.splitting import random_subset


@given(
    counts=st.lists(st.integers(5, 30), min_size=1, max_size=5),
    fraction=st.floats(0.3, 0.7),
    seed=st.integers(0, 1000),
)
def test_parts_are_disjoint_complete_and_in_proportion(counts, fraction, seed):
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    train, test = stratified_split(y, fraction, seed)
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(y)))
    assert np.array_equal(train, np.sort(train))
    share = len(test) / len(y)
    for label, count in enumerate(counts):
        assert abs(np.sum(y[test] == label) - share * count) <= 1 + 1e-9
    again = stratified_split(y, fraction, seed)
    assert np.array_equal(again[0], train)
    assert np.array_equal(again[1], test)


def test_another_seed_is_another_split():
    y = np.repeat([0, 1], 50)
    assert not np.array_equal(stratified_split(y, seed=0)[1], stratified_split(y, seed=1)[1])


@given(size=st.integers(1, 60), seed=st.integers(0, 50))
def test_subsets_have_their_size(size, seed):
    y = np.repeat([0, 1, 2], [30, 12, 8])
    if size < 3:
        with pytest.raises(DataError, match="too small to hold all 3 classes"):
            stratified_subset(y, size, seed)
        return
    rows = stratified_subset(y, size, seed)
    assert len(rows) == min(size, 50) == len(set(rows))
    if size <= 47:
        expected = size * np.array([30, 12, 8]) / 50
        assert np.all(abs(np.bincount(y[rows], minlength=3) - expected) <= 1 + 1e-9)


@pytest.mark.parametrize(
    ("y", "fraction", "message"),
    [
        ([0, 0, 1], 0.5, "class 1 has one example only"),
        (["a", "a", "b"], 0.5, "class 'b' has one example only"),
        ([0, 0, 1, 1, 2, 2], 0.2, "parts of 4 and 2 .*too small to hold all 3 classes"),
        ([0, 0, 1, 1], 0, "must lie between 0 and 1, got 0"),
        ([0, 0, 1, 1], 1.5, "must lie between 0 and 1, got 1.5"),
        ([0], 0.5, "at least 2 examples, got 1"),
        (None, 0.5, "needs labels"),
    ],
)
def test_errors(y, fraction, message):
    with pytest.raises(DataError, match=message):
        stratified_split(None if y is None else np.array(y), fraction)


def test_an_empty_subset():
    with pytest.raises(DataError, match="at least one example, got size 0"):
        stratified_subset(np.array([0, 1]), 0)


def test_random_split_always_leaves_something_on_both_sides():
    assert [len(part) for part in random_split(2, 0.01)] == [1, 1]
    assert [len(part) for part in random_split(2, 0.99)] == [1, 1]


def test_random_subsets_have_their_size():
    for n in range(2, 60):
        for size in range(1, n):
            rows = random_subset(n, size, seed=n)
            assert len(np.unique(rows)) == size
            assert np.array_equal(rows, np.sort(rows))
            assert rows.max() < n
