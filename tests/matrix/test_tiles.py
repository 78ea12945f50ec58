from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from tangency import NTK, InputError, KernelRegressor, gram
from tangency.kernels import Kernel
from tangency.learn.grams import assembled
from tangency.matrix import tiles as module
from tangency.matrix.tiles import ArrayTiles, KernelTiles, StoredTiles
from traced import traced

EDGE = 64


@pytest.fixture(scope="session")
def stored(ntk, samples, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "K.zarr"
    return gram.compute(ntk, samples, store=path, tile=EDGE)


@pytest.fixture(params=["array", "kernel", "function", "stored", "bare store"])
def case(request, ntk, samples, matrix, stored):
    """Tiles, and the matrix that they are to be."""
    made = {
        "array": lambda: ArrayTiles(matrix, EDGE),
        "kernel": lambda: KernelTiles(ntk, samples, EDGE),
        "function": lambda: KernelTiles(rbf_kernel, samples, EDGE),
        "stored": lambda: StoredTiles(stored, KernelTiles(ntk, samples)),
        "bare store": lambda: StoredTiles(stored),
    }[request.param]()
    return made, rbf_kernel(samples) if request.param == "function" else matrix


def test_tiles_columns_and_diagonal(case):
    tiles, expected = case
    assert tiles.size == len(expected)
    assert tiles.grid.shape == (3, 3)
    covered = np.zeros_like(expected)
    for (i, j), tile in zip(tiles.grid, tiles.fetch([*tiles.grid]), strict=True):
        where = (tiles.grid.rows(i), tiles.grid.columns(j))
        np.testing.assert_allclose(tile, expected[where], rtol=1e-12)
        covered[where] += 1
    assert np.all(np.triu(covered) == np.triu(np.ones_like(covered)))
    chosen = np.array([149, 3, 64, 63, 3])
    np.testing.assert_allclose(tiles.columns(chosen), expected[:, chosen], rtol=1e-12)
    np.testing.assert_allclose(tiles.diagonal(), np.diagonal(expected), rtol=1e-12)
    if tiles.entries is not None:
        found = tiles.entries(chosen, chosen[:2])
        np.testing.assert_allclose(found, expected[np.ix_(chosen, chosen[:2])], rtol=1e-12)


def test_tiles_go_to_other_processes(case):
    tiles, expected = case
    tiles.keep_up_to(10**9)
    tiles.tile(0, 1)
    again = pickle.loads(pickle.dumps(tiles))
    np.testing.assert_allclose(again.tile(0, 2), expected[:64, 128:], rtol=1e-12)
    assert again.digest() == tiles.digest()


def test_what_fits_is_kept_and_the_rest_made_again(ntk, samples):
    tiles = KernelTiles(ntk, samples, EDGE)
    assert tiles.nbytes == sum(tiles.make(*pair).nbytes for pair in tiles.grid)
    made = []
    make = tiles.make
    tiles.make = lambda i, j: made.append((i, j)) or make(i, j)  # type: ignore[method-assign]
    tiles.keep_up_to(2 * 64 * 64 * 8)
    for _ in range(2):
        list(tiles.fetch([*tiles.grid]))
    # the first two fit, and the small one in the corner does not fit beside them
    assert made == [*tiles.grid, *[*tiles.grid][2:]]


def test_digests_tell_matrices_apart(matrix, ntk, samples, stored):
    other = matrix.copy()
    other[0, 0] += 1e-9
    found = [ArrayTiles(matrix).digest(), ArrayTiles(other).digest(), StoredTiles(stored).digest()]
    assert len(set(found)) == 3
    assert KernelTiles(ntk, samples).digest() != KernelTiles(ntk, samples + 1e-9).digest()


def test_float32_stays_float32(ntk, samples):
    tiles = KernelTiles(ntk, samples.astype(np.float32), EDGE)
    assert tiles.dtype == np.float32
    assert tiles.tile(0, 1).dtype == np.float32
    assert tiles.eps == np.finfo(np.float32).eps


def test_an_asymmetric_matrix_is_refused(matrix, samples):
    wrong = matrix.copy()
    wrong[3, 100] += 1
    with pytest.raises(InputError, match="not symmetric"):
        ArrayTiles(wrong)
    with pytest.raises(InputError, match="not symmetric"):
        KernelTiles(lambda X, Y: X[:, :1] + 0 * Y[:, 0], samples)
    with pytest.raises(InputError, match="not symmetric"):
        # only off the diagonal tiles
        KernelTiles(lambda X, Y: np.full((len(X), len(Y)), 1.0 + (X[0, 0] < Y[0, 0])), samples, 10)


def test_values_that_are_not_finite_are_refused(samples):
    def kernel(X, Y):
        return np.where(rbf_kernel(X, Y) < 2, np.nan, 0)

    with pytest.raises(InputError, match="has bad entries"):
        KernelTiles(kernel, samples)


def test_a_rectangular_store_is_refused(ntk, samples, tmp_path):
    stored = gram.compute(ntk, samples[:9], samples[:9] + 1, store=tmp_path / "K.zarr")
    with pytest.raises(InputError, match=r"9 x 9 matrix K\(X, Y\); a fit needs K\(X, X\)"):
        StoredTiles(stored)


def test_prepared_blocks_are_dropped_where_memory_is_short(ntk, samples, monkeypatch):
    monkeypatch.setattr(module, "_PREPARED_BYTES", 1)
    tiles = KernelTiles(ntk, samples, 16)
    for pair in tiles.grid:
        tiles.tile(*pair)
    assert len(tiles._blocks._kept) == 2


def test_kernels_of_the_users_own_get_arrays(samples):
    class Linear(Kernel):
        def __call__(self, X, Y=None):
            assert isinstance(X, np.ndarray)
            return X @ (X if Y is None else Y).T

        def diag(self, X):
            return np.square(X).sum(axis=1)

    for kernel in (Linear(), 2.0 * Linear() + NTK("dense"), Linear() * NTK("dense")):
        exact = KernelRegressor(kernel, alpha=0.1, solver="cholesky").fit(samples, samples)
        found = KernelRegressor(kernel, alpha=0.1, solver="cg").fit(samples, samples)
        np.testing.assert_allclose(found.predict(samples), exact.predict(samples), atol=1e-6)


def test_an_error_in_the_reading_thread_arrives(stored):
    tiles = StoredTiles(stored)

    def broken(i, j):
        raise OSError("gone")

    tiles.make = broken  # type: ignore[method-assign]
    with pytest.raises(OSError, match="gone"):
        list(tiles.fetch([*tiles.grid]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_matrix_is_put_together_in_its_own_room(dtype):
    samples = np.random.default_rng(0).standard_normal((1000, 5)).astype(dtype)
    tiles = KernelTiles(NTK("dense relu dense"), samples, 128)
    expected = NTK("dense relu dense")(samples)
    found, peak = traced(lambda: assembled(tiles, samples))
    assert peak < 1.2 * found.matrix.nbytes
    np.testing.assert_array_equal(found.matrix, found.matrix.T)
    np.testing.assert_allclose(found.matrix, expected, rtol=10 * np.finfo(dtype).eps)
    assert (found.dtype, found.trusted) == (np.dtype(dtype).name, True)
    assert found.trace == pytest.approx(float(np.trace(expected, dtype=np.float64)))
