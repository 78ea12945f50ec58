"""Output files: never half written, never overwritten unasked."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from ..files import replaced


def claim(
    path: Path, force: bool, suffixes: tuple[str, ...] = (), sources: Iterable[object] = ()
) -> Path:
    """Check, before anything is computed, that `path` can be written.

    Raises `ValueError` for a wrong suffix, a folder that is missing or cannot be written to, for
    one of the `sources` that are to be read, and for a file that exists unless `force` is given.
    """
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f"{path}: the name must end in {' or '.join(suffixes)}")
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; give the name of a file")
    claim_place(path)
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: is not a plain file; give another name")
    for source in sources:
        if source is not None and path.exists() and _same_file(path, str(source)):
            raise ValueError(f"{path}: is read as input; give another name")
    if path.exists() and not force:
        raise ValueError(f"{path}: exists already; give another name, or --force to replace it")
    return path


def claim_place(path: Path) -> None:
    """Check that a new file or folder can be made at `path`; raises `ValueError` if not."""
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}; create it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ValueError(f"{path}: the folder {path.parent} cannot be written to; give another one")


def _same_file(path: Path, source: str) -> bool:
    try:
        return os.path.samefile(path, source)
    except (OSError, ValueError):  # the name of a known set, or nothing at all
        return False


def draft(path: Path) -> AbstractContextManager[Path]:
    """A new file name beside `path`; what is written there takes the place of `path` at the end.

    If the block fails, `path` stays as it was and nothing is left behind. NumPy and Matplotlib go
    by the suffix, so that it is kept.
    """
    return replaced(path, path.suffix)
