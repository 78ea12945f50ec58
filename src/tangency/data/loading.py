"""`load`: one door to every kind of data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np

from .arrays import read_npy, read_npz
from .bundled import BUNDLED, read_bundled, read_openml
from .dataset import Dataset
from .errors import DataError
from .folders import read_image_folder
from .idx import idx_folder, is_idx_name, read_idx_folder, read_idx_pair
from .inputs import Channels, InputOptions, RawParts, check_labels, prepare
from .tables import read_table

_PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth")
_TABLES = (".csv", ".tsv")
_KINDS = ".npz, .npy, .csv, .tsv, IDX (.idx, -idx3-ubyte; also .gz), a folder of images"


def load(
    source: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    *,
    label_column: str | int | None = -1,
    header: bool | None = None,
    input_shape: tuple[int, ...] | None = None,
    channels: Channels = "auto",
    scale: float | Literal["auto"] | None = "auto",
    dtype: str = "float64",
    require_labels: bool = True,
) -> Dataset:
    """Examples and labels from a file, a folder, or by the name of a known set.

    source: a .npz (x_train, y_train, x_test, y_test, or X, y, X_test, y_test), .npy, .csv or .tsv
    file, IDX images (MNIST's format) or a folder of them, a folder with one folder of images per
    class; `digits`, `breast_cancer`, `wine`, `iris` or `diabetes`; `openml:NAME`. The bare name of
    a known set always means that set: write `./digits` for a folder of that name.
    labels: a second file, for .npy and IDX images.
    label_column, header: for tables; see `tangency.data.tables.read_table`.
    input_shape: the shape that every example is given, channels last.
    channels: where the channel axis is. "auto": images (n, height, width) get one, any other array
    has it last; "none" adds one, "first" moves it.
    scale: what pixels are divided by. "auto": images of unsigned 8-bit or 16-bit integers are
    divided by 255 or 65535 and the digits by 16, so that they lie in [0, 1]; all other numbers are
    taken as they are. None takes everything as it is.
    dtype: "float64" or "float32".
    Floating-point labels are regression targets, all other labels are classes.
    Raises `DataError` (a ValueError) with the file, what is wrong, and the remedy.

    >>> load("digits").summary()
    'digits: 1,797 training examples, shape 8x8x1, 10 classes'
    """
    options = InputOptions(input_shape, channels, scale, dtype)
    raw = _read(os.fspath(source), labels, label_column, header)
    if require_labels and raw.y_train is None:
        raise DataError(
            f"{os.fspath(source)}: there are no labels for its {len(raw.X_train):,} examples; "
            "store them with the examples (y_train or y in a .npz), name their file (labels=, "
            "--labels), or say that none are needed (require_labels=False)"
        )
    name = raw.name
    X_test = raw.X_test
    return Dataset(
        prepare(raw.X_train, options, f"{name}, training part", raw.full_scale),
        _labels(raw.y_train, f"{name}, training part"),
        None if X_test is None else prepare(X_test, options, f"{name}, test part", raw.full_scale),
        _labels(raw.y_test, f"{name}, test part"),
        name,
        raw.class_names,
        raw.feature_names,
    )


def _labels(y: np.ndarray | None, where: str) -> np.ndarray | None:
    return None if y is None else check_labels(y, where)


def _read(
    source: str,
    labels: str | os.PathLike[str] | None,
    label_column: str | int | None,
    header: bool | None,
) -> RawParts:
    takes_labels = Path(source).suffix == ".npy" or is_idx_name(Path(source).name)
    if labels is not None and not takes_labels:
        raise DataError(f"{source}: a second file of labels goes with .npy or IDX images only")
    if source.startswith("openml:"):
        return read_openml(source)
    if source in BUNDLED:
        return read_bundled(source)
    path = Path(source)
    if path.is_dir():
        return read_idx_folder(path) if idx_folder(path) else read_image_folder(path)
    if not path.is_file():
        raise DataError(
            f"{source}: no such file or folder, and not a known set "
            f"({', '.join(BUNDLED)}, openml:NAME)"
        )
    return _read_file(path, None if labels is None else Path(labels), label_column, header)


def _read_file(
    path: Path, labels: Path | None, label_column: str | int | None, header: bool | None
) -> RawParts:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else path.suffix.lower()
    if is_idx_name(path.name):
        return read_idx_pair(path, labels)
    if kind == ".npz":
        return read_npz(path)
    if kind == ".npy":
        return read_npy(path, labels)
    if kind in _TABLES:
        return read_table(path, label_column, header)
    if kind in _PICKLES or _starts_like_pickle(path):
        raise DataError(
            f"{path}: a pickle can run any code when it is read, so it is refused; save the arrays "
            "with numpy.savez instead"
        )
    raise DataError(f"{path}: unknown kind of file {kind or '(no suffix)'!r}; known are {_KINDS}")


def _starts_like_pickle(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(1) == b"\x80"
