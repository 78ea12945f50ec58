"""The kernel objects: values, options, copies, and their use with scikit-learn."""

import copy
import pickle

import numpy as np
import pytest

import tangency as tg
from tangency.kernels import KernelPair

TEXT = "conv3 relu gauss2 conv3 relu gap dense"
X = np.random.default_rng(0).normal(size=(5, 6, 6, 1))
Y = np.random.default_rng(1).normal(size=(3, 6, 6, 1))


@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
def test_shapes_and_symmetry(kind):
    kernel = kind(TEXT)
    matrix = kernel(X)
    assert matrix.shape == (5, 5)
    assert np.array_equal(matrix, matrix.T)
    assert np.array_equal(matrix, kernel(X, X))
    assert kernel(X, Y).shape == (5, 3)
    assert np.allclose(kernel(X, Y), kernel(Y, X).T, rtol=1e-14)
    assert np.allclose(np.diag(matrix), kernel.diag(X), rtol=1e-15)
    assert np.allclose(matrix, kernel(X, X.copy()), rtol=1e-14)


def test_the_network_as_text_layer_or_object():
    assert tg.NTK(TEXT) == tg.NTK(tg.parse(TEXT))
    assert tg.NTK(tg.Dense()).net == tg.Sequential(tg.Dense())
    with pytest.raises(tg.NetworkError, match="a network is a Sequential or its text form, got 3"):
        tg.NTK(3)


def test_both_kernels_in_one_pass():
    pair = tg.gram(TEXT, X, Y)
    assert isinstance(pair, KernelPair)
    assert np.array_equal(pair.nngp, tg.NNGP(TEXT)(X, Y))
    assert np.array_equal(pair.ntk, tg.NTK(TEXT)(X, Y))
    assert np.array_equal(tg.gram(TEXT, X, kind="ntk"), tg.NTK(TEXT)(X))
    assert np.array_equal(tg.gram(TEXT, X, kind="nngp"), tg.NNGP(TEXT)(X))
    with pytest.raises(tg.InputError, match="kind must be both, ntk or nngp; got 'tangent'"):
        tg.gram(TEXT, X, kind="tangent")


@pytest.mark.parametrize("kind", [tg.NTK, tg.NNGP])
def test_normalised(kind):
    kernel, plain = kind(TEXT, normalize=True), kind(TEXT)
    root = np.sqrt(plain.diag(X))
    assert np.allclose(kernel(X), plain(X) / np.outer(root, root), rtol=1e-14)
    assert np.array_equal(np.diag(kernel(X)), np.ones(5))
    assert np.array_equal(kernel.diag(X), np.ones(5))
    assert np.allclose(kernel(X, Y), plain(X, Y) / np.outer(root, np.sqrt(plain.diag(Y))))
    blank = np.concatenate([X, 0 * X[:1]])
    assert np.array_equal(kernel(blank)[-1], np.zeros(6))
    assert kernel.diag(blank)[-1] == 0
    assert np.array_equal(kernel(blank), kernel(blank).T)


def test_distance():
    kernel = tg.NTK(TEXT)
    twins = np.concatenate([X, X[:2]])
    distance = kernel.distance(twins)
    assert np.array_equal(np.diag(distance), np.zeros(7))
    assert np.array_equal(distance, distance.T)
    assert distance[0, 5] < 1e-6
    matrix = kernel(twins)
    squared = np.diag(matrix)[:, None] + np.diag(matrix)[None, :] - 2 * matrix
    off = ~np.eye(7, dtype=bool) & (squared > 1e-9)
    assert np.allclose(distance[off] ** 2, squared[off])
    assert kernel.distance(X, Y).shape == (5, 3)
    assert np.all(distance[:, None, :] <= distance[:, :, None] + distance[None, :, :] + 1e-7)


def test_copies_and_hashes():
    kernel = tg.NTK(TEXT, input_shape=(6, 6, 1), normalize=True, max_memory=2**30)
    for other in (copy.deepcopy(kernel), copy.copy(kernel), pickle.loads(pickle.dumps(kernel))):
        assert other == kernel
        assert hash(other) == hash(kernel)
        assert np.array_equal(other(X), kernel(X))
    assert kernel != tg.NNGP(TEXT, input_shape=(6, 6, 1), normalize=True, max_memory=2**30)
    assert eval(repr(kernel), {name: getattr(tg, name) for name in tg.__all__}) == kernel
    with pytest.raises(AttributeError):
        kernel.normalize = False


def test_text_shape_with_a_list_becomes_a_tuple():
    assert tg.NTK(TEXT, input_shape=[6, 6, 1]) == tg.NTK(TEXT, input_shape=(6, 6, 1))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: tg.NTK(TEXT, input_shape=(36,)), tg.NetworkError, "Conv needs a signal with spat"),
        (lambda: tg.NTK("conv3 relu", input_shape=(6, 1)), tg.NetworkError,
         r"ends on a grid of 6, but a kernel needs a vector at the end; put Flatten\(\)"),
        (lambda: tg.NTK("conv3 relu")(X), tg.NetworkError, "the network ends on a grid of 6×6"),
        (lambda: tg.NTK(TEXT, input_shape=(6.5, 1)), tg.NetworkError, "must be a whole"),
        (lambda: tg.NTK(TEXT, max_memory=0), tg.InputError, "max_memory must be a number of bytes"),
        (lambda: tg.NTK(TEXT, max_memory="1GB"), tg.InputError, r"as in 2\*\*30; got '1GB'"),
        (lambda: tg.gram(TEXT, X, max_memory=-1), tg.InputError, "max_memory must be a number"),
        (lambda: tg.NTK(TEXT, engine="warp")(X), tg.InputError, "engine must be one of auto"),
        (lambda: tg.NTK("conv3 relu dense")(X), tg.NetworkError,
         r"ends on a grid of 6×6, .* then Dense\(\), which acts at each position before"),
    ],
)  # fmt: skip
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_explain():
    text = tg.explain(TEXT, X)
    assert text == tg.explain(TEXT, (6, 6, 1))
    assert text.startswith("engine: ")
    assert "input: signals on a grid of 6×6, 1 channels" in text
    assert tg.parse(TEXT).summary((6, 6, 1)) in text


def test_progress_is_silent_on_short_calls(capsys):
    tg.NTK(TEXT, progress=True)(X)
    assert capsys.readouterr().err == ""


def test_support_vector_machine_with_the_kernel_as_a_function():
    from sklearn.base import clone
    from sklearn.datasets import load_digits
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    digits = load_digits()
    x, y = digits.data[:300] / 16, digits.target[:300]
    kernel = tg.NTK("conv3 relu flatten dense", input_shape=(8, 8, 1))
    model = SVC(kernel=kernel).fit(x[:200], y[:200])
    assert model.score(x[200:], y[200:]) > 0.85
    precomputed = SVC(kernel="precomputed").fit(kernel(x[:200]), y[:200])
    assert np.array_equal(model.predict(x[200:]), precomputed.predict(kernel(x[200:], x[:200])))
    assert clone(model).kernel == kernel
    search = GridSearchCV(SVC(), {"kernel": [kernel, tg.NNGP("dense relu dense")]}, cv=2)
    assert search.fit(x[:60], y[:60]).best_params_["kernel"] in (
        kernel, tg.NNGP("dense relu dense"),
    )  # fmt: skip
