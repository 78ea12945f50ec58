"""Fitted preprocessing inside a model's file, as plain arrays and JSON, never as a pickle."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..files import naming
from .arrays import open_npz, read_member
from .errors import DataError
from .preprocessing import ZCA, NormalizeImages, Standardize

Step = Standardize | NormalizeImages | ZCA
_KINDS: dict[str, type[Step]] = {
    kind.__name__: kind for kind in (Standardize, NormalizeImages, ZCA)
}
_HEADER = "preprocessing"
_FORMAT = 1


def add_preprocessing(path: Path, steps: Sequence[Step], metadata: dict[str, Any]) -> None:
    """Add fitted steps, in order, and JSON-able metadata to an existing .npz archive.

    Parameters go into the JSON text `preprocessing`, fitted arrays into `preprocessing.0.mean_`
    and so on. Whatever else is in the archive stays as it is.
    """
    described = [{"kind": type(step).__name__, "parameters": step.get_params()} for step in steps]
    header = {"format": _FORMAT, "steps": described, "metadata": metadata}
    arrays = {_HEADER: np.array(json.dumps(header))}
    for i, step in enumerate(steps):
        arrays |= {f"{_HEADER}.{i}.{name}": getattr(step, name) for name in step.fitted}
    with naming(path), zipfile.ZipFile(path, "a") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


def read_preprocessing(path: Path) -> tuple[list[Step], dict[str, Any]] | None:
    """The fitted steps and the metadata that `add_preprocessing` wrote; None if there are none.

    Raises `DataError` for a newer format or a damaged file.
    """
    with open_npz(path) as archive:
        if _HEADER not in archive.files:
            return None
        try:
            header = json.loads(str(read_member(archive, _HEADER, path)))
            if header["format"] != _FORMAT:
                raise DataError(
                    f"{path}: its preprocessing has format {header['format']}, this version reads "
                    f"{_FORMAT}; use the version of tangency that wrote it"
                )
            steps = []
            for i, described in enumerate(header["steps"]):
                step = _KINDS[described["kind"]](**described["parameters"])
                for name in step.fitted:
                    setattr(step, name, read_member(archive, f"{_HEADER}.{i}.{name}", path))
                steps.append(step)
            return steps, header["metadata"]
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise DataError(f"{path}: its preprocessing is damaged ({error!r})") from error
