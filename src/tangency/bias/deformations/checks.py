"""Parameters of deformations that have to do with axes, checked."""

from __future__ import annotations

from typing import Any

from ... import checks
from ...errors import InputError


def spatial_axes(axes: Any) -> int:
    """How many axes a deformation acts on, 1 or 2."""
    if checks.whole(axes, "axes", 1) > 2:
        raise InputError(f"axes must be 1 (signals) or 2 (images), got {axes}")
    return axes


def finite_tuple(values: Any, name: str) -> tuple[float, ...]:
    """One finite number per spatial axis, 1 or 2 of them; a bare number is one axis."""
    if checks.is_number(values):
        values = (values,)
    try:
        given = checks.items(values, name)
    except InputError:
        message = f"{name} must be one number per axis, got {checks.shown(values)}"
        raise InputError(message) from None
    numbers = tuple(checks.number(v, f"each number of {name}") for v in given)
    if not 1 <= len(numbers) <= 2:
        raise InputError(
            f"{name} must be one number per axis, 1 (signals) or 2 (images); got {len(numbers)}"
        )
    return numbers


def spatial_shape(shape: Any, dims: int) -> tuple[int, ...]:
    """`dims` sizes of at least 1: the shape of an image without its channels."""
    sizes = checks.sizes(shape, "shape")
    if len(sizes) != dims:
        raise InputError(
            f"the deformation acts on {dims} spatial axes, but shape is {checks.shown(sizes)}; "
            "give the size of the image along each of them, without its channels"
        )
    return sizes
