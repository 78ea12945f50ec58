"""`load`: which reader is chosen, and what it says when there is none."""

from fractions import Fraction

import numpy as np
import pytest

from tangency.data import DataError, load


def test_missing_file():
    with pytest.raises(DataError, match=r"nowhere\.npz: no such file or folder.*digits"):
        load("nowhere.npz")


@pytest.mark.parametrize("name", ["a.xyz", "a"])
def test_unknown_kind(tmp_path, name):
    (tmp_path / name).write_text("hello")
    with pytest.raises(DataError, match=r"unknown kind of file '.*'; known are \.npz, \.npy"):
        load(tmp_path / name)


def test_labels_beside_a_file_that_has_its_own(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.eye(2), y=np.arange(2))
    with pytest.raises(DataError, match=r"goes with \.npy or IDX images only"):
        load(tmp_path / "a.npz", tmp_path / "a.npz")


def test_a_folder_named_like_a_known_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "iris").mkdir()
    assert load("iris").X_train.shape == (150, 4)
    with pytest.raises(DataError, match="neither IDX files"):
        load("./iris")


def test_options_reach_the_arrays(tmp_path):
    X = np.full((4, 6), 51)
    np.savez(tmp_path / "a.npz", x_train=X, y_train=np.arange(4), x_test=X[:2], y_test=[0, 1])
    found = load(tmp_path / "a.npz", input_shape=(2, 3, 1), scale=255, dtype="float32")
    assert found.X_train.shape == (4, 2, 3, 1)
    assert found.X_test.shape == (2, 2, 3, 1)
    assert found.X_train.dtype == found.X_test.dtype == np.float32
    assert np.all(found.X_test == np.float32(0.2))


def test_both_parts_are_checked(tmp_path):
    X = np.eye(3)
    spoilt = X.copy()
    spoilt[1, 1] = np.nan
    np.savez(tmp_path / "a.npz", X=X, y=np.arange(3), X_test=spoilt, y_test=np.arange(3))
    with pytest.raises(DataError, match=r"a, test part: 1 of 9 values.*nan at index \(1, 1\)"):
        load(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("a.npz", {"label_column": "kind"}, r"a label column \('kind'\) is for tables"),
        ("a.npz", {"label_column": 0}, r"a label column \(0\) is for tables"),
        ("a.npz", {"label_column": None}, r"a label column \(None\) is for tables"),
        ("a.npz", {"header": True}, "a header is for tables"),
        ("digits", {"label_column": "target"}, "is for tables"),
        ("a.npz", {"label_column": 1.5}, "must be a name, a position or None, got 1.5"),
        ("a.npz", {"header": "yes"}, "header must be True, False or None, got 'yes'"),
        (3, {}, "source must be a path or a name, got 3"),
        (b"a.npz", {}, "source must be a path or a name"),
        ("a\0.npz", {}, "source must be a path or a name"),
        ("a.npz", {"input_shape": (0, 3)}, r"whole numbers from 1 on, .* got \(0, 3\)"),
        ("a.npz", {"scale": "255"}, "scale must be a number, 'auto' or None, got '255'"),
        ("a.npz", {"scale": [255]}, "scale must be a number, 'auto' or None"),
        ("a.npz", {"scale": float("nan")}, "scale must be a positive number, got nan"),
    ],
)
def test_options_that_mean_nothing_here_are_refused(tmp_path, source, options, message):
    np.savez(tmp_path / "a.npz", X=np.eye(2), y=np.arange(2))
    place = tmp_path / source if isinstance(source, str) and source[0] == "a" else source
    with pytest.raises(DataError, match=message):
        load(place, **options)


def test_parts_that_would_be_scaled_apart_are_refused(tmp_path):
    X = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
    for other, told in ((X / 255, "float64 and would be taken as"), (X.astype("u2"), "by 65535")):
        np.savez(tmp_path / "a.npz", X=X, y=[0, 1], X_test=other, y_test=[0, 1])
        with pytest.raises(DataError, match=rf"training images are uint8 .* by 255, .*{told}"):
            load(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", X=X, y=[0, 1], X_test=X.astype("u2"), y_test=[0, 1])
    found = load(tmp_path / "a.npz", scale=255)
    assert np.array_equal(found.X_train, found.X_test)


@pytest.mark.parametrize(
    ("dtype", "white"),
    [("u1", 255), ("<u2", 65535), (">u2", 65535), ("?", 1), ("i2", 1), ("u4", 1), ("f4", 1)],
)
def test_white_is_one_in_any_byte_order(tmp_path, dtype, white):
    np.save(tmp_path / "a.npy", np.full((2, 3, 3), white).astype(dtype))
    found = load(tmp_path / "a.npy", require_labels=False)
    assert np.array_equal(found.X_train, np.ones((2, 3, 3, 1)))


def test_an_array_is_no_answer_to_whether_there_is_a_header(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="header must be True, False or None, got array"):
        load(path, header=np.array([None, None]))  # type: ignore[arg-type]


def test_numbers_of_any_kind_and_size(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((4, 3)))
    found = load(tmp_path / "a.npy", scale=Fraction(2), require_labels=False)
    assert found.X_train.tolist() == [[0.5] * 3] * 4
    for name, value in (("scale", 10**400), ("input_shape", 10**400)):
        with pytest.raises(DataError, match=f"{name} must be .* got a whole number of 401 digits"):
            load(tmp_path / "a.npy", require_labels=False, **{name: value})
    with pytest.raises(DataError, match="examples of shape 3 cannot become"):
        load(tmp_path / "a.npy", require_labels=False, input_shape=(2**40,) * 50)
