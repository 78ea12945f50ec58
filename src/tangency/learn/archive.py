"""The files of models: .npz archives without pickle, a JSON header and plain arrays."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checks
from ..errors import InputError
from ..files import write_arrays

if TYPE_CHECKING:
    from ..typing import FilePath

FORMAT = "tangency-model"
FORMAT_VERSION = 1
_HEADER = "header"


class ModelFileError(InputError):
    """A model that cannot be written to a file, or a file that holds no model."""


def write_archive(path: FilePath, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Path:
    """Write a header, to which format and versions are added, and arrays, whole or not at all."""
    from ..version import __version__

    about = {"format": FORMAT, "format_version": FORMAT_VERSION, "library_version": __version__}
    text = json.dumps({**about, **header}, allow_nan=False).encode()
    found = checks.path(path)
    write_arrays(found, {**arrays, _HEADER: np.frombuffer(text, dtype=np.uint8)})
    return found


def read_archive(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return header and arrays of a model file; raises as `load` does."""
    foreign = f"{path} is not a model saved by tangency"
    if not path.exists():
        raise FileNotFoundError(f"there is no model file {path}")
    if path.is_file() and not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    if not path.is_file() or not zipfile.is_zipfile(path):
        raise ModelFileError(
            f"{foreign}, or it is cut off: it is no complete .npz archive; give the file that "
            "save() wrote, or save it again"
        )
    try:
        # opened here, because np.load leaves it open where the archive is damaged
        _refuse_compressed(path)
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            if _HEADER not in archive.files:
                raise ModelFileError(f"{foreign}: it has no header; give the file save() wrote")
            header = _parse(archive[_HEADER], path)
            arrays = {k: archive[k] for k in archive.files if k != _HEADER}
    except ModelFileError:
        raise
    except Exception as error:  # damaged bytes raise anything in zipfile and NumPy
        raise ModelFileError(f"{path} is damaged ({error}); copy or save it again") from error
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ModelFileError(f"{foreign}: it holds other things than arrays")
    return header, arrays


def _refuse_compressed(path: Path) -> None:
    """Refuse members that would take more memory than the file has bytes; `save` writes none."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if any(each.compress_type != zipfile.ZIP_STORED for each in members):
        raise ModelFileError(
            f"{path} is not a model saved by tangency: it holds compressed arrays; give the file "
            "that save() wrote"
        )


def _parse(raw: Any, path: Path) -> dict[str, Any]:
    """Return the header, of this format and of a version that can be read."""
    foreign = f"{path} is not a model saved by tangency"
    try:
        header = json.loads(np.asarray(raw).tobytes())
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelFileError(f"{foreign}: its header says otherwise; give the file save() wrote")
    version = header.get("format_version")
    if not isinstance(version, int) or version < 1:
        raise ModelFileError(f"{foreign}: its format version is {version!r}")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has format {version}, written by tangency "
            f"{header.get('library_version')}; this version reads formats up to {FORMAT_VERSION}; "
            "upgrade tangency"
        )
    return header
