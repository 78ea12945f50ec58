"""`load`: one door to every kind of data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..checks import flag, is_whole, shown
from .arrays import read_npy, read_npz
from .bundled import BUNDLED, read_bundled, read_openml
from .collections import is_collection, read_collection
from .dataset import Dataset
from .errors import DataError
from .folders import read_image_folder
from .idx import idx_folder, is_idx_name, read_idx_folder, read_idx_pair
from .inputs import Channels, InputOptions, RawParts, check_labels, check_types, prepare
from .tables import is_table, read_table

_PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth")
_TABLES = (".csv", ".tsv")
_KINDS = ".npz, .npy, .csv, .tsv, IDX (.idx, -idx3-ubyte; also .gz), a folder of images"


def load(
    source: str | os.PathLike[str] | Any,
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
    """Examples and labels from a file, a folder, pictures in memory, or by the name of a known set.

    Args:
        source: a file: .npz (x_train, y_train, x_test, y_test, or X, y, X_test, y_test; names like
            x_val, which are not read, are warned of), .npy, .csv, .tsv, or IDX images (MNIST's
            format). A folder: one folder of images per class, images without labels, or IDX files.
            A name: `digits`, `breast_cancer`, `wine`, `iris`, `diabetes`, or `openml:NAME` (write
            `./digits` for a folder of that name). Or pictures in memory: a list of images of Pillow
            or of arrays, or a list or data set of pairs (picture, label), such as those of
            torchvision. Tensors (channels, height, width) are moved to channels last.
        labels: a second file, for .npy and IDX images.
        label_column: for tables: the name or position of the labels, -1 for the last column; None
            where there are none. -1 is refused where another column is called label, target,
            class or y (any case) and the last is not: say the name of the one that is meant.
        header: for tables: whether the first line has column names; None finds out.
        input_shape: the shape that every example is given, channels last.
        channels: where the channel axis is. "auto": images (n, height, width) get one, any other
            array has it last; "none" adds one, "first" moves it. Files of pictures and images of
            Pillow have it last.
        scale: what pixels are divided by. "auto": images of unsigned 8-bit or 16-bit integers are
            divided by 255 or 65535 and the digits by 16, so that they lie in [0, 1]; all other
            numbers are taken as they are. None takes everything as it is.
        dtype: "float64" or "float32".
        require_labels: False accepts examples without labels.

    Floating-point labels are regression targets, all other labels are classes.

    Raises:
        DataError: (a `ValueError`) with the file, what is wrong, and the remedy.

    >>> load("digits").summary()
    'digits: 1,797 training examples, shape 8x8x1, 10 classes'
    """
    options = InputOptions(input_shape, channels, scale, dtype)
    collected = is_collection(source)
    place = type(source).__name__ if collected else _path_text(source, "source")
    try:
        if collected:
            _refuse_options_of_files(place, labels, label_column, header)
            raw = read_collection(source, channels)
        else:
            raw = _read(place, labels, label_column, header)
    except OSError as error:
        own = error.strerror and str(error.filename) == place
        reason = error.strerror if own else error
        raise DataError(f"{place}: cannot be opened: {reason}") from error
    _check_labels_and_channels(
        raw, place, channels, flag(require_labels, "require_labels", error=DataError)
    )
    name, X_test = raw.name, raw.X_test
    X = prepare(raw.X_train, options, f"{name}, training part", raw.full_scale)
    if X_test is not None:
        check_types(raw.X_train, X_test, options, name)
        X_test = prepare(X_test, options, f"{name}, test part", raw.full_scale)
    return Dataset(
        X,
        _labels(raw.y_train, f"{name}, training part"),
        X_test,
        _labels(raw.y_test, f"{name}, test part"),
        name,
        raw.class_names,
        raw.feature_names,
    )


def _check_labels_and_channels(
    raw: RawParts, place: str, channels: Channels, require_labels: bool
) -> None:
    if require_labels and raw.y_train is None:
        raise DataError(
            f"{place}: there are no labels for its {len(raw.X_train):,} examples; "
            "store them with the examples (y_train or y in a .npz, one folder of images per "
            "class, pairs of a picture and its label), or name their file (labels=, --labels); in "
            "Python require_labels=False takes examples without labels"
        )
    if raw.pictures and channels in ("first", "none"):
        raise DataError(
            f"{place}: pictures are read with their channels last; channels={channels!r} is for "
            "arrays: leave it out"
        )


def _refuse_options_of_files(place: str, labels: Any, label_column: Any, header: Any) -> None:
    if (labels, label_column, header) != (None, -1, None):
        raise DataError(
            f"{place}: labels, label_column and header are for files; give pairs, as in "
            "list(zip(pictures, labels))"
        )


def _path_text(path: Any, name: str) -> str:
    """The path or name as text; raises `DataError` for anything that is neither."""
    try:
        text: Any = os.fspath(path)
    except TypeError:
        remedy = ""
        if hasattr(path, "__array__"):
            remedy = "; arrays go into Dataset(X, y), or straight into a kernel"
        elif hasattr(path, "keys"):
            remedy = "; take the arrays out of it, as in Dataset(source['X'], source['y'])"
        raise DataError(f"{name} must be a path or a name, got {shown(path)}{remedy}") from None
    if not isinstance(text, str) or not text or "\0" in text or len(text) > 4096:
        raise DataError(f"{name} must be a path or a name, got {shown(text)}")
    return text


def _check_table_options(source: str, label_column: Any, header: Any) -> None:
    """Options of tables are for tables: elsewhere they would be passed over in silence."""
    if not (is_whole(label_column) or label_column is None or isinstance(label_column, str)):
        raise DataError(
            f"label_column must be a name, a position or None, got {shown(label_column)}"
        )
    if not (header is None or isinstance(header, bool)):
        raise DataError(f"header must be True, False or None, got {shown(header)}")
    if is_table(source) and source not in BUNDLED and not source.startswith("openml:"):
        return
    if label_column != -1:
        raise DataError(
            f"{source}: a label column ({shown(label_column)}) is for tables (.csv, .tsv); labels "
            "of other data are y_train or y in a .npz, or a second file (labels=, --labels)"
        )
    if header is not None:
        raise DataError(f"{source}: a header is for tables (.csv, .tsv); leave header= out")


def _labels(y: np.ndarray | None, where: str) -> np.ndarray | None:
    return None if y is None else check_labels(y, where)


def _read(
    source: str,
    labels: str | os.PathLike[str] | None,
    label_column: str | int | None,
    header: bool | None,
) -> RawParts:
    _check_table_options(source, label_column, header)
    if labels is not None:
        labels = _path_text(labels, "labels")
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
