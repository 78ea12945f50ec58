"""A folder of images: one folder per class, or images alone."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np

from ..checks import shown
from ..errors import callers_level
from .errors import DataError, DataWarning
from .inputs import RawParts
from .pictures import describe, one_depth, read_picture

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
    *(".pbm", ".pgm", ".pnm", ".ppm", ".tga", ".jp2"),
    # Not read everywhere, but never passed over in silence.
    *(".avif", ".heic", ".heif"),
)


def read_image_folder(folder: Path) -> RawParts:
    """`folder/CLASS/*.png`, `folder/train/CLASS/*` with `folder/test/CLASS/*`, or `folder/*`.

    In a folder without folders, the images have no labels.
    Classes are the folder names in alphabetical order, files are read in the order of their names;
    hidden files and files that are no images by their suffix are left alone; images in folders
    within a class are refused, and images beside the folders of classes warned of. Images are
    turned as their EXIF orientation says and keep their depth: (n, height, width, channels),
    channels 1 for grey and 3 for colour; where some have 16 bits, those of 8 are read as 16, with
    the same white. Labels are class numbers.
    Raises `DataError` that names the first image of another size or another kind.
    """
    name = folder.resolve().name
    if not _folders(folder) and (paths := _images(folder)):
        return RawParts(one_depth([_read_all(paths)])[0], name=name, pictures=True)
    inner = {entry.name.lower(): entry for entry in _folders(folder)}
    _refuse_parts(folder, inner)
    if "train" not in inner or not set(inner) <= {"train", "test"}:
        classes = [entry.name for entry in _folders(folder)]
        images, y = _read_part(folder, classes, None)
        _warn_of_strays(folder, "the folders of classes")
        return RawParts(
            one_depth([images])[0], y, name=name, class_names=tuple(classes), pictures=True
        )
    classes = [entry.name for entry in _folders(inner["train"])]
    images, y = _read_part(inner["train"], classes, None)
    _warn_of_strays(folder, "the folders train and test")
    for part in inner.values():
        _warn_of_strays(part, "the folders of classes")
    if "test" not in inner:
        return RawParts(
            one_depth([images])[0], y, name=name, class_names=tuple(classes), pictures=True
        )
    extra = [e.name for e in _folders(inner["test"]) if e.name not in classes]
    if extra:
        raise DataError(f"{inner['test']}: class {extra[0]!r} is not in the training part")
    test_images, y_test = _read_part(inner["test"], classes, images[0].shape)
    X, X_test = one_depth([images, test_images])
    return RawParts(X, y, X_test, y_test, name, tuple(classes), pictures=True)


def _refuse_parts(folder: Path, inner: dict[str, Path]) -> None:
    """A part for validation would be a class, and so would train and test beside it."""
    other = [inner[name] for name in inner if name not in ("train", "test")]
    holds_classes = "train" in inner and _folders(inner["train"]) and not _images(inner["train"])
    if holds_classes and other:
        raise DataError(
            f"{folder}: holds {shown(other[0].name)} beside train; parts are called train and "
            f"test: rename that folder to test, take it out, or load {inner['train']} alone"
        )


def _warn_of_strays(folder: Path, beside: str) -> None:
    """Images that no class has would be left out in silence."""
    strays = _images(folder)
    if strays:
        warnings.warn(
            f"{folder}: {len(strays):,} images lie beside {beside} and are not read, the first is "
            f"{shown(strays[0].name)}; move them into the folder of their class, or out of the way",
            DataWarning,
            stacklevel=callers_level(),
        )


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
) -> tuple[list[np.ndarray], np.ndarray]:
    if not classes:
        raise DataError(
            f"{folder}: neither IDX files nor one folder of images per class were found in it"
        )
    paths, labels = [], []
    for number, name in enumerate(classes):
        if not (folder / name).is_dir():  # a class without test images
            continue
        found = _images(folder / name)
        _refuse_nested(folder / name)
        if not found:
            raise DataError(f"{folder / name}: no images in it (looked for {', '.join(SUFFIXES)})")
        paths += found
        labels += [number] * len(found)
    if not paths:
        raise DataError(f"{folder}: no images in it")
    return _read_all(paths, shape), np.array(labels)


def _read_all(paths: list[Path], shape: tuple[int, ...] | None = None) -> list[np.ndarray]:
    """Images of one shape, that of the training images where it is given."""
    images: list[np.ndarray] = []
    for path in paths:
        image = read_picture(path)
        if shape is not None and image.shape != shape:
            where = f"{paths[0]} is" if images else "the training images are"
            raise DataError(
                f"{path}: {describe(image.shape)}, but {where} {describe(shape)}; all "
                "images must have one size and be all grey or all in colour"
            )
        shape = image.shape
        images.append(image)
    return images


def _refuse_nested(folder: Path) -> None:
    """Images in folders of a class's folder are meant to be used, and would be left out."""
    for inner in _folders(folder):
        for place, below, _ in os.walk(inner):
            below[:] = [name for name in below if not name.startswith(".")]
            if images := [path for path in _images(Path(place)) if path.is_file()]:
                if not _images(folder):
                    raise DataError(
                        f"{folder}: holds no images, but folders with images; if those are the "
                        f"classes, load {folder} itself; parts of a set are called train and test"
                    )
                raise DataError(
                    f"{images[0]}: the folder of a class is read without the folders in it; move "
                    f"this image into {folder}, or take its folder out"
                )
