"""Layers of PyTorch with weights, as layers here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from ...errors import NetworkError
from ...nets import Conv, ConvTranspose, Dense, Layer, Pad, Slice
from .probe import Attention
from .spread import Fans, bias_variance, near, told, variance, vector_std
from .states import CHANNELS, State, alike

_PADDING = {"zeros": "zeros", "circular": "circular", "reflect": "reflect", "replicate": "edge"}


@dataclass
class Spreads:
    """What is known of initialisations.

    given: what the user tells, by the place of a layer; `used` are the places asked for.
    module: all of it, whose layers are initialised alike.
    standard: whether layers learn at the rates that they have in PyTorch.
    """

    given: dict[str, Any]
    module: nn.Module
    standard: bool = False
    used: set[str] = field(default_factory=set)
    near: dict[Any, dict[str, float]] = field(default_factory=dict)

    def of(self, module: Any, count: int, place: str, state: State) -> dict[str, Any]:
        """Arguments of a layer here: standard deviations, whether it is trained, and how.

        count: how many numbers a weight's output adds up, those of the channels included. The
        channels of an input are added up here as they are, hidden ones as their mean.
        """
        self.used.add(place)
        if not isinstance(module.weight, nn.Parameter) or _hooked(module):
            raise NetworkError(
                f"{place}: its weights are made of others, or hooks change what it does (weight or "
                "spectral normalisation); pass the module without these"
            )
        stds = told(self.given, place)
        taken = count if state.hidden else count / state.channels
        if stds is None:
            layers: list[Any] = [m for m in self.module.modules() if type(m) is type(module)]
            others = [self._near(layer.weight) for layer in layers]
            found = variance(module.weight, place, self._near(module.weight), others)
            weight = math.sqrt(found * taken)
            stds = weight, math.sqrt(bias_variance(module.bias, Fans.of(module.weight), place))
        options: dict[str, Any] = {"weight_std": stds[0], "bias_std": stds[1]}
        trained = module.weight.requires_grad
        bias = module.bias if stds[1] > 0 or self.standard else None
        if bias is not None and bias.requires_grad != trained:
            one, other = ("weights are", "bias") if trained else ("bias is", "weights")
            raise NetworkError(
                f"{place}: its {one} trained and its {other} frozen, which no layer here does; "
                "freeze both, or neither"
            )
        if not trained:
            options["trainable"] = False
        elif self.standard:
            # Σ of a convolution is the sum over its patch, as its gradient has it.
            options["weight_rate"] = taken / module.weight[0, 0].numel()
            options["bias_rate"] = 0.0 if module.bias is None else 1.0
        return options

    def _near(self, weight: torch.Tensor) -> dict[str, float]:
        """The schemes that explain some weights, looked for once."""
        key = (tuple(weight.shape), *weight.detach().flatten()[:4].tolist())
        if key not in self.near:
            self.near[key] = near(weight)
        return self.near[key]

    def of_vectors(self, parameter: torch.Tensor, place: str) -> float:
        """The standard deviation of a parameter that is no weights, but numbers of a signal."""
        self.used.add(place)
        given = told(self.given, place)
        return vector_std(parameter, place) if given is None else given[0]

    def check_used(self) -> None:
        """Raise `NetworkError` for places of the user's that are no layers with weights."""
        if unknown := sorted(set(self.given) - self.used):
            raise NetworkError(
                f"spreads names {', '.join(map(repr, unknown))}, which are no layers with weights; "
                f"those are {', '.join(sorted(self.used)) or 'none'}"
            )


def _hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def dense(module: nn.Linear, place: str, state: State, spreads: Spreads) -> tuple[Any, State]:
    """A Linear, which acts on the last axis."""
    if state.batch == len(state.axes):
        state.check_batch()
    if state.axes[-1] != CHANNELS:
        raise NetworkError(
            f"{place}: it mixes positions with one set of weights for all channels (as in "
            "MLP-Mixer). However many channels and hidden units there are, this is one random map "
            "of finitely many positions, over which nothing is averaged, so that Σ stays random "
            "and no kernel is its limit; mix positions by Conv, or by attention"
        )
    options = spreads.of(module, module.in_features, place, state)
    return [Dense(**options)], _mixed(state, module.out_features)


def conv(module: Any, place: str, state: State, spreads: Spreads) -> tuple[Any, State]:
    """A Conv1d, Conv2d or Conv3d; a depthwise one has the kernels of a usual one."""
    depthwise = state.hidden and 1 < module.groups == module.in_channels == module.out_channels
    _check_grid(module, place, state, 1 if not depthwise else module.groups)
    count = module.in_channels // module.groups * math.prod(module.kernel_size)
    pads, padding = _padding(module)
    layer = Conv(
        alike(module.kernel_size),
        stride=alike(module.stride),
        padding=padding,
        dilation=alike(module.dilation),
        **spreads.of(module, count, place, state),
    )
    after = replace(state, apart=True) if depthwise else _mixed(state, module.out_channels)
    return [*pads, layer], after


def conv_transpose(module: Any, place: str, state: State, spreads: Spreads) -> tuple[Any, State]:
    """A ConvTranspose1d, 2d or 3d: the whole of what it can reach, of which a part is cut out."""
    _check_grid(module, place, state)
    if set(module.dilation) != {1}:
        raise NetworkError(f"{place}: a transposed convolution with dilation has no layer here")
    count = module.in_channels * math.prod(module.kernel_size)
    options = spreads.of(module, count, place, state)
    layers: list[Layer] = [
        ConvTranspose(
            alike(module.kernel_size), stride=alike(module.stride), padding="valid", **options
        )
    ]
    cuts = []
    for k, s, p, more in zip(
        module.kernel_size, module.stride, module.padding, module.output_padding, strict=True
    ):
        # It ends with the last window; the layer here goes on to a whole number of strides.
        short = p - more + max(s - k, 0)
        if short < 0:
            raise NetworkError(
                f"{place}: output_padding reaches beyond the last window, where nothing but the "
                "bias is; use a smaller output_padding"
            )
        cuts.append((p, -short if short else None))
    if any(cut != (0, None) for cut in cuts):
        layers.append(Slice(*cuts))
    return layers, _mixed(state, module.out_channels)


def _mixed(state: State, channels: int) -> State:
    """Behind weights that mix channels."""
    return replace(state, channels=channels, hidden=True, apart=False, positions=1)


def _check_grid(module: Any, place: str, state: State, groups: int = 1) -> None:
    state.in_order()
    if module.groups != groups:
        raise NetworkError(
            f"{place}: a convolution in {module.groups} groups has no Gaussian limit with few "
            "channels in each; use groups=1, or as many groups as there are hidden channels"
        )


def _padding(module: Any) -> tuple[list[Layer], Any]:
    """The padding of a convolution here; of other values than zeros by a layer of its own."""
    extents = [d * (k - 1) for k, d in zip(module.kernel_size, module.dilation, strict=True)]
    plain = set(module.stride) == {1}
    if module.padding == "valid" or (not any(extents) and module.padding == "same"):
        return [], "valid"
    if module.padding == "same":
        ends = [(extent // 2, extent - extent // 2) for extent in extents]
    else:
        ends = [(p, p) for p in module.padding]
    if not any(map(any, ends)):
        return [], "valid"
    same = [(extent // 2, extent - extent // 2) for extent in extents]
    if plain and ends == same and module.padding_mode in ("zeros", "circular"):
        return [], "same" if module.padding_mode == "zeros" else "circular"
    sizes = tuple(low if low == high else (low, high) for low, high in ends)
    if module.padding_mode == "zeros":
        return [], alike(sizes)
    return [Pad(alike(sizes), _PADDING[module.padding_mode])], "valid"


WEIGHTED: dict[type, Callable[[Any, str, State, Spreads], tuple[Any, State]]] = {
    nn.Linear: dense,
    nn.Conv1d: conv,
    nn.Conv2d: conv,
    nn.Conv3d: conv,
    nn.ConvTranspose1d: conv_transpose,
    nn.ConvTranspose2d: conv_transpose,
    nn.ConvTranspose3d: conv_transpose,
}


def weighted(target: Any) -> list[Any]:
    """The modules of a call that have weights of these kinds."""
    if isinstance(target, Attention):
        calls = (target.queries, target.keys, target.values)
        return list({id(call.target): call.target for call in calls}.values())
    return [target] if type(target) in WEIGHTED else []
