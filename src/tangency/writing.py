"""Errors of the disk with the name of the file that could not be written."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))

_START = "cannot be written"


@contextmanager
def writing(path: str | os.PathLike[str], draft: Path | None = None) -> Iterator[None]:
    """Name `path` in an `OSError` of this block that names no file, or only the draft of it.

    What the system says of a full disk, and NumPy of a file cut short, has no path.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None and (draft is None or not _is_at(error.filename, draft)):
            raise
        if error.errno is None:
            raise OSError(
                f"{path}: {_START} whole ({error}); free some space, or write elsewhere"
            ) from error
        reason = str(error.strerror)
        if not reason.startswith(_START):  # which the writer of the draft has said already
            remedy = "; free some space, or write elsewhere" if error.errno in _FULL else ""
            reason = f"{_START} ({reason}){remedy}"
        raise OSError(error.errno, reason, os.fspath(path)) from error


def _is_at(name: object, draft: Path) -> bool:
    return isinstance(name, str | os.PathLike) and Path(name) in (draft, draft.parent)
