"""Data on its way into a kernel: what is taken, what is refused, and the words for it."""

import importlib.util
import warnings
from types import MappingProxyType

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
        (torch.int64, torch.float64),
        (torch.uint8, torch.float64),
        (torch.bool, torch.float64),
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
    (None, "X is None; pass an array with a row for each"),
    ({"a": 1}, "X is a dict; pass an array with a row for each sample, such as"),
    (MappingProxyType({"a": 1}), "X is a mappingproxy; pass an array with a row for each"),
    ({1.0, 2.0}, "X is a set; pass an array with a row for each"),
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


@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # of PyTorch's own
@pytest.mark.parametrize("net", ["dense relu dense", "dense tanh dense"])
def test_derivatives_that_would_be_lost_are_refused(net):
    """The tangent of a result was missing, which PyTorch takes for a derivative of zero."""
    torch = pytest.importorskip("torch")
    from torch.autograd import forward_ad

    x, w = torch.tensor(X), torch.tensor(2.0, dtype=torch.float64)
    kernel = tg.NTK(net)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones_like(x))
        for call in (kernel, kernel.diag, kernel.distance, lambda a: kernel(x, a)):
            with pytest.raises(
                tg.InputError,
                match=r"[XY] carries a .* forward mode .*, which is not followed; differentiate k",
            ):
                call(dual)
        layer = tg.Dense(weight_std=forward_ad.make_dual(w, torch.ones_like(w)))
        with pytest.raises(tg.InputError, match="a parameter of the network carries a derivative"):
            tg.NTK(tg.Sequential(layer, tg.ReLU(), tg.Dense()))
        assert kernel(forward_ad.unpack_dual(dual).primal).shape == (len(X), len(X))
    for change in (torch.func.grad, torch.func.vmap, torch.func.jacfwd):
        with pytest.raises(tg.InputError, match=r"X is a tensor of a transform of torch\.func"):
            change(lambda a: kernel(a[None] if a.ndim == 1 else a).sum())(x)
    with pytest.raises(
        tg.InputError, match="a parameter of the network is a tensor of a transform"
    ):
        torch.func.grad(lambda w: tg.NTK(tg.Sequential(tg.Dense(weight_std=w)))(x).sum())(w)


def test_two_sets_must_match():
    with pytest.raises(tg.InputError, match=r"X has inputs of shape \(4,\) and Y of shape \(3,\)"):
        tg.NTK(DENSE)(X, X[:, :3])
    with pytest.raises(tg.InputError, match=r"\(5, 5, 1\) and Y of shape \(5, 5, 3\)"):
        tg.NTK(CONV)(np.ones((1, 5, 5, 1)), np.ones((1, 5, 5, 3)))
    assert tg.NTK(DENSE)(X.astype(np.float32), X).dtype == np.float64


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_two_tables_have_the_same_columns_in_the_same_order(library, tmp_path):
    frame = pytest.importorskip(library).DataFrame
    x = frame({"a": [1.0, 2.0], "b": [3.0, 5.0]})
    y, other = x[["b", "a"]], frame({"a": [1.0], "c": [3.0]})
    kernel, targets = tg.NTK(DENSE), [0.0, 1.0]
    store = tmp_path / "K.zarr"
    calls = [
        lambda y: kernel(x, y),
        lambda y: kernel.distance(x, y),
        lambda y: (kernel + kernel)(x, y),
        lambda y: tg.gram(DENSE, tg.kernels.Prepared(x), y),
        lambda y: tg.gram.compute(kernel, x, y, store=store),
        lambda y: tg.learn.kernel_predictions(kernel, x, targets, y),
    ]
    if has_torch():
        from torch import nn

        calls.append(lambda y: tg.finite.empirical_ntk(nn.Linear(2, 1), x, y))
    for call in calls:
        with pytest.raises(tg.InputError, match="has the same columns in another order than X"):
            call(y)
        with pytest.raises(tg.InputError, match=r"has other columns .* than X; give both the same"):
            call(other)
    assert not store.exists()
    assert np.array_equal(kernel(x, y[list(x.columns)]), kernel(x))
    assert kernel(x, y.to_numpy()).shape == (2, 2)


def has_torch():
    return importlib.util.find_spec("torch") is not None


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


def pictures(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize(
    "shape", [(2, 3, 32, 32), (2, 1, 28, 28), (2, 4, 8, 8), (2, 3, 20, 30), (2, 1, 5, 5, 5)]
)
def test_pictures_with_channels_first_are_refused(shape, tmp_path):
    x = pictures(*shape)
    sizes = ", ".join(map(str, shape[1:]))
    message = (
        rf"X has shape .*channels came first.*np.moveaxis\(X, 1, -1\).*input_shape=\({sizes}\)"
    )
    net = "conv3 relu gap dense"
    for call in (
        tg.NTK(net),
        tg.NTK(net).diag,
        tg.NNGP(net).distance,
        lambda x: tg.NTK(net)(tg.kernels.Prepared(x)),
        lambda x: tg.NTK("flatten dense relu dense")(x),
        lambda x: tg.gram(net, x),
        lambda x: tg.explain(net, x),
        lambda x: tg.gram.compute(tg.NTK(net), x, store=tmp_path / "store"),
        lambda x: tg.KernelRegressor(tg.NTK(net)).fit(x, np.arange(2.0)),
    ):
        with pytest.raises(tg.InputError, match=message):
            call(x)
    with pytest.raises(tg.InputError, match=r"Y has shape .*channels came first"):
        tg.NTK(net)(np.moveaxis(x, 1, -1), x)


def test_channels_first_tensors_are_refused():
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(pictures(2, 3, 8, 8))
    with pytest.raises(tg.InputError, match=r"for a tensor X\.movedim\(1, -1\)"):
        tg.NTK(CONV)(x)
    moved = tg.NTK(CONV)(x.movedim(1, -1))
    assert np.allclose(moved, tg.NTK(CONV)(np.moveaxis(x.numpy(), 1, -1)), rtol=1e-13)


@pytest.mark.parametrize(
    "shape", [(2, 8, 8, 3), (2, 8, 8, 8), (2, 3, 3, 3), (2, 1, 4, 4), (2, 3, 8, 4), (2, 3, 8, 12)]
)
def test_other_shapes_are_taken(shape):
    x = pictures(*shape)
    stated = tg.NTK(CONV, input_shape=shape[1:])(x)
    assert np.array_equal(tg.NTK(CONV)(x), stated)


def test_a_stated_shape_is_taken_as_it_is(tmp_path):
    x = pictures(2, 3, 8, 8)
    flat = x.reshape(2, -1)
    kernel = tg.NTK(CONV, input_shape=(3, 8, 8))
    assert np.array_equal(kernel(x), kernel(flat))
    assert np.array_equal(tg.gram(CONV, x, input_shape=(3, 8, 8)).ntk, kernel(x))
    assert "grid of 3×8, 8 channels" in tg.explain(CONV, (3, 8, 8))
    stored = tg.gram.compute(kernel, x, store=tmp_path / "store")
    assert np.allclose(stored[:], kernel(x), rtol=1e-13)


def test_signals_with_their_channel_first_are_noticed():
    x = pictures(2, 1, 30)
    net = "conv3 res(relu conv3) gap dense"
    with pytest.warns(InputWarning, match=r"a single position with 30 channels.*np.moveaxis\(X, 1"):
        tg.NTK(net)(x)
    with pytest.warns(InputWarning, match="read as 1-d signals of 30 positions"):
        # the layer that looks at positions is inside a branch
        tg.NTK("res(conv3) gap dense")(pictures(2, 30, 30))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tg.NTK(net, input_shape=(1, 30))(x)
        tg.NTK("flatten dense")(x)


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_byte_order_does_not_matter(order):
    for size, dtype in (("f4", np.float32), ("f8", np.float64), ("f2", np.float32)):
        data = X.astype(order + size)
        found = tg.NTK(DENSE)(data)
        assert found.dtype == dtype
        assert np.array_equal(found, tg.NTK(DENSE)(X.astype(size)))
    for size in ("i2", "u8"):
        assert tg.NTK(DENSE)(np.ones((2, 2), order + size)).dtype == np.float64


def test_whole_numbers_become_float64_in_every_library():
    torch = pytest.importorskip("torch")
    numbers = np.array([[2**24 + 1, 3], [0, 1]])
    expected = tg.NTK(DENSE)(numbers)
    found = tg.NTK(DENSE)(torch.from_numpy(numbers))
    assert found.dtype == torch.float64
    assert np.array_equal(found.numpy(), expected)


def test_views_of_tensors_that_are_worked_out_when_read():
    torch = pytest.importorskip("torch")
    z = torch.randn(3, 4, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    negative = z.conj().imag
    assert negative.is_neg()
    expected = tg.NTK(DENSE)(-z.imag.clone())
    for engine in ("auto", "reference", "fused"):
        assert torch.allclose(tg.NTK(DENSE, engine=engine)(negative), expected)
    with pytest.raises(tg.InputError, match="X is complex; pass real numbers"):
        tg.NTK(DENSE)(z.conj())


def test_explain_takes_what_kernels_take():
    expected = tg.explain(DENSE, (4,))
    for data in (X, tg.kernels.Prepared(X), X.tolist(), tuple(map(tuple, X)), (np.int64(4),)):
        assert tg.explain(DENSE, data) == expected


def test_paired_distances_need_pairs():
    for kernel in (tg.NTK(DENSE), 2.0 * tg.NTK(DENSE), tg.NTK(DENSE) + tg.NNGP(DENSE)):
        with pytest.raises(tg.InputError, match=r"needs Y; distance\(X\) gives the distances of"):
            kernel.paired_distance(X, None)


def test_kinds_by_tuple(tmp_path):
    pair = tg.gram(DENSE, X)
    both = tg.gram(DENSE, X, kind=("nngp", "ntk"))
    assert type(both) is tg.KernelPair
    assert np.array_equal(both.ntk, pair.ntk)
    ntk, nngp = tg.gram(DENSE, X, kind=("ntk", "nngp"))
    assert np.array_equal(ntk, pair.ntk)
    assert np.array_equal(nngp, pair.nngp)
    (alone,) = tg.gram(DENSE, X, kind=["nngp"])
    assert np.allclose(alone, pair.nngp, rtol=1e-14)
    stored = tg.gram.compute(DENSE, X, kind=("ntk", "nngp"), store=tmp_path / "store")
    assert np.allclose(stored.ntk[:], pair.ntk, rtol=1e-13)
    for wrong in ((), ("ntk", "ntk"), ("ntk", "both"), ("cov",), 3, None, [["ntk"]]):
        with pytest.raises(tg.InputError, match="kind must be both, ntk or nngp; got"):
            tg.gram(DENSE, X, kind=wrong)
