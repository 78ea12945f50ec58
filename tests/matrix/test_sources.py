"""Inputs are read by blocks, checked, and known by their values alone."""

import numpy as np
import pytest
import zarr

import tangency as tg
from tangency.matrix import sources
from tangency.matrix.sources import Rows


@pytest.fixture
def X():
    return np.random.default_rng(0).standard_normal((9, 2, 3))


def test_a_digest_depends_on_values_only(X, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", X)
    place = str(tmp_path / "x.zarr")
    stored = zarr.create_array(place, shape=X.shape, chunks=(4, 2, 3), dtype="f8")
    stored[:] = X
    forms = [
        np.asfortranarray(X),
        X.astype(">f8"),
        X.tolist(),
        np.load(tmp_path / "x.npy", mmap_mode="r"),
        stored,
    ]
    digest = Rows(X).digest()
    assert [Rows(form).digest() for form in forms] == [digest] * len(forms)
    monkeypatch.setattr(sources, "_BLOCK", 100)  # two rows at a time
    assert Rows(X).digest() == digest


def test_a_digest_tells_data_apart(X):
    other = X.copy()
    other[-1, -1, -1] = np.nextafter(other[-1, -1, -1], 1)
    forms = [X, other, X[:-1], X.reshape(9, 6), X[::-1]]
    digests = {Rows(form).digest() for form in forms}
    digests.add(Rows(X, np.float32).digest())
    assert len(digests) == 6


@pytest.mark.parametrize(
    ("given", "dtype"),
    [("u1", "f8"), ("i8", "f8"), ("?", "f8"), ("f2", "f4"), ("f4", "f4"), ("f8", "f8")],
)
def test_the_dtype_is_that_of_a_kernel(given, dtype):
    X = np.ones((2, 3), given)
    assert Rows(X).dtype == dtype == tg.NTK("dense relu dense")(X).dtype
    assert Rows(X)[0:2].dtype == dtype


@pytest.mark.parametrize(("bad", "row"), [(np.nan, 7), (np.inf, 0), (1e39, 3)])
def test_the_first_bad_row_is_named(X, bad, row, monkeypatch):
    monkeypatch.setattr(sources, "_BLOCK", 50)
    X[row, 1, 1] = bad
    with pytest.raises(tg.InputError, match=f"in float32, in input number {row},"):
        Rows(X, np.float32).digest()
    with pytest.raises(tg.InputError, match=f"in input number {row},"):
        Rows(X, np.float32)[: row + 1]


def test_sums_that_overflow_are_not_taken_for_bad_data():
    X = np.full((4, 2), 3e38, np.float32)
    assert np.array_equal(Rows(X)[0:4], X)


class Sparse:
    def toarray(self):
        raise AssertionError


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.ones(3), r"must have a row for each input.*got shape \(3,\)"),
        (np.ones((0, 3)), "must have a row for each input"),
        (np.ones((1,) * 6), "at most 3 spatial axes"),
        (np.ones((2, 2), complex), "dtype complex128; pass an array of real numbers"),
        (np.array([["a"]]), "pass an array of real numbers"),
        (np.array([[None]]), "dtype object; pass an array of real numbers"),
        ([[1.0], [1.0, 2.0]], "cannot be read as an array of numbers"),
        (Sparse(), r"pass X\.toarray\(\)"),
    ],
)
def test_what_is_no_data(data, message):
    with pytest.raises(tg.InputError, match=message):
        Rows(data)


def test_masked_values_are_no_data(X):
    masked = np.ma.masked_array(X, X > 10)
    assert np.array_equal(Rows(masked)[0:9], X)  # none is masked
    masked[5, 0, 0] = np.ma.masked
    rows = Rows(masked, None, "Y")
    assert np.array_equal(rows[0:5], X[0:5])
    with pytest.raises(tg.InputError, match="Y is an array with masked values; impute or drop"):
        rows.digest()


def test_tensors_are_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(tg.InputError, match=r"pass Y\.detach\(\)\.cpu\(\)\.numpy\(\)"):
        Rows(torch.ones(2, 2), None, "Y")


def test_a_type_is_no_data():
    with pytest.raises(tg.InputError, match="Y holds Python objects"):
        Rows(np.float32, name="Y")
