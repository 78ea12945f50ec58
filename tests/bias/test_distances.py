"""Relative distances against K(x,x) + K(y,y) − 2K(x,y), and what they refuse."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import tangency as tg
from tangency.bias.deformations import Rotation, deform
from tangency.bias.distances import (
    chosen,
    cross_distances,
    moved_distances,
    some_images,
)
from tangency.errors import InputError

NET = "conv3 relu gauss2 conv3 relu gap dense"


def test_moved_distances_pair_each_image_with_its_own_copies() -> None:
    images = load_digits().images[:3, ..., None] / 16
    moved = np.stack([[deform(images, Rotation(a + b)) for a in (0.2, 0.4)] for b in (0, 0.1, 0.3)])
    for kernel in (tg.NTK(NET), 2 * tg.NNGP(NET), tg.NTK(NET) + tg.NNGP(NET)):
        found = moved_distances(kernel, images, moved)
        assert found.shape == (3, 2, 3)
        for place in np.ndindex(3, 2, 3):
            x, y = images[place[2]][None], moved[place][None]
            squared = kernel(x)[0, 0] + kernel(y)[0, 0] - 2 * kernel(x, y)[0, 0]
            assert found[place] == pytest.approx(np.sqrt(squared / kernel(x)[0, 0]), rel=1e-3)
        between = cross_distances(kernel, images, moved[0, 0])
        np.testing.assert_allclose(np.diag(between), found[0, 0], rtol=2e-3)


def test_choosing_images() -> None:
    images = np.arange(40.0).reshape(10, 2, 2)
    few = some_images(images, 2, 4, seed=1)
    assert few.shape == (4, 2, 2, 1)
    assert few.dtype == np.float64
    assert np.all(np.diff(few[:, 0, 0, 0]) > 0)
    np.testing.assert_array_equal(few, some_images(images, 2, 4, seed=1))
    assert np.any(few != some_images(images, 2, 4, seed=2))
    np.testing.assert_array_equal(chosen(5, None, 0), np.arange(5))
    np.testing.assert_array_equal(chosen(5, 9, 0), np.arange(5))


def test_errors() -> None:
    with pytest.raises(InputError, match=r"image 1 .* has ‖Φ\(x\)‖ = 0"):
        cross_distances(
            tg.NTK(NET), np.stack([np.ones((4, 4, 1)), np.zeros((4, 4, 1))]), np.ones((1, 4, 4, 1))
        )
    with pytest.raises(InputError, match=r"expected images \(n, height, width"):
        some_images(np.ones((3, 4)), 2, None, 0)
    with pytest.raises(InputError, match="count must be a whole number of at least 1, got 0"):
        chosen(5, 0, 0)
