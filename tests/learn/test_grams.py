from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import KernelPCA
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel

from tangency import (
    NNGP,
    NTK,
    Dense,
    GaussianProcess,
    KernelClassifier,
    KernelRegressor,
    Sequential,
    parse,
)
from tangency.errors import InputError
from tangency.learn import NystromFeatures, RandomFeatures
from tangency.learn.grams import cross_gram, resolve_kernel, times, train_gram
from tangency.matrix.checked import is_precomputed, kernel_diagonal


def test_no_kernel_is_the_ntk_of_a_two_layer_network():
    assert resolve_kernel(None) == NTK("dense relu dense")


@pytest.mark.parametrize("bad", ["rbf", 3, NTK, ["precomputed"]])
def test_what_is_no_kernel_is_refused_with_what_is_expected(bad):
    with pytest.raises(InputError, match=r"is not a kernel; expected .*NTK.*callable.*precomputed"):
        resolve_kernel(bad)


def test_kernels_and_callables_pass_through():
    assert resolve_kernel(rbf_kernel) is rbf_kernel
    assert resolve_kernel("precomputed") == "precomputed"
    assert is_precomputed("precomputed")
    assert not is_precomputed(rbf_kernel)


@pytest.mark.parametrize("of_network", [NTK, NNGP])
def test_a_network_its_text_and_its_last_layer_stand_for_its_kernel(of_network):
    for given in ("dense relu dense", parse("dense relu dense")):
        assert resolve_kernel(given, of_network) == of_network("dense relu dense")
    assert resolve_kernel(Dense(), of_network) == of_network("dense")
    assert resolve_kernel(NTK("dense"), of_network) == NTK("dense")
    with pytest.raises(InputError, match=r"kernel='dense rleu' is not a kernel; .*\(.*rleu"):
        resolve_kernel("dense rleu", of_network)


@pytest.mark.parametrize("given", ["dense relu dense", parse("dense relu dense"), Dense()])
def test_all_take_networks(given):
    X, y = np.random.default_rng(0).standard_normal((9, 3)), np.arange(9) % 2
    network = given if isinstance(given, str) else Sequential(given)
    for model in (
        KernelRegressor(given, alpha=0.1),
        KernelClassifier(given, alpha=0.1),
        NystromFeatures(given, 3, random_state=0),
        RandomFeatures(given, 9, random_state=0),
        GaussianProcess(given, noise=0.1, inference="ensemble"),
    ):
        assert model.fit(X, y).kernel_ == NTK(network)
    assert GaussianProcess(given, noise=0.1).fit(X, y).kernel_ == NNGP(network)


def test_a_kernel_called_on_single_rows_says_what_scikit_learn_wants():
    X = np.random.default_rng(0).standard_normal((9, 3))
    for theirs in (KernelRidge(kernel=NTK("dense relu dense")), KernelPCA(kernel=NTK("dense"))):
        with pytest.raises(InputError, match=r'scikit-learn.* kernel="precomputed" and matrices K'):
            theirs.fit(X, np.arange(9.0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_matrix_is_float64_but_remembers_its_dtype(kernel, vectors, dtype):
    gram = train_gram(kernel, vectors.astype(dtype))
    assert gram.matrix.dtype == np.float64
    assert gram.dtype == np.dtype(dtype).name
    assert gram.eps == np.finfo(dtype).eps
    assert gram.trusted
    assert gram.size == 14
    assert gram.trace == pytest.approx(np.trace(gram.matrix))
    np.testing.assert_array_equal(gram.matrix, kernel(vectors.astype(dtype)))


def test_a_given_matrix_is_never_overwritten(vectors):
    given = linear_kernel(vectors)
    gram = train_gram("precomputed", given)
    assert not np.shares_memory(gram.matrix, given)
    assert gram.samples is None
    assert not gram.trusted

    def remembered(X, Y):
        return given

    assert not np.shares_memory(train_gram(remembered, vectors).matrix, given)


def test_rounding_between_the_triangles_is_averaged_away(rng):
    # more rows than one block of the symmetrisation
    matrix = np.eye(1100) + 1e-10 * rng.standard_normal((1100, 1100))
    gram = train_gram("precomputed", matrix)
    np.testing.assert_array_equal(gram.matrix, gram.matrix.T)
    np.testing.assert_allclose(gram.matrix, (matrix + matrix.T) / 2, rtol=0, atol=1e-25)


def test_an_asymmetric_matrix_is_refused():
    with pytest.raises(InputError, match=r"not symmetric.*differ by 0\.5.*reach 1;"):
        train_gram("precomputed", np.array([[1.0, 0.5], [0.0, 1.0]]))


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.ones((3, 2)), r"has shape \(3, 2\); expected \(3, 3\)"),
        (np.full((3, 3), np.nan), r"bad entries: 9 of 9 values are not finite"),
        (np.ones((3, 3), dtype=complex), r"dtype complex128; expected real numbers"),
    ],
)
def test_a_callable_that_gives_nonsense_is_refused(result, message):
    with pytest.raises(InputError, match=message):
        train_gram(lambda X, Y: result, np.ones((3, 2)))
    if "shape" not in message:
        with pytest.raises(InputError, match=message):
            cross_gram(lambda X, Y: result, np.ones((3, 2)), np.ones((3, 2)), 3)


def test_integer_matrices_become_float64():
    assert train_gram(lambda X, Y: np.eye(3, dtype=int), np.ones((3, 1))).dtype == "float64"


@pytest.mark.parametrize("kernel", [NTK("dense relu dense"), RBF(), rbf_kernel, linear_kernel])
def test_the_diagonal_agrees_with_the_matrix(kernel, rng):
    samples = rng.standard_normal((130, 3))  # more than one block
    np.testing.assert_allclose(
        kernel_diagonal(kernel, samples), np.diagonal(kernel(samples, samples)), rtol=1e-7
    )


@pytest.mark.parametrize("outputs", [(), (3,)])
def test_products_with_float32_are_taken_in_float64(rng, outputs):
    gram = rng.standard_normal((1500, 7)).astype(np.float32)
    weights = rng.standard_normal((7, *outputs))
    np.testing.assert_allclose(
        times(gram, weights), gram.astype(np.float64) @ weights, rtol=1e-13, atol=1e-13
    )
