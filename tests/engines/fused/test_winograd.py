"""Products of 3×3 patches with filters, beside the plain ones."""

import numpy as np
import pytest

from tangency.engines.fused import winograd
from tangency.learn.features import convolved
from tangency.learn.features.positions import patches
from tangency.nets import parse
from tangency.nets.operators import Shifts
from tangency.nets.plan import plan


def geometry(text, shape):
    found = plan(parse(f"{text} relu flatten dense"), shape).steps[0].operator
    assert isinstance(found, Shifts)
    return found.geometry


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("text", ["conv3", "conv3:pad=valid", "conv3:pad=circular"])
@pytest.mark.parametrize(
    ("n", "height", "width", "channels", "filters"),
    [(1, 3, 3, 1, 1), (3, 9, 6, 5, 7), (2, 8, 4, 2, 300), (5, 5, 13, 3, 256)],
)
def test_products_are_those_of_the_patches(dtype, text, n, height, width, channels, filters):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, height, width, channels)).astype(dtype)
    landmarks = rng.standard_normal((filters, 9 * channels)).astype(dtype)
    box = geometry(text, (height, width, channels))
    assert convolved.put_off(x, box)
    written = patches(x, box).astype(np.float64)
    expected = written @ landmarks.T.astype(np.float64)
    out = np.empty(expected.shape, dtype)
    found = convolved.Convolved(x, box, convolved.filters(landmarks))
    for images in convolved.strips(n, box.space_out):
        found.into(images, out[images])
    lengths = np.linalg.norm(written, axis=-1, keepdims=True) * np.linalg.norm(landmarks, axis=1)
    # in the place of the few roundings of a plain product
    assert np.abs(out - expected).max() < 40 * np.finfo(dtype).eps * lengths.max()
    squares = np.square(written).sum(axis=-1)
    np.testing.assert_allclose(convolved.patch_squares(x, box), squares, rtol=1e-5)


@pytest.mark.parametrize(
    "text",
    ["conv3:stride=2", "conv3:dilation=2", "conv5", "conv3x1", "conv[[0,0],[0,1]]"],
)
def test_other_patches_are_written_down(text):
    x = np.zeros((1, 8, 8, 2))
    assert not convolved.put_off(x, geometry(text, (8, 8, 2)))


def test_strips_are_whole_images_and_all_of_them():
    found = convolved.strips(10, (32, 32))
    assert [(s.start, s.stop) for s in found] == [(0, 3), (3, 6), (6, 9), (9, 10)]
    assert convolved.strips(2, (200, 200)) == [slice(0, 1), slice(1, 2)]


def test_the_matrices_are_those_of_the_points():
    """Aᵀ[(G f) ⊙ (Bᵀ x)] is the correlation of x with f, exactly, in one dimension too."""
    rng = np.random.default_rng(1)
    f, x = rng.standard_normal((3, 3, 1, 1)), rng.standard_normal((1, 6, 6, 1))
    out = np.empty((1, 4, 4, 1))
    winograd.Winograd(f)(x, out)
    for i in range(4):
        for j in range(4):
            expected = np.sum(x[0, i : i + 3, j : j + 3, 0] * f[..., 0, 0])
            assert out[0, i, j, 0] == pytest.approx(expected, abs=1e-13)
