"""What callers pass as arrays: tensors, tables, masked and lazy ones, and the rest."""

import importlib.util
from typing import Any

import numpy as np
import pytest

from tangency.data import (
    ZCA,
    DataError,
    Dataset,
    NormalizeImages,
    Standardize,
    random_split,
    stratified_split,
    stratified_subset,
)
from tangency.data.given import given_labels, given_numbers

ROWS = np.array([[1.0, 1.0, 0.5], [2.0, 0.0, 1.5]])


def test_tables_of_pandas_with_any_kind_of_columns():
    pd = pytest.importorskip("pandas")
    mixed = pd.DataFrame({"a": [1, 2], "b": [True, False], "c": [0.5, 1.5]})
    tables = [mixed, mixed.convert_dtypes()]
    if importlib.util.find_spec("pyarrow"):
        tables.append(mixed.convert_dtypes(dtype_backend="pyarrow"))
    for table in tables:
        assert np.array_equal(given_numbers(table, "X"), ROWS)
        assert np.array_equal(Standardize().fit_transform(table), Standardize().fit_transform(ROWS))
    missing = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": [1, 2]})
    with pytest.raises(DataError, match=r"Standardize: 1 of 4 values .* nan at index \(1, 0\)"):
        Standardize().fit(missing)
    with pytest.raises(DataError, match="X: expected numbers, got Python objects"):
        given_numbers(pd.DataFrame({"a": ["1", "2"], "b": [1, 2]}), "X")
    assert given_labels(pd.Series([1, 2], dtype="Int64"), "y").tolist() == [1, 2]
    for labels in (pd.Series(["a", "b"]), pd.Series(pd.Categorical(["a", "b"]))):
        assert given_labels(labels, "y").dtype.kind == "U"
    with pytest.raises(DataError, match="y: label number 1 is missing"):
        given_labels(pd.Series([True, None], dtype="boolean"), "y")


def test_tables_of_polars_lazy_or_not():
    pl = pytest.importorskip("polars")
    table = pl.DataFrame({"a": [1, 2], "b": [True, False], "c": [0.5, 1.5]})
    assert np.array_equal(given_numbers(table, "X"), ROWS)
    assert np.array_equal(given_numbers(table.lazy(), "X"), ROWS)
    assert given_labels(pl.Series(["a", "b"]), "y").tolist() == ["a", "b"]
    assert np.array_equal(
        NormalizeImages().fit_transform(table.lazy()), NormalizeImages().fit_transform(ROWS)
    )


def test_tensors_whatever_hangs_on_them():
    torch = pytest.importorskip("torch")
    plain = torch.tensor(ROWS)
    for tensor in (plain.clone().requires_grad_(), torch._neg_view(-plain), plain.bfloat16()):
        assert np.array_equal(given_numbers(tensor, "X"), ROWS)
    with pytest.raises(DataError, match="X: got a sparse tensor; pass"):
        given_numbers(plain.to_sparse(), "X")
    assert len(stratified_subset(torch.tensor([0, 1, 0, 1]), 2)) == 2


def test_masked_values_are_refused_and_masks_that_hide_nothing_are_not():
    hidden = np.ma.array(ROWS, mask=ROWS == 0)
    whole = np.ma.array(ROWS, mask=False)
    labels = np.ma.array([0, 1], mask=[True, False])
    for step in (Standardize(), NormalizeImages(), ZCA()):
        with pytest.raises(DataError, match="some values are masked; fill them in or drop"):
            step.fit(hidden)
        plain = type(step.fit_transform(whole))
        assert plain is np.ndarray
    for fields in ({"X_train": hidden}, {"y_train": labels}, {"X_test": hidden}):
        with pytest.raises(DataError, match="some values are masked"):
            Dataset(**({"X_train": ROWS, "y_train": np.arange(2)} | fields))
    assert type(Dataset(whole, np.arange(2)).X_train) is np.ndarray
    for split in (stratified_split, lambda y: stratified_subset(y, 1)):
        with pytest.raises(DataError, match="labels of a split: some values are masked"):
            split(labels)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1], [1, 2]], "cannot be read as an array"),
        (np.array([[1j]]), "got complex128"),
        (np.array([[{}]]), "got Python objects"),
        (np.array([["1"]], dtype=object), "text among them"),
        ("text", "got <U4"),
        (np.array(["2020-01-01"], dtype="M8[D]"), "got datetime64"),
    ],
)
def test_what_is_no_array_of_numbers(values, message):
    with pytest.raises(DataError, match=message):
        given_numbers(values, "X")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random_split("ten"), "n must be a whole number of rows, got 'ten'"),
        (lambda: random_split(10**20), "n must be a whole number of rows"),
        (lambda: random_split(10, "half"), "test_fraction must lie between 0 and 1, got 'half'"),
        (lambda: random_split(10, np.nan), "test_fraction must lie between 0 and 1, got nan"),
        (lambda: random_split(10, seed=-1), "seed must be a whole number from 0"),
        (lambda: stratified_subset([0, 1], 1.5), "must be a whole number, got 1.5"),
        (lambda: stratified_split([[0, 1], [0, 1]]), r"shape \(n,\), got int64 of shape \(2, 2\)"),
        (lambda: stratified_split([0.0, np.nan, 0.0]), "label number 1 is NaN"),
        (lambda: stratified_split([0, None]), "label number 1 is missing"),
        (lambda: ZCA("much").fit(ROWS), "regularization must be 0 or more, got 'much'"),
    ],
)
def test_absurd_arguments_are_named(call: Any, message):
    with pytest.raises(DataError, match=message):
        call()


def test_spans_of_time_are_no_numbers():
    """NumPy counts them among the whole numbers."""
    second = np.timedelta64(1, "s")
    names = ("a", "b")
    data = Dataset(np.ones((2, 1)), np.array([0, 1]), class_names=names)
    assert data.label_name(second) == "1 seconds"
    assert data.label_name(np.int8(1)) == "b"
    with pytest.raises(DataError, match="a whole number"):
        stratified_subset(np.array([0, 1]), second)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="regularization must be 0 or more"):
        ZCA(second).fit(np.eye(2))  # type: ignore[arg-type]


def test_tensors_without_a_form_in_numpy():
    torch = pytest.importorskip("torch")
    narrow = torch.ones(2, 3, dtype=torch.float8_e5m2)
    assert np.array_equal(given_numbers(narrow, "X"), np.ones((2, 3)))
    with pytest.raises(DataError, match="X must be a dense tensor"):
        given_numbers(torch.ones(2, device="meta"), "X")


def test_the_layout_in_memory_changes_no_bit():
    """As it would change the digest by which a store knows its inputs."""
    X = np.random.default_rng(0).standard_normal((40, 6))
    expected = Standardize().fit(X).transform(X)
    for other in (np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2]):
        assert np.array_equal(Standardize().fit(other).transform(other), expected)
