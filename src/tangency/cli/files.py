"""Output files: never half written, never overwritten unasked."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """A new file name beside `path`; what is written there takes the place of `path` at the end.

    If the block fails, `path` stays as it was and nothing is left behind.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
