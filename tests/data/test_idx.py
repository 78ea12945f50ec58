"""IDX: values against bytes written by hand, file names, damage."""

import gzip
import struct

import numpy as np
import pytest

from tangency.data import DataError, load
from tangency.data.idx import is_idx_name, read_idx

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
LABELS = np.array([7, 1, 7], dtype=np.uint8)


def idx(array, code=0x08):
    return (
        bytes([0, 0, code, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def write(folder, prefix="train", packed=False, images=IMAGES, labels=LABELS):
    for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
        content, name = idx(array), f"{prefix}-{kind}-ubyte"
        if packed:
            content, name = gzip.compress(content), f"{name}.gz"
        (folder / name).write_bytes(content)
    return folder / f"{prefix}-images-idx3-ubyte{'.gz' * packed}"


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_like_mnist(tmp_path, packed):
    write(tmp_path, packed=packed)
    write(tmp_path, "t10k", packed, IMAGES[:1], LABELS[:1])
    found = load(tmp_path)
    assert found.X_train.shape == (3, 4, 5, 1)
    assert np.array_equal(found.X_train[..., 0], IMAGES / 255)
    assert found.y_train.tolist() == [7, 1, 7]
    assert found.X_test.shape == (1, 4, 5, 1)
    assert found.y_test.tolist() == [7]


@pytest.mark.parametrize("packed", [False, True])
def test_labels_beside_the_images(tmp_path, packed):
    found = load(write(tmp_path, packed=packed))
    assert found.y_train.tolist() == [7, 1, 7]
    assert found.X_test is None


def test_two_paths(tmp_path):
    (tmp_path / "a.idx").write_bytes(idx(IMAGES))
    (tmp_path / "b.idx").write_bytes(idx(LABELS))
    assert load(tmp_path / "a.idx", tmp_path / "b.idx").y_train.tolist() == [7, 1, 7]
    with pytest.raises(DataError, match="there are no labels"):
        load(tmp_path / "a.idx")


@pytest.mark.parametrize(
    ("code", "dtype"), [(0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")]
)
def test_every_element_type(tmp_path, code, dtype):
    values = np.array([[-1, 2], [3, 100]], dtype=dtype)
    (tmp_path / "a.idx").write_bytes(idx(values, code))
    found = read_idx(tmp_path / "a.idx")
    assert found.dtype == np.dtype(dtype)
    assert np.array_equal(found, values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing"),
        (b"\x89PNG", "not an IDX file: it begins with 89504e47"),
        (b"\0\0\x08\x03\0\0", "truncated in its header"),
        (idx(IMAGES)[:-1], "promises 60 bytes.*holds 59"),
        (idx(IMAGES) + b"\0", "promises 60 bytes.*holds more"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "damaged or truncated"),
    ],
)
def test_damage(tmp_path, content, message):
    (tmp_path / "a.idx").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "a.idx")


@pytest.mark.parametrize("spoil", [lambda c: c[:-9], lambda c: b"no" + c, lambda c: c[:12]])
def test_damaged_gzip(tmp_path, spoil):
    path = write(tmp_path, packed=True)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match="damaged or truncated gzip"):
        load(path)


def test_labels_of_another_set(tmp_path):
    with pytest.raises(DataError, match="3 examples but 2 labels"):
        load(write(tmp_path, labels=LABELS[:2]))


def test_a_folder_with_two_sets(tmp_path):
    write(tmp_path, "letters-train")
    write(tmp_path, "digits-train")
    with pytest.raises(DataError, match=r"several files of training images \(digits.*letters"):
        load(tmp_path)


def test_a_folder_with_a_test_part_only(tmp_path):
    write(tmp_path, "t10k")
    with pytest.raises(DataError, match="test images but no training images"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("train-images-idx3-ubyte", True),
        ("train-images.idx3-ubyte", True),
        ("t10k-labels-idx1-ubyte.gz", True),
        ("a.idx", True),
        ("idx_train.npz", False),
        ("a.idxs", False),
    ],
)
def test_names(name, answer):
    assert is_idx_name(name) is answer
