"""Output files: never half written, never overwritten unasked."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from ..files import replaced


def claim(path: Path, force: bool, suffixes: tuple[str, ...] = ()) -> Path:
    """Check, before anything is computed, that `path` can be written.

    Raises `ValueError` for a wrong suffix, a missing folder, and for a file that exists unless
    `force` is given.
    """
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f"{path}: the name must end in {' or '.join(suffixes)}")
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}; create it first")
    if path.exists() and not force:
        raise ValueError(f"{path}: exists already; give another name, or --force to replace it")
    return path


def draft(path: Path) -> AbstractContextManager[Path]:
    """A new file name beside `path`; what is written there takes the place of `path` at the end.

    If the block fails, `path` stays as it was and nothing is left behind. NumPy and Matplotlib go
    by the suffix, so that it is kept.
    """
    return replaced(path, path.suffix)
