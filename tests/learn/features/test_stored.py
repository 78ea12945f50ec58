"""Features in stores: the same numbers, from files larger than memory, by workers, after a kill."""

from __future__ import annotations

import copy
import os
import signal
import threading
import time

import numpy as np
import pytest
import zarr
from sklearn.datasets import load_digits

import tangency as tg
from processes import nursery
from tangency import InputError, KernelClassifier, KernelRegressor, LayerwiseFeatures, StoreError
from tangency.gram import local_cluster
from tangency.learn import Features, load, samples
from tangency.learn.features import stored
from tangency.learn.solvers import features as solver
from tangency.matrix.sources import Rows

NET = "conv3 relu avg2 conv3 relu gap dense"
DIGITS, LABELS = load_digits(return_X_y=True)
IMAGES = (DIGITS[:300] / 16).reshape(-1, 8, 8, 1).astype(np.float32)
LABELS = LABELS[:300]
SMALL = Features(60, widths=20)


@pytest.fixture(scope="module")
def fitted():
    return LayerwiseFeatures(NET, 60, widths=20, random_state=0).fit(IMAGES[:100])


@pytest.fixture
def fine(monkeypatch):
    """Tiles of a few samples."""
    monkeypatch.setattr(stored, "_ROWS", 16)


@pytest.fixture(scope="module")
def client():
    with local_cluster(2) as client:
        yield client


def test_a_store_holds_the_features_and_the_map(tmp_path, fitted, fine):
    path = tmp_path / "F.zarr"
    F = fitted.transform_to(IMAGES, path)
    assert (F.shape, F.dtype, F.grid.count, F.complete) == ((300, 40), np.float32, 19, True)
    expected = fitted.transform(IMAGES)
    np.testing.assert_allclose(F[:], expected, atol=2e-5)
    np.testing.assert_array_equal(F[40:50, 3:5], F[:][40:50, 3:5])
    np.testing.assert_array_equal(F[[3, 200], [4, 39]], F[:][[3, 200], [4, 39]])
    np.testing.assert_array_equal(F.dask.compute(), F[:])
    np.testing.assert_array_equal(zarr.open(path, mode="r")["features"][:], F[:])
    np.testing.assert_array_equal(tg.gram.open(path)[:], F[:])
    assert tg.gram.verify(path).ok
    assert "300 x 40" in str(tg.gram.status(path))
    np.testing.assert_array_equal(load(path / "map.npz").transform(IMAGES), expected)


def test_what_is_there_is_not_computed_again(tmp_path, fitted, fine, monkeypatch):
    path = tmp_path / "F.zarr"
    whole = fitted.transform_to(IMAGES, path)[:]
    (path / "tiles" / "3.0.json").unlink()
    calls = []
    transform = LayerwiseFeatures.transform
    monkeypatch.setattr(
        LayerwiseFeatures, "transform", lambda self, X: calls.append(len(X)) or transform(self, X)
    )
    np.testing.assert_array_equal(fitted.transform_to(IMAGES, path)[:], whole)
    assert calls == [16]
    with pytest.raises(StoreError, match="holds tiles already"):
        fitted.transform_to(IMAGES, path, resume=False)


def test_another_job_is_refused(tmp_path, fitted):
    path = tmp_path / "F.zarr"
    fitted.transform_to(IMAGES, path)
    with pytest.raises(StoreError, match="number of rows"):
        fitted.transform_to(IMAGES[:-1], path)
    with pytest.raises(StoreError, match="the values in X differ"):
        fitted.transform_to(1 + IMAGES, path)
    other = LayerwiseFeatures(NET, 60, widths=20, random_state=1).fit(IMAGES[:100])
    with pytest.raises(StoreError, match="the fitted feature map differs"):
        other.transform_to(IMAGES, path)
    with pytest.raises(InputError, match="fitted to samples of shape"):
        fitted.transform_to(IMAGES[:, :4], path)
    with pytest.raises(StoreError, match="another job"):
        tg.gram.compute(tg.NTK(NET), IMAGES, store=path)
    assert tg.gram.verify(path).ok


def test_the_map_in_a_store_is_that_of_its_features(tmp_path, fitted):
    path = tmp_path / "F.zarr"
    F = fitted.transform_to(IMAGES, path)
    other = LayerwiseFeatures(NET, 60, widths=20, random_state=1).fit(IMAGES[:100])
    model = KernelRegressor(NET, alpha=1, solver=SMALL).fit(IMAGES[:100], LABELS[:100])
    for put, said in (
        (other.set_params(random_state=0).save, "is not the map of the features"),
        (model.save, "holds a KernelRegressor, and no feature map"),
    ):
        put(path / "map.npz")
        with pytest.raises(StoreError, match=said):
            fitted.map_in(path)
        fitted.transform_to(IMAGES, path)  # who has the map puts it right
        np.testing.assert_array_equal(
            load(path / "map.npz").transform(IMAGES[:9]), fitted.transform(IMAGES[:9])
        )
    (path / "map.npz").rename(tmp_path / "map.npz")
    (path / "map.npz").symlink_to(tmp_path / "map.npz")
    for use in (fitted.map_in, lambda path: fitted.transform_to(IMAGES, path)):
        with pytest.raises(StoreError, match=r"map\.npz is a link"):
            use(path)
    np.testing.assert_array_equal(F[:], fitted.transform_to(IMAGES, tmp_path / "G.zarr")[:])


def test_maps_are_found_by_their_parameters(tmp_path):
    each = LayerwiseFeatures(NET, 60, widths=np.array([20, 20]), random_state=0).fit(IMAGES[:100])
    each.transform_to(IMAGES, tmp_path / "F.zarr")
    for widths in ([20, 20], (20, 20), np.array([20, 20])):
        wanted = LayerwiseFeatures(NET, 60, widths=widths, random_state=0, device="cpu")
        found = wanted.map_in(tmp_path / "F.zarr")
        assert (found.widths, found.device) == ([20, 20], "cpu")
    with pytest.raises(StoreError, match=r"widths=\[20, 20\], and widths=20 is asked for"):
        LayerwiseFeatures(NET, 60, widths=20, random_state=0).map_in(tmp_path / "F.zarr")
    (tmp_path / "empty").mkdir()
    assert each.map_in(tmp_path / "empty") is None
    assert each.map_in(tmp_path / "none") is None
    assert each.transform_to(IMAGES, tmp_path / "empty").complete


def test_features_are_no_kernel_matrix(tmp_path):
    """Not even where there are as many of them as samples."""
    X, y = np.random.default_rng(0).standard_normal((40, 6)), np.arange(40.0)
    kernel = tg.NTK("dense relu dense")
    features = LayerwiseFeatures(kernel, 40, random_state=0).fit(X)
    F = features.transform_to(X, tmp_path / "F.zarr")
    assert F.shape == (40, 40)
    model = KernelRegressor("precomputed", alpha=0.1).fit(kernel(X), y)
    for use in (
        lambda: model.predict(F),
        lambda: KernelRegressor("precomputed", alpha=0.1, solver="cg").fit(F, y),
        lambda: tg.GaussianProcess("precomputed", noise=0.1).fit(F, y),
        lambda: KernelRegressor("dense relu dense", solver="features").fit(F, y),
    ):
        with pytest.raises(InputError, match="holds features in a store"):
            use()
    tg.gram.compute(kernel, X, store=tmp_path / "K.zarr")
    with pytest.raises(StoreError, match="holds a kernel matrix, and no features"):
        features.map_in(tmp_path / "K.zarr")
    with pytest.raises(StoreError, match="another job: a kernel matrix there, features here"):
        features.transform_to(X, tmp_path / "K.zarr")
    with pytest.raises(StoreError, match="another job: features there, a kernel matrix here"):
        tg.gram.compute(kernel, X, store=tmp_path / "F.zarr")
    (tmp_path / "F.zarr" / "tiles" / "1.0.json").unlink()
    with pytest.raises(StoreError, match="run transform_to again"):
        F.read_tile(1, 0)
    assert "run transform_to again" in str(tg.gram.verify(tmp_path / "F.zarr"))


@pytest.mark.parametrize("kind", ["memmap", "zarr"])
def test_samples_in_a_file(tmp_path, fitted, kind):
    if kind == "memmap":
        np.save(tmp_path / "X.npy", IMAGES)
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
    else:
        X = zarr.create_array(
            tmp_path / "X.zarr", shape=IMAGES.shape, chunks=(50, 8, 8, 1), dtype="float32"
        )
        X[:] = IMAGES
    F = fitted.transform_to(X, tmp_path / "F.zarr")
    np.testing.assert_array_equal(F[:], fitted.transform_to(IMAGES, tmp_path / "G.zarr")[:])
    again = LayerwiseFeatures(NET, 60, widths=20, random_state=0).fit(X)
    same = LayerwiseFeatures(NET, 60, widths=20, random_state=0).fit(IMAGES)
    np.testing.assert_array_equal(again.transform(IMAGES), same.transform(IMAGES))
    model = KernelClassifier(NET, alpha=0.1, solver=SMALL, store=tmp_path / "M.zarr")
    model.fit(X, LABELS)
    plain = KernelClassifier(NET, alpha=0.1, solver=SMALL).fit(IMAGES, LABELS)
    np.testing.assert_allclose(
        model.decision_function(X), plain.decision_function(IMAGES), atol=1e-3
    )
    assert model.loo_score_ == plain.loo_score_


def test_a_memory_map_of_bytes_is_not_converted_whole(tmp_path):
    pixels = (IMAGES * 16).astype(np.uint8)
    np.save(tmp_path / "X.npy", pixels)
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    for weights in (None, np.arange(300) % 3):
        model = KernelClassifier(NET, alpha=0.1, solver=SMALL).fit(X, LABELS, weights)
        plain = KernelClassifier(NET, alpha=0.1, solver=SMALL).fit(pixels, LABELS, weights)
        np.testing.assert_array_equal(model.dual_coef_, plain.dual_coef_)
        np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(pixels))
    checked = samples.fit_inputs(LayerwiseFeatures(NET), X)
    assert isinstance(checked, Rows)
    with pytest.raises(InputError, match="X holds one sample, and alpha"):
        KernelRegressor(NET, solver=SMALL).fit(X[:1], [1.0])


def test_other_maps_read_files_whole(tmp_path):
    X = zarr.create_array(tmp_path / "X.zarr", data=DIGITS[:60, :8])
    for kind in (tg.RandomFeatures, tg.NystromFeatures):
        features = kind("dense relu dense", 20, random_state=0).fit(X)
        np.testing.assert_array_equal(features.transform(X), features.transform(X[:]))


def test_nan_in_a_file_is_found(tmp_path):
    X = zarr.create_array(tmp_path / "X.zarr", shape=IMAGES.shape, chunks=(50, 8, 8, 1), dtype="f4")
    X[:] = IMAGES
    X[123, 0, 0, 0] = np.nan
    model = KernelClassifier(NET, alpha=0.1, solver=SMALL)
    with pytest.raises(InputError, match="NaN or infinity"):
        model.fit(X, LABELS)
    X[:] = IMAGES
    weights = np.ones(300)
    weights[5] = 0
    with pytest.raises(InputError, match="rows of an array in a file"):
        model.fit(X, LABELS, weights)
    with pytest.raises(InputError, match="samples of shape"):
        KernelClassifier(NET, alpha=0.1, solver=SMALL).fit(X, LABELS).predict(X[:, :4])


def test_a_fit_goes_on_with_its_store(tmp_path, monkeypatch):
    path = tmp_path / "F.zarr"
    model = KernelClassifier(NET, alpha=[0.01, 0.1], solver=SMALL, store=path).fit(IMAGES, LABELS)
    fits = []
    monkeypatch.setattr(LayerwiseFeatures, "fit", lambda self, X: fits.append(X))
    again = KernelClassifier(NET, alpha=[0.01, 0.1], solver=SMALL, store=path)
    again.fit(IMAGES, LABELS)
    assert fits == []
    np.testing.assert_array_equal(again.dual_coef_, model.dual_coef_)
    np.testing.assert_array_equal(again.predict_proba(IMAGES), model.predict_proba(IMAGES))
    for options, said in (
        ({"solver": Features(60, widths=21)}, "widths=20, and widths=21"),
        ({"solver": Features(60, widths=20, seed=4)}, "random_state=0, and random_state=4"),
        ({"kernel": tg.NNGP(NET)}, "kernel=NTK"),
    ):
        with pytest.raises(StoreError, match=said):
            again.set_params(**options).fit(IMAGES, LABELS)
        again.set_params(solver=SMALL, kernel=NET)
    (path / "map.npz").write_bytes(b"no")
    with pytest.raises(InputError, match=r"map\.npz"):
        again.fit(IMAGES, LABELS)


@pytest.mark.slow
def test_workers_give_the_same(tmp_path, fitted, fine, client, monkeypatch):
    alone = fitted.transform_to(IMAGES, tmp_path / "alone.zarr")
    together = fitted.transform_to(IMAGES, tmp_path / "together.zarr", client=client)
    np.testing.assert_array_equal(together[:], alone[:])
    table = solver.Table(together, 300, 40, together.dtype)
    targets = np.eye(10)[LABELS]
    roots = np.random.default_rng(0).uniform(0.5, 1.5, 300)
    whole = solver.sums_of(table, targets, roots)
    monkeypatch.setattr(solver, "_BLOCK", 60 * 70)
    monkeypatch.setattr(solver, "_FEWEST_ROWS", 70)
    assert solver._seen_by_all(client, together)
    parts = solver.sums_of(table, targets, roots, client)
    for name in ("gram", "moments", "sums"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-10)
    model = KernelRegressor(
        NET, alpha=0.1, solver=Features(60, widths=20, client=client), store=tmp_path / "M.zarr"
    ).fit(IMAGES, LABELS)
    plain = KernelRegressor(NET, alpha=0.1, solver=SMALL).fit(IMAGES, LABELS)
    np.testing.assert_allclose(model.predict(IMAGES), plain.predict(IMAGES), atol=1e-3)
    with pytest.raises(InputError, match="give store="):
        KernelRegressor(NET, alpha=0.1, solver=Features(60, client=client)).fit(IMAGES, LABELS)


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path, fitted, fine, client):
    X = np.tile(IMAGES, (8, 1, 1, 1))
    alone = fitted.transform_to(X, tmp_path / "alone.zarr")
    records = tmp_path / "F.zarr" / "tiles"
    done = []

    def kill(pid):
        while len(list(records.glob("*.json"))) < 5:
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        done.append(len(list(records.glob("*.json"))))

    pid = next(iter(client.run(os.getpid).values()))
    thread = threading.Thread(target=kill, args=(pid,))
    thread.start()
    F = fitted.transform_to(X, tmp_path / "F.zarr", client=client)
    thread.join()
    assert done[0] < F.grid.count  # it died in the middle
    np.testing.assert_array_equal(F[:], alone[:])


PROGRAM = """
import time
import numpy as np
from sklearn.datasets import load_digits
from tangency import KernelClassifier, LayerwiseFeatures
from tangency.learn import Features
from tangency.learn.features import stored

stored._ROWS = 8
X, y = load_digits(return_X_y=True)
X = (X[:300] / 16).reshape(-1, 8, 8, 1).astype(np.float32)
real = LayerwiseFeatures.transform

def slowly(self, X):
    time.sleep(0.02)  # so that a kill meets some tiles done, and others not
    return real(self, X)

LayerwiseFeatures.transform = slowly

def fitted(path):
    solver = Features(60, widths=20)
    return KernelClassifier("conv3 relu avg2 conv3 relu gap dense", alpha=0.1, solver=solver,
                            store=path).fit(X, y[:300])

def fit(path):
    print("fitting", flush=True)
    print(fitted(path).dual_coef_.tobytes().hex(), flush=True)

fitted(None)  # loops loaded
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_kill_9_in_the_middle(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "_ROWS", 8)
    model = KernelClassifier(NET, alpha=0.1, solver=SMALL, store=tmp_path / "whole.zarr")
    expected = model.fit(IMAGES, LABELS).dual_coef_.tobytes().hex()
    path = tmp_path / "killed.zarr"
    with nursery(PROGRAM) as forked:
        for tiles in (0, 1, 9):
            with forked("fit", path) as process:
                assert process.stdout.readline() == "fitting\n"
                while len(list(path.glob("tiles/*.0.json"))) < tiles:
                    time.sleep(0.005)
                process.kill()
                assert process.wait() == -signal.SIGKILL
        left = tg.gram.status(path)
        assert 9 <= left.done < left.tiles
        with forked("fit", path) as process:
            assert process.stdout.read().split()[1] == expected
    assert tg.gram.verify(path).ok


def test_columns_of_tables_keep_their_order(tmp_path):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(DIGITS[:60, 10:13], columns=["a", "b", "c"])
    features = LayerwiseFeatures("dense relu dense", 20, random_state=0).fit(table)
    F = features.transform_to(table, tmp_path / "F.zarr")  # without a warning
    np.testing.assert_allclose(F[:], features.transform(table), atol=1e-12)
    with pytest.raises(InputError, match="feature names"):
        features.transform_to(table[["b", "a", "c"]], tmp_path / "G.zarr")


def test_a_file_tells_the_parameters_of_the_fit(tmp_path, fitted):
    changed = copy.copy(fitted).set_params(n_components=7, widths="x", method="no")
    changed.transform_to(IMAGES, tmp_path / "F.zarr")
    found = load(tmp_path / "F.zarr" / "map.npz")
    assert (found.n_components, found.widths, found.method) == (60, 20, "rpcholesky")
    np.testing.assert_array_equal(found.transform(IMAGES[:9]), fitted.transform(IMAGES[:9]))
