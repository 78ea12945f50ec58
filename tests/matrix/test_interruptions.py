"""Killed, interrupted, out of room, two at once: nothing is lost, nothing is silently wrong."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import tangency as tg
from faults import NET, TILE, compute, inputs
from processes import nursery, started
from tangency.files import temporary_name
from tangency.matrix import atomic
from tangency.matrix.store import Store

SCRIPT = Path(__file__).parents[1] / "faults.py"
posix = pytest.mark.skipif(os.name != "posix", reason="signals and forks of POSIX")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run."""
    return compute(tmp_path_factory.mktemp("whole") / "K.zarr", tile=TILE)


def assert_sound(path, whole):
    """Every tile that counts as done has the right bits, and nothing is damaged."""
    found = tg.gram.verify(path)
    assert not found.damaged
    assert not found.metadata
    store = Store.open(path)
    for i, j in store.grid:
        if (i, j) not in found.missing:
            for K in whole:
                assert np.array_equal(store.read_tile(i, j, K.kind), K.read_tile(i, j))
    return found


def assert_finishes(path, whole):
    """The same call brings it to the end, to the same bits, and leaves nothing behind."""
    pair = compute(path)
    for K, expected in zip(pair, whole, strict=True):
        assert K.complete
        assert K[...].tobytes() == expected[...].tobytes()
        assert K.diag().tobytes() == expected.diag().tobytes()
    assert tg.gram.verify(path).ok
    assert not list(path.rglob("*.part"))


@pytest.fixture(scope="module")
def forked():
    """Starts what `faults` does in processes that need not import the library anew."""
    with nursery("import faults; faults.get_ready()") as start:
        yield start


@pytest.mark.slow
@posix
def test_killed_at_random_moments_twenty_times(tmp_path, whole, forked):
    left = []
    with forked("faults.kill_often", tmp_path, 20, 1) as child:
        for line in child.stdout:
            left.append(Path(line.strip()))
        assert child.wait() == 0
    assert len(left) == 20
    for path in sorted(tmp_path.glob("K*.zarr")):
        assert_sound(path, whole)
        assert_finishes(path, whole)


@pytest.mark.slow
@posix
def test_what_the_killed_leave_is_sound_each_time(tmp_path, whole, forked):
    """Again from the start: kills after one another, with a look at the store after each."""
    path, done = tmp_path / "K.zarr", []
    for _ in range(3):
        with forked("faults.run_and_say_so", path) as child:
            assert child.stdout.readline() == "begun\n"
            # Some tiles later: those that were there before are not computed again.
            while tg.gram.status(path).done < len(done) + 1:
                time.sleep(0.005)
            child.send_signal(signal.SIGKILL)
            child.wait()
        found = assert_sound(path, whole)
        assert found.done > len(done)
        done = [None] * found.done
    assert_finishes(path, whole)


@posix
def test_ctrl_c_leaves_a_clean_store(tmp_path, whole, forked):
    path = tmp_path / "K.zarr"
    with forked("faults.run_and_say_so", path) as child:
        assert child.stdout.readline() == "begun\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
        assert child.wait() == 0
    assert not list(path.rglob("*.part"))
    assert 0 < len(assert_sound(path, whole).missing) <= 15
    assert tg.gram.status(path).owner is None
    assert_finishes(path, whole)


class Cut(BaseException):
    """The end of a process, as far as Python can play it."""


@pytest.mark.parametrize("left", ["nothing", "empty", "half", "whole"])
def test_cut_off_at_every_single_write(tmp_path, whole, monkeypatch, left):
    """Like a kill at each file in turn, that leaves nothing of it, a part, or all but its name."""
    path, real, count = tmp_path / "K.zarr", atomic.write, 0

    def cut(target, parts, within=None):
        if count == 0:
            data = b"".join(bytes(part) for part in parts)
            if left != "nothing":
                size = {"empty": 0, "half": len(data) // 2, "whole": len(data)}[left]
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary_name(target, atomic.SUFFIX).write_bytes(data[:size])
            raise Cut
        real(target, parts, within)

    def counted(target, parts, within=None):
        nonlocal count
        count -= 1
        cut(target, parts, within)

    monkeypatch.setattr(atomic, "write", counted)
    runs, finished = 0, False
    while not finished:
        # Some runs are too short for a tile and others get further, so that each kind of file is
        # cut off: the description, a tile, a diagonal, a record, the owner's note.
        runs, count = runs + 1, runs % 9 + 1
        try:
            compute(path, tile=TILE)
            finished = True
        except Cut:
            if path.exists():
                assert_sound(path, whole)
        assert runs < 200
    assert runs > 9
    monkeypatch.setattr(atomic, "write", real)
    assert_finishes(path, whole)


def test_no_room_at_every_single_write(tmp_path, whole, monkeypatch):
    """The disk is full at the k-th file, for every k; each time the same call goes on later."""
    real, writes, limit = Path.open, 0, 0

    class Full:
        def __init__(self, stream):
            self.stream = stream

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.stream.close()

        def writelines(self, parts):
            self.stream.write(bytes(next(iter(parts)))[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def opened(self, mode="r", *rest, **more):
        nonlocal writes
        stream = real(self, mode, *rest, **more)
        if mode != "xb" or not self.name.endswith(".part"):
            return stream
        writes += 1
        return Full(stream) if writes > limit else stream

    path, messages = tmp_path / "K.zarr", []
    monkeypatch.setattr(Path, "open", opened)
    while True:
        writes, limit = 0, limit + 3
        try:
            compute(path, tile=TILE)
            break
        except tg.StoreError as error:
            messages.append(str(error))
        assert not list(tmp_path.rglob("*.part"))
        if path.exists():
            assert_sound(path, whole)
    assert len(messages) > 5
    places = "no store can be made at|cannot be written|there is no room for tile"
    assert all(re.search(f"({places}).*No space left", message) for message in messages)
    assert_finishes(path, whole)


def mounted(folder, size):
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    return shutil.which("mount") and subprocess.run(command, capture_output=True).returncode == 0


@posix
def test_a_disk_that_is_really_full(whole, monkeypatch):
    with tempfile.TemporaryDirectory() as folder:
        if not mounted(folder, "64k"):
            pytest.skip("no right to mount a small disk")
        try:
            path = Path(folder, "K.zarr")
            # A block for each of 15 tiles, 5 parts of a diagonal, 7 folders, twice; 15 records.
            need = 2 * (15 + 5 + 7) + 15
            message = rf"needs {need * 4}\.0 KiB more, but \d.* are free"
            with pytest.raises(tg.StoreError, match=message):
                compute(path, tile=TILE)  # said before anything is computed
            with monkeypatch.context() as patch:
                patch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 0, 2**40))
                with pytest.raises(tg.StoreError, match="there is no room for tile") as error:
                    compute(path, tile=TILE)
            assert assert_sound(path, whole).done > 0
            asked = re.search(r"safe; make room for ([\d.]+) KiB, then", str(error.value))
            assert asked is not None
            used = shutil.disk_usage(folder).used / 1024
            again = ["mount", "-o", f"remount,size={round(used + float(asked[1])) + 4}k", folder]
            assert subprocess.run(again, capture_output=True).returncode == 0
            assert_finishes(path, whole)  # what was asked for is enough
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@posix
def test_files_that_may_not_grow(tmp_path, whole, forked):
    """A quota on the size of files, the system's own."""
    with forked("faults.limited", tmp_path, 3000) as child:
        said = child.stdout.read()
    assert "there is no room for tile (0, 0) (File too large); 0 of 15 tiles are safe" in said
    assert_finishes(tmp_path / "K.zarr", whole)


@posix
def test_what_a_killed_worker_had_begun_is_swept_at_the_end(tmp_path):
    """Not only by the next job: there need not be one."""
    path = tmp_path / "K.zarr"
    compute(path)
    store = Store.open(path)
    with store.running():
        draft = path / "ntk" / "c" / "0" / ".0.123-abc.part"
        draft.write_bytes(b"half a tile")
    assert not draft.exists()

    def interrupted():
        with store.running():
            draft.write_bytes(b"half a tile")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not draft.exists()
    assert tg.gram.verify(path).ok


@pytest.mark.slow
def test_two_jobs_on_one_store(tmp_path, whole):
    path = tmp_path / "K.zarr"
    with started([sys.executable, SCRIPT, path], stderr=None) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        message = f"is in use: process {child.pid} on .* since 20.*; wait for that job, or stop it"
        with pytest.raises(tg.StoreError, match=message):
            compute(path)
        owner = tg.gram.status(path).owner
        assert owner is not None
        assert owner.pid == child.pid
        assert f"running: process {child.pid} on {owner.host}" in str(tg.gram.status(path))
        child.kill()  # the lock goes with the process
        child.wait()
    assert tg.gram.status(path).owner is None
    assert_finishes(path, whole)


@pytest.mark.slow
@posix
def test_many_jobs_begin_one_store_at_the_same_moment(tmp_path, whole, forked):
    with forked("faults.race", tmp_path, 6) as child:
        ends = child.stdout.read().split()
    # One computes; the others are told that it does, or come when it is done.
    assert len(ends) == 6
    assert "0" in ends
    assert set(ends) <= {"0", "2"}
    assert_sound(tmp_path / "K.zarr", whole)
    assert_finishes(tmp_path / "K.zarr", whole)


def test_two_jobs_in_one_process(whole, tmp_path):
    path = tmp_path / "K.zarr"
    compute(path, tile=TILE)
    with Store.open(path).running():
        with pytest.raises(tg.StoreError, match=f"is in use: process {os.getpid()} on"):
            compute(path)
        assert tg.gram.open(path).ntk.complete  # reading is free
    assert_finishes(path, whole)


@contextmanager
def without_rights(folder):
    """`folder` may be read but not written."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    for place, _, names in os.walk(folder):
        os.chmod(place, 0o555)
        for name in names:
            os.chmod(Path(place, name), 0o444)
    if root:
        os.seteuid(65534)  # the superuser may write anywhere
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for place, _, _ in os.walk(folder):
            os.chmod(place, 0o755)


@posix
def test_a_folder_that_cannot_be_written(whole):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "K.zarr")
        compute(path, tile=TILE)
        with without_rights(folder):
            assert np.array_equal(compute(path).ntk[...], whole.ntk[...])  # nothing is left to do
            assert tg.gram.verify(path).ok
            assert tg.gram.status(path).complete
            with pytest.raises(tg.StoreError, match=r"no store can be made at .*other\.zarr"):
                compute(Path(folder, "other.zarr"))
        (path / "tiles" / "1.2.json").unlink()
        with without_rights(folder), pytest.raises(tg.StoreError, match="cannot be written"):
            compute(path)
        assert_finishes(path, whole)


def test_an_error_in_a_tile_keeps_the_others(tmp_path, whole, monkeypatch):
    from tangency.matrix.job import Job

    real = Job.compute_tile

    def failing(self, i, j, data):
        if (i, j) == (1, 2):
            raise RuntimeError("broken")
        return real(self, i, j, data)

    path = tmp_path / "K.zarr"
    with monkeypatch.context() as patch:
        patch.setattr(Job, "compute_tile", failing)
        with pytest.raises(RuntimeError, match="broken"):
            compute(path, tile=TILE)
    assert assert_sound(path, whole).done == 6
    assert_finishes(path, whole)


def test_the_inputs_are_those_of_the_reference(whole):
    assert np.allclose(whole.ntk[...], tg.NTK(NET)(inputs()), rtol=1e-13)
