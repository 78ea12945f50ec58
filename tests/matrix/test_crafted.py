"""Stores that somebody has made up: one clear error, nothing read or written outside the folder."""

import json
import os
import random
import shutil

import numpy as np
import pytest

import tangency as tg
from tangency.errors import StoreError
from tangency.matrix import records
from tangency.matrix.description import wrong_fields
from tangency.matrix.job import fingerprint
from tangency.matrix.layout import read_header
from tangency.matrix.store import Store

NET = "dense relu dense"
posix = pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")


def uses(store, X):
    """Whatever a person does with a store."""

    def read():
        for K in tg.gram.open(store):
            K[0, 0], K[-1], K.diag(), K.complete, repr(K)

    return {
        "read": read,
        "status": lambda: str(tg.gram.status(store)),
        "verify": lambda: str(tg.gram.verify(store)),
        "compute": lambda: tg.gram.compute(NET, X, store=store),
    }


def craft(store, **changes):
    """Change the description of the job, and seal it and all records as a store's own."""
    place = store / "zarr.json"
    data = json.loads(place.read_text())
    about = data["attributes"]["tangency"]
    about["job"].update(changes)
    about["job"] = {name: value for name, value in about["job"].items() if value is not ...}
    about["fingerprint"] = fingerprint(about["job"])
    place.write_text(json.dumps(data))
    for path in (store / "tiles").glob("[0-9]*.json"):
        seal(path, fingerprint=about["fingerprint"])


def seal(path, **changes):
    data = json.loads(path.read_text())
    del data["seal"]
    data.update(changes)
    path.write_text(json.dumps({**data, "seal": records._seal(data)}))


def contents(place):
    return {path: path.read_bytes() for path in [place, *place.rglob("*")] if path.is_file()}


FIELDS = {
    "outside": ({"kinds": ["../../outside"]}, "kinds is ['../../outside'], which must be"),
    "absolute": ({"kinds": ["/etc"]}, "kinds is ['/etc'], which must be"),
    "a kind twice": ({"kinds": ["ntk", "ntk"]}, "kinds is ['ntk', 'ntk'], which"),
    "kinds of no text": ({"kinds": [["ntk"]]}, "kinds is [['ntk']], which"),
    "no kinds": ({"kinds": ...}, "kinds is missing"),
    "tiles of nothing": ({"tile": 0}, "tile is 0, which must be a whole number above 0"),
    "tiles below nothing": ({"tile": -5}, "tile is -5, which"),
    "tile in words": ({"tile": "5"}, "tile is '5', which"),
    "half a row": ({"n": 22.5}, "n is 22.5, which"),
    "true rows": ({"n": True}, "n is True, which"),
    "rows without end": ({"n": 10**30, "m": 10**30}, "n is 1" + 30 * "0" + ", which"),
    "many tiles": ({"n": 10**9, "m": 10**9}, "20,000,000,100,000,000 tiles, and there are never"),
    "unequal": ({"m": 24}, "symmetric is true, but n is 23 and m is 24"),
    "symmetric by name": ({"symmetric": "yes"}, "symmetric is 'yes', which"),
    "half precision": ({"dtype": "float16"}, "dtype is 'float16', which must be float32 or"),
    "an object for a type": ({"dtype": {}}, "dtype is {}, which"),
    "no shape": ({"input_shape": []}, "input_shape is [], which"),
    "a kernel by name": ({"kernel": "NTK"}, "kernel is 'NTK', which must be an object"),
    "no digest": ({"X": "../x"}, "X is '../x', which must be a SHA-256"),
    "escapes": ({"engine": "\x1b[31m"}, r"engine is '\x1b[31m', which"),
    "a long field": ({"Y": "f" * 10**6}, "Y is '" + "f" * 39 + "…, which"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields_of_a_job(store, X, name):
    changes, message = FIELDS[name]
    craft(store, **changes)
    for use in uses(store, X).values():
        with pytest.raises(StoreError) as error:
            use()
        assert f"the description of the job cannot be right: {message}" in str(error.value)
        assert str(error.value).isprintable()


def test_a_job_that_can_be_right(store):
    job = read_header(store).job
    assert wrong_fields(job) is None
    assert wrong_fields({**job, "kinds": ["kernel"], "symmetric": False, "m": 7}) is None


def test_a_value_from_outside_is_not_read(store, X, tmp_path):
    """With the tiles in place, to which the name of a kind would lead."""
    outside = tmp_path / "outside"
    shutil.copytree(store / "ntk", outside)
    shutil.copytree(store / "ntk_diag", tmp_path / "outside_diag")
    for name in ("../outside", str(outside)):
        craft(store, kinds=[name])
        for i, j in ((0, 0), (0, 1)):
            sums = records.read(store / "tiles" / f"{i}.{j}.json").crc32c
            sums = {key.replace("ntk", name): value for key, value in sums.items()}
            seal(store / "tiles" / f"{i}.{j}.json", crc32c=sums)
        with pytest.raises(StoreError, match="the description of the job cannot be right: kinds"):
            tg.gram.open(store, name)


@pytest.mark.parametrize(
    "changes",
    [
        {"tile": [0, 1, 2]},
        {"tile": ["0", "1"]},
        {"pairs": -1},
        {"pairs": 10**400},
        {"pairs": 24},
        {"pairs": "25"},
        {"seconds": float("nan")},
        {"seconds": None},
        {"seconds": -1.0},
        {"when": 5},
        {"when": "yesterday"},
        {"when": "2026-01-01T00:00:00"},
        {"crc32c": {"ntk": 2**40, "nngp": 1}},
        {"crc32c": {"ntk": None}},
        {"crc32c": []},
        {"fingerprint": 1},
        {"more": 1},
    ],
)
def test_fields_of_a_record(store, X, changes):
    path = store / "tiles" / "0.1.json"
    before = path.read_bytes()
    seal(path, **changes)
    found = tg.gram.verify(store)
    assert list(found.damaged) == [(0, 1)]
    assert tg.gram.status(store).damaged == 1
    assert str(tg.gram.status(store))
    with pytest.raises(StoreError, match=r"tile \(0, 1\) is damaged: its record"):
        tg.gram.open(store, "ntk")[0, 7]
    tg.gram.compute(NET, X, store=store)
    assert tg.gram.verify(store).ok
    assert json.loads(path.read_bytes())["crc32c"] == json.loads(before)["crc32c"]


@pytest.mark.parametrize("name", ["00.1.json", "0.1.json.json", "9.9.json", "1.0.json", "٣.٤.json"])
def test_records_of_no_tile_do_not_count(store, name):
    (store / "tiles" / "0.1.json").rename(store / "tiles" / name)
    assert tg.gram.status(store).done == 14
    assert Store.open(store).missing() == 1


@pytest.mark.parametrize(
    "changes",
    [{"pid": "1"}, {"host": "\x1b[31m"}, {"since": 5}, {"since": "once"}, {"run": None}, {"x": 1}],
)
def test_an_owner_that_cannot_be(store, X, changes):
    path = store / "tiles" / "owner.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with Store.open(store).running():
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
        found = tg.gram.status(store)
        assert found.running
        assert found.owner is None
        with pytest.raises(StoreError, match="is in use by another job; wait"):
            tg.gram.compute(NET, X, store=store)


@posix
@pytest.mark.parametrize(
    "part", ["ntk", "ntk/c", "ntk/c/0", "ntk/c/0/1", "tiles", "tiles/0.1.json"]
)
def test_links_are_not_followed(store, X, tmp_path, part):
    outside = tmp_path / "outside"
    os.rename(store / part, outside)
    (store / part).symlink_to(outside)
    used = uses(store, X)
    for use in (lambda: tg.gram.open(store, "ntk")[0, 7], used["verify"], used["compute"]):
        with pytest.raises(StoreError, match=rf"K\.zarr: {part} is a link, and a store holds all"):
            use()
    if part.startswith("tiles"):
        with pytest.raises(StoreError, match=rf"K\.zarr: {part} is a link"):
            tg.gram.status(store)
    Store.open(store).record_path(0, 2).unlink()  # something is left to be written
    before = contents(outside)
    with pytest.raises(StoreError, match=rf"K\.zarr: {part} is a link"):
        tg.gram.compute(NET, X, store=store)
    assert contents(outside) == before


@posix
@pytest.mark.parametrize("part", ["lock", "owner.json"])
def test_what_a_job_writes_at_first_is_not_written_elsewhere(store, X, tmp_path, part):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (store / "tiles" / part).unlink(missing_ok=True)
    (store / "tiles" / part).symlink_to(outside)
    with pytest.raises(StoreError, match=rf"tiles/{part} is a link"):
        tg.gram.compute(NET, X, store=store)
    assert outside.read_text() == "mine"


@posix
@pytest.mark.parametrize("part", ["zarr.json", "tiles/0.1.json", "ntk/c/0/1", "tiles/owner.json"])
def test_pipes_are_not_waited_for(store, X, part):
    (store / part).unlink()
    os.mkfifo(store / part)
    if part == "zarr.json":
        with pytest.raises(StoreError, match="is not a store of a kernel matrix"):
            tg.gram.open(store)
        return
    assert list(tg.gram.verify(store).damaged) == ([] if "owner" in part else [(0, 1)])
    assert tg.gram.status(store).damaged == (part == "tiles/0.1.json")
    tg.gram.compute(NET, X, store=store)
    assert tg.gram.verify(store).ok


def test_long_files_are_not_read(store, X):
    with (store / "tiles" / "0.1.json").open("ab") as stream:
        stream.truncate(2**40)
    with (store / "ntk" / "c" / "0" / "2").open("ab") as stream:
        stream.truncate(2**40)
    assert sorted(tg.gram.verify(store).damaged) == [(0, 1), (0, 2)]
    with (store / "zarr.json").open("ab") as stream:
        stream.truncate(2**40)
    with pytest.raises(StoreError, match="is not a store of a kernel matrix"):
        tg.gram.open(store)


@pytest.mark.parametrize(
    "part", ["zarr.json", "ntk/zarr.json", "tiles/0.1.json", "tiles/owner.json"]
)
def test_lists_in_lists_without_end(store, X, part):
    (store / part).write_text("[" * 10**5)
    if part == "zarr.json":
        with pytest.raises(StoreError, match="is not a store of a kernel matrix"):
            tg.gram.open(store)
        return
    assert tg.gram.verify(store).ok == (part == "tiles/owner.json")
    tg.gram.status(store)
    tg.gram.compute(NET, X, store=store)
    assert tg.gram.verify(store).ok


def test_a_job_of_too_many_tiles_is_not_begun(tmp_path):
    X = np.zeros((5000, 1))
    with pytest.raises(tg.InputError, match=r"tile=1 makes 12,502,500 tiles.* a larger tile"):
        tg.gram.compute("dense relu dense", X, store=tmp_path / "K.zarr", tile=1)
    assert not list(tmp_path.iterdir())


VALUES = [
    None,
    True,
    0,
    -1,
    10**9,
    10**30,
    1.5,
    float("nan"),
    "",
    "\x1b[31m",
    [],
    [1] * 99,
    {},
    "x",
]


def mutated(data, dice):
    """The same with one part of it, at any depth, left out or something else."""
    node = data = json.loads(json.dumps(data))
    while True:
        key = dice.choice(list(node) if isinstance(node, dict) else range(len(node)))
        if isinstance(node[key], dict | list) and node[key] and dice.random() < 0.6:
            node = node[key]
        elif dice.random() < 0.2:
            del node[key]
            return data
        else:
            node[key] = dice.choice(VALUES)
            return data


def test_descriptions_at_random(store, X, tmp_path):
    dice, other = random.Random(0), tmp_path / "other.zarr"
    job, messages = read_header(store).job, []
    for _ in range(25):
        shutil.rmtree(other, ignore_errors=True)
        shutil.copytree(store, other)
        changed = mutated(job, dice)
        craft(other, **{name: changed.get(name, ...) for name in job})
        for use in uses(other, X).values():
            try:
                use()
            except StoreError as error:
                messages.append(str(error))
    assert len(messages) > 30
    assert all(map(str.isprintable, messages))
    assert max(map(len, messages)) < 2000


def test_more_tiles_than_a_length_can_say(tmp_path):
    store = tmp_path / "K.zarr"
    tg.gram.compute(NET, np.eye(3), store=store, tile=2)
    text = json.loads((store / "zarr.json").read_text())
    own = text["attributes"]["tangency"]
    own["job"] |= {"n": 10**12, "m": 10**12}
    own["fingerprint"] = fingerprint(own["job"])
    (store / "zarr.json").write_text(json.dumps(text))
    for reads in (tg.gram.open, tg.gram.status, tg.gram.verify):
        with pytest.raises(StoreError, match="tiles, and there are never more than"):
            reads(store)


def test_a_plan_of_more_tiles_than_a_length_can_say():
    found = tg.gram.estimate(NET, (10**12, 3), tile=1, seconds=0.001)
    assert "500,000,000,000,500,000,000,000 of 1 × 1" in str(found)
