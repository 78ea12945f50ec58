"""Pictures in memory: lists of them, and data sets whose items are (picture, label)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from ..checks import shown
from ..nets.signal import CHANNEL_COUNTS
from .errors import DataError
from .given import given_labels, given_numbers
from .inputs import Channels, RawParts
from .pictures import describe, is_picture, one_depth, pixels

_EXPECTED = "expected a picture, or a pair (picture, label)"
_DEPTHS = (np.dtype(np.uint8), np.dtype(np.uint16))


def is_collection(source: Any) -> bool:
    """Whether `source` holds items by number, and is neither text nor an array or table itself.

    What holds them by name, as an open .npz file or a group of HDF5 does, has `keys`.
    """
    if isinstance(source, str | bytes | bytearray) or hasattr(source, "__array__"):
        return False
    if hasattr(source, "keys"):
        return False
    return hasattr(source, "__getitem__") or hasattr(source, "__iter__")


def read_collection(source: Any, channels: Channels) -> RawParts:
    """The items of a list, or of a data set such as those of torchvision, as arrays.

    An item is a picture, or a pair of a picture and its label. A picture is an image of Pillow,
    read as one in a file is, or an array of numbers. Tensors (channels, height, width) are moved
    to channels last where `channels` is "auto" and the shape leaves no doubt. Names of classes
    are those in `source.classes`.
    Raises `DataError` with the number of the first item that does not fit.
    """
    name = "pictures" if isinstance(source, list | tuple) else type(source).__name__
    count = _length(source, name)
    images, labels, kinds = [], [], set()
    for number in range(count):
        where = f"{name}, item {number}"
        image, label = _picture_and_label(source[number], where)
        images.append(_array(image, where))
        labels += label
        _refuse_unlike(images[0], images[-1], where)
        if len(labels) not in (0, number + 1):
            raise DataError(f"{name}: some items have a label and some have none; give all one")
        kinds.add(
            "tensors" if is_torch_array(image) else "pictures" * is_picture(image) or "arrays"
        )
    X = one_depth([images])[0] if images[0].dtype in _DEPTHS else np.stack(images)
    if "tensors" in kinds and len(kinds) > 1 and channels == "auto":
        raise DataError(
            f"{name}: some are tensors, whose channels may come first, and some {min(kinds)}; give "
            "all of one kind, or say channels='last' or channels='first'"
        )
    if "tensors" in kinds and channels == "auto" and X.ndim > 3:
        X = _channels_last(X, name)
    y = given_labels(labels, name) if labels else None
    names = _class_names(source, y)
    return RawParts(X, y, name=name, class_names=names, pictures=kinds == {"pictures"})


def _length(source: Any, name: str) -> int:
    inner = getattr(source, "dataset", None)
    if inner is not None and not hasattr(source, "__getitem__"):
        raise DataError(f"{name}: gives batches; pass the data set in it, its .dataset")
    if not hasattr(source, "__getitem__") or not hasattr(source, "__len__"):
        raise DataError(f"{name}: its items have no numbers; pass list(…) of it")
    if len(source) == 0:
        raise DataError(f"{name}: there are no items in it")
    return len(source)


def _picture_and_label(item: Any, where: str) -> tuple[Any, list[Any]]:
    if isinstance(item, dict):
        keys = ", ".join(map(shown, item))
        raise DataError(
            f"{where} is a dictionary of {keys}; pass pairs, as in "
            '[(row["image"], row["label"]) for row in data]'
        )
    if not isinstance(item, tuple | list):
        return item, []
    if len(item) != 2:
        raise DataError(f"{where} is a {type(item).__name__} of {len(item)}; {_EXPECTED}")
    image, label = item
    if getattr(label, "shape", None) == ():
        label = label.item()
    if isinstance(label, dict | list | tuple) or hasattr(label, "shape"):
        raise DataError(f"{where}: its label is {shown(label)}; expected one number or name")
    return image, [label]


def _array(image: Any, where: str) -> np.ndarray:
    if is_picture(image):
        return pixels(image, where)
    if not hasattr(image, "shape"):
        raise DataError(f"{where} is {shown(image)}; {_EXPECTED}")
    found = given_numbers(image, where)
    if found.ndim == 0:
        raise DataError(f"{where} is a single number; {_EXPECTED}")
    return found


def _refuse_unlike(first: np.ndarray, image: np.ndarray, where: str) -> None:
    if image.shape != first.shape:
        raise DataError(
            f"{where}: {describe(image.shape)}, but item 0 is {describe(first.shape)}; all must "
            "have one size and be all grey or all in colour: image.resize((width, height)) and "
            'image.convert("RGB") for images of Pillow'
        )
    if image.dtype != first.dtype and not {image.dtype, first.dtype} <= set(_DEPTHS):
        raise DataError(
            f"{where}: numbers of type {image.dtype}, but item 0 has {first.dtype}; "
            "give all one type"
        )


def _channels_last(X: np.ndarray, name: str) -> np.ndarray:
    first, last = (X.shape[axis] in CHANNEL_COUNTS for axis in (1, -1))
    if first == last:
        raise DataError(
            f"{name}: tensors of shape {X.shape[1:]} may have their channels first or last; say "
            "channels='first' or channels='last'"
        )
    return np.moveaxis(X, 1, -1) if first else X


def _class_names(source: Any, y: np.ndarray | None) -> tuple[str, ...] | None:
    """Of a data set that names its classes, or of the one that it is a part of.

    None where labels may have been changed on the way: what else holds a `dataset` may give its
    items other labels.
    """
    while not hasattr(source, "classes") and hasattr(source, "dataset"):
        if not hasattr(source, "indices"):
            return None
        source = source.dataset
    if getattr(source, "target_transform", None) is not None:
        return None
    names = getattr(source, "classes", None)
    if y is None or y.dtype.kind not in "iu" or not isinstance(names, Sequence):
        return None
    fits = all(isinstance(name, str) for name in names) and 0 <= y.min() <= y.max() < len(names)
    return tuple(names) if fits and not isinstance(names, str) else None
