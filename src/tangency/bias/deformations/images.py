"""L_τ x on pixels: spline interpolation, then Gaussian anti-aliasing."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import InputError
from ...kernels.inputs import signals
from .base import Deformation, pixel_grid
from .checks import finite, whole

#: What lies outside an image, and scipy's name for it.
MODES = {
    "zeros": "grid-constant",
    "nearest": "nearest",
    "reflect": "reflect",
    "circular": "grid-wrap",
}


def deform(
    images: Any,
    tau: Deformation,
    order: int = 3,
    antialias: float = 0.5,
    mode: str = "zeros",
) -> np.ndarray:
    """A₀ L_τ x: every image deformed by τ, then smoothed by a Gaussian A₀.

    Args:
        images: (n, height, width, channels) or (n, height, width) where τ acts on images;
            (n, length, channels) or (n, length) where it acts on signals. float32 and float64 keep
            their type, integers become float64 with their values unchanged.
        order: of the interpolating spline, 0 to 5. Splines pass through the pixels: whole-pixel
            moves are exact.
        antialias: standard deviation of A₀ in pixels; 0 for none. The same A₀ belongs on the
            image itself before the two are compared, which is `deform(images, 0 * tau)`, or
            `smooth`.
        mode: what is outside: "zeros", "nearest", "reflect" or "circular".

    Returns an array of the shape of `images`.

    Theory deforms a continuous signal and then smooths and samples it; here the continuous signal
    is the spline through the pixels, and A₀ acts on the samples.

    Source: Bietti & Mairal 2019 (the operator A₀).

    Raises:
        InputError: a shape that does not fit τ, bad numbers, an unknown mode.

    >>> import numpy as np
    >>> from tangency.bias.deformations import Translation, deform
    >>> deform(np.eye(3)[None], Translation((0, 1)), antialias=0)[0].round(6) + 0.0
    array([[0., 1., 0.],
           [0., 0., 1.],
           [0., 0., 0.]])
    """
    from scipy import ndimage

    if not isinstance(tau, Deformation):
        raise InputError(f"tau must be a deformation such as Rotation(0.1), got {tau!r}")
    if whole(order, "order", 0) > 5:
        raise InputError(f"order must be 0 to 5, the degree of the spline; got {order}")
    stack = _stack(images, tau.dims)
    shape = stack.shape[1:-1]
    outside = _mode(mode)
    u = pixel_grid(shape)
    centre = (np.asarray(shape) - 1) / 2
    places = (u - tau._tau(u) + centre).T.reshape(tau.dims, *shape)
    result = np.empty_like(stack)
    for i in range(len(stack)):
        for c in range(stack.shape[-1]):
            ndimage.map_coordinates(
                stack[i, ..., c], places, output=result[i, ..., c], order=order, mode=outside
            )
    smoothed = _smooth(result, antialias, outside)
    return smoothed.reshape(np.shape(images))


def smooth(images: Any, antialias: float = 0.5, mode: str = "zeros", axes: int = 2) -> np.ndarray:
    """A₀ x: images (`axes=2`) or signals (`axes=1`) smoothed as by `deform`, not moved.

    Shapes, types and errors as in `deform`; equal to `deform(images, 0 * tau, ...)` up to the
    rounding of the spline.
    """
    stack = _stack(images, axes)
    return _smooth(stack, antialias, _mode(mode)).reshape(np.shape(images))


def _smooth(stack: np.ndarray, antialias: float, outside: str) -> np.ndarray:
    from scipy import ndimage

    width = finite(antialias, "antialias", least=0.0)
    if width == 0:
        return stack.copy()
    sigma = (0.0, *(width,) * (stack.ndim - 2), 0.0)
    # "grid-constant" and "grid-wrap" are called "constant" and "wrap" by scipy's filters.
    return ndimage.gaussian_filter(stack, sigma, mode=outside.removeprefix("grid-"))


def _mode(mode: str) -> str:
    if mode not in MODES:
        raise InputError(f"mode must be one of {', '.join(MODES)}; got {mode!r}")
    return MODES[mode]


def _stack(images: Any, dims: int) -> np.ndarray:
    """Checked images as (n, *space, channels)."""
    array = signals(images, None, "images")
    if not isinstance(array, np.ndarray):
        raise InputError(
            f"images are a {type(array).__name__}; pass a NumPy array, as tensor.numpy() gives"
        )
    if array.ndim == dims + 1:
        return array[..., None]
    if array.ndim != dims + 2:
        expected = {1: "(n, length[, channels])", 2: "(n, height, width[, channels])"}[dims]
        raise InputError(
            f"the deformation acts on {dims} spatial axes and needs images of shape {expected}; "
            f"got {array.shape}"
        )
    return array
