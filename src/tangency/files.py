"""Files that are there whole or not at all: the one way in which the library replaces a file."""

from __future__ import annotations

import errno
import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil

from .errors import DiskFullError, InputError

ARRAYS = ".tmp"
"""Ends the names of files of arrays that are being written."""

_NO_ROOM = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


def temporary_name(path: Path, suffix: str) -> Path:
    """A new name in the same folder, hidden, which says what it becomes and which process writes.

    >>> temporary_name(Path("K.npy"), ".part").name.startswith(f".K.npy.{os.getpid()}-")
    True
    """
    if not path.name:
        raise InputError(f"{path} is a folder; give the path of a file")
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{suffix}")


def drafts(path: Path, suffix: str) -> Iterator[Path]:
    """What anybody has begun to write under a `temporary_name` of `path`."""
    yield from path.parent.glob(f".{glob.escape(path.name)}.*{suffix}")


def abandoned(draft: Path) -> bool:
    """Whether the process that wrote under this `temporary_name` is gone."""
    process = draft.stem.rpartition(".")[2].partition("-")[0]
    return not (process.isdigit() and psutil.pid_exists(int(process)))


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write plain arrays as an .npz file, whole or not at all, as `replaced` does, and to disk."""
    with replaced(path, ARRAYS, sync=True) as draft, open(draft, "xb") as file:
        np.savez(file, allow_pickle=False, **arrays)


@contextmanager
def replaced(
    path: Path, suffix: str = ".part", *, sync: bool = False, own: bool = False
) -> Iterator[Path]:
    """A new name beside `path`; what is written there takes the place of `path` at the end.

    If the block fails or is interrupted, `path` stays as it was and nothing is left behind.

    Args:
        suffix: of the new name, for writers that go by it, and for those who sweep up after
            processes that were killed.
        sync: have the data on the disk first, whatever happens to the machine then.
        own: the folder belongs to the library, and whatever else is in the place goes.

    Raises:
        InputError: a device, a pipe or a socket, which would be gone.
        OSError: with the name of `path`, which is what the caller knows.
        DiskFullError: one of these, where the disk has no room.
    """
    if not own and path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(f"{path}: is not a plain file; give another name")
    temporary = temporary_name(path, suffix)
    try:
        yield temporary
        if sync:
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _full(_named(error, path, temporary)) from error
        raise


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """What is written to in this block, for errors of the system that name no file."""
    try:
        yield
    except OSError as error:
        raise _named(error, Path(path), Path(path)) from error


def _full(error: OSError) -> OSError:
    """The same error, of a type of its own where there is no room; NumPy's have no number."""
    if error.errno is None:
        return DiskFullError(str(error))
    if error.errno in _NO_ROOM:
        return DiskFullError(error.errno, error.strerror, error.filename)
    return error


def _named(error: OSError, path: Path, temporary: Path) -> OSError:
    """The same error with the path, where the system gave none or that of the temporary file."""
    if error.filename not in (None, temporary, str(temporary)):
        return error
    if error.errno is None:  # NumPy's own: "22500 requested and 8176 written"
        return OSError(f"{path} cannot be written: {error}")
    return type(error)(error.errno, error.strerror or os.strerror(error.errno), str(path))
