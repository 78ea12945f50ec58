"""A store and a fit are the same bits from any thread, process and client, on any BLAS threads."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from distributed import Client, LocalCluster

import tangency as tg
from cases import networks
from tangency.engines import blas

CODE = """
import os, sys
sys.path[:0] = [sys.argv[1], os.path.dirname(sys.argv[1])]
import test_bits
test_bits.compute(sys.argv[2])
"""
NETS = {f"{k}.zarr": text for k, (_, text) in enumerate(networks("stores"))}


def inputs():
    return np.random.default_rng(0).standard_normal((330, 784), dtype="f4")


def compute(folder, client=None):
    """Stores of kernels, random features, and some fits with their predictions."""
    X, names = inputs(), list(NETS)
    for name in names:
        place = os.path.join(folder, name)
        tg.gram.compute(NETS[name], X, store=place, tile=128, client=client, progress=False)
    features = tg.RandomFeatures("dense relu dense relu dense", 600, random_state=0)
    np.save(os.path.join(folder, "features.npy"), features.fit_transform(X))
    y = X[:, 0].astype(float)
    kernel = tg.NTK(NETS[names[0]])
    for solver in ("cholesky", "eigh", "nystrom", tg.learn.CG(client=client)):
        model = tg.KernelRegressor(kernel, alpha=0.1, solver=solver).fit(X, y)
        name = solver if isinstance(solver, str) else "cg"
        np.save(os.path.join(folder, f"{name}.npy"), [*model.dual_coef_, *model.predict(X[:90])])


def values(folder):
    """The bytes of all tiles and fits, by name."""
    tiles = (path for path in folder.rglob("c/*/*") if path.is_file())
    found = [*folder.glob("*.npy"), *tiles]
    assert len(found) > 5 + 12
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture(autouse=True)
def several():
    """Several threads of BLAS in this process, whatever limits other tests have set."""
    before = [(library, library.get()) for library in blas.libraries()]
    for library, _ in before:
        library.set(3)
    yield
    for library, count in before:
        library.set(count)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("expected")
    compute(folder)
    return values(folder)


def assert_same(folder, expected):
    found = values(folder)
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


def test_in_a_thread(tmp_path, expected):
    thread = threading.Thread(target=compute, args=(tmp_path,))
    thread.start()
    thread.join()
    assert_same(tmp_path, expected)


def test_by_workers_in_threads_of_this_process(tmp_path, expected):
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False}
    with (
        LocalCluster(**options, dashboard_address=None, silence_logs=50) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        compute(tmp_path, client)
    assert_same(tmp_path, expected)


def test_by_workers_in_processes(tmp_path, expected):
    with tg.gram.local_cluster(1) as client:
        compute(tmp_path, client)
    assert_same(tmp_path, expected)


@pytest.mark.slow
def test_in_another_process_with_one_thread(tmp_path, expected):
    arguments = [os.path.dirname(__file__), str(tmp_path)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", CODE, *arguments], env=environment, check=True)
    assert_same(tmp_path, expected)


def test_resumed_in_a_thread(tmp_path, expected):
    compute(tmp_path)
    for record in tmp_path.glob("*.zarr/tiles/1.*.json"):
        record.unlink()
    for tile in tmp_path.glob("*.zarr/*/c/1/*"):
        tile.unlink()
    thread = threading.Thread(target=compute, args=(tmp_path,))
    thread.start()
    thread.join()
    assert_same(tmp_path, expected)
