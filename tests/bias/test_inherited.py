"""Features in the place of the kernels: what they keep of smoothness and stability."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

import tangency as tg
from tangency.bias import deformations
from tangency.kernels import both_kernels

DIGITS = load_digits().images[:60, ..., None] / 16
RNG = np.random.default_rng(0)
VECTORS = RNG.standard_normal((300, 5))


def features_of(net, X, width):
    return tg.LayerwiseFeatures(
        tg.NTK(net), 10**6, widths=width, max_samples=len(X), random_state=0
    ).fit(X)


def mapped(features, X):
    """Name of the kernel -> its features of X."""
    found = features.transform_pair(X)
    return {"NTK": found.ntk, "last-layer": found.nngp}


def moved(features, X, Y):
    """Name of the kernel -> ‖φ(x) − φ(y)‖ of rows taken two by two."""
    left, right = mapped(features, X), mapped(features, Y)
    return {name: np.linalg.norm(left[name] - right[name], axis=1) for name in left}


def on_circle(angles):
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


@pytest.mark.parametrize(
    ("net", "X"),
    [
        ("dense relu dense", VECTORS),
        ("dense:b=0.5 relu dense erf dense", VECTORS),
        ("conv3 relu conv3 relu gap dense", DIGITS),
    ],
)
@pytest.mark.parametrize("width", [4, 64])
def test_distances_are_short_by_no_more_than_the_residuals(net, X, width):
    """K − K̂ is positive semidefinite: duals are power series with positive coefficients."""
    features = features_of(net, X[:40], width)
    x = np.repeat(X[40:50], 3, axis=0)
    y = x + np.tile([1e-4, 1e-2, 1.0], 10).reshape(-1, *[1] * (x.ndim - 1)) * RNG.normal(
        size=x.shape
    )
    short = moved(features, x, y)
    for name, kernel in both_kernels(net).items():
        squares = [np.square(mapped(features, each)[name]).sum(axis=1) for each in (x, y)]
        r, s = (
            np.sqrt(np.maximum(kernel.diag(each) - own, 0))
            for each, own in zip((x, y), squares, strict=True)
        )
        exact = kernel.paired_distance(x, y)
        missing = exact**2 - short[name] ** 2
        scale = 1e-7 * kernel.diag(x)  # of rounding in 1/√λ of the smallest directions kept
        assert (missing > -scale).all()
        assert (missing < (r + s) ** 2 + scale).all()


def test_bounds_hold_for_features_with_the_same_constants():
    """A projection lengthens nothing, and the map between two projections is the network's own."""
    for X, net, constant in (
        (VECTORS, "dense relu dense relu dense", 1.0),
        # a mean over the 64 positions that `flatten` puts side by side
        (DIGITS, "conv3 relu gauss2 conv3 relu gauss2 flatten dense", 1 / 8),
    ):
        for width in (4, 64):
            features = features_of(net, X[:40], width)
            x = X[40:60]
            for step in (1e-5, 1e-2, 1.0):
                move = step * RNG.normal(size=x.shape)
                found = moved(features, x, x + move)["last-layer"]
                length = np.linalg.norm(move.reshape(len(x), -1), axis=1)
                assert (found < (1 + 1e-4) * constant * length).all()


@pytest.mark.parametrize("width", [33, 129])
def test_the_slope_one_half_ends_at_the_landmarks(width):
    """The features of κ₀(cos θ) = 1 − θ/π are linear from each of m landmarks to the next.

    h² = (2/π)ε + 2ε² of the kernel, to that order; L² = 2m/π² + 2 of the features, so that Lε meets
    √(2ε/π) at ε* = π/(m + π²); and r² = 1/(3m) on average. All up to factors 1 + O(1/m). Landmarks
    are an odd number, so that their antipodes, at which κ₀ bends too, lie halfway between them.
    """
    features = features_of(
        "dense relu dense", on_circle(np.arange(width) * 2 * np.pi / width), width
    )
    angles = np.linspace(0, 2 * np.pi, 401)
    x, kernel = on_circle(angles), tg.NTK("dense relu dense")
    residual = kernel.diag(x) - np.square(mapped(features, x)["NTK"]).sum(axis=1)
    assert residual.mean() == pytest.approx(1 / (3 * width), rel=5 / width)
    steps = np.array([1e-5, 1e-4, 1e-3, 0.1, 1.0])
    neighbours = [on_circle(angles + step) for step in steps]
    found = [moved(features, x, y) for y in neighbours]
    ntk, last = (
        np.sqrt([np.square(each[name]).mean() for each in found]) for name in ("NTK", "last-layer")
    )
    exact = np.sqrt([np.square(kernel.paired_distance(x, y)).mean() for y in neighbours])
    crossing = 2 / np.pi * (steps[0] / ntk[0]) ** 2
    assert crossing == pytest.approx(np.pi / (width + np.pi**2), rel=3 / width)
    # below the residual they move in proportion to the step, above it as the kernel does
    np.testing.assert_allclose(np.diff(np.log(exact[:3])) / np.log(10), 0.5, atol=0.01)
    np.testing.assert_allclose(np.diff(np.log(ntk[:3])) / np.log(10), 1, atol=0.01)
    assert (exact**2 - ntk**2 < 4 * residual.mean()).all()
    np.testing.assert_allclose(last[:3], steps[:3], rtol=0.01)


def test_features_of_deformed_images_have_exponent_one_where_the_ntk_has_one_half():
    """Their residual, a tenth of ‖Φ(x)‖, is more than any of these deformations moves Φ by."""
    net = "conv3 relu gauss2 conv3 relu gap dense"
    field, x = deformations.RandomField(2.0, seed=0), DIGITS[50:54]
    features = features_of(net, DIGITS[:40], 64)
    still = deformations.smooth(x)
    small, large = (
        tg.bias.deform(x, field.scale_to((8, 8), gradient=size)) for size in (0.004, 0.016)
    )

    def exponents(distances):
        return np.log(distances(large) / distances(small)) / np.log(4)

    for name, kernel in both_kernels(net).items():
        exact = exponents(lambda y, k=kernel: k.paired_distance(still, y, rtol=1e-3))
        found = exponents(lambda y, name=name: moved(features, still, y)[name])
        assert exact.mean() == pytest.approx(0.5 if name == "NTK" else 1.0, abs=0.03)
        assert found.mean() == pytest.approx(1.0, abs=0.01)
