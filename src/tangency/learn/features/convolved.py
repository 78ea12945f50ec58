"""Products of the 3×3 patches of images with landmarks, without the patches being written down."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import is_numpy_array
from numpy.typing import NDArray

from ...engines.fused.winograd import Winograd, images_at_once
from ...nets.geometry import Box, Points
from .positions import patches, span
from .products import squares

Array = NDArray[Any]


def put_off(x: Any, geometry: Box | Points) -> bool:
    """Whether patches of these features need not be written down: 3×3, at every position."""
    if not (is_numpy_array(x) and isinstance(geometry, Box) and len(geometry.axes) == 2):
        return False
    windows = geometry.axes
    return all(w.stride == 1 and np.array_equal(np.diff(w.taps), [1, 1]) for w in windows)


def patch_squares(x: Array, geometry: Box) -> Array:
    """‖x[u]‖² of the patches at every position."""
    return patches(squares(x)[..., None], geometry).sum(axis=-1)


def filters(landmarks: Array) -> Winograd:
    """Landmarks (m, 9·d), patches of three rows of three, as filters."""
    m = len(landmarks)
    return Winograd(np.ascontiguousarray(landmarks.reshape(m, 3, 3, -1).transpose(1, 2, 3, 0)))


class Convolved:
    """Products with filters of all patches of some images, strip by strip of whole images."""

    def __init__(self, x: Array, geometry: Box, found: Winograd) -> None:
        self.found, self.space = found, geometry.space_out
        self.framed = x
        for axis, window in enumerate(geometry.axes, start=1):
            first = window.start + window.taps[0]
            self.framed = span(self.framed, axis, window, first, first + window.size_out + 2)
        missing = [-size % 4 for size in self.space]
        if any(missing):
            around = [(0, 0), *((0, each) for each in missing), (0, 0)]
            self.framed = np.pad(self.framed, around)
        self.framed = np.ascontiguousarray(self.framed)

    def into(self, images: slice, out: Array) -> None:
        """The products of some images, (n, *space, m)."""
        self.found(self.framed[images], out)


def strips(n: int, space: tuple[int, ...]) -> list[slice]:
    """The images that are taken at a time."""
    step = images_at_once(*space)
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]
