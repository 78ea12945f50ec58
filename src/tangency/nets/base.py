"""What every layer shares: a printable, checkable, hashable description that knows no engine."""

from __future__ import annotations

import dataclasses
import math
import numbers
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import NetworkError
from .signal import Signal


@dataclass(frozen=True, repr=False)
class Layer:
    """One layer of a network, as data.

    Subclasses are frozen dataclasses. `token` is the layer's name in the text form, `lead` the
    field that follows it directly (`conv3`), `short` the short names of options, `flags` the words
    that stand for one value of a field.
    """

    token: ClassVar[str] = ""
    lead: ClassVar[str | None] = None
    short: ClassVar[dict[str, str]] = {}
    flags: ClassVar[dict[str, tuple[str, Any]]] = {}

    def infer(self, signal: Signal) -> Signal:
        """What leaves the layer when `signal` enters; raises `NetworkError` if it cannot."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(arguments(self))})"

    def __str__(self) -> str:
        from .text import layer_text

        return layer_text(self)


def options(layer: Any) -> list[tuple[dataclasses.Field, Any]]:
    """The fields of a layer whose value is not the default, in order."""
    chosen = []
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if field.default is dataclasses.MISSING or value is not field.default:
            if field.default is not dataclasses.MISSING and _same(value, field.default):
                continue
            chosen.append((field, value))
    return chosen


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def arguments(layer: Any) -> list[str]:
    """The constructor's arguments as source text: required fields bare, others by name."""
    bare, named = [], []
    for field, value in options(layer):
        if field.default is dataclasses.MISSING:
            bare.append(repr(value))
        else:
            named.append(f"{field.name}={value!r}")
    return bare + named


def number(value: Any, name: str, *, positive: bool = False, nonnegative: bool = False) -> Any:
    """A finite real parameter: Python and NumPy numbers become float, 0-d tensors stay as they are.

    Tensors are kept so that kernels are differentiable in a layer's parameters.
    """
    if isinstance(value, bool | str):
        raise NetworkError(f"{name} must be a number, got {value!r}")
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()  # an array could not be hashed
    if isinstance(value, numbers.Real):
        value = float(value)
    elif getattr(value, "ndim", None) != 0 or not hasattr(value, "__float__"):
        raise NetworkError(f"{name} must be a number or a 0-d tensor, got {value!r}")
    size = plain(value)
    if not math.isfinite(size):
        raise NetworkError(f"{name} must be finite, got {size}")
    if positive and size <= 0:
        raise NetworkError(f"{name} must be greater than 0, got {size:g}")
    if nonnegative and size < 0:
        raise NetworkError(f"{name} must be at least 0, got {size:g}")
    return value


def plain(value: Any) -> float:
    """The size of a parameter, without the gradient it may have."""
    return float(value.detach() if hasattr(value, "detach") else value)


def whole(value: Any, name: str, least: int | None = None) -> int:
    """A whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise NetworkError(f"{name} must be a whole number, got {value!r}")
    if least is not None and value < least:
        raise NetworkError(f"{name} must be at least {least}, got {value}")
    return int(value)


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
    """One of the `allowed` words."""
    if value not in allowed:
        raise NetworkError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")
    return value


def truth(value: Any, name: str) -> bool:
    """True or False, nothing that merely counts as one of them."""
    if not isinstance(value, bool):
        raise NetworkError(f"{name} must be True or False, got {value!r}")
    return value
