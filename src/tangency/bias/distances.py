"""Relative distances ‖Φ(y) − Φ(x)‖ / ‖Φ(x)‖ between images and their deformed copies."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import array, whole
from ..errors import InputError
from ..kernels.base import Kernel
from ..kernels.inputs import signals

#: The relative error that a distance may have at most. Means over images vary by far more, and a
#: smaller error takes far longer where images are near to each other.
PRECISION = 1e-2


def some_images(images: Any, axes: int, count: int | None, seed: int) -> np.ndarray:
    """At most `count` of the images, drawn at random, as float64 (n, *space, channels).

    Images without a channel axis get one. The order of the images is kept.

    Raises:
        InputError: no images of `axes` spatial axes.
    """
    found = array(signals(images, None, "images"), "images")
    if found.ndim == axes + 1:
        found = found[..., None]
    if found.ndim != axes + 2:
        kind = {1: "signals (n, length[, channels])", 2: "images (n, height, width[, channels])"}
        raise InputError(f"expected {kind[axes]}, got an array of shape {found.shape}")
    return found[chosen(len(found), count, seed)]


def chosen(total: int, count: int | None, seed: int) -> np.ndarray:
    """At most `count` of `total` row numbers, drawn at random, in increasing order."""
    rng = np.random.default_rng(whole(seed, "seed", 0))
    count = None if count is None else whole(count, "count", 1)
    if count is None or count >= total:
        return np.arange(total)
    return np.sort(rng.choice(total, count, replace=False))


def norms(kernel: Kernel, images: np.ndarray) -> np.ndarray:
    """‖Φ(x)‖ of every image.

    Raises:
        InputError: an image with ‖Φ(x)‖ = 0, for which no relative distance exists.
    """
    squared = np.asarray(kernel.diag(images), dtype=float)
    if not np.all(squared > 0):
        bad = int(np.argmin(squared > 0))
        raise InputError(
            f"image {bad} (of those used) has ‖Φ(x)‖ = 0, so relative distances to it do not "
            "exist; leave out images that are 0 everywhere"
        )
    return np.sqrt(squared)


def moved_distances(kernel: Kernel, images: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """‖Φ(y) − Φ(x)‖ / ‖Φ(x)‖ for images (n, ...) and their copies (*many, n, ...): (*many, n)."""
    many = moved.shape[: moved.ndim - images.ndim]
    shape = images.shape[1:]
    # The copies of one image one after the other: pairs that share an image are computed together.
    copies = np.swapaxes(moved.reshape(-1, len(images), *shape), 0, 1).reshape(-1, *shape)
    first = np.repeat(images, len(copies) // len(images), axis=0)
    distances = np.asarray(kernel.paired_distance(first, copies, rtol=PRECISION), dtype=float)
    return distances.reshape(len(images), -1).T.reshape(*many, -1) / norms(kernel, images)


def cross_distances(kernel: Kernel, images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """‖Φ(y_j) − Φ(x_i)‖ / ‖Φ(x_i)‖ for all pairs, (n, m)."""
    distances = np.asarray(kernel.distance(images, others, rtol=PRECISION), dtype=float)
    return distances / norms(kernel, images)[:, None]
