"""What a worker does with a tile, here without a cluster."""

import errno
import os

import numpy as np
import pytest

import tangency as tg
from tangency.matrix import atomic
from tangency.matrix.compute import make_job
from tangency.matrix.job import kernel_and_kinds
from tangency.matrix.on_worker import Task
from tangency.matrix.store import Store

X = np.random.default_rng(0).standard_normal((6, 3))


@pytest.fixture
def run(tmp_path):
    """Computes the tile (0, 1) as a worker that sees the store."""
    path = tmp_path / "K.zarr"
    job, data = make_job(*kernel_and_kinds("dense relu dense", None), X, None, path, 3, None, None)
    place = Store.prepare(path, job)
    with place.running() as owner:
        yield lambda: Task(job, place, owner).run(0, 1, data.row(0), data.column(1))


def test_a_tile_is_written_where_the_store_is_seen(run, tmp_path):
    assert run().arrays is None
    assert tg.gram.status(tmp_path / "K.zarr").done == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.ESTALE])
def test_trouble_with_the_disk_is_left_to_the_client(run, tmp_path, monkeypatch, code):
    def fail(path, parts, within=None):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "write", fail)
        done = run()
    assert sorted(done.arrays) == ["nngp", "ntk"]
    assert tg.gram.status(tmp_path / "K.zarr").done == 0
    Store.open(tmp_path / "K.zarr").write_tile(0, 1, done.arrays, done.seconds)
    assert tg.gram.status(tmp_path / "K.zarr").done == 1


def test_values_that_no_disk_may_take_are_an_error(run, monkeypatch):
    from tangency.matrix.job import Job

    real = Job.compute_tile
    monkeypatch.setattr(
        Job, "compute_tile", lambda *a: {k: v * np.nan for k, v in real(*a).items()}
    )
    with pytest.raises(tg.StoreError, match="holds NaN or infinity"):
        run()
