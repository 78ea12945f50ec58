"""Stored matrices hold the values of the kernel, the same bits however they were computed."""

import inspect
import os
import sys

import numpy as np
import pytest
import zarr
from threadpoolctl import threadpool_limits

import tangency as tg
from tangency.matrix import layout
from tangency.matrix import store as stores
from tangency.matrix.compute import make_job, run_tiles
from tangency.matrix.job import kernel_and_kinds
from tangency.matrix.store import Store

NET = "dense relu dense"
CONV = "conv3 relu avg2 conv3 relu gap dense"
IMAGES = np.random.default_rng(1).standard_normal((11, 4, 4, 2))


def files(path):
    """The bytes of all tiles."""
    kinds = layout.read_header(path).kinds
    found = sorted(p for kind in kinds for p in path.glob(f"{kind}*/c/**/*") if p.is_file())
    return {str(p.relative_to(path)): p.read_bytes() for p in found}


@pytest.mark.parametrize(
    "kernel",
    [
        tg.NTK(NET),
        tg.NNGP(NET, normalize=True),
        0.5 * tg.NTK(NET) + tg.NNGP(NET) * tg.NTK(NET),
        tg.NTK(NET, engine="reference"),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_tile_is_the_kernel_of_its_blocks(kernel, dtype, X, tmp_path):
    K = tg.gram.compute(kernel, X, store=tmp_path / "K.zarr", tile=5, dtype=dtype)
    x = X.astype(dtype)
    assert K.dtype == dtype
    assert np.allclose(K[...], kernel(x), rtol=1e-13 if dtype == "float64" else 2e-6)
    assert np.array_equal(K[...], K[...].T)
    for rows, columns, values in K.tiles():
        expected = kernel(x[rows], None if rows == columns else x[columns])
        assert np.array_equal(values, expected)
    assert np.array_equal(K.diag(), np.diagonal(K[...]))


@pytest.mark.parametrize("second", [None, IMAGES[:4] + 1])
def test_both_kernels_of_a_network_in_one_pass(second, tmp_path):
    pair = tg.gram.compute(CONV, IMAGES, second, store=tmp_path / "K.zarr", tile=3)
    expected = tg.gram(CONV, IMAGES, second)
    assert isinstance(pair, tg.KernelPair)
    for kind in ("nngp", "ntk"):
        assert np.allclose(getattr(pair, kind)[...], getattr(expected, kind), rtol=1e-13)
        alone = tg.gram.compute(
            CONV, IMAGES, second, kind=kind, store=tmp_path / f"{kind}.zarr", tile=3
        )
        assert alone.kind == kind
        assert np.array_equal(alone[...], getattr(pair, kind)[...])


@pytest.mark.parametrize(
    ("n", "m", "tile"), [(1, None, 5), (4, None, 5), (5, None, 5), (6, None, 5), (7, 1, 3)]
)
def test_ragged_edges(n, m, tile, X, tmp_path):
    Y = None if m is None else X[-m:]
    K = tg.gram.compute(tg.NTK(NET), X[:n], Y, store=tmp_path / "K.zarr", tile=tile)
    assert K.complete
    assert K.shape == (n, m or n)
    assert np.allclose(K[...], tg.NTK(NET)(X[:n], Y), rtol=1e-13)
    assert zarr.open_array(tmp_path / "K.zarr" / "ntk").chunks == (min(tile, n), min(tile, m or n))
    assert tg.gram.verify(tmp_path / "K.zarr").ok


def test_threads_order_and_source_of_the_data_change_no_bit(tmp_path, X):
    np.save(tmp_path / "x.npy", IMAGES)
    stored = zarr.create_array(
        str(tmp_path / "x.zarr"), shape=IMAGES.shape, chunks=(4, 4, 4, 2), dtype="f8"
    )
    stored[:] = IMAGES
    first = tmp_path / "first.zarr"
    tg.gram.compute(CONV, IMAGES, store=first, tile=3, n_jobs=1)
    sources = [np.load(tmp_path / "x.npy", mmap_mode="r"), stored, np.asfortranarray(IMAGES)]
    for k, source in enumerate(sources):
        tg.gram.compute(CONV, source, store=tmp_path / f"{k}.zarr", tile=3, n_jobs=2)
        assert files(tmp_path / f"{k}.zarr") == files(first)
    kernel, kinds = kernel_and_kinds(CONV, None)
    job, data = make_job(kernel, kinds, IMAGES, None, "none.zarr", 3, None, None)
    last = Store.prepare(tmp_path / "last.zarr", job)
    data.room = 0
    run_tiles(job, data, last, list(job.grid)[::-1], lambda i, j: None)
    assert files(last.path) == files(first)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor has one thread")
def test_the_threads_of_blas_change_no_bit(tmp_path):
    X = np.random.default_rng(0).standard_normal((300, 100), dtype=np.float32)
    net, found = tg.Sequential(tg.Dense(), tg.Activation("elu"), tg.Dense()), []
    for count in (1, 2):
        with threadpool_limits(count, user_api="blas"):
            K = tg.gram.compute(tg.NTK(net), X, store=tmp_path / f"{count}.zarr", tile=150)
        found.append(K[...])
    assert "reference" in K.job["engine"]
    assert np.array_equal(*found)


def test_it_goes_on_where_it_stopped(store, X, monkeypatch):
    before, computed = files(store), []
    for place in [(0, 0), (1, 3), (4, 4)]:
        (store / "tiles" / "{}.{}.json".format(*place)).unlink()
    real = stores.Store.write_tile
    monkeypatch.setattr(
        stores.Store,
        "write_tile",
        lambda self, i, j, *rest: (computed.append((i, j)), real(self, i, j, *rest)),
    )
    tg.gram.compute(NET, X, store=store)
    assert computed == [(0, 0), (1, 3), (4, 4)]
    assert files(store) == before


def test_a_finished_store_is_not_computed_again(store, X, monkeypatch):
    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(stores.Store, "write_tile", fail)
    assert tg.gram.compute(NET, X, store=store).ntk.complete
    with pytest.raises(tg.StoreError, match="holds tiles already; resume=True goes on with them"):
        tg.gram.compute(NET, X, store=store, resume=False)


def test_other_readers_of_zarr_find_the_same_values(store, X, recwarn):
    group = zarr.open_group(store, mode="r")
    names = [name for name, _ in group.members()]
    assert sorted(names) == ["nngp", "nngp_diag", "ntk", "ntk_diag", "tiles"]
    assert not recwarn.list  # of folders that Zarr does not know
    K = tg.gram.open(store, "ntk")
    values = group["ntk"][:]
    assert np.array_equal(np.triu(values), np.triu(K[...]))
    assert np.all(np.isnan(values[5:, :5]))  # below the diagonal nothing is stored
    assert np.array_equal(group["ntk_diag"][:], K.diag())
    assert group.attrs["tangency"]["job"]["kernel"] == tg.NTK(NET).to_dict()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.ones((23, 3))}, "the values in X differ"),
        ({"dtype": "float32"}, "dtype: float64 there, float32 here"),
        ({"kernel": "dense erf dense"}, "'dense relu dense'.* there, .*'dense erf dense'.* here"),
        ({"tile": 4}, "side of the tiles: 5 there, 4 here"),
        ({"kind": "ntk"}, "kernels: nngp and ntk there, ntk here"),
        ({"Y": np.ones((23, 3))}, "computed without Y there, with Y here"),
    ],
)
def test_a_store_of_another_job_is_refused(store, X, change, message):
    before = {p: p.read_bytes() for p in store.rglob("*") if p.is_file()}
    arguments = {"kernel": NET, "X": X, "Y": None, "store": store, **change}
    with pytest.raises(tg.StoreError, match=f"holds another job: .*{message}.* Give another path"):
        tg.gram.compute(**arguments)
    assert {p: p.read_bytes() for p in store.rglob("*") if p.is_file()} == before


def test_a_store_of_another_version_is_refused(store, X, monkeypatch):
    monkeypatch.setattr("tangency.version.__version__", "99")
    with pytest.raises(tg.StoreError, match=r"version of this library: \S+ there, 99 here"):
        tg.gram.compute(NET, X, store=store)


@pytest.mark.parametrize("what", ["file", "folder", "zarr"])
def test_what_is_not_ours_is_never_touched(what, X, tmp_path):
    path = tmp_path / "K.zarr"
    if what == "file":
        path.write_text("mine")
    elif what == "folder":
        path.mkdir()
        (path / "notes.txt").write_text("mine")
    else:
        zarr.create_array(str(path), shape=(3,), chunks=(3,), dtype="f8")[:] = 1.0
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(tg.StoreError, match=r"K\.zarr is not a store of a kernel matrix"):
        tg.gram.compute(NET, X, store=path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_an_empty_folder_becomes_a_store(X, tmp_path):
    (tmp_path / "K.zarr").mkdir()
    assert tg.gram.compute(tg.NTK(NET), X, store=tmp_path / "K.zarr").complete


class Own(tg.kernels.Kernel):
    """A kernel of the user's own."""

    def __call__(self, X, Y=None):
        return X @ (X if Y is None else Y).T

    def diag(self, X):
        return np.sum(X * X, axis=1)


class Described(Own):
    def to_dict(self):
        return {"type": "linear"}


def test_a_kernel_of_the_users_own(X, tmp_path):
    K = tg.gram.compute(Described(), X, store=tmp_path / "K.zarr", tile=5)
    assert K.kind == "kernel"
    assert np.allclose(K[...], X @ X.T, rtol=1e-12)
    both = 2 * (Described() + tg.NTK(NET))
    K = tg.gram.compute(both, X, store=tmp_path / "sum.zarr", tile=5)
    assert np.allclose(K[...], both(X), rtol=1e-12)


class Wide(Described):
    """Computes in float64 whatever it is given."""

    def __call__(self, X, Y=None):
        return super().__call__(X.astype(np.float64), None if Y is None else Y.astype(np.float64))


def test_values_of_another_precision_are_rounded(X, tmp_path):
    x = X.astype(np.float32)
    K = tg.gram.compute(Wide(), x, store=tmp_path / "K.zarr", tile=5)
    assert K.dtype == np.float32
    assert np.allclose(K[...], x @ x.T, rtol=1e-5, atol=1e-6)


class Complex(Described):
    def __call__(self, X, Y=None):
        return super().__call__(X, Y) + 0j


class InParts(Described):
    """Has something that is called as the parts of a sum are."""

    parts = ("nothing", "of ours")


def test_a_kernel_with_parts_of_its_own(X, tmp_path):
    K = tg.gram.compute(InParts(), X, store=tmp_path / "K.zarr", tile=5)
    assert K.job["engine"] == "own"
    assert np.allclose(K[...], X @ X.T, rtol=1e-12)


class Scaled(Described):
    """A description with a tuple in it, which JSON gives back as a list."""

    scales = (1.0, 2.0)

    def to_dict(self):
        return {"type": "Scaled", "scales": self.scales}


class Undescribed(Described):
    def to_dict(self):
        return {"type": "odd", "function": len}


def test_a_description_with_a_tuple_is_known_again(X, tmp_path):
    path = tmp_path / "K.zarr"
    tg.gram.compute(Scaled(), X, store=path, tile=5)
    (path / "tiles" / "0.1.json").unlink()
    assert tg.gram.compute(Scaled(), X, store=path).complete
    other = Scaled()
    object.__setattr__(other, "scales", (1.0, 3.0))
    with pytest.raises(tg.StoreError, match=r"\[1\.0, 2\.0\]\} there, .*\[1\.0, 3\.0\]\} here"):
        tg.gram.compute(other, X, store=path)


def test_whole_numbers_of_numpy(X, tmp_path):
    K = tg.gram.compute(tg.NTK(NET), X, store=tmp_path / "K.zarr", tile=np.int64(4))
    assert type(K.tile) is int
    assert K.tile == 4
    assert tg.gram.compute(tg.NTK(NET), X, store=tmp_path / "K.zarr", tile=4).complete


BAD = np.ones((6, 3))
BAD[4, 1] = np.nan
BAD_AT_ONCE = np.ones((6, 3))
BAD_AT_ONCE[0, 1] = np.nan
MASKED = np.ma.masked_array(np.ones((6, 3)), BAD != 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": Own()}, "known by the description of its kernel.*Own lacks to_dict"),
        (
            {"kernel": tg.Sequential(tg.Dense(), tg.Activation(np.tanh), tg.Dense())},
            "known by the description of its kernel.*custom function",
        ),
        ({"kind": "both", "kernel": tg.NTK(NET)}, "chooses between the kernels of a network"),
        ({"kind": "all"}, "kind must be both, ntk or nngp; got 'all'"),
        ({"tile": 0}, 'tile must be a whole number above 0, or "auto"; got 0'),
        ({"tile": 2.0}, "tile must be a whole number"),
        ({"tile": True}, "tile must be a whole number"),
        ({"dtype": "int32"}, "dtype must be float32, float64, or None .*; got 'int32'"),
        ({"dtype": "unknown"}, "dtype must be float32, float64"),
        (
            {"kernel": Undescribed()},
            "must give what JSON can hold.*'function'.*not JSON serializable",
        ),
        ({"kernel": Complex()}, "returned values of dtype complex128; a kernel must return real"),
        ({"X": BAD}, "X holds NaN or infinity.*input number 4,"),
        ({"X": BAD_AT_ONCE}, "X holds NaN or infinity.*input number 0,"),
        ({"X": MASKED}, "X is an array with masked values; impute or drop them"),
        ({"Y": MASKED}, "Y is an array with masked values; impute or drop them"),
        ({"Y": BAD}, "Y holds NaN or infinity.*input number 4,"),
        ({"Y": np.ones((6, 4))}, r"X has inputs of shape \(3,\) and Y of shape \(4,\)"),
        ({"kernel": "conv3 relu", "X": IMAGES}, "ends on a grid"),
        ({"store": "s3://bucket/K.zarr"}, "a store is a folder that this machine can write"),
        ({"kernel": 7}, "expected a kernel such as NTK.*, or a network or its text form; got 7"),
        ({"client": 7}, "client must be a dask.distributed.Client"),
    ],
)
def test_bad_arguments(change, message, X, tmp_path):
    arguments = {"kernel": NET, "X": X, "store": tmp_path / "K.zarr", **change}
    with pytest.raises(ValueError, match=message):
        tg.gram.compute(**arguments)


def test_values_that_overflow_are_an_error(tmp_path):
    """The library's kernels refuse them, and stores those of others."""

    class Large(Wide):
        def __call__(self, X, Y=None):
            return 1e200 * super().__call__(X, Y)

    x = np.full((3, 2), 1e25, np.float32)
    with pytest.raises(tg.InputError, match="beyond the range of float32"):
        tg.gram.compute(tg.NTK(NET, engine="reference"), x, store=tmp_path / "K.zarr")
    with pytest.raises(tg.StoreError, match="NaN or infinity: values too large for float32"):
        tg.gram.compute(Large(), x / np.float32(1e25), store=tmp_path / "L.zarr")


def test_short_calls_show_no_progress(X, tmp_path, capsys):
    for _ in range(2):  # the second one reads what is there
        tg.gram.compute(Described(), X, store=tmp_path / "K.zarr", tile=5)
    assert capsys.readouterr().err == ""


def test_progress_is_shown_to_the_end(X, tmp_path, monkeypatch):
    shown = []

    class Bar:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def update(self, count):
            shown.append(count)

    module = sys.modules["tangency.matrix.compute"]  # its name in the package is the function
    monkeypatch.setattr(module, "progress_bar", lambda *_, **__: Bar())
    tg.gram.compute(NET, X, store=tmp_path / "K.zarr", tile=5, progress=True)
    assert sum(shown) == 23 * 24 / 2
    assert inspect.signature(tg.gram.compute).parameters["progress"].default is None
