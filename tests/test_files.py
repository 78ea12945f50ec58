"""Files are replaced whole or not at all, and errors name them."""

import errno
import os
import re
import stat
from pathlib import Path

import numpy as np
import pytest

import tangency
from tangency import KernelRegressor
from tangency.errors import DiskFullError, InputError
from tangency.files import ARRAYS, abandoned, drafts, naming, replaced, temporary_name, write_arrays


def test_what_was_written_takes_the_place_at_the_end(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    for sync in (False, True):
        with replaced(path, ".txt", sync=sync) as draft:
            draft.write_text(f"new {sync}")
            assert draft.parent == tmp_path
            assert draft.suffix == ".txt"
        assert path.read_text() == f"new {sync}"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write():
        with replaced(path) as draft:
            draft.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as write() says it, without a name


def test_a_full_disk_is_named(tmp_path):
    path = tmp_path / "a.txt"
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*a\.txt'$") as found,
        replaced(path),
    ):
        full()
    assert found.value.errno == errno.ENOSPC
    assert found.value.filename == str(path)


def test_an_error_of_numpy_is_named(tmp_path):
    """Of a disk that is full `np.save` says how many items went, and nothing else."""
    path, message = (
        tmp_path / "a.npy",
        r"a\.npy cannot be written: 22500 requested and 8176 written; there is",
    )
    with pytest.raises(OSError, match=message), replaced(path):
        raise OSError("22500 requested and 8176 written")


def test_the_name_is_not_that_of_the_draft(tmp_path):
    path = tmp_path / "none" / "a.txt"
    with (
        pytest.raises(FileNotFoundError, match=r"directory: '.*none/a\.txt'$"),
        replaced(path) as draft,
    ):
        draft.write_text("x")


def test_what_has_no_draft_is_named_too(tmp_path):
    full_disk = pytest.raises(OSError, match=r"No space left on device: 'standard output'$")
    with full_disk, naming("standard output"):
        full()
    with pytest.raises(FileNotFoundError, match=r"'.*other'$"), naming("standard output"):
        (tmp_path / "other").read_text()


def test_the_name_of_another_file_stays(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'.*other'$"), replaced(tmp_path / "a.txt"):
        (tmp_path / "other").read_text()


def test_every_writer_names_its_file(tmp_path, monkeypatch):
    """Models, checkpoints, matrices of the command line, figures, pages."""
    from matplotlib.figure import Figure

    from tangency.cli.files import draft
    from tangency.figures.style import save_figure
    from tangency.learn.solvers.checkpoint import Checkpoint

    model = KernelRegressor().fit(np.eye(3), np.ones(3))
    monkeypatch.setattr(np, "savez", full)
    monkeypatch.setattr(np, "save", full)
    monkeypatch.setattr(Figure, "savefig", full)

    def matrix():
        with draft(tmp_path / "x.npy") as path:
            np.save(path, np.eye(2))

    for name, write in {
        "x.npz": lambda: model.save(tmp_path / "x.npz"),
        "x.c": lambda: Checkpoint(tmp_path / "x.c", {}).write({}, {}),
        "x.npy": matrix,
        "x.png": lambda: save_figure(Figure(), tmp_path / "x.png"),
    }.items():
        with pytest.raises(OSError, match=rf"No space left on device: '.*{name}'$"):
            write()
        assert os.listdir(tmp_path) == []


def test_a_full_disk_is_of_a_type_of_its_own_and_says_what_to_do(tmp_path):
    model = KernelRegressor(alpha=0.1).fit(np.eye(3), [1.0, 2.0, 3.0])
    path = tmp_path / "m.npz"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "savez", full)
        message = r"give a path on another disk: \[Errno 28\] No space left on device: '.*m\.npz'"
        with pytest.raises(DiskFullError, match=message) as found:
            model.save(path)
    assert isinstance(found.value, OSError)
    assert (found.value.errno, found.value.filename) == (errno.ENOSPC, str(path))
    numpys = r"m\.npz cannot be written: 3 requested and 1 written; there is no room"
    with pytest.raises(DiskFullError, match=numpys), replaced(path):
        raise OSError("3 requested and 1 written")
    with pytest.raises(PermissionError), replaced(path):
        raise PermissionError(errno.EACCES, "no")


def test_arrays_are_written_whole_and_onto_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(handle))
    path = tmp_path / "a[1]"
    write_arrays(path, {"x": np.arange(3)})
    with np.load(path) as archive:
        assert archive["x"].tolist() == [0, 1, 2]
    assert len(synced) == 1
    assert os.listdir(tmp_path) == [path.name]


def test_drafts_of_a_file_are_told_from_those_of_others_and_of_living_writers(tmp_path):
    path = tmp_path / "a[1]"
    mine = temporary_name(path, ARRAYS)
    dead = mine.with_name(mine.name.replace(str(os.getpid()), str(2**30)))
    others = [temporary_name(tmp_path / "a1", ARRAYS), temporary_name(path, ".part")]
    for draft in (mine, dead, *others):
        draft.touch()
    assert set(drafts(path, ARRAYS)) == {mine, dead}
    assert not abandoned(mine)
    assert abandoned(dead)


def test_files_are_replaced_in_one_place_only():
    root = Path(tangency.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(
            r"os\.(replace|rename|link)\(|tempfile\.(mkstemp|Named)", path.read_text("utf-8")
        )
    }
    assert found == {"files.py", "matrix/layout.py"}  # the latter puts a whole folder into place


def test_devices_and_pipes_are_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    link = tmp_path / "link"
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(InputError, match="is not a plain file"), replaced(path):
            raise AssertionError("nothing is made before")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(tmp_path.iterdir()) == [link, pipe]
