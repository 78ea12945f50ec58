"""Deformed images: exact moves, types, smoothing, errors."""

import numpy as np
import pytest
from scipy import ndimage
from sklearn.datasets import load_digits

from tangency.bias.deformations import (
    RandomField,
    Rotation,
    Scaling,
    Shear,
    Translation,
    deform,
    pixel_grid,
    smooth,
)
from tangency.errors import InputError


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return load_digits().images[:12] / 16


@pytest.mark.parametrize("order", range(6))
@pytest.mark.parametrize("shift", [(0, 0), (2, -1), (-3, 3)])
def test_whole_pixel_translations_are_shifts(digits, order, shift) -> None:
    tau = Translation(shift)
    around = deform(digits, tau, order, antialias=0, mode="circular")
    np.testing.assert_allclose(around, np.roll(digits, shift, (1, 2)), atol=1e-12)
    cut = deform(digits, tau, order, antialias=0)
    moved = np.zeros((12, 24, 24))
    moved[:, 8 + shift[0] : 16 + shift[0], 8 + shift[1] : 16 + shift[1]] = digits
    np.testing.assert_allclose(cut, moved[:, 8:16, 8:16], atol=1e-12)


_OUTSIDE = {"zeros": "constant", "nearest": "edge", "reflect": "symmetric", "circular": "wrap"}


@pytest.mark.parametrize("mode", _OUTSIDE)
@pytest.mark.parametrize("order", range(6))
def test_whole_pixel_moves_are_exact_on_axes_of_any_length(mode, order) -> None:
    # The oracle is the image written out beyond its edges, and a slice of it.
    rng = np.random.default_rng(order)
    for rows, columns in [*((n, 13 - n) for n in range(1, 13)), (2, 2), (23, 24), (25, 2)]:
        images = rng.standard_normal((2, rows, columns, 2))
        wide = np.pad(images, ((0, 0), (40, 40), (40, 40), (0, 0)), mode=_OUTSIDE[mode])
        for down, right in [(0, 0), (1, -2), (-rows, 3), (30, -17)]:
            moved = deform(images, Translation((down, right)), order, antialias=0, mode=mode)
            expected = wide[:, 40 - down :, 40 - right :][:, :rows, :columns]
            np.testing.assert_allclose(moved, expected, atol=2e-14)


@pytest.mark.parametrize("order", [2, 3, 4, 5])
@pytest.mark.parametrize("mode", _OUTSIDE)
def test_between_pixels_short_axes_are_their_endless_continuation(mode, order) -> None:
    rng = np.random.default_rng(order)
    for n in (1, 2, 3, 5, 8, 12, 24):
        signal = rng.standard_normal((1, n))
        wide = np.pad(signal[0], 90, mode=_OUTSIDE[mode])  # too far to be felt
        for shift in (0.3, -0.7, 4.25, -25.8):
            moved = deform(signal, Translation((shift,)), order, antialias=0, mode=mode)
            places = (np.arange(n) + 90 - shift)[None]
            expected = ndimage.map_coordinates(wide, places, order=order, mode="mirror")
            # scipy's 12 pixels beyond the edge leave 0.431^(24 - 6) at order 5.
            tolerance = 1e-12 if mode in ("reflect", "circular") or abs(shift) > 8 else 1e-6
            np.testing.assert_allclose(moved[0], expected, atol=tolerance)


@pytest.mark.parametrize("mode", _OUTSIDE)
def test_smoothing_short_axes_is_smoothing_their_continuation(mode) -> None:
    signal = np.random.default_rng(0).standard_normal((1, 3))
    wide = np.pad(signal, ((0, 0), (60, 60)), mode=_OUTSIDE[mode])
    for width in (0.5, 2.0, 9.0):  # the filter is cut 4 widths away
        smoothed = smooth(signal, width, mode, axes=1)
        np.testing.assert_allclose(smoothed, smooth(wide, width, axes=1)[:, 60:63], atol=1e-14)


@pytest.mark.parametrize("turns", [1, 2, 3, -1])
def test_quarter_turns_are_rot90(digits, turns) -> None:
    turned = deform(digits, Rotation(turns * np.pi / 2), antialias=0)
    np.testing.assert_allclose(turned, np.rot90(digits, turns, (1, 2)), atol=1e-12)


def test_the_formula_on_a_smooth_image() -> None:
    # x(u − τ(u)) of a function that is known everywhere.
    def bump(u):
        return np.exp(-((u[..., 0] - 1) ** 2 + (u[..., 1] + 2) ** 2) / 12)

    u = pixel_grid((32, 32))
    for tau in (RandomField(6.0, 0.8, seed=1), Scaling(1.2), Shear(0.2) @ Rotation(0.3)):
        image = deform(bump(u).reshape(1, 32, 32), tau, order=5, antialias=0)
        expected = bump(u - tau.displacement(u)).reshape(32, 32)
        np.testing.assert_allclose(image[0], expected, atol=3e-5)


def test_no_deformation_gives_the_smoothed_image(digits) -> None:
    for sigma in (0.0, 0.5, 1.0):
        still = deform(digits, 0 * RandomField(2.0), antialias=sigma)
        np.testing.assert_allclose(still, smooth(digits, sigma), atol=1e-13)
        expected = np.stack([ndimage.gaussian_filter(x, sigma, mode="constant") for x in digits])
        np.testing.assert_allclose(smooth(digits, sigma), expected, atol=1e-13)


def test_channels_and_signals_are_deformed_one_by_one(digits) -> None:
    tau = Rotation(0.3)
    colour = np.stack([digits, digits[::-1]], axis=-1)
    result = deform(colour, tau)
    np.testing.assert_allclose(result[..., 0], deform(digits, tau), atol=1e-15)
    np.testing.assert_allclose(result[..., 1], deform(digits[::-1], tau), atol=1e-15)
    signals = digits[:, 3]
    moved = deform(signals, Translation((2,)), antialias=0)
    np.testing.assert_allclose(moved[:, 2:], signals[:, :-2], atol=1e-13)
    np.testing.assert_allclose(
        deform(signals[..., None], Translation((2,)), antialias=0)[..., 0], moved, atol=0
    )
    assert smooth(signals, axes=1).shape == signals.shape


def test_types(digits) -> None:
    tau = Rotation(0.2)
    assert deform(digits.astype(np.float32), tau).dtype == np.float32
    assert deform(digits, tau).dtype == np.float64
    counts = (16 * digits).astype(np.uint8)
    assert deform(counts, tau).dtype == np.float64
    np.testing.assert_allclose(deform(counts, tau), 16 * deform(digits, tau), atol=1e-12)
    before = digits.copy()
    deform(digits, tau)
    np.testing.assert_array_equal(digits, before)
    assert not np.shares_memory(smooth(digits, 0.0), digits)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: deform(x, 0.3), "tau must be a deformation such as Rotation"),
        (lambda x: deform(x[0], Rotation(0.1)), "needs images of shape \\(n, height, width"),
        (lambda x: deform(x, Scaling(2.0, 1), mode="z"), "mode must be one of zeros, nearest"),
        (lambda x: deform(x, Rotation(0.1), order=6), "order must be 0 to 5"),
        (
            lambda x: deform(x, Rotation(0.1), antialias=-1),
            "antialias must be .* at least 0, got -1",
        ),
        (lambda x: deform(x * np.nan, Rotation(0.1)), "images holds NaN or infinity"),
        (lambda x: deform(x.astype(object), Rotation(0.1)), "Python objects"),
        (lambda x: deform(x[:0], Rotation(0.1)), "empty"),
        (lambda x: smooth(x[0, 0], 0.5), "row for each input"),
    ],
)
def test_errors_say_what_came(digits, call, message) -> None:
    with pytest.raises(InputError, match=message):
        call(digits)


def test_tensors_are_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(InputError, match="pass a NumPy array"):
        deform(torch.zeros(1, 4, 4), Rotation(0.1))


def test_a_filter_far_wider_than_the_image_is_refused():
    image = np.eye(4)[None]
    for width in (401.0, 2.0**64):
        with pytest.raises(
            InputError, match="more than 100 times the longest side of the images, 4"
        ):
            smooth(image, antialias=width)
    assert np.isfinite(smooth(image, antialias=400.0)).all()
