"""The container: what it refuses and what it says."""

import dataclasses

import numpy as np
import pytest

from tangency.data import DataError, Dataset

X, y = np.ones((4, 3)), np.array([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"X_train": X.astype(int)}, "must be a floating-point array .*got int64"),
        ({"X_train": [[1.0]]}, "got list"),
        ({"X_train": X[0]}, r"got float64 of shape \(3,\)"),
        ({"X_train": X[:0], "y_train": y[:0]}, "there are no examples"),
        ({"y_train": y[:3]}, "training part: 4 examples but 3 labels"),
        ({"y_train": np.array([None] * 4)}, "array of numbers or strings, got object"),
        ({"y_train": np.array([0, 1, np.nan, 1])}, "labels: 1 of 4 values are not finite"),
        ({"X_test": X, "y_test": y[:2]}, "test part: 4 examples but 2 labels"),
        ({"X_test": X[:, :2]}, "test examples have shape 2, training examples 3"),
        ({"y_test": y}, "test labels without test examples"),
    ],
)
def test_refused(fields, message):
    with pytest.raises(DataError, match=message):
        Dataset(**({"X_train": X, "y_train": y} | fields))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_value_that_is_not_finite_is_named(value):
    bad = X.copy()
    bad[2, 1] = bad[3, 0] = value
    with pytest.raises(DataError, match=rf"2 of 12 values.*{value} at index \(2, 1\)"):
        Dataset(bad, y)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Dataset(X, y).name = "other"


def test_summary():
    assert Dataset(X, y, X, y, "four").summary() == (
        "four: 4 training examples, 4 test examples, shape 3, 2 classes"
    )
    assert Dataset(X, None).summary() == "data: 4 training examples, shape 3, no labels"
    assert Dataset(X, y * 0.5).summary() == "data: 4 training examples, shape 3, real targets"


def test_split_keeps_names_and_parts_every_example_once():
    rows = np.arange(20.0).reshape(20, 1)
    whole = Dataset(rows, np.arange(20) % 2, name="rows", class_names=("even", "odd"))
    parts = whole.split(0.3, seed=4)
    assert parts.class_names == ("even", "odd")
    assert sorted(np.concatenate([parts.X_train, parts.X_test])[:, 0]) == list(range(20))
    assert np.array_equal(parts.y_test, parts.X_test[:, 0] % 2)
    assert np.bincount(parts.y_test).tolist() == [3, 3]
    with pytest.raises(DataError, match="has a test part of 6 already"):
        parts.split()


def test_split_of_targets_and_of_unlabelled_rows():
    rows = np.arange(10.0).reshape(10, 1)
    assert len(Dataset(rows, rows[:, 0]).split(0.2).X_test) == 2
    assert Dataset(rows, None).split(0.2).y_test is None


def test_numbers_whose_sum_overflows_are_finite():
    X = np.full((2, 2), 1.5e308)
    assert Dataset(X, None).X_train is X
    X[1, 0] = np.inf
    with pytest.raises(DataError, match=r"1 of 4 values are not finite.*inf at index \(1, 0\)"):
        Dataset(X, None)


@pytest.mark.parametrize("field", ["class_names", "feature_names"])
def test_names_are_texts(field):
    made = Dataset(np.eye(2), None, **{field: iter(["a", "b"])})
    assert getattr(made, field) == ("a", "b")
    with pytest.raises(DataError, match=rf"each of {field} must be a text, got \[1\]"):
        Dataset(np.eye(2), None, **{field: [[1], "b"]})
    with pytest.raises(DataError, match=f"{field} must be a sequence, got 'ab'"):
        Dataset(np.eye(2), None, **{field: "ab"})
    with pytest.raises(DataError, match="name must be a text, got 3"):
        Dataset(np.eye(2), None, name=3)
