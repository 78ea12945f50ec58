"""L_τ x on pixels: spline interpolation, then Gaussian anti-aliasing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...checks import choice, number, shown, whole, within_memory
from ...errors import InputError
from ...kernels.inputs import signals
from .base import Deformation, pixel_grid
from .checks import spatial_axes

if TYPE_CHECKING:
    from ...typing import ArrayLike

#: What lies outside an image, and scipy's name for it.
MODES = {
    "zeros": "grid-constant",
    "nearest": "nearest",
    "reflect": "reflect",
    "circular": "grid-wrap",
}

#: From this length on, scipy's own filter for reflected axes is exact to the last bit: it starts
#: from a sum that is cut after n terms, the last of them under 0.431^(2n) = 3e-18 of the first.
_LONG = 24

#: Of the smoothing, in longest sides of an image, beyond which it has nothing left to smooth.
_WIDEST = 100

#: scipy cuts a spline's ripples 12 pixels outside an image. Where places come near that, the image
#: is written out this much further: 0.431^(12 + 32) is under rounding.
_REACH, _MARGIN = 8, 32


@within_memory()
def deform(
    images: ArrayLike,
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
            moves are exact, on axes of any length and in every mode.
        antialias: standard deviation of A₀ in pixels; 0 for none. The same A₀ belongs on the
            image itself before the two are compared, which is `deform(images, 0 * tau)`, or
            `smooth`.
        mode: what is outside: "zeros", "nearest", "reflect" (half a pixel beyond the outermost
            centres) or "circular".

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
    if not isinstance(tau, Deformation):
        raise InputError(f"tau must be a deformation such as Rotation(0.1), got {shown(tau)}")
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
        _resample(stack[i], places, order, mode, result[i])
    smoothed = _smooth(result, antialias, outside)
    return smoothed.reshape(np.shape(images))


def _resample(
    image: np.ndarray, places: np.ndarray, order: int, mode: str, result: np.ndarray
) -> None:
    """The spline through the pixels of `image` (*space, channels) at `places` (dims, *space)."""
    from scipy import ndimage

    filtered = mode == "reflect" and order > 1
    if filtered:
        image = _reflected_coefficients(image, order)
    elif mode in ("zeros", "nearest") and order > 1 and _far(places):
        margin = [*((_MARGIN, _MARGIN) for _ in places), (0, 0)]
        image = np.pad(image, margin, mode="constant" if mode == "zeros" else "edge")
        places = places + _MARGIN
    for c in range(image.shape[-1]):
        ndimage.map_coordinates(
            image[..., c],
            places,
            output=result[..., c],
            order=order,
            mode=MODES[mode],
            prefilter=not filtered,
        )


def _far(places: np.ndarray) -> bool:
    """Whether some place is more than `_REACH` pixels outside the image."""
    return any(
        np.min(place) < -_REACH or np.max(place) > size - 1 + _REACH
        for place, size in zip(places, places.shape[1:], strict=True)
    )


def _reflected_coefficients(image: np.ndarray, order: int) -> np.ndarray:
    """Coefficients of the spline through an image reflected at its edges, float64; channels last.

    A reflected axis of n pixels is one of period 2n, for which scipy's filter is exact.
    """
    from scipy import ndimage

    values = image.astype(np.float64)
    for axis in range(image.ndim - 1):
        n = values.shape[axis]
        if n >= _LONG:
            values = ndimage.spline_filter1d(values, order, axis, mode="reflect")
            continue
        period = np.concatenate([values, np.flip(values, axis)], axis)
        periodic = ndimage.spline_filter1d(period, order, axis, mode="grid-wrap")
        values = np.take(periodic, np.arange(n), axis)
    return values


@within_memory()
def smooth(images: Any, antialias: float = 0.5, mode: str = "zeros", axes: int = 2) -> np.ndarray:
    """A₀ x: images (`axes=2`) or signals (`axes=1`) smoothed as by `deform`, not moved.

    Shapes, types and errors as in `deform`; equal to `deform(images, 0 * tau, ...)` up to the
    rounding of the spline.
    """
    stack = _stack(images, spatial_axes(axes))
    return _smooth(stack, antialias, _mode(mode)).reshape(np.shape(images))


def _smooth(stack: np.ndarray, antialias: float, outside: str) -> np.ndarray:
    from scipy import ndimage

    width = number(antialias, "antialias", least=0.0)
    if width == 0:
        return stack.copy()
    longest = max(stack.shape[1:-1])
    if width > _WIDEST * longest:
        # The filter has eight numbers for each pixel of it.
        raise InputError(
            f"antialias={width:g} pixels is more than {_WIDEST} times the longest side of the "
            f"images, {longest}, of which it leaves nothing; pass less"
        )
    sigma = (0.0, *(width,) * (stack.ndim - 2), 0.0)
    # "grid-constant" and "grid-wrap" are called "constant" and "wrap" by scipy's filters.
    return ndimage.gaussian_filter(stack, sigma, mode=outside.removeprefix("grid-"))


def _mode(mode: str) -> str:
    return MODES[choice(mode, "mode", MODES)]


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
