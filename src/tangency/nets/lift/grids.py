"""Pooling, padding and resizing of PyTorch as layers here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from ...errors import NetworkError
from ...nets import AvgPool, GlobalAvgPool, Layer, LinearMap, Pad, Upsample
from .axes import Translated
from .states import State, alike
from .trace import Call

_DEFAULTS = (("padding", 0), ("dilation", 1))


def pooled(
    name: str, given: dict[str, Any], state: State, replacing: str | None
) -> Translated | None:
    """A mean over windows, or what stands for the largest number in each."""
    state.in_order()
    if name == "MaxPool" and replacing != "average":
        raise NetworkError(
            "the largest of several values has no Gaussian limit in closed form; say what "
            'stands for it: max_pool="average", the mean over the same windows'
        )
    dims = len(state.space)
    size = _per_axis(given["kernel_size"], dims)
    stride = _per_axis(given["stride"] or given["kernel_size"], dims)
    padding, dilation = (_per_axis(given.get(k, d), dims) for k, d in _DEFAULTS)
    usual = not given.get("ceil_mode") and not given.get("divisor_override")
    if not usual or set(dilation) != {1}:
        return None
    if any(padding) and name == "AvgPool" and not given.get("count_include_pad", True):
        return None
    pads: list[Layer] = [Pad(alike(padding))] if any(padding) else []
    return [*pads, AvgPool(alike(size), None if stride == size else alike(stride))], state


def adaptive(size: Any, call: Call, state: State) -> Translated | None:
    """Means over windows, as many as are wanted."""
    state.in_order()
    grid = call.shape_in[1:]
    wanted = tuple(
        n if w is None else w for n, w in zip(grid, _per_axis(size, len(grid)), strict=True)
    )
    if wanted == grid:
        return [], state
    if set(wanted) == {1}:
        return [GlobalAvgPool()], state.without_space()
    if any(n % w for n, w in zip(grid, wanted, strict=True)):
        windows = tuple(_windows(n, w) for n, w in zip(grid, wanted, strict=True))
        return list[Layer]([LinearMap(windows)]), state
    return [AvgPool(alike(n // w for n, w in zip(grid, wanted, strict=True)))], state


def _windows(size: int, wanted: int) -> np.ndarray:
    """Means over windows that may overlap, as PyTorch lays them."""
    found = np.zeros((wanted, size))
    for o in range(wanted):
        first, end = o * size // wanted, -((-(o + 1) * size) // wanted)
        found[o, first:end] = 1 / (end - first)
    return found


def upsampled(call: Call, state: State) -> Translated | None:
    """Every position repeated a whole number of times; what PyTorch does is run to see it."""
    state.in_order()
    before, after = call.shape_in[1:], (call.shape or ())[1:]
    factors = [b // a for a, b in zip(before, after, strict=True)]
    grid = torch.arange(math.prod(before), dtype=torch.float64).reshape(1, 1, *before)
    found, repeated = call.target(grid, *call.args[1:], **call.options), grid
    for axis, factor in enumerate(factors):
        repeated = repeated.repeat_interleave(factor, 2 + axis)
    return ([Upsample(alike(factors))], state) if torch.equal(found, repeated) else None


def padded(padding: Any, mode: str, state: State) -> Translated:
    """Positions around the grid; PyTorch names those of the last axis first."""
    dims = len(state.in_order().space)
    given = _per_axis(padding, 2 * dims)
    pairs = [(given[2 * k], given[2 * k + 1]) for k in range(dims)][::-1]  # the last axis first
    return [Pad(alike(low if low == high else (low, high) for low, high in pairs), mode)], state


def _per_axis(value: Any, count: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,) * count
