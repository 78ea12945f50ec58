"""Networks in standard parametrisation, as the same networks with other learning rates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..checks import shown
from ..errors import NetworkError
from .base import Layer, plain
from .coerce import as_network
from .structure import Branches, Sequential
from .values import fixed

_UNKNOWN = (
    "{!r} has learning rates of its own, or takes none; pass the network in NTK parametrisation, "
    "made of Dense and Conv"
)


def standard(
    net: Sequential | Layer | str, widths: Sequence[float], s: float | Sequence[float] | None = None
) -> Sequential:
    """The same network in standard parametrisation: all parameters learn at one rate.

    There the weights themselves are trained, W of standard deviation w/√fan, and not standard
    normal numbers that are multiplied by it. The functions at initialisation, and so Σ, are the
    same; Θ̃ = w²·Θ + n·Σ + 1, n the number of channels that enter the layer (for a convolution
    Σ is the sum over its patch). With all n equal that is nothing new; with different ones, layers
    learn at different rates. It is written as `weight_rate` and `bias_rate` of each layer.

    Args:
        net: a network, or its text.
        widths: n for each layer with weights, frozen ones too, in the order of the text. For the
            first it is the number of channels of the inputs if these are divided by its root, as
            neural-tangents does, and 1 for inputs as they are. After Flatten positions count.
        s: how many times wider a layer is than a network to which its learning rates belong: n is
            divided by it. A number, or one for each layer; the parametrisation of Sohl-Dickstein
            et al. that keeps its learning rates at any width.

    Raises:
        NetworkError: another number of widths, layers that have learning rates already, or whose
            rates are not known.

    Source: Sohl-Dickstein, Novak, Schoenholz & Lee 2020, "On the infinite width limit of neural
    networks with a standard parameterization".

    >>> from tangency import standard
    >>> print(standard("dense:b=0.1 relu dense", (1, 512)))
    dense:b=0.1,weight_rate=1,bias_rate=1 relu dense:weight_rate=512
    """
    network = as_network(net)
    count = sum(1 for _ in _weighted(network))
    sizes = _sizes(widths, "widths", count)
    ratios = (
        _sizes(s, "s", count)
        if isinstance(s, tuple | list)
        else [_size(1 if s is None else s, "s")] * count
    )
    found = _changed(network, iter([n / m for n, m in zip(sizes, ratios, strict=True)]))
    return Sequential(found)


def _sizes(values: Any, name: str, count: int) -> list[float]:
    if not isinstance(values, tuple | list) or len(values) != count:
        raise NetworkError(
            f"{name} needs one number for each of the {count} layers with weights, as in "
            f"({', '.join(['64'] * count)}{',' * (count == 1)}); got {shown(values)}"
        )
    return [_size(value, name) for value in values]


def _size(value: Any, name: str) -> float:
    return fixed(value, name, positive=True)


def _weighted(layer: Layer) -> Iterator[Layer]:
    """The layers with weights, in the order of the text."""
    if isinstance(layer, Sequential | Branches):
        for inner in layer.layers if isinstance(layer, Sequential) else layer.chains():
            yield from _weighted(inner)
    elif hasattr(layer, "weight_std"):
        yield layer


def _changed(layer: Any, widths: Iterator[float]) -> Any:
    if isinstance(layer, Sequential):
        return Sequential(*(_changed(inner, widths) for inner in layer.layers))
    if isinstance(layer, Branches):
        return layer.rebuilt([_changed(chain, widths) for chain in layer.chains()])
    if not hasattr(layer, "weight_std"):
        if getattr(layer, "trainable", False):
            raise NetworkError(_UNKNOWN.format(layer))
        return layer
    width = next(widths)
    if not layer.trainable:
        return layer
    if getattr(layer, "weight_rate", 0) is not None or layer.bias_rate is not None:
        raise NetworkError(_UNKNOWN.format(layer))
    bias = 1.0 if plain(layer.bias_std) else None
    return replace(layer, weight_rate=width, bias_rate=bias)
