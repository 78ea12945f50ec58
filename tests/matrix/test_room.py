"""What a store takes on a disk, against what the system says that it takes."""

import os

import numpy as np
import pytest

import tangency as tg
from tangency.matrix import room
from tangency.matrix.layout import read_header
from tangency.matrix.room import require_room, room_for

NET = "dense relu dense"


@pytest.mark.skipif(os.name != "posix", reason="blocks of POSIX")
@pytest.mark.parametrize("tile", [4, 40])
@pytest.mark.parametrize("columns", [None, 30])
def test_it_is_what_files_and_folders_take(tmp_path, tile, columns):
    """In blocks of one byte it is their sizes, but for the longest record that there may be."""
    X = np.random.default_rng(0).standard_normal((70, 3))
    Y = None if columns is None else X[:columns] + 1
    path = tmp_path / "K.zarr"
    tg.gram.compute(NET, X, Y, store=path, tile=tile)
    header = read_header(path)
    tiles = list(header.grid)
    chunks = [place for place in path.glob("*/c/**/*") if place.is_file()]
    records = list((path / "tiles").glob("[0-9]*.json"))
    assert max(record.stat().st_size for record in records) <= room._RECORD
    folders = [place for place in path.glob("*/c/**") if place.is_dir()]
    files = sum(chunk.stat().st_size for chunk in chunks) + room._RECORD * len(records)
    assert room_for(path, header, tiles, 1) == files + len(folders)
    whole = sum(-(-chunk.stat().st_size // 4096) for chunk in chunks) + len(records) + len(folders)
    assert room_for(path, header, tiles, 4096) == 4096 * whole
    assert room_for(path, header, [], 4096) <= 4 * 4096


def test_a_disk_that_is_too_small(store, monkeypatch):
    header = read_header(store)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: room.shutil._ntuple_diskusage(9, 9, 0))
    message = (
        r"K\.zarr needs [\d.]+ KiB more, but 0 bytes are free there; make room or give a store"
    )
    with pytest.raises(tg.StoreError, match=message):
        require_room(store, header, header.grid)
