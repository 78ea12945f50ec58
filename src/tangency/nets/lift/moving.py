"""Activations moved to where they act on Gaussian values."""

from __future__ import annotations

from itertools import zip_longest

from ..activations import ActivationLayer, ReLU
from ..base import Layer
from ..branches import Concatenate, Sum
from ..cropping import Pad, Slice
from ..pooling import AvgPool, LinearGridLayer
from ..resampling import Upsample
from ..structure import Branches, Sequential

# Of positive values they make positive ones.
_MEANS = (AvgPool, Pad, Slice, Upsample)


def preactivated(net: Sequential) -> Sequential:
    """Blocks relu(x + f(x)) as x + f(relu(x)): activations before an identity go into f.

    A mean that stands between the activation and the block, in the place of a maximum (which an
    increasing activation can follow as well), goes before the activation.
    """
    layers: list[Layer] = []
    for layer, following in zip_longest(net.layers, net.layers[1:]):
        if not isinstance(layer, Branches):
            layers.append(layer)
            continue
        chains = [preactivated(chain) for chain in layer.chains()]
        activated = isinstance(layer, Sum) and isinstance(following, ActivationLayer)
        if activated and any(not chain.layers for chain in chains):
            between = len(layers)
            while between and isinstance(layers[between - 1], LinearGridLayer):
                between -= 1
            if between and isinstance(layers[between - 1], ActivationLayer):
                moved = layers.pop(between - 1)
                chains = [Sequential(moved, *c.layers) if c.layers else c for c in chains]
        layers.append(layer.rebuilt(chains))
    return Sequential(*layers)


def beside(net: Sequential) -> Sequential:
    """The same network, activations behind channels side by side moved to where these come from.

    Channels of several branches have several variances, but an activation acts on each alone. Where
    the others begin with it, it goes before an identity: relu(x, f(relu(x))) = y, relu(f(y)) with
    y = relu(x), as in densely connected networks that normalise first. A ReLU of what a ReLU gave,
    or means of it, is left out.
    """
    layers: list[Layer] = []
    for layer in net.layers:
        if isinstance(layer, Branches):
            layer = layer.rebuilt([beside(chain) for chain in layer.chains()])
        layers.append(layer)
        if isinstance(layer, ActivationLayer):
            _settle(layers)
    return Sequential(*layers)


def _settle(layers: list[Layer]) -> None:
    """Moves the activation at the end of some layers, in place."""
    activation = layers[-1]
    last = layers[-2] if len(layers) > 1 else None
    if isinstance(last, Concatenate) and last.axis == -1:
        del layers[-2:]
        chains = [chain.layers for chain in last.chains()]
        first = [chain[0] == activation for chain in chains if chain]
        if all(first) and len(first) < len(chains):
            layers.append(activation)
            _settle(layers)
            chains = [(*chain[1:], activation) if chain else () for chain in chains]
        else:
            chains = [(*chain, activation) for chain in chains]
        layers.append(last.rebuilt([beside(Sequential(*chain)) for chain in chains]))
    elif isinstance(activation, ReLU):
        place = len(layers) - 2
        while place >= 0 and isinstance(layers[place], _MEANS):
            place -= 1
        if place >= 0 and layers[place] == activation and not activation.normalized:
            layers.pop()
