"""NumPy files: the names that are found, and every way in which a file can be wrong."""

import pickle
import zipfile

import numpy as np
import pytest

from tangency.data import DataError, DataWarning, load
from tangency.errors import MemoryLimitError

X = np.arange(24, dtype=float).reshape(6, 4)
y = np.array([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (("x_train", "y_train"), ("x_test", "y_test")),
        (("X", "y"), ("X_test", "y_test")),
        (("train_images", "train_labels"), ("test_images", "test_labels")),
        (("data", "target"), None),
    ],
)
def test_npz_by_its_usual_names(tmp_path, train, test):
    arrays = dict(zip(train, (X, y), strict=True))
    if test:
        arrays |= dict(zip(test, (X[:2] + 1, y[:2]), strict=True))
    np.savez(tmp_path / "small.npz", **arrays, fold0_train=np.arange(3))
    found = load(tmp_path / "small.npz")
    assert found.name == "small"
    assert np.array_equal(found.X_train, X)
    assert np.array_equal(found.y_train, y)
    if test:
        assert np.array_equal(found.X_test, X[:2] + 1)
        assert np.array_equal(found.y_test, y[:2])
    else:
        assert found.X_test is None


@pytest.mark.parametrize("names", [("x_val", "y_val"), ("Xtest", "ytest"), ("valid_images",)])
def test_parts_that_are_passed_over_are_told(tmp_path, names):
    np.savez(tmp_path / "a.npz", X=X, y=y, X_test=X, y_test=y, fold0=y, **dict.fromkeys(names, X))
    with pytest.warns(DataWarning, match=rf"{', '.join(names)} not read, only x_train.*rename"):
        found = load(tmp_path / "a.npz")
    assert len(found.X_train) == len(found.X_test) == 6


def test_class_names_are_kept(tmp_path):
    np.savez(tmp_path / "a.npz", X=X, y=y, class_names=np.array(["ant", "bee", "cat"]))
    found = load(tmp_path / "a.npz")
    assert found.class_names == ("ant", "bee", "cat")
    assert found.label_name(found.y_train[1]) == "bee"
    assert found.label_name(7) == "7"


def test_missing_examples_name_the_arrays_that_are_there(tmp_path):
    np.savez(tmp_path / "a.npz", pixels=X, answers=y)
    with pytest.raises(DataError, match=r"no training examples.*pixels, answers.*expected x_train"):
        load(tmp_path / "a.npz")


def test_missing_labels_say_what_to_do(tmp_path):
    np.savez(tmp_path / "a.npz", X=X)
    with pytest.raises(DataError, match=r"no labels for its 6 examples.*require_labels=False"):
        load(tmp_path / "a.npz")
    assert load(tmp_path / "a.npz", require_labels=False).y_train is None


def test_two_candidates_are_not_guessed_between(tmp_path):
    np.savez(tmp_path / "a.npz", X=X, x_train=X, y=y)
    with pytest.raises(DataError, match="X and x_train could each be meant"):
        load(tmp_path / "a.npz")


def test_object_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", X=X, y=np.array(["a", None] * 3, dtype=object))
    with pytest.raises(DataError, match=r"'y' holds Python objects.*pickle.*refused.*instead"):
        load(tmp_path / "a.npz")
    np.save(tmp_path / "b.npy", np.array([[1, None]], dtype=object))
    with pytest.raises(DataError, match=r"holds Python objects.*refused"):
        load(tmp_path / "b.npy", require_labels=False)


def test_an_object_array_that_is_not_needed_does_no_harm(tmp_path):
    np.savez(tmp_path / "a.npz", X=X, y=y, notes=np.array([None], dtype=object))
    assert np.array_equal(load(tmp_path / "a.npz").y_train, y)


class Trap:
    def __reduce__(self):
        return (print, ("the trap went off",))


@pytest.mark.parametrize("name", ["a.pkl", "data_batch_1", "a.npy", "a.npz"])
def test_pickles_are_refused_unread(tmp_path, name, capsys):
    (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match=r"pickle|not a \.np"):
        load(tmp_path / name, require_labels=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("keep", [0, 20, 200, -30])
def test_truncated_files(tmp_path, keep):
    np.savez(tmp_path / "a.npz", X=X, y=y)
    np.save(tmp_path / "b.npy", X)
    for name in ("a.npz", "b.npy"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[:keep])
        with pytest.raises(DataError, match="damaged or truncated"):
            load(tmp_path / name, require_labels=False)


def test_a_flipped_byte_inside_an_archive(tmp_path):
    np.savez(tmp_path / "a.npz", X=X, y=y)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[200] ^= 0xFF
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match="array 'X' is damaged"):
        load(tmp_path / "a.npz")


def test_npy_with_a_header_that_promises_too_much(tmp_path):
    np.save(tmp_path / "a.npy", X)
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content.replace(b"(6, 4), }", b"(6, 4000000000), }"[:18]))
    with pytest.raises(DataError, match="damaged or truncated"):
        load(tmp_path / "a.npy", require_labels=False)


def test_npy_with_labels_beside(tmp_path):
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", np.array(["b", "a"] * 3))
    found = load(tmp_path / "X.npy", tmp_path / "y.npy")
    assert found.y_train.tolist() == ["b", "a"] * 3
    assert found.task == "classification"


def test_npz_named_npy_and_the_reverse(tmp_path):
    with (tmp_path / "a.npz").open("wb") as stream:
        np.save(stream, X)
    with pytest.raises(DataError, match=r"not a \.npz archive but a single array"):
        load(tmp_path / "a.npz")
    with (tmp_path / "b.npy").open("wb") as stream:
        np.savez(stream, X=X)
    with pytest.raises(DataError, match=r"not a \.npy array"):
        load(tmp_path / "b.npy", require_labels=False)


def test_different_lengths(tmp_path):
    np.savez(tmp_path / "a.npz", X=X, y=y[:4])
    with pytest.raises(DataError, match="6 examples but 4 labels"):
        load(tmp_path / "a.npz")


@pytest.mark.parametrize("names", [np.array("cat"), np.array([["cat"], ["dog"]])])
def test_class_names_are_a_list(tmp_path, names):
    np.savez(tmp_path / "a.npz", X=np.eye(2), y=np.arange(2), class_names=names)
    with pytest.raises(DataError, match=r"class_names must be texts \(classes,\)"):
        load(tmp_path / "a.npz")


def test_an_array_larger_than_memory(tmp_path):
    lines = "{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000000, 3), }"
    header = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + lines.ljust(117).encode() + b"\n"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("X.npy", header + bytes(80))
    with pytest.raises((MemoryLimitError, DataError), match=r"does not fit in memory|damaged"):
        load(tmp_path / "a.npz")


def test_many_names_are_cut(tmp_path):
    np.savez(tmp_path / "a.npz", **{f"a{i}": np.eye(2) for i in range(300)})
    with pytest.raises(DataError, match="no training examples") as refused:
        load(tmp_path / "a.npz")
    assert len(str(refused.value)) < 800
