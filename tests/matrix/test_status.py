"""How far a store is."""

import json

import pytest

import tangency as tg
from tangency.matrix import lock, records
from tangency.matrix.status import duration
from tangency.matrix.store import Store

NET = "dense relu dense"


def test_a_finished_store(store):
    found = tg.gram.status(store)
    assert (found.tiles, found.done, found.left, found.damaged) == (15, 15, 0, 0)
    assert found.pairs == found.pairs_done == 23 * 24 // 2
    assert found.complete
    assert found.seconds_left == 0
    assert found.owner is None
    lines = str(found).splitlines()
    assert lines[0] == f"{store}: nngp and ntk, 23 x 23"
    assert lines[1] == "done: 15 of 15 tiles, 100.0 % of the pairs"
    assert lines[2].startswith("speed: ")


def rewrite(store, i, j, **changes):
    """A record with other contents, sealed."""
    path = Store.open(store).record_path(i, j)
    data = {**json.loads(path.read_text()), **changes}
    data.pop("seal")
    path.write_bytes(records.Record(**data).to_bytes())


def test_speed_and_time_left_are_those_of_the_last_run(store):
    keep = {(0, 0): "07:00:00", (1, 1): "08:00:00", (2, 2): "08:00:10", (3, 3): "08:00:20"}
    for i, j in Store.open(store).grid:
        if (i, j) in keep:
            rewrite(store, i, j, when=f"2030-01-01T{keep[i, j]}+00:00", seconds=1.0)
        else:
            Store.open(store).record_path(i, j).unlink()
    owner = lock.Owner(1, "here", "2030-01-01T07:30:00+00:00", "run")
    (store / "tiles" / "owner.json").write_text(json.dumps(owner.__dict__))
    found = tg.gram.status(store)
    # Two tiles of 15 pairs in 20 seconds after the first one; the hour before does not count.
    assert found.pairs_per_second == 1.5
    assert found.seconds_left == (276 - 60) / 1.5
    assert "time left: 2 min 24 s" in str(found)
    assert "running: no; the same call goes on where it stopped" in str(found)
    (store / "tiles" / "owner.json").unlink()
    assert tg.gram.status(store).pairs_per_second == 15  # by the seconds of the tiles


def test_nothing_done_yet(store):
    for path in (store / "tiles").glob("*.*.json"):
        path.unlink()
    found = tg.gram.status(store)
    assert (found.done, found.left, found.pairs_per_second) == (0, 15, None)
    assert found.seconds_left is None
    assert "time left" not in str(found)


def test_damaged_records_are_counted(store):
    (store / "tiles" / "0.1.json").write_text("")
    found = tg.gram.status(store)
    assert (found.done, found.damaged) == (14, 1)
    assert "damaged records: 1; the next run computes them again" in str(found)


def test_no_store(tmp_path):
    with pytest.raises(tg.StoreError, match="there is no such store"):
        tg.gram.status(tmp_path / "K.zarr")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("running", "text"),
    [
        (None, "running: not known (no right to look)"),
        (True, "running: process "),
        (False, "running: no; the same call goes on"),
    ],
)
def test_whether_a_job_runs(store, monkeypatch, running, text):
    (store / "tiles" / "0.1.json").unlink()
    monkeypatch.setattr(lock, "in_use", lambda folder: running)
    found = tg.gram.status(store)
    assert found.running is running
    assert (found.owner is not None) == (running is True)
    assert text in str(found)


def test_a_job_that_runs_under_no_name(store, monkeypatch):
    (store / "tiles" / "owner.json").write_text("")
    monkeypatch.setattr(lock, "in_use", lambda folder: True)
    assert "running: yes; which process is not known" in str(tg.gram.status(store))
