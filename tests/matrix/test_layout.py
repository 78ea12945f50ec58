"""A store is made in one step, or not at all."""

import errno
import os
import time

import numpy as np
import pytest

import tangency as tg
from tangency.matrix import atomic, layout

NET = "dense relu dense"


@pytest.fixture
def header(store):
    return layout.read_header(store)


def test_what_a_store_says_about_itself(header, X):
    assert header.kinds == ("nngp", "ntk")
    assert header.dtype == "float64"
    assert header.grid.chunk == (5, 5)
    assert header.tile_bytes == 5 * 5 * 8 + 4
    assert header.job["kernel"] == tg.NTK(NET).to_dict()
    assert header.job["version"] == tg.__version__
    assert header.job["engine"] == "fused"
    assert header.job["X"] == header.job["Y"]


def test_a_faster_job_wins(header, tmp_path, monkeypatch):
    path, real = tmp_path / "new.zarr", os.rename

    def late(draft, target):
        os.makedirs(target)  # what another job has just made
        (target / "zarr.json").write_text("{}")
        real(draft, target)

    monkeypatch.setattr(layout.os, "rename", late)
    assert not layout.create(path, header)
    assert [p.name for p in path.iterdir()] == ["zarr.json"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["K.zarr", "new.zarr"]


def test_drafts_of_killed_processes_go_after_a_while(header, tmp_path):
    old, new = tmp_path / ".new.zarr.7-0a1b2c3d.part", tmp_path / ".new.zarr.8-0a1b2c3d.part"
    other = tmp_path / ".other.zarr.7-0a1b2c3d.part"
    for draft in (old, new, other):
        (draft / "ntk").mkdir(parents=True)
    for draft in (old, other):
        os.utime(draft, (time.time() - 100,) * 2)
    assert layout.create(tmp_path / "new.zarr", header)
    assert not old.exists()
    assert new.exists()  # somebody may be at it
    assert other.exists()


def test_nothing_is_left_of_a_store_that_cannot_be_made(header, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("no more")

    monkeypatch.setattr(layout.atomic, "force_to_disk", fail)
    with pytest.raises(OSError, match="no more"):
        layout.create(tmp_path / "new.zarr", header)
    assert [p.name for p in tmp_path.iterdir()] == ["K.zarr"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("there", [True, False])
def test_a_link_to_an_empty_or_missing_folder(tmp_path, X, there):
    target, link = tmp_path / "disk" / "K", tmp_path / "K2.zarr"
    (tmp_path / "disk").mkdir()
    if there:
        target.mkdir()
    link.symlink_to(target)
    K = tg.gram.compute(NET, X, store=link, tile=5)
    assert K.ntk.complete
    assert link.is_symlink()
    assert sorted(path.name for path in (tmp_path / "disk").iterdir()) == ["K"]
    assert tg.gram.verify(target).ok
    assert tg.gram.status(link).complete
    tg.gram.compute(NET, X, store=link)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_that_leads_nowhere(tmp_path, X):
    link = tmp_path / "K2.zarr"
    link.symlink_to(link)
    with pytest.raises(tg.StoreError, match=r"no store can be made at .*K2\.zarr .*symbolic links"):
        tg.gram.compute(NET, X, store=link)


def test_what_may_not_be_read_is_not_called_another_thing(tmp_path, monkeypatch):
    tg.gram.compute("dense relu dense", np.eye(3), store=tmp_path / "K.zarr")

    def refuse(path, most):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(atomic, "read", refuse)
    for call in (tg.gram.open, tg.gram.status, tg.gram.verify):
        with pytest.raises(tg.StoreError, match=r"K\.zarr cannot be read .*denied.*; get"):
            call(tmp_path / "K.zarr")
