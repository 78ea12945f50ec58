"""Files that are there whole or not at all, and the checksum that says whether they still are."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SUFFIX = ".part"
"""Ends the names of files that are being written."""


def write(path: Path, parts: Iterable[Any]) -> None:
    """Write `parts` one after the other; a reader sees the old file or the new one, never half.

    The data are not forced to the disk: that would cost more than a tile of vectors does. What a
    loss of power tears is found by its checksum, and computed again.
    """
    temporary = temporary_name(path)
    try:
        try:
            stream = temporary.open("xb")
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            stream = temporary.open("xb")
        with stream:
            stream.writelines(parts)
        try:
            os.replace(temporary, path)
        except IsADirectoryError:
            path.rmdir()  # only an empty folder can be in the way and mean nothing
            os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def temporary_name(path: Path) -> Path:
    """A new name in the same folder, which `sweep` recognises."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}")


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
