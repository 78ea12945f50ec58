"""Parameters of layers, checked: `tangency.checks` with what is particular to networks."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from array_api_compat import is_array_api_obj, is_torch_array

from .. import checks
from ..checks import shown
from ..errors import NetworkError

LARGEST_NUMBER = 1e50
"""The largest size of a real parameter: products of several squares stay finite."""

LARGEST_COUNT = 10_000
"""The largest size of a patch, a window, a stride, an offset or a degree."""


def number(
    value: Any,
    name: str,
    *,
    positive: bool = False,
    nonnegative: bool = False,
    least: float | None = None,
    most: float = LARGEST_NUMBER,
) -> Any:
    """A finite real parameter: Python and NumPy numbers become float, 0-d tensors stay as they are.

    Tensors are kept so that kernels are differentiable in a layer's parameters.
    """
    # NumPy counts spans of time among the real numbers.
    if isinstance(value, bool | str | np.timedelta64):
        raise NetworkError(f"{name} must be a number, got {shown(value)}")
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()  # an array could not be hashed
    if isinstance(value, numbers.Real):
        try:
            value = float(value)
        except OverflowError:
            value = math.inf
    elif getattr(value, "ndim", None) != 0 or not hasattr(value, "__float__") or _complex(value):
        raise NetworkError(f"{name} must be a number or a 0-d tensor, got {shown(value)}")
    try:
        size = plain(value)
    except (TypeError, ValueError, RuntimeError, NotImplementedError):  # a date, a tensor of none
        raise NetworkError(f"{name} must be a number or a 0-d tensor, got {shown(value)}") from None
    if not math.isfinite(size):
        raise NetworkError(f"{name} must be finite, got {size}")
    if positive and size <= 0:
        raise NetworkError(f"{name} must be greater than 0, got {size:g}")
    if nonnegative and size < 0:
        raise NetworkError(f"{name} must be at least 0, got {size:g}")
    if least is not None and size < least:
        raise NetworkError(f"{name} must be at least {least:g}, got {size:g}")
    if abs(size) > most:
        raise NetworkError(f"{name} must be at most {most:g} in size, got {size:g}")
    return value


def fixed(value: Any, name: str, **limits: Any) -> float:
    """As `number`, where kernels are not differentiable: always a float.

    Raises:
        NetworkError: also for a tensor that wants a gradient, which it would never get.
    """
    if getattr(value, "requires_grad", False):
        raise NetworkError(
            f"{name} is a tensor that wants a gradient, and kernels have none in it: pass the "
            f"number, {name}.item(); they have gradients in inputs, standard deviations of "
            "weights and biases, and the single numbers of activations"
        )
    return plain(number(value, name, **limits))


def _complex(value: Any) -> bool:
    # Their `float` is the real part, with a warning.
    return isinstance(value, np.complexfloating) or (is_torch_array(value) and value.is_complex())


class _Open:
    """Stands where a number will; a number without axes to all that checks one."""

    ndim = 0

    def __float__(self) -> float:
        return 0.5  # good for whatever takes positive numbers

    def __repr__(self) -> str:
        return "?"


OPEN = _Open()
"""A parameter that is yet to be chosen: `?` in the text form, which `tangency.tune` alone reads."""


def plain(value: Any) -> float:
    """The size of a parameter, without the gradient it may have."""
    return float(value.detach() if hasattr(value, "detach") else value)


def whole(value: Any, name: str, least: int | None = None, most: int = LARGEST_COUNT) -> int:
    """A whole number of at least `least`, and of at most `most` in size."""
    found = checks.whole(value, name, error=NetworkError)
    if least is not None and found < least:
        raise NetworkError(f"{name} must be at least {least}, got {shown(found)}")
    if abs(found) > most:
        raise NetworkError(f"{name} must be at most {most} in size, got {shown(found)}")
    return found


def elementwise(u: Any) -> Any:
    """Numbers for a scalar function to work on: an array, a tensor, or one number as an array.

    Raises:
        NetworkError: no numbers, or tensors that have no arithmetic.
    """
    if checks.is_number(u) and not hasattr(u, "shape"):
        try:
            return np.asarray(float(u))
        except OverflowError:
            raise NetworkError(
                f"an activation takes numbers in the range of float64, got {shown(u)}"
            ) from None
    if hasattr(u, "to_numpy") and not isinstance(u, type):
        u = u.to_numpy()  # a column of a table
    if is_torch_array(u):
        narrow = u.is_floating_point() and u.dtype.itemsize < 2
        good = not (narrow or u.is_quantized or u.is_nested or str(u.layout) != "torch.strided")
    elif isinstance(u, np.ndarray | np.generic):
        good = u.dtype.kind in "biufc"
    else:
        good = is_array_api_obj(u) and not isinstance(u, type)
    if not good:
        raise NetworkError(f"an activation is a function of an array of numbers, got {shown(u)}")
    if isinstance(u, np.ndarray | np.generic) and u.dtype.kind == "f" and u.dtype.itemsize > 8:
        return np.asarray(u, np.float64)  # whose constants and functions are those of float64
    return np.asarray(u) if isinstance(u, np.generic) else u


def own(array: Any) -> Any:
    """What a function of the caller's may write to: a copy of an array or a tensor.

    Else `u[u < 0] = 0` there changes what others still read: the other branch of a residual layer,
    or variances.
    """
    if isinstance(array, np.ndarray):
        return array.copy()
    return array.clone() if is_torch_array(array) else array


def whole_or_axes(value: Any, name: str, least: int | None = None) -> int | tuple[int, ...]:
    """A whole number, or one per spatial axis."""
    if isinstance(value, tuple | list):
        if not 1 <= len(value) <= 3:
            raise NetworkError(f"{name} needs one number per axis (1 to 3), got {len(value)}")
        return tuple(whole(v, name, least) for v in value)
    return whole(value, name, least)


def per_axis(value: int | tuple[int, ...], dims: int, name: str) -> tuple[int, ...]:
    """`value` spelled out for a grid of `dims` axes."""
    if isinstance(value, int):
        return (value,) * dims
    if len(value) != dims:
        raise NetworkError(
            f"{name}={value!r} has {len(value)} numbers, but the signal has {dims} spatial axes; "
            "give one number per axis, or a single number for all"
        )
    return value


def choice(value: Any, name: str, allowed: tuple[str, ...]) -> str:
    """One of the `allowed` words, in any case of letters."""
    word = value.lower() if isinstance(value, str) else value
    if not isinstance(word, str) or word not in allowed:
        raise NetworkError(f"{name} must be one of {', '.join(allowed)}; got {shown(value)}")
    return word


def truth(value: Any, name: str) -> bool:
    """True or False, nothing that merely counts as one of them."""
    return checks.flag(value, name, error=NetworkError)


def ends(size: Any) -> tuple[int, int]:
    """How many before an axis, and how many behind it."""
    return (size, size) if isinstance(size, int) else size


def sizes_at_ends(size: Any, name: str) -> int | tuple[Any, ...]:
    """A size in its normal form: a pair only where the two ends differ."""
    if not isinstance(size, Sequence) or isinstance(size, str):
        return whole(size, name, 0)
    if not 1 <= len(size) <= 3:
        raise NetworkError(f"{name} needs one entry per axis (1 to 3), got {shown(size)}")
    found: list[int | tuple[int, int]] = []
    for each in size:
        if not isinstance(each, Sequence) or isinstance(each, str):
            found.append(whole(each, name, 0))
            continue
        if len(each) != 2:
            raise NetworkError(f"{name} takes pairs (before, after), got {shown(each)}")
        low, high = (whole(end, name, 0) for end in each)
        found.append(low if low == high else (low, high))
    return tuple(found)
