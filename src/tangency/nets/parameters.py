"""Layer parameters that are tensors: found, and replaced by the numbers that they hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from .activations import ActivationLayer
from .base import Layer, plain
from .structure import Sequential


def tensors(layer: Layer) -> Iterator[Any]:
    """The parameters of a layer, and of those inside it, that are tensors."""
    if isinstance(layer, Sequential):
        for inner in layer.layers:
            yield from tensors(inner)
        return
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if isinstance(value, Layer):
            yield from tensors(value)
        elif hasattr(value, "detach"):
            yield value


def numbers_only(layer: Any) -> Any:
    """The same layer or network with numbers in place of tensors, as they are now.

    >>> from tangency import parse
    >>> numbers_only(parse("dense:w=2 relu dense"))
    Sequential(Dense(weight_std=2.0), ReLU(), Dense())
    """
    if isinstance(layer, Sequential):
        return Sequential(*map(numbers_only, layer.layers))
    changes = {}
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if isinstance(value, Layer):
            changes[field.name] = numbers_only(value)
        elif hasattr(value, "detach"):
            changes[field.name] = plain(value)
    return dataclasses.replace(layer, **changes) if changes else layer


def with_activations(net: Any, change: Callable[[ActivationLayer], ActivationLayer]) -> Any:
    """The same layer or network with every activation replaced by what `change` makes of it.

    >>> from tangency import Abs, parse
    >>> print(with_activations(parse("dense relu res(dense relu dense) dense"), lambda a: Abs()))
    dense abs res(dense abs dense) dense
    """
    if isinstance(net, Sequential):
        return Sequential(*(with_activations(layer, change) for layer in net.layers))
    if isinstance(net, ActivationLayer):
        return change(net)
    inner = {f.name: getattr(net, f.name) for f in dataclasses.fields(net)}
    inner = {k: with_activations(v, change) for k, v in inner.items() if isinstance(v, Layer)}
    return dataclasses.replace(net, **inner) if inner else net
