from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from tangency import InputError
from tangency.learn.solvers import checkpoint as module
from tangency.learn.solvers.checkpoint import Checkpoint, digest

PROBLEM = {"the targets": "1", "alpha": "2"}


def test_what_is_written_is_read(tmp_path):
    place = Checkpoint(tmp_path / "c", PROBLEM)
    assert place.read() is None
    arrays = {"a": np.arange(3.0), "b": np.eye(2)}
    place.write({"n": 1}, arrays)
    numbers, found = Checkpoint(tmp_path / "c", PROBLEM).read()
    assert numbers == {"n": 1}
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_another_problem_is_refused_by_name(tmp_path):
    Checkpoint(tmp_path / "c", PROBLEM).write({}, {})
    before = (tmp_path / "c").read_bytes()
    with pytest.raises(InputError, match="of another fit: it differs in alpha; delete it"):
        Checkpoint(tmp_path / "c", PROBLEM | {"alpha": "3"}).read()
    assert (tmp_path / "c").read_bytes() == before


def test_damaged_and_foreign_files_are_refused(tmp_path):
    place = Checkpoint(tmp_path / "c", PROBLEM)
    place.write({"n": 1}, {"a": np.arange(100.0)})
    content = place.path.read_bytes()
    for bad in (b"", b"hello", content[: len(content) // 2]):
        place.path.write_bytes(bad)
        with pytest.raises(InputError, match="no checkpoint of this solver, or is damaged"):
            place.read()
    with open(place.path, "wb") as file:
        np.savez(file, a=np.zeros(2))
    with pytest.raises(InputError, match="no checkpoint of this solver"):
        place.read()


def test_a_write_that_fails_leaves_the_old_state(tmp_path, monkeypatch):
    place = Checkpoint(tmp_path / "c", PROBLEM)
    place.write({"n": 1}, {})

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        place.write({"n": 2}, {})
    assert place.read() == ({"n": 1}, {})
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_drafts_of_a_killed_run_are_swept(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / f".c[1].{gone.pid}-abc.tmp").write_bytes(b"half")
    (tmp_path / ".c[1].nobody.tmp").write_bytes(b"half")
    (tmp_path / "other").write_bytes(b"")
    Checkpoint(tmp_path / "c[1]", PROBLEM).read()
    assert [p.name for p in tmp_path.iterdir()] == ["other"]


def test_the_draft_of_a_run_that_lives_is_left_to_it(tmp_path):
    draft = tmp_path / f".c.{os.getpid()}-abc.tmp"
    draft.write_bytes(b"half")
    Checkpoint(tmp_path / "c", PROBLEM).read()
    assert draft.exists()


def test_no_damage_is_a_bare_traceback(tmp_path):
    place = Checkpoint(tmp_path / "c", PROBLEM)
    place.write({"n": 1}, {"a": np.arange(10.0)})
    content = bytearray(place.path.read_bytes())
    refused = 0
    for at in range(len(content)):
        for bit in (0, 5):
            damaged = content.copy()
            damaged[at] ^= 1 << bit
            place.path.write_bytes(damaged)
            try:
                place.read()
            except InputError:
                refused += 1
    assert refused > len(content)


def test_it_is_not_written_all_the_time(tmp_path, monkeypatch):
    place = Checkpoint(tmp_path / "c", PROBLEM)
    assert place.due()
    place.write({}, {})
    assert not place.due()
    monkeypatch.setattr(module, "SECONDS", 0.0)
    assert place.due()


def test_digests_tell_shapes_and_types_apart():
    a = np.zeros(4)
    different = [a, a.reshape(2, 2), a.astype(np.float32), np.ones(4), 0, "0", None]
    assert len({digest(each) for each in different}) == len(different)
