"""NumPy's own files: .npz archives and .npy arrays, never with pickles."""

from __future__ import annotations

import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib.npyio import NpzFile

from ..checks import within_memory
from ..errors import callers_level
from ..printable import cut
from .errors import DataError, DataWarning
from .inputs import RawParts

_KEYS = {
    "X_train": ("x_train", "train_images", "x", "images", "data"),
    "y_train": ("y_train", "train_labels", "y", "labels", "target"),
    "X_test": ("x_test", "test_images"),
    "y_test": ("y_test", "test_labels"),
}
# Names under which a part of the data would be passed over: x_val, Xtest, valid_labels.
_PART = re.compile(r"(^|_)[xy]?(test|val|valid|validation|dev|eval|holdout)(_|[xy]?$)", re.I)
_EXPECTED = "x_train and y_train (and x_test, y_test), or X and y (and X_test, y_test)"
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


def read_npz(path: Path) -> RawParts:
    """The arrays of a .npz archive, found by the usual names whatever their case.

    Other arrays in the archive are not read; those called like a part of the data are warned of.
    Raises `DataError` for a damaged archive, missing or ambiguous names, and object arrays.
    """
    with open_npz(path) as archive:
        keys = {role: _find(archive.files, names, path) for role, names in _KEYS.items()}

        def array(role: str) -> np.ndarray | None:
            key = keys[role]
            return None if key is None else read_member(archive, key, path)

        X_train = array("X_train")
        if X_train is None:
            raise DataError(
                f"{path}: no training examples among its arrays "
                f"({cut(', '.join(archive.files), 300) or 'none'}); expected {_EXPECTED}"
            )
        _warn_of_parts([key for key in archive.files if key not in keys.values()], path)
        names = None
        if "class_names" in archive.files:
            names = _class_names(read_member(archive, "class_names", path), path)
        return RawParts(
            X_train, array("y_train"), array("X_test"), array("y_test"), path.stem, names
        )


def read_npy(path: Path, labels: Path | None) -> RawParts:
    """One array of examples, with its labels from a second file if there is one."""
    X = _read_array(path)
    return RawParts(X, None if labels is None else _read_array(labels), name=path.stem)


@contextmanager
def open_npz(path: Path) -> Iterator[NpzFile]:
    """An open .npz archive; raises `DataError` if it is not one or is damaged."""
    # The stream is ours, because numpy leaves its own open when an archive turns out damaged.
    with _open(path) as stream:
        if not zipfile.is_zipfile(stream):
            stream.seek(0)
            single = stream.read(6) == b"\x93NUMPY"
            raise DataError(
                f"{path}: not a .npz archive but a single array; name it .npy"
                if single
                else f"{path}: not a .npz archive, or a damaged or truncated one; write it again "
                "with numpy.savez"
            )
        stream.seek(0)
        try:
            archive: NpzFile = np.load(stream, allow_pickle=False)
        except _DAMAGE as error:
            raise DataError(f"{path}: a damaged or truncated .npz archive ({error})") from error
        with archive:
            yield archive


def read_member(archive: NpzFile, key: str, path: Path) -> np.ndarray:
    """One array of an archive; raises `DataError` if it is damaged or holds Python objects."""
    try:
        with within_memory():
            return archive[key]
    except _DAMAGE as error:
        if "allow_pickle" in str(error):
            raise DataError(_refusal(path, f"array {key!r}")) from error
        raise DataError(
            f"{path}: array {key!r} is damaged or truncated ({error}); fetch the file again"
        ) from error


def _warn_of_parts(unread: list[str], path: Path) -> None:
    """A validation part, or a test part by another name, would be left out in silence."""
    parts = [key for key in unread if _PART.search(key)]
    if parts:
        warnings.warn(
            f"{path}: {cut(', '.join(parts), 300)} not read, only {_EXPECTED}; rename what is to "
            "be the test part",
            DataWarning,
            stacklevel=callers_level(),
        )


def _class_names(names: np.ndarray, path: Path) -> tuple[str, ...]:
    if names.ndim != 1:
        raise DataError(f"{path}: class_names must be texts (classes,), got shape {names.shape}")
    return tuple(str(name) for name in names)


def _find(keys: list[str], names: tuple[str, ...], path: Path) -> str | None:
    matches = [key for key in keys if key.lower() in names]
    if len(matches) > 1:
        raise DataError(
            f"{path}: {' and '.join(matches)} could each be meant; keep one of them, "
            f"expected {_EXPECTED}"
        )
    return matches[0] if matches else None


def _read_array(path: Path) -> np.ndarray:
    with _open(path) as stream:
        if stream.read(6) != b"\x93NUMPY":
            raise DataError(
                f"{path}: not a .npy array, or a damaged or truncated one; write it again with "
                "numpy.save"
            )
    try:
        # Mapping first compares the header's size with the file's, before memory is asked for.
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except _DAMAGE as error:
        if "Python objects" in str(error):
            raise DataError(_refusal(path, "the array")) from error
        raise DataError(
            f"{path}: a damaged or truncated .npy array ({error}); fetch it again"
        ) from error


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be opened: {error}") from error


def _refusal(path: Path, what: str) -> str:
    return (
        f"{path}: {what} holds Python objects, which are stored as a pickle; a pickle can run any "
        "code when it is read, so it is refused. Save an array of numbers or of fixed-length "
        "strings (dtype float, int or str) instead"
    )
