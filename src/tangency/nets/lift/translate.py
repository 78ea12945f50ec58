"""One call of PyTorch as layers here, and what it makes of the axes."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ...errors import NetworkError
from ...nets import Layer, LayerNorm, Rescale
from .axes import (
    Translated,
    flattened,
    mean,
    permuted,
    reshaped,
    squeezed,
    taken,
    transposed,
)
from .grids import adaptive, padded, pooled, upsampled
from .heads import attention
from .known import PRODUCTS, SUMS, activation_of
from .states import CHANNELS, State
from .trace import Call
from .vectors import shifted, tokens
from .weights import WEIGHTED, Spreads

_NOTHING = {"contiguous", "clone", "float", "double", "to"}
# Where their argument of the place says so, nothing in evaluation mode; else random masks.
_MASKS = {"dropout": 2, "dropout_": 2, "feature_dropout": 2, "stochastic_depth": 3}
# The largest eps of a normalisation that counts as 0.
_MOST_EPS = 1e-3
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_OTHER_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LocalResponseNorm)
_IDENTITIES = (
    *(nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout),
)


@dataclass
class Replacing:
    """What is to stand for layers that have no limit; None: they are refused."""

    batch_norm: str | None = None
    max_pool: str | None = None
    attention: str | None = None


@dataclass
class Translator:
    """Calls as layers; `spreads` and `replacing` are what the user says of them."""

    spreads: Spreads
    replacing: Replacing

    def __call__(self, call: Call, state: State) -> Translated:
        """The layers of a call on one signal, and the state that leaves them.

        Raises:
            NetworkError: what has no limit, or no layer here, by its place in the module.
        """
        try:
            if call.kind == "attention":
                replacing = self.replacing.attention
                found = attention(call.target, call, state, self.spreads, replacing)
            elif call.kind == "module":
                found = self._module(call, state)
            else:
                found = self._call(call, state)
        except NetworkError as error:
            text = str(error)
            named = text.split(":")[0] in {call.name, *self.spreads.used}
            raise error if named else NetworkError(f"{call.name}: {text}") from None
        if found is None:
            what = type(call.target).__name__ if call.kind == "module" else _named(call.target)
            raise NetworkError(
                f"{call.name}: {what} has no layer here, or not with these settings; "
                "docs/from-torch.md lists what has. Replace it, or write the description of the "
                "network yourself, with a layer of your own"
            )
        return found

    def _module(self, call: Call, state: State) -> Translated | None:
        module = call.target
        if make := WEIGHTED.get(type(module)):
            return make(module, call.name, state, self.spreads)
        if (layer := activation_of(module, (), {})) is not None:
            return _activated(layer, state)
        if isinstance(module, _IDENTITIES):
            return [], state
        if isinstance(module, _BATCH_NORMS):
            _check_eps(module.eps)
            _check_gain(module.weight, module.bias)
            _check_gain(module.running_var, module.running_mean)
            return self._batch_norm(), state
        if type(module) is nn.LayerNorm:
            _check_eps(module.eps)
            _check_gain(module.weight, module.bias)
            return _layer_norm(len(module.normalized_shape), state)
        alone = type(module) is nn.GroupNorm and module.num_groups == module.num_channels
        if type(module) is nn.GroupNorm and not alone:
            _check_gain(module.weight, module.bias)
            _check_eps(module.eps)
            if module.num_groups > 1 and state.axes[0] != CHANNELS:
                raise NetworkError(
                    "it normalises groups of positions, as its channels are not the first axis of "
                    "its input; use LayerNorm, or move them there"
                )
            return [LayerNorm(space=bool(state.space))], state
        if isinstance(module, _OTHER_NORMS) or alone:
            raise NetworkError(
                f"{type(module).__name__} divides each channel by its own size, which stays random "
                "however many there are; use LayerNorm, or GroupNorm of few groups"
            )
        name = re.sub("[123]d$", "", type(module).__name__)
        if name in ("AvgPool", "MaxPool"):
            return pooled(name, vars(module), state, self.replacing.max_pool)
        if name == "AdaptiveAvgPool":
            return adaptive(module.output_size, call, state)
        if type(module) is nn.Flatten:
            return flattened(module.start_dim, module.end_dim, state, call.shape_in)
        if type(module) is nn.Upsample:
            return upsampled(call, state)
        if name in ("ZeroPad", "CircularPad", "ReflectionPad", "ReplicationPad"):
            modes = {"Z": "zeros", "C": "circular"}
            mode = modes.get(name[0], "reflect" if name == "ReflectionPad" else "edge")
            return padded(module.padding, mode, state)
        return None

    def _call(self, call: Call, state: State) -> Translated | None:
        target, args, options = call.target, call.args[1:], call.options
        name = _named(target)
        if (layer := activation_of(target, args, options)) is not None:
            return _activated(layer, state)
        if name in _NOTHING:
            return [], state
        if place := _MASKS.get(name):
            given = call.args[place] if len(call.args) > place else options.get("training", True)
            return None if given else ([], state)
        if target in PRODUCTS or target is operator.truediv:
            return _rescaled(call, state)
        if target in SUMS:
            return shifted(call, state, self.spreads)
        match name:
            case "flatten":
                dims = {"start_dim": 0, "end_dim": -1, **call.bound(("start_dim", "end_dim"))}
                return flattened(dims["start_dim"], dims["end_dim"], state, call.shape_in)
            case "view" | "reshape" | "unflatten":
                return reshaped(call, state)
            case "permute":
                dims = args[0] if args and isinstance(args[0], list | tuple) else args
                return permuted(list(options.get("dims", dims)), state)
            case "transpose" | "swapaxes":
                given = call.bound(("dim0", "dim1"))
                return transposed(given["dim0"], given["dim1"], state)
            case "mean":
                given = {"dim": None, "keepdim": False, **call.bound(("dim", "keepdim"))}
                return mean(given["dim"], given["keepdim"], state)
            case "getitem" | "select":
                index = args[0] if name == "getitem" else _selected(call)
                return taken(index, state)
            case "cat" | "concat" | "concatenate":
                return tokens(call, state, self.spreads)
            case "squeeze":
                return squeezed(call.bound(("dim",)).get("dim"), state)
            case "adaptive_avg_pool1d" | "adaptive_avg_pool2d" | "adaptive_avg_pool3d":
                return adaptive(call.bound(("output_size",))["output_size"], call, state)
            case "avg_pool1d" | "avg_pool2d" | "avg_pool3d" | "max_pool1d" | "max_pool2d":
                names = ("kernel_size", "stride", "padding")
                given = {"stride": None, "padding": 0, **options, **call.bound(names)}
                if len(args) > 3:
                    return None
                kind = "AvgPool" if name[0] == "a" else "MaxPool"
                return pooled(kind, given, state, self.replacing.max_pool)
            case "layer_norm":
                given = call.bound(("normalized_shape", "weight", "bias", "eps"))
                _check_eps(given.get("eps", 0.0))
                _check_gain(given.get("weight"), given.get("bias"))
                return _layer_norm(len(given["normalized_shape"]), state)
            case "interpolate":
                return upsampled(call, state)
        return None

    def _batch_norm(self) -> list[Layer]:
        match self.replacing.batch_norm:
            case "identity":
                return []
            case "layernorm":
                return [LayerNorm()]
        raise NetworkError(
            "batch normalisation couples the inputs of a batch, and a kernel is of two inputs "
            'alone; say what stands for it: batch_norm="identity" (what it is at initialisation, '
            'in evaluation mode) or batch_norm="layernorm"'
        )


def _activated(layer: Layer, state: State) -> Translated:
    if state.apart:
        raise NetworkError(
            "an activation right behind a depthwise convolution has no closed form: what each "
            "channel gives is a product of two random numbers, and not Gaussian; mix the channels "
            "by a pointwise convolution before it"
        )
    return [layer], state


def _layer_norm(count: int, state: State) -> Translated | None:
    """A LayerNorm over the last `count` axes: the channels, or these and all of space."""
    if state.batch > len(state.axes) - count:
        state.check_batch()
    last = state.axes[-count:]
    if last == (CHANNELS,):
        return [LayerNorm()], state
    if count == len(state.axes):
        return [LayerNorm(space=bool(state.space))], state
    return None


def _check_gain(weight: Any, bias: Any) -> None:
    """Gains and offsets start as 1 and 0; they are taken as not trained."""
    for values, start in ((weight, 1.0), (bias, 0.0)):
        if values is not None and not bool((values == start).all()):
            raise NetworkError(
                "the gains (or variances) of its normalisation are not 1, or its offsets (or "
                "means) not 0, as PyTorch begins with; pass a module where they are"
            )


def _check_eps(eps: float) -> None:
    """What is added to a variance is taken as 0, which it nearly is."""
    if eps > _MOST_EPS:
        raise NetworkError(
            f"its normalisation adds eps={eps:g} to variances, which a kernel here does not; with "
            f"at most {_MOST_EPS:g} it is taken as 0"
        )


def _rescaled(call: Call, state: State) -> Translated | None:
    """A product with a constant."""
    others = [arg for arg in call.args if not isinstance(arg, Call)]
    if len(others) != 1:
        return None
    number: Any = others[0]
    if isinstance(number, complex) or (torch.is_tensor(number) and number.is_complex()):
        return None
    values = torch.as_tensor(number, dtype=torch.float64).detach()
    if call.target is operator.truediv:
        if isinstance(call.args[1], Call):
            return None
        values = 1 / values
    if not values.numel() or not bool((values == values.flatten()[0]).all()):
        return None
    return [Rescale(float(values.flatten()[0]))], state


def _selected(call: Call) -> Any:
    """select(dim, index) as an index of all axes."""
    given = call.bound(("dim", "index"))
    dim = given["dim"] + len(call.shape_in) + 1 if given["dim"] < 0 else given["dim"]
    return (slice(None),) * dim + (given["index"],)


def _named(target: Any) -> str:
    return target if isinstance(target, str) else getattr(target, "__name__", str(target))
