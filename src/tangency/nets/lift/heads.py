"""Attention that was found in a module, as layers here, where it has a limit."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import NetworkError
from ...nets import Dense, Layer, LinearMap, Product, Rescale, SelfAttention, Sequential
from .axes import Translated
from .probe import Attention
from .states import CHANNELS, State
from .trace import Call
from .weights import Spreads

# Scales are numbers that a module computes, in the precision that it has.
_NEAR = 1e-3


def attention(
    found: Attention, call: Call, state: State, spreads: Spreads, replacing: str | None
) -> Translated:
    """Attention with the limit of its scale, or with the one that stands for it.

    Products divided by the width d of a head converge: to w²Σ_xx where queries and keys have the
    same weights, and else to zero, which makes of a softmax a mean. Otherwise they stay random in
    each head, and only without a softmax has the mean over many heads a closed form.

    Raises:
        NetworkError: a softmax of random products, without what stands for it; biases that count.
    """
    _check_axes(state)
    query, key, value = (
        _dense(each, state, spreads) for each in (found.queries, found.keys, found.values)
    )
    by_width = found.width > 1 and abs(found.scale * found.width - 1) < _NEAR
    if replacing == "linear" or (by_width and found.shared):
        layers = _linear(found.mechanism, query, key, value)
    elif by_width and found.mechanism == "softmax":
        layers = [SelfAttention(query_std=0.0, weights=False), value]
    elif found.mechanism == "identity" and found.apart and not found.shared | found.grouped:
        factor = found.scale * math.sqrt(found.width)
        layers = _without_softmax(query, key, value, factor, _grid(call, state))
    else:
        raise NetworkError(
            f"{found.mechanism} attention, of products of queries and keys times "
            f"{found.scale:.3g} for heads of width {found.width}, has no limit in closed form: its "
            "weights stay random in each head (divided by the root of the width), or grow. Say "
            'what stands for it: attention="linear" gives queries and keys the same weights and '
            "divides their products by the width of a head"
        )
    return layers, replace(state, channels=found.channels, hidden=True, apart=False, positions=1)


def _check_axes(state: State) -> None:
    if state.batch != 0:
        raise NetworkError(
            "the axis over which it attends is that of the batch; give MultiheadAttention "
            "batch_first=True, or move the axes before"
        )
    if CHANNELS not in state.axes:
        raise NetworkError("it has no axis of channels")


def _dense(call: Call, state: State, spreads: Spreads) -> Dense:
    """The weights of a Linear, or of a convolution of single positions."""
    module: Any = call.target
    return Dense(**spreads.of(module, module.weight.shape[1], call.name, state))


def _linear(mechanism: str, query: Dense, key: Dense, value: Dense) -> list[Layer]:
    """Weights ζ(w²Σ_xx) for the sum.

    Biases of queries and keys add one number to all products, which a softmax does not see; its
    rows sum to 1, so that those of values are what they are behind it.
    """
    biases = {query.bias_std, key.bias_std, value.bias_std}
    if mechanism != "softmax" and biases != {0.0}:
        raise NetworkError(
            f"{mechanism} attention with biases of queries, keys or values has no layer here; use "
            "bias=False"
        )
    stds = {"query_std": query.weight_std, "key_std": key.weight_std}
    return [SelfAttention(mechanism, **stds, weights=False), value]


def _without_softmax(
    query: Dense, key: Dense, value: Dense, factor: float, grid: tuple[int, ...]
) -> list[Layer]:
    """Σ_v (q[u]·k[v]) v[v] of infinitely many heads: a product of three, summed over positions."""
    everywhere = LinearMap(tuple(np.ones((n, n)) for n in grid))
    rest = Sequential(Product(key, value), everywhere)
    return [Product(query, rest), *([] if abs(factor - 1) < _NEAR else [Rescale(factor)])]


def _grid(call: Call, state: State) -> tuple[int, ...]:
    """The sizes of the axes of space, in their order."""
    sizes = {a: n for a, n in zip(state.axes, call.shape_in, strict=True) if isinstance(a, tuple)}
    if any(len(axis) != 1 for axis in sizes):
        raise NetworkError(
            "attention without a softmax over axes that were merged by a flatten has no layer "
            "here; put a class token in front of them, or take patches of a sequence (Conv1d)"
        )
    return tuple(sizes[axis] for axis in sorted(sizes))
