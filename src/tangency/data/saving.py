"""Fitted preprocessing inside a model's file, as plain arrays and JSON, never as a pickle."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..files import naming
from ..printable import cut, shown
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
                step.check_parameters()
                for name in step.fitted:
                    setattr(step, name, read_member(archive, f"{_HEADER}.{i}.{name}", path))
                step.check_fitted()
                steps.append(step)
            return steps, _checked_notes(header["metadata"])
        except (KeyError, TypeError, DataError, ValueError, RecursionError) as error:
            if str(error).startswith(str(path)):
                raise
            raise DataError(
                f"{path}: its preprocessing is damaged ({cut(repr(error), 200)}); fit again"
            ) from error


def _checked_notes(notes: Any) -> dict[str, Any]:
    """The metadata of a file, of the types that they are written in. Raises `DataError`."""
    if not isinstance(notes, dict):
        raise DataError("its metadata are no object")
    for name, (good, expected) in _NOTES.items():
        if name in notes and not good(notes[name]):
            raise DataError(f"{name} is {shown(notes[name])}, which must be {expected}")
    return notes


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(type(size) is int and 0 < size < 2**63 for size in value)


def _is_size(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < np.inf


def _are_names(value: Any) -> bool:
    return value is None or (
        isinstance(value, list) and all(isinstance(name, str) for name in value)
    )


def _is_reading(value: Any) -> bool:
    shape = value.get("input_shape") if isinstance(value, dict) else 0
    return shape is None or _is_shape(shape)


_NOTES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "reading": (_is_reading, "an object with an input_shape of whole numbers"),
    "input_shape": (_is_shape, "whole numbers above 0"),
    "largest": (_is_size, "a number of at least 0"),
    "class_names": (_are_names, "null or texts"),
    "feature_names": (_are_names, "null or texts"),
}
