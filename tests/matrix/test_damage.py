"""Damaged stores: found, named, never read as values, and made whole by the same call."""

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import tangency as tg
from tangency.matrix.store import Store

NET = "dense relu dense"
OTHER = "dense erf dense"


def chunk(store, i, j, kind="ntk"):
    return store / kind / "c" / str(i) / str(j)


def record(store, i, j):
    return store / "tiles" / f"{i}.{j}.json"


def flip(path, byte, bit=0):
    data = bytearray(path.read_bytes())
    data[byte] ^= 1 << bit
    path.write_bytes(data)


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


def swap(a, b):
    first, second = a.read_bytes(), b.read_bytes()
    a.write_bytes(second)
    b.write_bytes(first)


def foreign(store, X, *parts):
    """Puts in files of the store of another kernel on the same data."""
    other = store.with_name("other.zarr")
    tg.gram.compute(OTHER, X, store=other, tile=5)
    for part in parts:
        shutil.copy(other / part, store / part)


def rewrite(path, **changes):
    """A record with other contents and, as it was not sealed by us, the old seal."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# What is done to the store; which tiles that damages, and in what words.
DAMAGES = {
    "flipped bit in a value": (
        lambda s, X: flip(chunk(s, 1, 3), 77, 5),
        {(1, 3): "ntk does not match the checksum in its record"},
    ),
    "flipped bit in the other kernel": (
        lambda s, X: flip(chunk(s, 1, 3, "nngp"), 0),
        {(1, 3): "nngp does not match the checksum in its record"},
    ),
    "flipped bit in the checksum of Zarr": (
        lambda s, X: flip(chunk(s, 1, 3), -1),
        {(1, 3): "ntk does not match the checksum behind it"},
    ),
    "flipped bit outside the matrix": (  # where a ragged tile is filled up
        lambda s, X: flip(chunk(s, 4, 4), 25 * 8 - 1),
        {(4, 4): "ntk does not match the checksum in its record"},
    ),
    "truncated": (
        lambda s, X: cut(chunk(s, 0, 0), 100),
        {(0, 0): "ntk has 100 bytes instead of 204"},
    ),
    "empty": (lambda s, X: cut(chunk(s, 0, 0), 0), {(0, 0): "ntk has 0 bytes instead of 204"}),
    "longer": (
        lambda s, X: chunk(s, 0, 0).write_bytes(chunk(s, 0, 0).read_bytes() + b"\0"),
        {(0, 0): "ntk has 205 bytes instead of 204"},
    ),
    "full of zeros": (
        lambda s, X: chunk(s, 2, 4).write_bytes(bytes(204)),
        {(2, 4): "ntk does not match the checksum in its record"},
    ),
    "gone": (
        lambda s, X: chunk(s, 2, 3).unlink(),
        {(2, 3): "ntk is gone, though its record is there"},
    ),
    "part of the diagonal": (
        lambda s, X: flip(s / "ntk_diag" / "c" / "2", 3),
        {(2, 2): "ntk_diag does not match the checksum in its record"},
    ),
    "two tiles swapped": (
        lambda s, X: swap(chunk(s, 0, 1), chunk(s, 0, 2)),
        {
            (0, 1): "ntk does not match the checksum in its record",
            (0, 2): "ntk does not match the checksum in its record",
        },
    ),
    "two tiles swapped with their records": (
        lambda s, X: (
            swap(chunk(s, 0, 1), chunk(s, 0, 2)),
            swap(chunk(s, 0, 1, "nngp"), chunk(s, 0, 2, "nngp")),
            swap(record(s, 0, 1), record(s, 0, 2)),
        ),
        {
            (0, 1): "its record is that of tile (0, 2)",
            (0, 2): "its record is that of tile (0, 1)",
        },
    ),
    "tile of another job": (
        lambda s, X: foreign(s, X, "ntk/c/0/1"),
        {(0, 1): "ntk does not match the checksum in its record"},
    ),
    "tile and record of another job": (
        lambda s, X: foreign(s, X, "ntk/c/0/1", "nngp/c/0/1", "tiles/0.1.json"),
        {(0, 1): "its record is of another job"},
    ),
    "record emptied": (
        lambda s, X: cut(record(s, 3, 3), 0),
        {(3, 3): "its record cannot be read"},
    ),
    "record of something else": (
        lambda s, X: record(s, 3, 3).write_text('{"seal": 1}'),
        {(3, 3): "its record cannot be read"},
    ),
    "record that is no object": (
        lambda s, X: record(s, 3, 3).write_text("[1]"),
        {(3, 3): "its record cannot be read"},
    ),
    "record changed": (
        lambda s, X: rewrite(record(s, 3, 3), crc32c={"ntk": 1, "nngp": 2}),
        {(3, 3): "its record does not match its own checksum"},
    ),
    "record of other bytes": (
        lambda s, X: record(s, 3, 3).write_bytes(b"\xff\xfe\x00"),
        {(3, 3): "its record cannot be read"},
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_named_and_repaired(name, store, X):
    harm, expected = DAMAGES[name]
    whole = {K.kind: K[...].tobytes() for K in tg.gram.open(store)}
    diagonal = {K.kind: K.diag().tobytes() for K in tg.gram.open(store)}
    harm(store, X)
    found = tg.gram.verify(store)
    assert not found.ok
    assert set(found.damaged) == set(expected)
    assert not found.missing
    for (i, j), reason in expected.items():
        message = f"{store}: tile ({i}, {j}) is damaged: {reason}"
        assert found.damaged[i, j] == message
        assert f"damaged: {message}" in str(found)
        with pytest.raises(tg.StoreError) as error:
            Store.open(store).check_tile(i, j)
        assert str(error.value).startswith(message)
        assert "run gram.compute again" in str(error.value)
    for K in tg.gram.compute(NET, X, store=store):
        assert K[...].tobytes() == whole[K.kind]
        assert K.diag().tobytes() == diagonal[K.kind]
    assert tg.gram.verify(store).ok


def test_every_single_bit_of_a_tile_is_looked_at(store):
    path, place = chunk(store, 1, 2), (1, 2)
    whole = path.read_bytes()
    for byte in range(len(whole)):
        flip(path, byte, byte % 8)
        with pytest.raises(tg.StoreError, match="checksum"):
            Store.open(store).read_tile(*place, "ntk")
        path.write_bytes(whole)
    assert tg.gram.verify(store).ok


def test_every_single_byte_of_a_record_is_looked_at(store):
    path = record(store, 1, 2)
    whole = path.read_bytes()
    for byte in range(len(whole)):
        if whole[byte : byte + 1] in b" ":
            continue  # space between the parts of JSON means nothing
        flip(path, byte)
        with pytest.raises(tg.StoreError, match="record"):
            Store.open(store).read_tile(1, 2, "ntk")
        path.write_bytes(whole)


def test_damaged_tiles_are_never_read_as_values(store):
    flip(chunk(store, 1, 3), 77, 5)
    K = tg.gram.open(store, "ntk")
    message = r"tile \(1, 3\) is damaged: ntk does not match the checksum"
    for read in (
        lambda: K[7, 17],
        lambda: K[17, 7],
        lambda: K[5:10],
        lambda: np.asarray(K),
        lambda: list(K.tiles()),
        lambda: K.read_tile(3, 1),
        lambda: K.dask.sum().compute(scheduler="sync"),
    ):
        with pytest.raises(tg.StoreError, match=message):
            read()
    assert np.all(np.isfinite(K[0:5]))  # the others are what they were


@pytest.mark.parametrize("name", ["ntk/zarr.json", "tiles/zarr.json", "nngp_diag/zarr.json"])
@pytest.mark.parametrize("harm", ["gone", "garbage", "another shape"])
def test_damaged_descriptions_of_arrays_are_found_and_repaired(store, X, name, harm):
    path = store / name
    whole = json.loads(path.read_text())
    if harm == "gone":
        path.unlink()
    elif harm == "garbage":
        path.write_text("{")
    else:
        path.write_text(json.dumps({**whole, "shape": [1, 1]}))
    found = tg.gram.verify(store)
    assert not found.ok
    assert found.metadata == (name,)
    assert f"damaged: {name}" in str(found)
    tg.gram.compute(NET, X, store=store)
    assert json.loads(path.read_text()) == whole
    assert tg.gram.verify(store).ok


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda about: about["job"].update(n=22), "does not match its fingerprint"),
        (lambda about: about["job"].update(format=99), "has layout 99.* reads layout 1"),
        (lambda about: about.clear(), "is not a store of a kernel matrix"),
    ],
)
def test_a_changed_description_of_the_job(store, X, change, message):
    data = json.loads((store / "zarr.json").read_text())
    change(data["attributes"]["tangency"])
    (store / "zarr.json").write_text(json.dumps(data))
    for use in (
        lambda: tg.gram.open(store),
        lambda: tg.gram.status(store),
        lambda: tg.gram.verify(store),
        lambda: tg.gram.compute(NET, X, store=store),
    ):
        with pytest.raises(tg.StoreError, match=message):
            use()


def test_all_records_gone(store, X):
    shutil.rmtree(store / "tiles")
    assert tg.gram.status(store).done == 0
    assert tg.gram.compute(NET, X, store=store).ntk.complete
    assert tg.gram.verify(store).ok


def failing(monkeypatch, path, code):
    """Opening this file fails with an error of the system."""
    real = Path.open

    def opened(self, mode="r", *rest, **more):
        if self == path and "r" in mode:
            raise OSError(code, os.strerror(code), str(self))
        return real(self, mode, *rest, **more)

    monkeypatch.setattr(Path, "open", opened)


@pytest.mark.parametrize("what", [chunk, record])
@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE])
def test_what_the_disk_cannot_give_is_damaged(store, X, monkeypatch, what, code):
    whole, path = tg.gram.open(store, "ntk")[...], what(store, 1, 3)
    expected = f"{'ntk' if what is chunk else 'its record'} cannot be read ({os.strerror(code)})"
    with monkeypatch.context() as patch:
        failing(patch, path, code)
        found = tg.gram.verify(store)
        assert list(found.damaged) == [(1, 3)]
        assert f"tile (1, 3) is damaged: {expected}" in found.damaged[1, 3]
        with pytest.raises(tg.StoreError, match=r"tile \(1, 3\) is damaged: .* cannot be read"):
            tg.gram.open(store, "ntk")[7, 17]
        assert tg.gram.status(store).damaged == (what is record)
        before = path.stat().st_ino
        tg.gram.compute(NET, X, store=store)
        assert path.stat().st_ino != before  # written again
    assert np.array_equal(tg.gram.open(store, "ntk")[...], whole)
    assert tg.gram.verify(store).ok


@pytest.mark.parametrize("what", [chunk, record])
def test_an_empty_folder_in_the_place_of_a_file(store, X, what):
    path = what(store, 1, 3)
    path.unlink()
    path.mkdir()
    if os.name == "posix":
        assert list(tg.gram.verify(store).damaged) == [(1, 3)]
        tg.gram.compute(NET, X, store=store)
        assert tg.gram.verify(store).ok


@pytest.mark.parametrize("what", [chunk, record])
def test_what_may_not_be_read_is_not_computed_again(store, X, monkeypatch, what):
    path = what(store, 1, 3)
    failing(monkeypatch, path, errno.EACCES)
    for use in (
        lambda: tg.gram.verify(store),
        lambda: tg.gram.open(store, "ntk")[7, 17],
        lambda: tg.gram.compute(NET, X, store=store),
    ):
        with pytest.raises(
            tg.StoreError, match=r"cannot be read .*Permission denied.*; get the right"
        ):
            use()


def test_a_folder_of_records_that_may_not_be_read(store, monkeypatch):
    def no_right(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "listdir", no_right)
    with pytest.raises(
        tg.StoreError, match=r"tiles cannot be read .*; get the right to read there"
    ):
        list(tg.gram.open(store, "ntk").tiles())
