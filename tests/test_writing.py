"""Errors of the disk name the file that could not be written."""

import errno
from pathlib import Path

import pytest

from tangency.writing import writing


def failing(error, *paths):
    with writing(*paths):
        raise error


def test_errors_without_a_path_get_one():
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match=r"written \(No space left.*; free some space") as e:
        failing(full, "out.npy")
    assert e.value.errno == errno.ENOSPC
    assert e.value.filename == "out.npy"
    with pytest.raises(OSError, match=r"out\.npy: cannot be written whole \(9 requested"):
        failing(OSError("9 requested and 2 written"), "out.npy")


def test_the_draft_stands_for_the_file_and_others_for_themselves():
    denied = PermissionError(errno.EACCES, "Permission denied", "/x/.out.part")
    with pytest.raises(PermissionError, match=r"cannot be written \(Permission denied\)") as e:
        failing(denied, "/x/out.npy", Path("/x/.out.part"))
    assert e.value.filename == "/x/out.npy"
    other = FileNotFoundError(errno.ENOENT, "No such file", "/y/input")
    with pytest.raises(FileNotFoundError) as e:
        failing(other, "/x/out.npy", Path("/x/.out.part"))
    assert e.value is other


def test_what_is_said_once_is_not_said_again():
    def twice():
        with writing("out.png", Path("draft.png")):
            failing(OSError(errno.EFBIG, "File too large"), "draft.png")

    with pytest.raises(OSError, match="cannot be written") as e:
        twice()
    assert str(e.value).count("cannot be written") == 1
    assert e.value.filename == "out.png"
