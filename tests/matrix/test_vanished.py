"""A store that is removed, renamed or replaced while a job runs: the job ends with an error."""

import os
import shutil
import time

import numpy as np
import pytest
from distributed import Client, LocalCluster

import tangency as tg
from tangency.matrix.job import Job

NET = "dense relu dense"
GONE = "was removed, renamed or replaced while tiles were computed"


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def other(tmp_path, X):
    """A finished store of another job."""
    tg.gram.compute("dense erf dense", X, store=tmp_path / "other.zarr", tile=5)
    return tmp_path / "other.zarr"


def replace(store, other):
    os.rename(store, store.with_name("mine.zarr"))
    os.rename(other, store)


HARMS = {
    "removed": (lambda store, other: shutil.rmtree(store), GONE),
    "renamed": (lambda store, other: os.rename(store, store.with_name("mine.zarr")), GONE),
    "replaced": (replace, GONE),
    "records removed": (lambda store, other: shutil.rmtree(store / "tiles"), GONE),
    "a kind removed": (
        lambda store, other: shutil.rmtree(store / "ntk"),
        r"tile \(1, 2\) cannot be written",
    ),
    "tiles removed": (
        lambda store, other: shutil.rmtree(store / "ntk" / "c"),
        r"tile \(0, 0\) was written, but is gone, so that somebody has removed files",
    ),
    "a record removed": (
        lambda store, other: (store / "tiles" / "0.3.json").unlink(),
        r"tile \(0, 3\) was written, but is gone",
    ),
}


@pytest.fixture
def harmed(monkeypatch):
    """Lets something happen to a store when six tiles are in it and a seventh is computed."""

    def arrange(store, harm):
        real, computed = Job.compute_tile, []

        def compute_tile(self, i, j, data):
            computed.append((i, j))
            if len(computed) == 7:
                while len(list((store / "tiles").glob("[0-9]*.json"))) < 6:
                    time.sleep(0.001)
                harm()
            return real(self, i, j, data)

        monkeypatch.setattr(Job, "compute_tile", compute_tile)
        return computed

    return arrange


@pytest.mark.parametrize("name", HARMS)
def test_a_job_notices(tmp_path, X, other, harmed, name):
    harm, message = HARMS[name]
    store = tmp_path / "K.zarr"
    before = {path.relative_to(other): data for path, data in files(other).items()}
    computed = harmed(store, lambda: harm(store, other))
    with pytest.raises(tg.StoreError, match=message):
        tg.gram.compute(NET, X, store=store, tile=5)
    if "gone" not in message:
        assert len(computed) <= 9  # at once: the tile that is written next
    if name in ("removed", "renamed"):
        assert not store.exists()  # nor is it made again
    if name == "renamed":
        found = tg.gram.verify(store.with_name("mine.zarr"))
        assert not found.damaged
        assert found.done == 6
    if name == "replaced":
        assert {path.relative_to(store): data for path, data in files(store).items()} == before
    else:
        harmed(store, lambda: None)
        K = tg.gram.compute(NET, X, store=store, tile=5)
        whole = tg.gram.compute(NET, X, store=tmp_path / "new.zarr", tile=5)
        assert np.array_equal(K.ntk[...], whole.ntk[...])


def test_what_describes_a_store_is_there_at_the_end(tmp_path, X, other, harmed):
    """Without it, nobody could read what has just been computed."""
    store = tmp_path / "K.zarr"

    def harm():
        (store / "zarr.json").unlink()
        (store / "ntk" / "zarr.json").write_text("{}")

    harmed(store, harm)
    K = tg.gram.compute(NET, X, store=store, tile=5)
    assert tg.gram.verify(store).ok
    assert np.array_equal(tg.gram.open(store, "ntk")[:], K.ntk[:])


def test_another_description_is_noticed(tmp_path, X, other, harmed):
    store = tmp_path / "K.zarr"
    harmed(store, lambda: shutil.copy(other / "zarr.json", store / "zarr.json"))
    with pytest.raises(tg.StoreError, match=r"zarr\.json was replaced by that of another job"):
        tg.gram.compute(NET, X, store=store, tile=5)
    assert (store / "zarr.json").read_bytes() == (other / "zarr.json").read_bytes()


@pytest.mark.parametrize("name", ["removed", "replaced"])
def test_a_job_on_a_cluster_notices(tmp_path, X, other, harmed, name):
    harm, message = HARMS[name]
    store = tmp_path / "K.zarr"
    harmed(store, lambda: harm(store, other))
    before = set(files(other).values())
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "silence_logs": 50}
    with (
        LocalCluster(**options, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
        pytest.raises(tg.StoreError, match=message),
    ):
        tg.gram.compute(NET, X, store=store, tile=5, client=client)
    assert set(files(store).values()) == (before if name == "replaced" else set())
