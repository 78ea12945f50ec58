"""One picture, from a file or Pillow's: its pixels as they are meant to be seen, or a refusal."""

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
        raise DataError(f"{path}: is not a readable file; remove or rename it")
    try:
        with pillow.open(path) as image:
            # Photographs of telephones (MPO) hold previews behind the picture itself.
            if getattr(image, "is_animated", False) and image.format != "MPO":
                raise DataError(
                    f"{path}: holds {image.n_frames} frames or pages; save the one that is meant "
                    "as an image of its own"
                )
            return pixels(image, str(path))
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path}: cannot be read as an image ({error})") from error


def is_picture(value: Any) -> bool:
    """Whether a value is an image of Pillow; Pillow itself is not imported for it."""
    kinds = (kind.__module__ for kind in type(value).__mro__)
    return "PIL.Image" in kinds and hasattr(value, "getchannel")


def pixels(image: Any, where: str) -> np.ndarray:
    """The pixels of an image of Pillow, in the form that `read_picture` gives.

    Raises `DataError`, which begins with `where`, as `read_picture` does.
    """
    try:
        found = np.array(_upright(_plain(image, where)))
    except DataError:
        raise
    except Exception as error:  # Pillow's readers raise errors of every kind on damaged files.
        raise DataError(f"{where}: cannot be read as an image ({error})") from error
    found = found.astype(found.dtype.newbyteorder("="))
    return found[..., np.newaxis] if found.ndim == 2 else found


def describe(shape: tuple[int, ...]) -> str:
    """The size of a picture in words, `28x28 pixels in grey`; any other shape as it is."""
    if len(shape) != 3 or shape[2] not in (1, 3):
        return f"of shape {shape}"
    return f"{shape[1]}x{shape[0]} pixels in {'grey' if shape[2] == 1 else 'colour'}"


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


def _plain(image: Any, where: str) -> Any:
    mode = image.mode
    if mode in _ALPHA or "transparency" in image.info:
        return _without_alpha(image, where)
    if mode in _TURNED:
        return image.convert(_TURNED[mode])
    if mode not in _PLAIN:
        raise DataError(
            f"{where}: pixels of kind {mode!r}, without a fixed scale; save it as plain grey or "
            "RGB, or as an array (.npy, .npz)"
        )
    return image


def _without_alpha(image: Any, where: str) -> Any:
    """The picture under an alpha channel or a transparent colour that covers nothing up."""
    kind = "LA" if image.mode in ("1", "L", "LA") else "RGBA"
    whole = image.convert(kind) if image.mode in (*_ALPHA, "1", "L", "RGB", "P") else None
    if whole is None or whole.getchannel("A").getextrema()[0] < 255:
        raise DataError(
            f"{where}: pixels of kind {image.mode!r} with transparency, whose colour depends on "
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
