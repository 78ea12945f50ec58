"""A folder of images with one folder per class."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from .errors import DataError
from .inputs import RawParts

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm", ".webp")


def read_image_folder(folder: Path) -> RawParts:
    """`folder/CLASS/*.png`, or `folder/train/CLASS/*` with `folder/test/CLASS/*`.

    Classes are the folder names in alphabetical order, files are read in the order of their names;
    hidden files and files that are no images by their suffix are left alone. Images keep their
    depth: (n, height, width, channels), channels 1 for grey and 3 for colour. Labels are class
    numbers. Raises `DataError` that names the first image of another size or another kind.
    """
    inner = {entry.name.lower(): entry for entry in _folders(folder)}
    if "train" in inner and set(inner) <= {"train", "test"}:
        classes = [entry.name for entry in _folders(inner["train"])]
        X, y = _read_part(inner["train"], classes, None)
        if "test" not in inner:
            return RawParts(X, y, name=folder.resolve().name, class_names=tuple(classes))
        extra = [e.name for e in _folders(inner["test"]) if e.name not in classes]
        if extra:
            raise DataError(f"{inner['test']}: class {extra[0]!r} is not in the training part")
        X_test, y_test = _read_part(inner["test"], classes, X.shape[1:])
        return RawParts(X, y, X_test, y_test, folder.resolve().name, tuple(classes))
    classes = [entry.name for entry in _folders(folder)]
    X, y = _read_part(folder, classes, None)
    return RawParts(X, y, name=folder.resolve().name, class_names=tuple(classes))


def _folders(folder: Path) -> list[Path]:
    return sorted(e for e in folder.iterdir() if e.is_dir() and not e.name.startswith("."))


def _images(folder: Path) -> list[Path]:
    return sorted(
        entry
        for entry in folder.iterdir()
        if entry.suffix.lower() in SUFFIXES and not entry.name.startswith(".")
    )


def _read_part(
    folder: Path, classes: list[str], shape: tuple[int, ...] | None
) -> tuple[np.ndarray, np.ndarray]:
    if not classes:
        raise DataError(
            f"{folder}: neither IDX files nor one folder of images per class were found in it"
        )
    images, labels = [], []
    first: Path | None = None
    for number, name in enumerate(classes):
        if not (folder / name).is_dir():  # a class without test images
            continue
        paths = _images(folder / name)
        if not paths:
            raise DataError(f"{folder / name}: no images in it (looked for {', '.join(SUFFIXES)})")
        for path in paths:
            image = _read_image(path)
            if shape is not None and image.shape != shape:
                where = "the training images are" if first is None else f"{first} is"
                raise DataError(
                    f"{path}: {_describe(image.shape)}, but {where} {_describe(shape)}; all "
                    "images must have one size and be all grey or all in colour"
                )
            shape, first = image.shape, first or path
            images.append(image)
            labels.append(number)
    if not images:
        raise DataError(f"{folder}: no images in it")
    return np.stack(images), np.array(labels)


def _describe(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]} pixels in {'grey' if shape[2] == 1 else 'colour'}"


def _pillow() -> Any:
    try:
        return importlib.import_module("PIL.Image")
    except ImportError as error:
        raise DataError(
            "a folder of images needs Pillow, which is not installed: pip install pillow"
        ) from error


def _read_image(path: Path) -> np.ndarray:
    pillow = _pillow()
    try:
        with pillow.open(path) as image:
            mode = image.mode
            if mode == "1":
                image = image.convert("L")
            elif mode in ("P", "CMYK", "YCbCr", "LAB", "HSV") and "transparency" not in image.info:
                image = image.convert("RGB")
            elif mode not in ("L", "RGB", "I;16", "I;16B"):
                raise DataError(
                    f"{path}: pixels of kind {mode!r} with transparency or without a fixed scale; "
                    "save it as plain grey or RGB"
                )
            pixels = np.array(image)
    except DataError:
        raise
    except Exception as error:  # Pillow's readers raise errors of every kind on damaged files.
        raise DataError(f"{path}: cannot be read as an image ({error})") from error
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
