"""Channel axes, scales and types."""

import numpy as np
import pytest

from tangency.data import DataError
from tangency.data.inputs import InputOptions, check_labels, prepare


def made(X, full_scale=None, **options):
    return prepare(np.asarray(X), InputOptions(**options), "here", full_scale)


@pytest.mark.parametrize(
    ("shape", "options", "result"),
    [
        ((2, 5), {}, (2, 5)),
        ((2, 5, 4), {}, (2, 5, 4, 1)),
        ((2, 5, 4, 3), {}, (2, 5, 4, 3)),
        ((2, 5, 4, 3, 1), {}, (2, 5, 4, 3, 1)),
        ((2, 5, 4), {"channels": "last"}, (2, 5, 4)),
        ((2, 5), {"channels": "none"}, (2, 5, 1)),
        ((2, 3, 6, 6), {"channels": "first"}, (2, 6, 6, 3)),
        ((2, 3, 6, 6), {"channels": "last"}, (2, 3, 6, 6)),
        ((2, 64), {"input_shape": (8, 8, 1)}, (2, 8, 8, 1)),
    ],
)
def test_shapes(shape, options, result):
    assert made(np.zeros(shape), **options).shape == result


def test_channels_move_with_their_values():
    X = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    assert np.array_equal(made(X, channels="first")[1, 2, 3], X[1, :, 2, 3])


def test_channels_first_is_noticed():
    with pytest.raises(DataError, match=r"look as if channels came first.*channels='first'"):
        made(np.zeros((2, 3, 32, 32)))


@pytest.mark.parametrize(
    ("X", "options", "top"),
    [
        (np.full((1, 2, 2), 255, np.uint8), {}, 1),
        (np.full((1, 2, 2), 65535, np.uint16), {}, 1),
        (np.full((1, 4), 255, np.uint8), {}, 255),
        (np.full((1, 4), 255, np.uint8), {"input_shape": (2, 2, 1)}, 1),
        (np.full((1, 2, 2), 255, np.int64), {}, 255),
        (np.full((1, 2, 2), 255.0), {}, 255),
        (np.full((1, 2, 2), 255, np.uint8), {"scale": None}, 255),
        (np.full((1, 4), 255), {"scale": 510}, 0.5),
        (np.full((1, 4), True), {}, 1),
    ],
)
def test_scales(X, options, top):
    assert made(X, **options).max() == top


def test_types():
    assert made(np.eye(2, dtype=np.float32)).dtype == np.float64
    assert made(np.eye(2, dtype=np.uint8), dtype="float32").dtype == np.float32


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        (["a", "b"], {}, "examples must be numbers"),
        ([1.0, 2.0], {}, r"two or more axes, got shape \(2,\).*reshape\(-1, 1\)"),
        ([[1j]], {}, "must be numbers, got complex128"),
        (np.zeros((2, 5)), {"input_shape": (2, 2, 1)}, "5 cannot become 2x2x1, which has 4"),
        (np.zeros((2, 5)), {"channels": "first"}, "no channel axis to move"),
        ([[1]], {"channels": "middle"}, "channels must be 'auto'.*got 'middle'"),
        ([[1]], {"dtype": "int8"}, "dtype must be 'float32' or 'float64', got 'int8'"),
        ([[1]], {"scale": "big"}, "scale must be a number"),
        ([[1]], {"scale": 0}, "scale must be a positive number, got 0"),
    ],
)
def test_errors(X, options, message):
    with pytest.raises(DataError, match=message):
        made(X, **options)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([None]), "must be numbers or strings, got object"),
        (np.eye(3, dtype=int), r"one-hot labels need y\.argmax"),
        (np.zeros((2, 2, 2)), r"must have the shape \(n,\), got \(2, 2, 2\)"),
    ],
)
def test_labels_that_are_refused(y, message):
    with pytest.raises(DataError, match=message):
        check_labels(y, "here")


def test_labels_in_a_column():
    assert check_labels(np.array([[3], [4]]), "here").tolist() == [3, 4]
    assert check_labels(np.eye(2), "here").shape == (2, 2)


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        ([[1e300]], {"dtype": "float32"}, r"up to 1e\+300, leave the range of float32"),
        ([[2.0]], {"scale": 1e-320}, "up to 2, leave the range of float64.*--scale"),
    ],
)
def test_numbers_that_leave_the_range_are_told_from_gaps(X, options, message):
    with pytest.raises(DataError, match=message):
        made(X, **options)


def test_a_gap_that_numpy_made_a_name_of():
    with pytest.raises(DataError, match="2 labels are 'nan', the first is number 1"):
        check_labels(np.array(["a", np.nan, "b", "NaN"]), "here")
