"""A picture of some examples of each class."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np

from .page import Picture

_COLUMNS, _ROWS, _LARGEST = 10, 3, 48
_GAP = 1


def sample_picture(
    X: np.ndarray, y: np.ndarray | None, names: Sequence[str], seed: int = 0
) -> Picture | None:
    """A column of examples for each of the first ten classes, None where X holds no images.

    X: (n, height, width, 1 or 3). y: (n,) classes or None; names: one for each class.
    """
    if X.ndim != 4 or X.shape[-1] not in (1, 3) or min(X.shape[1:3]) < 2:
        return None
    columns = _columns(len(X), y, seed)
    if not columns:
        return None
    height, width, channels = X.shape[1:]
    rows = max(map(len, columns))
    sheet = np.zeros((rows * (height + _GAP) - _GAP, len(columns) * (width + _GAP) - _GAP, 4))
    low, high = float(X.min()), float(X.max())
    for i, column in enumerate(columns):
        for j, row in enumerate(column):
            top, left = j * (height + _GAP), i * (width + _GAP)
            tile = sheet[top : top + height, left : left + width]
            tile[..., :3] = (X[row] - low) / (high - low or 1)
            tile[..., 3] = 1
    scale = max(1, round(_LARGEST / max(height, width)))
    shown = ", ".join(names[: len(columns)]) if y is not None else ""
    alt = f"{sum(map(len, columns))} of the images" + (
        f", a column for each of {shown}" * bool(shown)
    )
    size = sheet.shape
    return Picture(_png(sheet, channels), scale * size[1], scale * size[0], alt)


def _columns(n: int, y: np.ndarray | None, seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    if y is None:
        order = random.permutation(n)[: _COLUMNS * _ROWS]
        return [part for part in np.array_split(order, _COLUMNS) if len(part)]
    return [
        random.permutation(np.flatnonzero(y == label))[:_ROWS] for label in np.unique(y)[:_COLUMNS]
    ]


def picture_address(x: np.ndarray, low: float, high: float) -> str:
    """The address (a data URI) of an image (height, width, 1 or 3); low is black, high white."""
    sheet = np.ones((*x.shape[:2], 4))
    sheet[..., :3] = np.clip((x - low) / (high - low or 1), 0, 1)
    return _png(sheet, x.shape[-1])


def _png(sheet: np.ndarray, channels: int) -> str:
    from PIL import Image

    pixels = np.round(255 * sheet).astype(np.uint8)
    image = Image.fromarray(pixels[..., [0, 3]] if channels == 1 else pixels)
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
