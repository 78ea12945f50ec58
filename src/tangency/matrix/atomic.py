"""Files that are there whole or not at all, and the checksum that says whether they still are."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..files import replaced

SUFFIX = ".part"
"""Ends the names of files that are being written."""


def write(path: Path, parts: Iterable[Any], within: Path | None = None) -> None:
    """Write `parts` one after the other; a reader sees the old file or the new one, never half.

    The data are not forced to the disk: that would cost more than a tile of vectors does. What a
    loss of power tears is found by its checksum, and computed again.

    Args:
        within: a folder that must be there; those between it and the file are made. Nothing given:
            all folders are.
    """
    with replaced(path, SUFFIX, own=True) as temporary:
        try:
            stream = temporary.open("xb")
        except FileNotFoundError:
            _make_folders(path.parent, within)
            stream = temporary.open("xb")
        with stream:
            stream.writelines(parts)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()  # only an empty folder can be in the way and mean nothing


def _make_folders(folder: Path, within: Path | None) -> None:
    if within is None:
        folder.mkdir(parents=True, exist_ok=True)
    elif folder != within:
        _make_folders(folder.parent, within)
        folder.mkdir(exist_ok=True)


def read(path: Path, most: int) -> bytes:
    """The bytes of a file.

    Raises:
        ValueError: no file, as a pipe that would be waited for, or one of more than `most` bytes.
    """
    about = path.stat()
    if not stat.S_ISREG(about.st_mode) or about.st_size > most:
        raise ValueError(f"{path} is no file of at most {most} bytes")
    return path.read_bytes()


def read_whole(path: Path, size: int) -> np.ndarray:
    """The bytes of a file that must have so many; memory is taken only if it has.

    Raises:
        ValueError: another size, in words.
        IsADirectoryError: no file.
    """
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    got = about.st_size
    if got == size:
        data, got = np.empty(size, np.uint8), 0
        with path.open("rb", buffering=0) as stream:
            while got < size and (count := stream.readinto(data.data[got:])):  # type: ignore[attr-defined]
                got += count
        if got == size:
            return data
    raise ValueError(f"has {got} bytes instead of {size}")


def sweep(folder: Path) -> None:
    """Remove what runs that were killed had begun to write, in all folders below."""
    for place, _, names in os.walk(folder):
        for name in names:
            if name.startswith(".") and name.endswith(SUFFIX):
                Path(place, name).unlink(missing_ok=True)


def force_to_disk(folder: Path) -> None:
    """Have all files below on the disk, whatever happens to the machine then."""
    for place, _, names in os.walk(folder):
        for path in (*(Path(place, name) for name in names), Path(place)):
            if path.is_dir() and os.name == "nt":  # folders cannot be opened there
                continue
            handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def checksum(data: Any) -> int:
    """CRC-32C of a buffer, as Zarr's codec of that name computes it."""
    import google_crc32c

    return google_crc32c.value(data)
