"""Products of 3×3 patches with many filters in a quarter of the multiplications.

Four by four neighbouring products take 36 numbers of the image, which overlap, where patches one by
one take 144: with the matrices B, G, A below, Y = Aᵀ[(G F Gᵀ) ⊙ (Bᵀ X B)]A for a 6×6 tile X and a
filter F. Over channels, ⊙ is a product of matrices for each of the 36 places.

Source: Lavin & Gray 2016, "Fast algorithms for convolutional neural networks", F(4×4, 3×3), after
Winograd 1980; the points are 0, ±1, ±2 and ∞.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import warm
from .jit import jit

G = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
# Tiles that are taken at a time, and filters: what lies between stays in the processor's cache.
_TILES, _FILTERS = 192, 256


class Winograd:
    """Products with filters (3, 3, d, m), float32 or float64."""

    def __init__(self, filters: np.ndarray) -> None:
        get_ready(filters.dtype)
        spread = np.einsum("ia,jb,abdm->ijdm", G, G, filters.astype(np.float64))
        self.filters = spread.reshape(36, *filters.shape[2:]).astype(filters.dtype)

    def __call__(self, x: np.ndarray, out: np.ndarray) -> None:
        """x (n, 4a + 2, 4b + 2, d), zeros where there is no position; out (n, ≤ 4a, ≤ 4b, m)."""
        n, down, across, d = x.shape
        down, across, m = down // 4, across // 4, out.shape[-1]
        tiles = n * down * across
        dtype = x.dtype
        spread = np.empty((36, tiles, d), dtype)
        buffer = np.empty((6, 6, max(d, min(m, _FILTERS))), dtype)
        room = np.empty(36 * tiles * min(m, _FILTERS), dtype)
        spread_tiles(x, spread, buffer, down, across)
        for start in range(0, m, _FILTERS):
            some = self.filters[:, :, start : start + _FILTERS]
            found = room[: 36 * tiles * some.shape[2]].reshape(36, tiles, -1)
            np.matmul(spread, some, out=found)
            gather_tiles(found, out, buffer, down, across, start)


def images_at_once(down: int, across: int) -> int:
    """How many images, of so many positions from top to bottom and across, fill a strip."""
    return max(1, _TILES // (-(-down // 4) * -(-across // 4)))


def get_ready(dtype: Any) -> None:
    """Compile both loops for a dtype ahead of their first use, as `warm.get_ready`."""
    found = np.dtype(dtype)
    warm.once(found.name, "patches", lambda: _tiny(found))


def _tiny(dtype: Any) -> None:
    """A first call of both loops, which compiles them."""
    x, out, buffer = (np.ones(shape, dtype) for shape in ((1, 6, 6, 1), (1, 4, 4, 1), (6, 6, 1)))
    spread = np.ones((36, 1, 1), dtype)
    spread_tiles(x, spread, buffer, 1, 1)
    gather_tiles(spread, out, buffer, 1, 1, 0)


@jit
def spread_tiles(x, out, buffer, down, across):
    """Bᵀ X B of every tile: out (36, tiles, d)."""
    d = x.shape[3]
    for tile in range(out.shape[1]):
        image, place = tile // (down * across), tile % (down * across)
        i, j = 4 * (place // across), 4 * (place % across)
        for k in range(6):
            for c in range(d):
                x0, x1 = x[image, i, j + k, c], x[image, i + 1, j + k, c]
                x2, x3 = x[image, i + 2, j + k, c], x[image, i + 3, j + k, c]
                x4, x5 = x[image, i + 4, j + k, c], x[image, i + 5, j + k, c]
                even, odd = x4 - 4 * x2, x3 - 4 * x1
                close, wide = x4 - x2, 2 * (x3 - x1)
                buffer[0, k, c] = 4 * x0 - 5 * x2 + x4
                buffer[1, k, c] = even + odd
                buffer[2, k, c] = even - odd
                buffer[3, k, c] = close + wide
                buffer[4, k, c] = close - wide
                buffer[5, k, c] = 4 * x1 - 5 * x3 + x5
        for k in range(6):
            at = 6 * k
            for c in range(d):
                x0, x1, x2 = buffer[k, 0, c], buffer[k, 1, c], buffer[k, 2, c]
                x3, x4, x5 = buffer[k, 3, c], buffer[k, 4, c], buffer[k, 5, c]
                even, odd = x4 - 4 * x2, x3 - 4 * x1
                close, wide = x4 - x2, 2 * (x3 - x1)
                out[at, tile, c] = 4 * x0 - 5 * x2 + x4
                out[at + 1, tile, c] = even + odd
                out[at + 2, tile, c] = even - odd
                out[at + 3, tile, c] = close + wide
                out[at + 4, tile, c] = close - wide
                out[at + 5, tile, c] = 4 * x1 - 5 * x3 + x5


@jit
def gather_tiles(found, out, buffer, down, across, start):
    """Aᵀ M A of every tile, as far as it lies in `out`, at filters from `start` on."""
    height, width, count = out.shape[1], out.shape[2], found.shape[2]
    for tile in range(found.shape[1]):
        image, place = tile // (down * across), tile % (down * across)
        i, j = 4 * (place // across), 4 * (place % across)
        for k in range(6):
            for c in range(count):
                one, two = found[6 + k, tile, c], found[12 + k, tile, c]
                three, four = found[18 + k, tile, c], found[24 + k, tile, c]
                near, far = one + two, three + four
                tilt, slope = one - two, three - four
                buffer[0, k, c] = found[k, tile, c] + near + far
                buffer[1, k, c] = tilt + 2 * slope
                buffer[2, k, c] = near + 4 * far
                buffer[3, k, c] = tilt + 8 * slope + found[30 + k, tile, c]
        for k in range(min(4, height - i)):
            full = j + 4 <= width
            for c in range(count):
                one, two = buffer[k, 1, c], buffer[k, 2, c]
                three, four = buffer[k, 3, c], buffer[k, 4, c]
                near, far = one + two, three + four
                tilt, slope = one - two, three - four
                out[image, i + k, j, start + c] = buffer[k, 0, c] + near + far
                if full or j + 1 < width:
                    out[image, i + k, j + 1, start + c] = tilt + 2 * slope
                if full or j + 2 < width:
                    out[image, i + k, j + 2, start + c] = near + 4 * far
                if full:
                    out[image, i + k, j + 3, start + c] = tilt + 8 * slope + buffer[k, 5, c]
