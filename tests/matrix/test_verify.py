"""Every tile is read, and what is wrong is listed; test_damage.py has the kinds of damage."""

import pytest

import tangency as tg


def test_a_whole_store(store):
    found = tg.gram.verify(store)
    assert found.ok
    assert (found.tiles, found.done, found.missing, found.damaged) == (15, 15, (), {})
    assert str(found) == f"{store}: 15 of 15 tiles are whole"


def test_missing_and_damaged_tiles_are_listed_and_nothing_is_changed(store):
    (store / "tiles" / "0.2.json").unlink()
    (store / "tiles" / "3.4.json").unlink()
    (store / "ntk" / "c" / "1" / "1").write_bytes(b"")
    before = {p: p.read_bytes() for p in store.rglob("*") if p.is_file()}
    found = tg.gram.verify(store)
    assert not found.ok
    assert found.done == 12
    assert found.missing == ((0, 2), (3, 4))
    assert list(found.damaged) == [(1, 1)]
    assert str(found).splitlines() == [
        f"{store}: 12 of 15 tiles are whole",
        "missing: 2",
        f"damaged: {store}: tile (1, 1) is damaged: ntk has 0 bytes instead of 204",
        "run gram.compute again with the same inputs, it goes on where it stopped",
    ]
    assert {p: p.read_bytes() for p in store.rglob("*") if p.is_file()} == before


def test_no_store(tmp_path):
    with pytest.raises(tg.StoreError, match="there is no such store"):
        tg.gram.verify(tmp_path / "K.zarr")
