"""One call of PyTorch as layers here, and what it makes of the axes."""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from ...errors import NetworkError
from ...nets import AvgPool, Flatten, GlobalAvgPool, Layer, LayerNorm, Pad, Rescale, Upsample
from .known import activation_of
from .states import CHANNELS, ONE, State
from .trace import Call
from .weights import WEIGHTED, Spreads

Translated = tuple[list[Layer], State]

_NOTHING = {"contiguous", "clone", "detach", "float", "double", "to", "stochastic_depth"}
_SUMS = (operator.add, operator.iadd, operator.sub, torch.add, torch.sub, "add", "add_", "sub")
_PRODUCTS = (operator.mul, operator.imul, torch.mul, torch.multiply, "mul", "mul_")
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
            found = self._module(call, state) if call.kind == "module" else self._call(call, state)
        except NetworkError as error:
            text = str(error)
            named = text.startswith(f"{call.name}:")
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
            return self._batch_norm(), state
        if type(module) is nn.LayerNorm:
            _check_gain(module.weight, module.bias)
            return _layer_norm(len(module.normalized_shape), state)
        if type(module) is nn.GroupNorm:
            _check_gain(module.weight, module.bias)
            return [LayerNorm(space=bool(state.space))], state
        if isinstance(module, _OTHER_NORMS):
            raise NetworkError(
                f"{type(module).__name__} divides each channel by its own size, which stays random "
                "however many there are; use LayerNorm or GroupNorm"
            )
        name = re.sub("[123]d$", "", type(module).__name__)
        if name in ("AvgPool", "MaxPool"):
            return self._pool(name, vars(module), state)
        if name in ("AdaptiveAvgPool",):
            return _adaptive(module.output_size, call, state)
        if type(module) is nn.Flatten:
            return _flatten(module.start_dim, module.end_dim, state)
        if type(module) is nn.Upsample and module.mode == "nearest":
            return _upsample(call, state)
        if name in ("ZeroPad", "CircularPad", "ReflectionPad", "ReplicationPad"):
            modes = {"Z": "zeros", "C": "circular"}
            mode = modes.get(name[0], "reflect" if name == "ReflectionPad" else "edge")
            return _pad(module.padding, mode, state)
        return None

    def _call(self, call: Call, state: State) -> Translated | None:
        target, args, options = call.target, call.args[1:], call.options
        name = _named(target)
        if (layer := activation_of(target, args, options)) is not None:
            return _activated(layer, state)
        if name in _NOTHING or name in ("dropout", "dropout_", "feature_dropout"):
            return [], state
        if target in _PRODUCTS or target is operator.truediv:
            return _rescaled(call, state)
        if target in _SUMS:
            return _shifted(call, state)
        match name:
            case "flatten":
                dims = {"start_dim": 0, "end_dim": -1, **_bound(("start_dim", "end_dim"), call)}
                return _flatten(dims["start_dim"], dims["end_dim"], state)
            case "view" | "reshape":
                return _reshaped(call, state)
            case "permute":
                dims = args[0] if args and isinstance(args[0], list | tuple) else args
                dims = options.get("dims", dims)
                return _permuted([state.place(d) for d in dims[1:]], dims[0], state)
            case "transpose" | "swapaxes":
                one, other = (state.place(d) for d in args)
                order = list(range(len(state.axes)))
                order[one], order[other] = other, one
                return _permuted(order, 0, state)
            case "mean":
                given = {"dim": None, "keepdim": False, **_bound(("dim", "keepdim"), call)}
                return _mean(given["dim"], given["keepdim"], state)
            case "squeeze":
                return _squeezed(_bound(("dim",), call).get("dim"), state)
            case "adaptive_avg_pool1d" | "adaptive_avg_pool2d" | "adaptive_avg_pool3d":
                return _adaptive(_bound(("output_size",), call)["output_size"], call, state)
            case "avg_pool1d" | "avg_pool2d" | "avg_pool3d" | "max_pool1d" | "max_pool2d":
                names = ("kernel_size", "stride", "padding")
                given = {"stride": None, "padding": 0, **options, **_bound(names, call)}
                if len(args) > 3:
                    return None
                return self._pool("AvgPool" if name[0] == "a" else "MaxPool", given, state)
            case "layer_norm":
                given = _bound(("normalized_shape", "weight", "bias"), call)
                _check_gain(given.get("weight"), given.get("bias"))
                return _layer_norm(len(given["normalized_shape"]), state)
            case "interpolate" if options.get("mode", "nearest") == "nearest":
                return _upsample(call, state)
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

    def _pool(self, name: str, given: dict[str, Any], state: State) -> Translated | None:
        state.in_order()
        if name == "MaxPool" and self.replacing.max_pool != "average":
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
        pads: list[Layer] = [Pad(_one(padding))] if any(padding) else []
        return [*pads, AvgPool(_one(size), None if stride == size else _one(stride))], state


_DEFAULTS = (("padding", 0), ("dilation", 1))


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
                "the gains of its normalisation are no longer 1, or its offsets not 0: kernels are "
                "those of a network at initialisation; pass one that is not trained"
            )


def _flatten(start: int, end: int, state: State) -> Translated | None:
    if start == 0:
        raise NetworkError("it flattens the batch too")
    one, other = state.place(start), state.place(end)
    axes = state.axes[one : other + 1]
    if CHANNELS not in axes:
        merged = tuple(a for axis in axes if isinstance(axis, tuple) for a in axis)
        new = (merged,) if merged else (ONE,)
        return [], replace(state, axes=(*state.axes[:one], *new, *state.axes[other + 1 :]))
    if any(isinstance(axis, tuple) for axis in axes):
        if len(axes) != len(state.axes):
            return None  # some axes of space stay, and positions become channels
        return [Flatten()], replace(state, axes=(CHANNELS,))
    return [], replace(state, axes=(*state.axes[:one], CHANNELS, *state.axes[other + 1 :]))


def _reshaped(call: Call, state: State) -> Translated | None:
    """A view as a flatten: of all axes, or of space behind the channels."""
    shape = call.shape
    if shape is None or math.prod(shape) != math.prod(_shape_in(call)):
        raise NetworkError("it moves numbers from one input to another")
    if len(shape) == 1:
        return _flatten(1, -1, state)
    if shape == _shape_in(call):
        return [], state
    if len(shape) == 2 and state.axes[0] == CHANNELS and shape[0] == _shape_in(call)[0]:
        return _flatten(2, -1, state)
    return None


def _shape_in(call: Call) -> tuple[int, ...]:
    return call.inputs[0].shape or ()


def _permuted(order: list[int], batch: int, state: State) -> Translated:
    if batch != 0:
        raise NetworkError("it moves the axis of the batch")
    return [], replace(state, axes=tuple(state.axes[place] for place in order))


def _mean(dim: Any, keep: bool, state: State) -> Translated | None:
    if dim is None:
        raise NetworkError("a mean over all numbers takes those of the batch too; name the axes")
    places = {state.place(d) for d in ([dim] if isinstance(dim, int) else dim)}
    space = {place for place, axis in enumerate(state.axes) if isinstance(axis, tuple)}
    ones = {place for place, axis in enumerate(state.axes) if axis == ONE}
    if places - space - ones:
        raise NetworkError("a mean over infinitely many channels is zero")
    if space and places & space != space:
        return None
    axes = tuple(ONE if place in places else axis for place, axis in enumerate(state.axes))
    if not keep:
        axes = tuple(axis for place, axis in enumerate(axes) if place not in places)
    return ([GlobalAvgPool()] if space else []), replace(state, axes=axes)


def _squeezed(dim: Any, state: State) -> Translated | None:
    if dim is None:
        return [], replace(state, axes=tuple(axis for axis in state.axes if axis != ONE))
    place = state.place(dim)
    if state.axes[place] != ONE:
        return None
    return [], replace(state, axes=(*state.axes[:place], *state.axes[place + 1 :]))


def _adaptive(size: Any, call: Call, state: State) -> Translated | None:
    state.in_order()
    grid = _shape_in(call)[1:]
    wanted = tuple(
        n if w is None else w for n, w in zip(grid, _per_axis(size, len(grid)), strict=True)
    )
    if set(wanted) == {1}:
        return [GlobalAvgPool()], state.without_space()
    if wanted == grid:
        return [], state
    if any(n % w for n, w in zip(grid, wanted, strict=True)):
        raise NetworkError(
            f"windows of different sizes ({grid} to {wanted} positions) have no layer here; use an "
            "output size that divides the grid"
        )
    return [AvgPool(_one(n // w for n, w in zip(grid, wanted, strict=True)))], state


def _upsample(call: Call, state: State) -> Translated | None:
    state.in_order()
    before, after = _shape_in(call)[1:], (call.shape or ())[1:]
    if any(b % a for a, b in zip(before, after, strict=True)):
        return None
    return [Upsample(_one(b // a for a, b in zip(before, after, strict=True)))], state


def _pad(padding: Any, mode: str, state: State) -> Translated:
    dims = len(state.in_order().space)
    given = _per_axis(padding, 2 * dims)
    pairs = [(given[2 * k], given[2 * k + 1]) for k in range(dims)][::-1]  # the last axis first
    return [Pad(_one(low if low == high else (low, high) for low, high in pairs), mode)], state


def _rescaled(call: Call, state: State) -> Translated | None:
    """A product with a constant."""
    others = [arg for arg in call.args if not isinstance(arg, Call)]
    values = torch.as_tensor(others[0]).detach() if len(others) == 1 else torch.empty(0)
    if call.target is operator.truediv:
        if isinstance(call.args[1], Call):
            return None
        values = 1 / values
    if not values.numel() or not bool((values == values.flatten()[0]).all()):
        return None
    return [Rescale(float(values.flatten()[0]))], state


def _shifted(call: Call, state: State) -> Translated | None:
    """A sum with a constant, which must be zero."""
    others = [arg for arg in call.args if not isinstance(arg, Call)]
    if len(others) == 1 and not bool(torch.as_tensor(others[0]).any()):
        return [], state
    raise NetworkError(
        "it adds a constant that is not zero to the values of a layer (a learnt position, or an "
        "offset), which no layer here does; leave it out"
    )


def _bound(names: tuple[str, ...], call: Call) -> dict[str, Any]:
    """Arguments behind the tensor, by their names."""
    found = dict(zip(names, call.args[1:], strict=False))
    return {**found, **{k: v for k, v in call.options.items() if k in names}}


def _named(target: Any) -> str:
    return target if isinstance(target, str) else getattr(target, "__name__", str(target))


def _per_axis(value: Any, count: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,) * count


def _one(values: Any) -> Any:
    """One number for axes that are all alike."""
    values = tuple(values)
    return values[0] if len(set(values)) == 1 and isinstance(values[0], int) else values
