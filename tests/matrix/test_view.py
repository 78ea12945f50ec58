"""Reading a store: like an array, never a value that was not computed."""

import copy
import pickle

import numpy as np
import pytest

import tangency as tg
from tangency.matrix import view

NET = "dense relu dense"


def test_it_describes_itself_like_an_array(store):
    K = tg.gram.open(store).ntk
    assert (K.shape, K.dtype, K.ndim, K.size, K.nbytes) == ((23, 23), np.float64, 2, 529, 4232)
    assert (len(K), K.kind, K.tile, K.symmetric, K.complete) == (23, "ntk", 5, True, True)
    assert K.path == store
    assert repr(K) == f"<StoredGram ntk 23 x 23, float64, tiles of 5, {store}>"
    assert K.job["kernel"] == tg.NTK(NET).to_dict()


def test_open_gives_what_there_is(store, X, tmp_path):
    pair = tg.gram.open(store)
    assert [K.kind for K in pair] == ["nngp", "ntk"]
    assert np.array_equal(tg.gram.open(str(store), "nngp")[...], pair.nngp[...])
    tg.gram.compute(tg.NTK(NET), X, store=tmp_path / "one.zarr")
    assert tg.gram.open(tmp_path / "one.zarr").kind == "ntk"
    with pytest.raises(tg.StoreError, match=r"one\.zarr holds ntk, not 'nngp'"):
        tg.gram.open(tmp_path / "one.zarr", "nngp")
    with pytest.raises(tg.StoreError, match=r"there is no such store; gram\.compute writes one"):
        tg.gram.open(tmp_path / "none.zarr")


def test_arrays_of_it(store, X):
    K = tg.gram.open(store, "ntk")
    assert np.allclose(np.asarray(K), tg.NTK(NET)(X), rtol=1e-13)
    assert np.asarray(K, np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="an array of it is a copy"):
        np.asarray(K, copy=False)
    for would_read_all in (lambda: np.ones((2, 23)) @ K, lambda: K @ X, lambda: np.sum(K)):
        with pytest.raises(TypeError, match=r"does not compute; read it whole by K\[:\]"):
            would_read_all()


def test_what_arrays_have_and_a_stored_matrix_has_not(store):
    K = tg.gram.open(store, "ntk")
    for name in ("T", "sum", "dot", "astype", "min", "tolist"):
        with pytest.raises(
            AttributeError, match=rf"no {name}; read it whole by K\[:\].* K\.dask, as"
        ):
            getattr(K, name)
    with pytest.raises(AttributeError, match="'StoredGram' object has no attribute 'colour'"):
        _ = K.colour
    assert not hasattr(K, "__array_interface__")
    v = np.arange(K.shape[1], dtype=float)
    for operation in (lambda: K + 1, lambda: 2 * K, lambda: -K, lambda: K @ K, lambda: K > 0.5):
        with pytest.raises(tg.StoreError, match=r"does not compute; read it whole by K\[:\]"):
            operation()
    with pytest.raises(tg.StoreError, match="does not compute"):
        _ = 3.0 in K
    with pytest.raises(tg.StoreError, match=r"only read; change a copy, K\[:\]"):
        K[0, 0] = 1.0
    assert np.allclose((K.dask @ v).compute(), K[:] @ v)  # as the messages say
    assert len({K, K, tg.gram.open(store, "ntk")}) == 2
    assert tg.gram.open(store, "ntk") != K
    assert np.array_equal(copy.deepcopy(K)[:], K[:])


def test_what_does_not_fit_in_memory_is_not_read(store, monkeypatch):
    class Little:
        available = 1000

    monkeypatch.setattr(view.psutil, "virtual_memory", Little)
    with pytest.raises(tg.MemoryLimitError, match=r"has 4\.1 KiB, but 1000 bytes are free"):
        np.asarray(tg.gram.open(store, "ntk"))
    with pytest.raises(tg.MemoryLimitError, match=r"has 2\.1 KiB, but"):
        np.asarray(tg.gram.open(store, "ntk"), np.float32)
    monkeypatch.setattr(view, "_LITTLE", 500)
    message = r"this part of 23 x 23 has 4\.1 KiB, but 1000 bytes are free; use smaller parts, or"
    with pytest.raises(tg.MemoryLimitError, match=message):
        tg.gram.open(store, "ntk")[:]
    assert tg.gram.open(store, "ntk")[:5].shape == (5, 23)


def test_tiles_and_their_mirror_images(store):
    K = tg.gram.open(store, "ntk")
    whole, seen = np.asarray(K), []
    for rows, columns, values in K.tiles():
        assert np.array_equal(values, whole[rows, columns])
        seen.append((rows.start // 5, columns.start // 5))
    assert seen == list(K.grid)
    assert np.array_equal(K.read_tile(4, 1), whole[20:, 5:10])
    assert np.array_equal(K.read_tile(1, 4), whole[5:10, 20:])


def test_the_diagonal(store, X, tmp_path):
    K = tg.gram.open(store, "nngp")
    assert np.array_equal(K.diag(), np.diagonal(K[...]))
    other = tg.gram.compute(tg.NTK(NET), X, X[:7] + 1, store=tmp_path / "Y.zarr", tile=5)
    assert np.array_equal(other.diag(), np.diagonal(other[...]))


@pytest.mark.parametrize("second", [False, True])
def test_dask(X, tmp_path, second):
    Y = X[:8] + 1 if second else None
    K = tg.gram.compute(tg.NTK(NET), X, Y, store=tmp_path / "K.zarr", tile=5)
    D = K.dask
    assert D.shape == K.shape
    assert D.chunks == ((5, 5, 5, 5, 3), (5, 3) if second else (5, 5, 5, 5, 3))
    assert np.array_equal(D.compute(scheduler="sync"), K[...])
    v = np.arange(float(K.shape[1]))
    assert np.allclose((D @ v).compute(scheduler="sync"), K[...] @ v, rtol=1e-13)
    assert D.name == K.dask.name  # the same values are known to be the same


def test_a_copy_in_another_process_reads_the_same(store):
    K = tg.gram.open(store, "ntk")
    K[0]
    again = pickle.loads(pickle.dumps(K))
    assert np.array_equal(again[...], K[...])
    assert len(pickle.dumps(K)) < 4000  # the tiles that it keeps do not travel


def test_few_tiles_are_kept(store, monkeypatch):
    monkeypatch.setattr(view, "_KEPT", 3 * (25 * 8 + 4))
    K = tg.gram.open(store, "ntk")
    whole = np.asarray(K)
    assert len(K._kept) == 0  # what is in memory now need not be there twice
    assert np.array_equal(K[:], whole)
    assert len(K._kept) == 3


def test_missing_tiles_are_never_read_as_values(store):
    (store / "tiles" / "1.3.json").unlink()
    (store / "tiles" / "0.0.json").unlink()
    K = tg.gram.open(store, "ntk")
    assert not K.complete
    message = "2 of 15 tiles are missing; run gram.compute again.*it goes on where it stopped"
    for read in (
        lambda: K[0],
        lambda: K[:, 0],
        lambda: K[17, 7],
        lambda: np.asarray(K),
        lambda: list(K.tiles()),
        lambda: K.dask.compute(scheduler="sync"),
    ):
        with pytest.raises(tg.StoreError, match=message):
            read()
    with pytest.raises(tg.StoreError, match=r"tile \(0, 0\) is missing"):
        K.diag()
    assert K[22, 22] > 0  # what is there can be read


def test_tiles_computed_meanwhile_are_seen(store, X):
    (store / "tiles" / "0.0.json").unlink()
    K = tg.gram.open(store, "ntk")
    with pytest.raises(tg.StoreError, match="1 of 15 tiles are missing"):
        K[0, 0]
    tg.gram.compute(NET, X, store=store)
    assert K[0, 0] == tg.gram.open(store, "ntk")[0, 0]
