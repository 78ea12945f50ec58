"""Tiles on the disk: what may be written, and who may write."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

import tangency as tg
from tangency.matrix import lock
from tangency.matrix.store import Store, TileDamaged, TileMissing

ONES = {kind: np.ones((5, 5)) for kind in ("nngp", "ntk")}


def test_what_is_written_is_read(store):
    place = Store.open(store)
    values = {kind: np.random.default_rng(k).standard_normal((5, 3)) for k, kind in enumerate(ONES)}
    place.write_tile(1, 4, values, 1.5)
    for kind in values:
        assert np.array_equal(place.read_tile(1, 4, kind), values[kind])
    record = place.record(1, 4)
    assert (record.tile, record.pairs, record.seconds) == ((1, 4), 15, 1.5)
    assert sorted(record.crc32c) == ["nngp", "ntk"]
    assert record.fingerprint == place.header.fingerprint


def test_the_diagonal_goes_with_its_tile(store):
    place = Store.open(store)
    values = np.diag([1.0, 2.0, 3.0])
    place.write_tile(4, 4, {"ntk": values, "nngp": 2 * values})
    assert place.read_diagonal(4, "ntk").tolist() == [1, 2, 3]
    assert place.read_diagonal(4, "nngp").tolist() == [2, 4, 6]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"ntk": np.ones((5, 4))}, TypeError, r"must be \(5, 5\) of float64, got \(5, 4\)"),
        ({"ntk": np.ones((5, 5), "f4")}, TypeError, "of float64, got .* of float32"),
        ({"nngp": np.full((5, 5), np.nan)}, tg.StoreError, "of nngp holds NaN or infinity"),
        ({"nngp": np.full((5, 5), np.inf)}, tg.StoreError, "of nngp holds NaN or infinity"),
    ],
)
def test_what_is_no_tile_is_not_written(store, change, error, message):
    place = Store.open(store)
    before = place.read_tile(0, 1, "ntk")
    with pytest.raises(error, match=message):
        place.write_tile(0, 1, {**ONES, **change})
    assert np.array_equal(place.read_tile(0, 1, "ntk"), before)


def test_missing_and_damaged_are_told_apart(store):
    place = Store.open(store)
    place.record_path(0, 1).unlink()
    place.record_path(0, 2).write_text("")
    with pytest.raises(TileMissing):
        place.read_tile(0, 1, "ntk")
    with pytest.raises(TileDamaged):
        place.read_tile(0, 2, "ntk")
    passed = []
    assert place.todo(passed.append) == ([(0, 1), (0, 2)], [(0, 2)])
    assert sum(passed) == place.grid.all_pairs - 50
    assert place.missing() == 1


def test_a_tile_before_its_record_does_not_count(store):
    """The order in which a tile is written is what makes a kill harmless."""
    place = Store.open(store)
    place.record_path(2, 3).unlink()
    assert place.tile_path(2, 3, "ntk").exists()
    assert place.todo() == ([(2, 3)], [])


def test_other_processes_see_the_same_store(store):
    place = pickle.loads(pickle.dumps(Store.open(store)))
    assert place == Store.open(store)
    with place.running() as owner:
        assert place.seen_from_here(owner)
        assert not place.seen_from_here(replace(owner, run="another"))
        assert lock.in_use(place.records)
    assert not lock.in_use(place.records)


def test_what_killed_runs_had_begun_is_removed(store):
    place = Store.open(store)
    begun = [
        store / ".zarr.json.77-0a1b2c3d.part",
        store / "ntk" / "c" / "1" / ".3.77-0a1b2c3d.part",
        store / "tiles" / ".0.0.json.77-0a1b2c3d.part",
    ]
    kept = [store / "tiles" / "note.part", store / ".hidden"]
    for path in (*begun, *kept):
        path.write_text("half")
    with place.running():
        pass
    assert not any(path.exists() for path in begun)
    assert all(path.exists() for path in kept)
