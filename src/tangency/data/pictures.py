"""One picture from a file: its pixels as they are meant to be seen, or a refusal."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import DataError

#: Pillow's kinds of pixels that are taken as they are, and those that it turns into grey or RGB.
_PLAIN = ("L", "RGB", "I;16", "I;16B", "I;16L")
_TURNED = {"1": "L", "P": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB"}
_ALPHA = {"LA": "LA", "RGBA": "RGBA", "PA": "RGBA"}
_DEEPER = 65535 // 255


def read_picture(path: Path) -> np.ndarray:
    """(height, width, channels), unsigned 8 or 16 bits, channels 1 for grey and 3 for colour.

    Turned as its EXIF orientation says. Opaque alpha is dropped. Raises `DataError` for what is no
    picture, has several frames, transparent pixels, or pixels without a fixed scale.
    """
    pillow = _pillow("PIL.Image")
    if not path.is_file():  # a pipe would be waited for
        raise DataError(f"{path}: is no file that can be read; remove or rename it")
    try:
        with pillow.open(path) as image:
            # Photographs of telephones (MPO) hold previews behind the picture itself.
            if getattr(image, "is_animated", False) and image.format != "MPO":
                raise DataError(
                    f"{path}: holds {image.n_frames} frames or pages; save the one that is meant "
                    "as an image of its own"
                )
            pixels = np.array(_upright(_plain(image, path)))
    except DataError:
        raise
    except Exception as error:  # Pillow's readers raise errors of every kind on damaged files.
        raise DataError(f"{path}: cannot be read as an image ({error})") from error
    pixels = pixels.astype(pixels.dtype.newbyteorder("="))
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def one_depth(parts: Sequence[Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Each part stacked, all of one type: 8 bits become 16 where some pictures have 16.

    White stays white: 255 becomes 65,535.
    """
    deep = any(image.dtype == np.uint16 for part in parts for image in part)
    if not deep:
        return [np.stack(part) for part in parts]
    return [np.stack([_deepened(image) for image in part]) for part in parts]


def _deepened(image: np.ndarray) -> np.ndarray:
    return image if image.dtype == np.uint16 else image.astype(np.uint16) * np.uint16(_DEEPER)


def _plain(image: Any, path: Path) -> Any:
    mode = image.mode
    if mode in _ALPHA or "transparency" in image.info:
        return _without_alpha(image, path)
    if mode in _TURNED:
        return image.convert(_TURNED[mode])
    if mode not in _PLAIN:
        raise DataError(
            f"{path}: pixels of kind {mode!r}, without a fixed scale; save it as plain grey or "
            "RGB, or as an array (.npy, .npz)"
        )
    return image


def _without_alpha(image: Any, path: Path) -> Any:
    """The picture under an alpha channel or a transparent colour that covers nothing up."""
    kind = "LA" if image.mode in ("1", "L", "LA") else "RGBA"
    whole = image.convert(kind) if image.mode in (*_ALPHA, "1", "L", "RGB", "P") else None
    if whole is None or whole.getchannel("A").getextrema()[0] < 255:
        raise DataError(
            f"{path}: pixels of kind {image.mode!r} with transparency, whose colour depends on "
            "what is behind; flatten it onto a background and save it as plain grey or RGB"
        )
    return whole.convert(kind.removesuffix("A"))


def _upright(image: Any) -> Any:
    """The picture turned or mirrored as the camera noted."""
    image.load()
    try:
        return _pillow("PIL.ImageOps").exif_transpose(image)
    except Exception:  # A damaged note says nothing; the pixels have been read by now.
        return image


def _pillow(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DataError(
            "a folder of images needs Pillow, which is not installed: pip install pillow"
        ) from error
