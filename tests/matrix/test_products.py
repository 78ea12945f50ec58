from __future__ import annotations

import contextlib
import os
import signal
import threading

import numpy as np
import pytest
from distributed import Client, LocalCluster

from tangency import InputError, gram
from tangency.learn.solvers.cg import make_operator
from tangency.matrix import products
from tangency.matrix.products import Operator, RemoteOperator, groups
from tangency.matrix.tiles import ArrayTiles, KernelTiles, StoredTiles


@pytest.fixture(scope="session")
def vectors():
    return np.random.default_rng(0).standard_normal((150, 4))


@pytest.mark.parametrize("storage", ["auto", "memory", "on_the_fly"])
@pytest.mark.parametrize("edge", [20, 64, 150, 1024])
def test_products(ntk, samples, matrix, vectors, storage, edge):
    product = make_operator(KernelTiles(ntk, samples, edge), storage)
    for _ in range(2):
        np.testing.assert_allclose(product(vectors), matrix @ vectors, rtol=1e-12, atol=1e-12)


def test_products_with_float32_are_done_in_float64(ntk, samples, vectors):
    single = ntk(samples.astype(np.float32))
    found = Operator(ArrayTiles(single, 40))(vectors)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, single.astype(np.float64) @ vectors, rtol=1e-11, atol=1e-11)


def test_nothing_is_kept_on_the_fly(ntk, samples, vectors):
    for storage, calls in (("on_the_fly", 4), ("memory", 2)):
        tiles, made = KernelTiles(ntk, samples, 128), []
        make = tiles.make
        tiles.make = lambda i, j, make=make, made=made: made.append(i) or make(i, j)
        product = make_operator(tiles, storage)
        product(vectors)
        product(vectors)
        assert made.count(0) == calls


def test_groups_are_consecutive_and_whole():
    for count in (1, 31, 32, 33, 1000):
        pairs = [(0, j) for j in range(count)]
        found = groups(pairs)
        assert [pair for group in found for pair in group] == pairs
        assert len(found) == min(count, 32)


@pytest.fixture(scope="module")
def client():
    with gram.local_cluster(2) as found:
        yield found


def test_workers_give_the_same_bits(client, ntk, samples, vectors, tmp_path):
    stored = gram.compute(ntk, samples, store=tmp_path / "K.zarr", tile=40)
    for make in (lambda: KernelTiles(ntk, samples, 40), lambda: StoredTiles(stored)):
        expected = Operator(make())(vectors)
        for storage in ("auto", "on_the_fly"):
            product = make_operator(make(), storage, client)
            for _ in range(2):
                np.testing.assert_array_equal(product(vectors), expected)


@pytest.mark.slow
def test_killed_workers_are_made_up_for(ntk, samples, vectors):
    """Some kills, however long it takes until there are workers to be killed, and then peace."""
    expected = Operator(KernelTiles(ntk, samples, 20))(vectors)
    kills, over, choice = 0, threading.Event(), np.random.default_rng(0)
    with gram.local_cluster(2) as client:
        product = RemoteOperator(KernelTiles(ntk, samples, 20), client)
        np.testing.assert_array_equal(product(vectors), expected)

        def kill():
            nonlocal kills
            while kills < 4 and not over.wait(choice.uniform(0.1, 1.5)):
                with contextlib.suppress(Exception):  # they come and go while they are asked
                    workers = list(client.run(os.getpid).values())
                    os.kill(int(choice.choice(workers)), signal.SIGKILL)
                    kills += 1

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            while killer.is_alive():
                np.testing.assert_array_equal(product(vectors), expected)
        finally:
            over.set()
            killer.join()
        np.testing.assert_array_equal(product(vectors), expected)
    assert kills == 4


def test_lost_rounds_are_no_reason_to_end(client, ntk, samples, vectors, monkeypatch):
    """Workers that are killed before they can answer, far more often than in a row is allowed."""
    product = RemoteOperator(KernelTiles(ntk, samples, 40), client)
    expected = Operator(KernelTiles(ntk, samples, 40))(vectors)
    result, lost = product._result, []

    def killed(future, address):
        if len(lost) < 60:
            return lost.append(address)
        return result(future, address)

    monkeypatch.setattr(products, "_PAUSE", 0.0)
    monkeypatch.setattr(product, "_result", killed)
    np.testing.assert_array_equal(product(vectors), expected)
    assert len(lost) == 60


def test_a_product_without_workers_ends_with_an_error(client, ntk, samples, vectors, monkeypatch):
    product, calls = RemoteOperator(KernelTiles(ntk, samples), client), []
    monkeypatch.setattr(products, "_STALLED", 0.0)
    monkeypatch.setattr(products, "_PAUSE", 0.0)
    monkeypatch.setattr(product, "_result", lambda future, address: calls.append(address))
    reason = "its workers were lost before one could finish a part; see why they end"
    with pytest.raises(
        InputError, match=rf"lost its workers \(1 of 1 parts are missing\): {reason}"
    ):
        product(vectors)
    assert len(calls) == products._ROUNDS


def test_nobody_comes(ntk, samples, vectors, monkeypatch):
    monkeypatch.setattr(products, "_WAIT", 0.1)
    options = {"processes": False, "dashboard_address": None, "silence_logs": 50}
    with LocalCluster(n_workers=0, **options) as empty, Client(empty) as client:
        product = RemoteOperator(KernelTiles(ntk, samples), client)
        with pytest.raises(InputError, match=r"1 of 1 .*: no worker has come for 0\.1 sec"):
            product(vectors)
    with pytest.raises(InputError, match=r"the connection to the Dask scheduler was lost; see why"):
        product(vectors)


def test_what_is_no_client_is_refused(ntk, samples):
    with pytest.raises(InputError, match=r"client must be a dask.distributed.Client, got int"):
        RemoteOperator(KernelTiles(ntk, samples), 3)
