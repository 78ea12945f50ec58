"""Tiles computed by real processes, which are killed, come late, or do not see the store."""

import contextlib
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster

import tangency as tg
from processes import worker_processes
from tangency import InputError, StoreError
from tangency.gram import local_cluster
from tangency.kernels import Kernel
from tangency.matrix import cluster, troubles

NET = "conv3 relu conv3 relu gap dense"


def images(n, seed=0, side=8):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, side, side, 1)).astype(np.float32)


def files(store):
    """All values of a store, as bytes by the name of their file."""
    return {
        path.relative_to(store): path.read_bytes()
        for path in store.rglob("*")
        if path.is_file() and "tiles" not in path.relative_to(store).parts
    }


@pytest.fixture(scope="module")
def client():
    with local_cluster(2) as client:
        yield client


@pytest.mark.parametrize("columns", [None, 70])
def test_the_bits_are_those_without_a_cluster(tmp_path, client, columns):
    X, Y = images(150), None if columns is None else images(columns, 1)
    alone = tg.gram.compute(NET, X, Y, tmp_path / "alone.zarr", tile=32)
    together = tg.gram.compute(NET, X, Y, tmp_path / "together.zarr", tile=32, client=client)
    assert files(tmp_path / "together.zarr") == files(tmp_path / "alone.zarr")
    assert together.ntk.complete
    assert np.array_equal(together.ntk[:], alone.ntk[:])
    assert tg.gram.verify(tmp_path / "together.zarr").ok


def test_one_worker_gives_the_bits_of_two(tmp_path, client):
    X, kernel = images(100), tg.NTK(NET, normalize=True) + 0.5 * tg.NNGP(NET)
    tg.gram.compute(kernel, X, store=tmp_path / "two.zarr", tile=24, client=client)
    with local_cluster(1) as single:
        tg.gram.compute(kernel, X, store=tmp_path / "one.zarr", tile=24, client=single)
    assert files(tmp_path / "one.zarr") == files(tmp_path / "two.zarr")


@pytest.mark.parametrize("processes", [True, False])
def test_workers_with_several_threads(tmp_path, processes):
    X, options = images(100), {"dashboard_address": "127.0.0.1:0"}
    alone = tg.gram.compute(tg.NTK(NET), X, store=tmp_path / "alone.zarr", tile=16)
    options |= {"n_workers": 1, "threads_per_worker": 3, "processes": processes}
    with LocalCluster(**options) as some, Client(some) as client:
        K = tg.gram.compute(tg.NTK(NET), X, store=tmp_path / "K.zarr", tile=16, client=client)
    assert np.array_equal(K[:], alone[:])


def test_a_block_is_sent_once_to_each_worker(tmp_path, client, monkeypatch):
    sent = []
    scatter = Client.scatter

    def counted(self, block, **options):
        sent.append((options["workers"][0], block.inputs.tobytes()))
        return scatter(self, block, **options)

    monkeypatch.setattr(Client, "scatter", counted)
    tg.gram.compute(NET, images(160), store=tmp_path / "K.zarr", tile=16, client=client)
    assert len(sent) == len(set(sent))
    assert 10 <= len(sent) <= 20


def test_blocks_that_do_not_fit_are_sent_again(tmp_path, client, monkeypatch):
    monkeypatch.setattr(cluster, "_SHARE", 0.0)  # two blocks stay all the same
    X = images(100)
    alone = tg.gram.compute(tg.NTK(NET), X, store=tmp_path / "alone.zarr", tile=16)
    K = tg.gram.compute(tg.NTK(NET), X, store=tmp_path / "K.zarr", tile=16, client=client)
    assert np.array_equal(K[:], alone[:])


def test_workers_that_do_not_see_the_store_send_tiles_to_the_client(tmp_path, client, monkeypatch):
    X = images(100)
    alone = tg.gram.compute(tg.NTK(NET), X, store=tmp_path / "alone.zarr", tile=32)
    written = []
    write_tile = cluster.Store.write_tile

    def here(self, i, j, arrays, seconds=0.0, owner=None):
        written.append((i, j))
        write_tile(self, i, j, arrays, seconds, owner)

    # This replaces the function here, not in the processes of the workers.
    monkeypatch.setattr(cluster.Store, "write_tile", here)
    tg.gram.compute(tg.NTK(NET), X, store=tmp_path / "seen.zarr", tile=32, client=client)
    assert written == []
    blind = cluster.Task
    monkeypatch.setattr(cluster, "Task", lambda job, store, owner: blind(job, store, None))
    K = tg.gram.compute(tg.NTK(NET), X, store=tmp_path / "unseen.zarr", tile=32, client=client)
    assert sorted(written) == list(K.grid)
    assert np.array_equal(K[:], alone[:])


def test_a_run_on_a_cluster_goes_on_with_what_is_there(tmp_path, client):
    X, path = images(100), tmp_path / "K.zarr"
    whole = tg.gram.compute(tg.NTK(NET), X, store=path, tile=32)[:]
    (path / "tiles" / "0.1.json").unlink()
    (path / "ntk" / "c" / "2" / "3").write_bytes(b"torn")
    K = tg.gram.compute(tg.NTK(NET), X, store=path, client=client)
    assert np.array_equal(K[:], whole)


@pytest.fixture(scope="module")
def slow_job(tmp_path_factory):
    """Inputs of a job of some seconds, and the files of its store, computed here."""
    X, path = images(200, side=16), tmp_path_factory.mktemp("alone") / "K.zarr"
    tg.gram.compute(NET, X, store=path, tile=20)
    return X, files(path)


def kill_now_and_then(path, processes, times, over):
    """Kills one of the processes whenever tiles have been finished since the last time."""
    chance, before, kills = random.Random(times), 0, 0
    while kills < times and not over.wait(chance.uniform(0.01, 0.3)):
        if (done := len(finished(path))) > before and (alive := processes()):
            with contextlib.suppress(psutil.NoSuchProcess):
                chance.choice(alive).kill()
            kills, before = kills + 1, done
    return kills


def finished(path):
    """The records of finished tiles."""
    return list((path / "tiles").glob("*.*.json"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_workers(tmp_path, slow_job, workers):
    (X, expected), path, others = slow_job, tmp_path / "K.zarr", set(worker_processes())
    over = threading.Event()
    with local_cluster(workers) as client, ThreadPoolExecutor(1) as pool:

        def processes():
            return [process for process in worker_processes() if process not in others]

        kills = pool.submit(kill_now_and_then, path, processes, 2 * workers, over)
        try:
            K = tg.gram.compute(NET, X, store=path, tile=20, client=client)
        finally:
            over.set()
        assert kills.result() > workers, "the job was over before workers were killed"
        assert K.ntk.complete
    assert files(path) == expected
    assert tg.gram.verify(path).ok


@pytest.mark.slow
def test_workers_may_come_late_and_go(tmp_path, slow_job, monkeypatch):
    monkeypatch.setattr(cluster, "_PATIENCE", 0.2)
    (X, expected), path = slow_job, tmp_path / "K.zarr"
    options = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "threads_per_worker": 1}
    with LocalCluster(n_workers=0, **options) as some, Client(some) as client:
        timers = [threading.Timer(1.5, some.scale, [2]), threading.Timer(5, some.scale, [1])]
        for timer in timers:
            timer.start()
        with pytest.warns(UserWarning, match="no worker has been there for"):
            tg.gram.compute(NET, X, store=path, tile=20, client=client)
        for timer in timers:
            timer.join()
    assert files(path) == expected


def test_a_cluster_that_adapts_is_asked_for_workers(tmp_path):
    options = {"n_workers": 0, "processes": False, "dashboard_address": "127.0.0.1:0"}
    X = np.random.default_rng(0).standard_normal((30, 3))
    with LocalCluster(**options) as some, Client(some) as client:
        some.adapt(minimum=0, maximum=1)
        path = tmp_path / "K.zarr"
        timer = threading.Timer(12, some.scale, [1])  # so that a failure comes to an end
        timer.start()
        K = tg.gram.compute(tg.NTK("dense relu dense"), X, store=path, tile=10, client=client)
        asked = timer.is_alive()  # workers that nobody asks for come with the timer alone
        timer.cancel()
    assert asked
    assert K.complete


def broken_kernel(misdeed):
    """A kernel that does something bad to the tile with the inputs 2 and 7."""

    class Broken(Kernel):
        # Made here, so that it travels to the workers by value.
        def __call__(self, X, Y=None):
            x, y = X, X if Y is None else Y
            if 2.0 in x and 7.0 in y:
                misdeed()
            return x @ y.T

        def diag(self, X):
            return np.sum(X**2, axis=1)

        def to_dict(self):
            return {"type": "Broken"}

    return Broken()


def test_a_tile_that_always_fails(tmp_path, client):
    def fail():
        raise ArithmeticError("no such number")

    X, path = np.arange(10.0)[:, None], tmp_path / "K.zarr"
    with pytest.raises(
        StoreError, match=r"tile \(0, 2\), from row 0 and column 6 on, failed 3"
    ) as e:
        tg.gram.compute(broken_kernel(fail), X, store=path, tile=3, client=client)
    assert "ArithmeticError: no such number" in str(e.value)
    assert isinstance(e.value.__cause__, ArithmeticError)
    good = broken_kernel(int)
    K = tg.gram.compute(good, X, store=path, client=client)
    assert np.array_equal(K[:], X @ X.T)


@pytest.mark.slow
def test_a_tile_that_its_workers_do_not_survive(tmp_path, monkeypatch):
    monkeypatch.setattr(troubles, "LOSSES", 2)
    kernel = broken_kernel(lambda: os._exit(1))
    X = np.arange(10.0)[:, None]
    with local_cluster(1) as client, pytest.raises(StoreError, match="was at 2 workers that were"):
        tg.gram.compute(kernel, X, store=tmp_path / "K.zarr", tile=3, client=client)


def test_a_cluster_that_goes_away(tmp_path):
    kernel, path = broken_kernel(lambda: time.sleep(60)), tmp_path / "K.zarr"
    X = np.arange(10.0)[:, None]
    with local_cluster(1) as client:

        def close():
            while not finished(path):
                time.sleep(0.05)
            client.cluster.close()

        thread = threading.Thread(target=close)
        thread.start()
        with pytest.raises(StoreError, match="connection to the Dask scheduler is lost"):
            tg.gram.compute(kernel, X, store=path, tile=3, client=client)
        thread.join()
    assert 0 < tg.gram.status(path).done < 10


def test_another_version_at_the_workers(tmp_path, client, monkeypatch):
    monkeypatch.setattr("tangency.version.__version__", "0.0")
    with pytest.raises(InputError, match=r"has tangency .*, this process 0\.0; install the same"):
        tg.gram.compute(NET, images(20), store=tmp_path / "K.zarr", client=client)


def test_nothing_stays_at_the_workers(tmp_path, client):
    tg.gram.compute(NET, images(60), store=tmp_path / "K.zarr", tile=16, client=client)
    deadline = time.monotonic() + 10
    while any(held := client.has_what().values()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(held)
