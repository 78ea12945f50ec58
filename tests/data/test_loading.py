"""`load`: which reader is chosen, and what it says when there is none."""

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
