"""Layer parameters that are tensors: found, and replaced by the numbers that they hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from .activations import ActivationLayer
from .base import Layer, lowered, plain
from .identity import foreign
from .meeting import Branching
from .operators import Operator, Pointwise
from .signal import Signal
from .structure import Branches, Sequential


def tensors(layer: Any) -> Iterator[Any]:
    """The parameters of a layer, and of those inside it, that are tensors."""
    if isinstance(layer, Layer):
        for field in dataclasses.fields(layer):
            yield from tensors(getattr(layer, field.name))
    elif isinstance(layer, tuple):
        for inner in layer:
            yield from tensors(inner)
    elif hasattr(layer, "detach"):
        yield layer


def numbers_only(layer: Any) -> Any:
    """The same layer or network with numbers in place of tensors, as they are now.

    >>> from tangency import parse
    >>> numbers_only(parse("dense:w=2 relu dense"))
    Sequential(Dense(weight_std=2.0), ReLU(), Dense())
    """
    return with_tensors(layer, plain)


def with_tensors(layer: Any, change: Callable[[Any], Any]) -> Any:
    """The same layer or network with `change(tensor)` in the place of each tensor."""

    def inner(each: Any) -> Any:
        return with_tensors(each, change)

    if isinstance(layer, Sequential):
        return Sequential(*map(inner, layer.layers))
    if isinstance(layer, Branches) and not foreign(layer):
        return layer.rebuilt(list(map(inner, layer.chains()))) if _has(layer) else layer
    given = {field.name: getattr(layer, field.name) for field in dataclasses.fields(layer)}
    changes = {k: _changed(v, change) for k, v in given.items() if _has(v)}
    return replace(layer, **changes) if changes else layer


def _has(value: Any) -> bool:
    return any(True for _ in tensors(value))


def _changed(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, Layer):
        return with_tensors(value, change)
    if isinstance(value, tuple):
        return tuple(_changed(each, change) for each in value)
    return change(value) if hasattr(value, "detach") else value


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
    if isinstance(net, Branches) and not foreign(net):
        return net.rebuilt([with_activations(chain, change) for chain in net.chains()])
    return _Changed(net, change) if foreign(net) else net


@dataclass(frozen=True, repr=False)
class _Changed(Layer):
    """A layer with other activations, which it may make where it is lowered."""

    layer: Layer
    change: Callable[[ActivationLayer], ActivationLayer]

    def check(self, signal: Signal) -> None:
        self.layer.check(signal)

    def lower(self, space: tuple[int, ...]) -> tuple[Operator, ...]:
        return tuple(map(self._changed, lowered(self.layer, space)))

    def _changed(self, operator: Operator) -> Operator:
        match operator:
            case Pointwise(activation):
                return Pointwise(self.change(activation))
            case Branching(branches):
                changed = tuple(with_activations(each, self.change) for each in branches)
                return replace(operator, branches=changed)
        return operator

    def on_vectors(self) -> Layer | None:
        return self.layer.on_vectors()

    def __repr__(self) -> str:
        return repr(self.layer)

    def __str__(self) -> str:
        return str(self.layer)
