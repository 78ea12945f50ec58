"""Made data, and the smallest report on it that has everything."""

import numpy as np

from tangency.data import Dataset
from tangency.report.material import Options

QUICK = Options(limit=60, draws=2, means={"engine": "reference"}, effort=1e-4)
CONV = "conv3 relu gap dense"


def small_images(n=40, size=6, classes=2, name="small"):
    """Images in two or more classes that differ in their upper halves."""
    random = np.random.default_rng(0)
    y = np.arange(n) % classes
    images = random.random((n, size, size, 1))
    images[y == 1, : size // 2] += 1
    return Dataset(images, y, name=name, class_names=tuple("abcdef"[:classes]))
