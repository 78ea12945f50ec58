"""Data on its way into a kernel: what is taken, what is refused, and the words for it."""

import warnings

import numpy as np
import pytest

import tangency as tg
from tangency.kernels import InputWarning

DENSE, CONV = "dense relu dense", "conv3 relu gap dense"
X = np.random.default_rng(0).normal(size=(3, 4))


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (X.astype(np.float32), np.float32),
        (X.astype(np.float16), np.float32),
        (X.astype(">f8"), np.float64),
        (X.astype(np.longdouble), np.float64),
        (np.arange(6, dtype=np.uint8).reshape(2, 3), np.float64),
        (np.arange(6, dtype=np.int32).reshape(2, 3), np.float64),
        (np.array([[True, False], [True, True]]), np.float64),
        ([[1, 2], [3, 4]], np.float64),
        ([[1.0, 2.0], [3.0, 4.0]], np.float64),
        (((1, 2), (3, 5)), np.float64),
        (np.asfortranarray(X), np.float64),
        (X[:, ::-2], np.float64),
        (np.ma.masked_array(X), np.float64),
    ],
    ids=["f4", "f2", "big-endian", "long", "u1", "i4", "bool", "ints", "floats", "tuples",
         "fortran", "strided", "masked-none"],
)  # fmt: skip
def test_what_is_taken(data, dtype):
    matrix = tg.NTK(DENSE)(data)
    assert type(matrix) is np.ndarray
    assert matrix.dtype == dtype
    plain = np.array(data, dtype=dtype)
    assert np.allclose(matrix, tg.NTK(DENSE)(plain), rtol=1e-6)
    assert np.allclose(np.diag(matrix), 2 * np.sum(plain**2, axis=1), rtol=1e-5)


def test_images_of_bytes_keep_their_values():
    x = np.full((1, 8, 8, 1), 200, dtype=np.uint8)
    assert tg.NNGP("conv1 relu gap dense")(x).item() == pytest.approx(200**2)


def test_numpy_matrices_and_data_frames_are_arrays():
    pandas = pytest.importorskip("pandas")
    assert np.array_equal(tg.NTK(DENSE)(pandas.DataFrame(X)), tg.NTK(DENSE)(X))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        assert np.array_equal(tg.NTK(DENSE)(np.matrix(X)), tg.NTK(DENSE)(X))


def test_torch_dtypes():
    torch = pytest.importorskip("torch")
    x = torch.tensor(X)
    for given, expected in [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.int64, torch.float32),
        (torch.uint8, torch.float32),
        (torch.bool, torch.float32),
    ]:
        data = x.abs().to(given)
        matrix = tg.NTK(DENSE)(data)
        assert matrix.dtype == expected
        assert torch.allclose(matrix, tg.NTK(DENSE)(data.to(expected)))


REFUSED = [
    (np.where(X > 1, np.nan, X), r"X holds NaN or infinity in \d of 3 inputs"),
    (np.array([[1.0, 2.0], [3.0, np.nan]]), r"in 1 of 2 inputs \(the first is number 1\); impute"),
    (np.array([[np.inf, 2.0]]), r"in 1 of 1 inputs \(the first is number 0\); impute or drop"),
    (np.ones(4), r"must have a row for each input.*got shape \(4,\); .* passed as x\[None\]"),
    (np.float64(3), r"got shape \(\)"),
    (3.0, r"got shape \(\)"),
    (np.ones((0, 4)), r"X is empty: shape \(0, 4\); give at least one input"),
    (np.ones((4, 0)), "X is empty"),
    ([], r"got shape \(0,\)"),
    ([[]], "X is empty"),
    (np.array([[1, None]]), "X holds Python objects .*convert it with np.asarray"),
    (np.array([["1", "2"]]), "X has dtype <U1; pass real numbers"),
    ([["a", "b"]], "X has dtype <U1; pass real numbers"),
    (np.array([["2020"]], dtype="M8[Y]"), "dtype datetime64"),
    (np.ones((2, 2)) * 1j, "X has dtype complex128; pass real numbers"),
    ([[1, 2], [3]], "X cannot be read as an array of numbers .*all rows need one length"),
    ([[1, 2], "ab"], "X cannot be read as an array of numbers"),
    (None, "X holds Python objects"),
    ({"a": 1}, "X holds Python objects"),
    (np.ones((2, 2, 2, 2, 2, 2)), "at most 3 spatial axes"),
    (np.ma.masked_array(X, X > 0), "X is an array with masked values; impute or drop them"),
]


@pytest.mark.parametrize(("data", "message"), REFUSED)
def test_what_is_refused(data, message):
    for call in (tg.NTK(DENSE), tg.NTK(DENSE).diag, tg.NNGP(DENSE).distance):
        with pytest.raises(tg.InputError, match=message):
            call(data)
    with pytest.raises(tg.InputError, match=message):
        tg.gram(DENSE, data)
    if data is not None:  # no second set is a symmetric call
        with pytest.raises(tg.InputError, match=message.replace("X", "Y", 1)):
            tg.NTK(DENSE)(X, data)


def test_sparse_matrices_are_refused_with_the_remedy():
    from scipy import sparse

    with pytest.raises(tg.InputError, match=r"X is a sparse matrix; pass X.toarray\(\)"):
        tg.NTK(DENSE)(sparse.eye(3).tocsr())
    torch = pytest.importorskip("torch")
    with pytest.raises(tg.InputError, match=r"X is a sparse tensor; pass X.to_dense\(\)"):
        tg.NTK(DENSE)(torch.eye(3).to_sparse())


def test_what_is_refused_from_torch():
    torch = pytest.importorskip("torch")
    with pytest.raises(tg.InputError, match="X is complex; pass real numbers"):
        tg.NTK(DENSE)(torch.ones((2, 2), dtype=torch.complex64))
    with pytest.raises(tg.InputError, match="NaN or infinity in 1 of 2 inputs"):
        tg.NTK(DENSE)(torch.tensor([[1.0], [float("nan")]]))
    for x, y in ((X, torch.tensor(X)), (torch.tensor(X), X), (torch.tensor(X), X.tolist())):
        with pytest.raises(tg.InputError, match="both as NumPy arrays or both as PyTorch tensors"):
            tg.NTK(DENSE)(x, y)


def test_two_sets_must_match():
    with pytest.raises(tg.InputError, match=r"X has inputs of shape \(4,\) and Y of shape \(3,\)"):
        tg.NTK(DENSE)(X, X[:, :3])
    with pytest.raises(tg.InputError, match=r"\(5, 5, 1\) and Y of shape \(5, 5, 3\)"):
        tg.NTK(CONV)(np.ones((1, 5, 5, 1)), np.ones((1, 5, 5, 3)))
    assert tg.NTK(DENSE)(X.astype(np.float32), X).dtype == np.float64


def test_input_shape_gives_rows_their_grid():
    x = np.random.default_rng(0).normal(size=(3, 4, 5, 2))
    kernel = tg.NTK(CONV, input_shape=(4, 5, 2))
    assert np.array_equal(kernel(x.reshape(3, -1)), tg.NTK(CONV)(x))
    assert np.array_equal(kernel(x), tg.NTK(CONV)(x))
    assert np.allclose(kernel(x.reshape(3, -1), x), tg.NTK(CONV)(x), rtol=1e-14)
    assert np.array_equal(kernel.diag(x.reshape(3, -1)), tg.NTK(CONV).diag(x))
    for wrong in (
        np.ones((3, 39)),
        np.ones((3, 4, 5)),
        np.ones((3, 4, 5, 1)),
        np.ones((3, 5, 4, 2)),
    ):
        with pytest.raises(tg.InputError, match=r"needs \(n, 4, 5, 2\), or rows of 40 numbers"):
            kernel(wrong)
    assert tg.NTK(DENSE, input_shape=4).input_shape == (4,)


def test_grey_images_without_channels_are_pointed_out():
    images = np.ones((2, 8, 8))
    with pytest.warns(
        InputWarning, match=r"pass X\[..., None\] or input_shape=\(8, 8, 1\)"
    ) as seen:
        tg.NTK("conv3 relu gap dense")(images)
    assert seen[0].filename == __file__  # the warning points at the caller
    with pytest.warns(InputWarning):
        tg.gram("conv3 relu gap dense", images)
    for fine in (np.ones((2, 8, 7)), np.ones((2, 4, 4)), images[..., None]):
        tg.NTK("conv3 relu gap dense")(fine)
    tg.NTK("conv3 relu gap dense", input_shape=(8, 8))(images)
