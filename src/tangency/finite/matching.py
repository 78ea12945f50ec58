"""Which call of a PyTorch function is which kind of operation on parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .kinds import Convolution, Elementwise, Kind, Linear


@dataclass(frozen=True)
class Tracked:
    """A parameter, or a multiple of it in another layout.

    Attributes:
        layout: the steps to it, in words. steps: as functions.
    """

    name: str
    scale: float = 1.0
    layout: tuple[str, ...] = ()
    steps: tuple[Callable[[Tensor], Tensor], ...] = field(default=(), compare=False)

    def times(self, factor: float) -> Tracked:
        return replace(self, scale=self.scale * factor)

    def laid_out(self, words: str, step: Callable[[Tensor], Tensor]) -> Tracked:
        return replace(self, layout=(*self.layout, words), steps=(*self.steps, step))

    def arranged(self, values: Tensor) -> Tensor:
        """Values in the parameter's shape, in the order that they have in this layout."""
        for step in self.steps:
            values = step(values)
        return values


@dataclass(frozen=True, eq=False)
class Call:
    """One operation: its kind, its input (None for a shift), and the parameters in it."""

    kind: Kind
    x: Tensor | None
    weight: Tracked | None
    bias: Tracked | None

    @property
    def signature(self) -> tuple[Any, Tracked | None, Tracked | None]:
        """What two passes have in common that call the same layers."""
        return self.kind.key, self.weight, self.bias


Lookup = Callable[[Any], Tracked | None]

_CONV = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups")
_CONVOLUTIONS = {torch.conv1d: 1, torch.conv2d: 2, torch.conv3d: 3}
_TRANSPOSED_CONVOLUTIONS = {
    torch.conv_transpose1d: 1,
    torch.conv_transpose2d: 2,
    torch.conv_transpose3d: 3,
}
ADD = ("add", "__add__", "__radd__")
SUBTRACT = ("sub", "subtract", "__sub__")
MULTIPLY = ("mul", "multiply", "__mul__", "__rmul__")
DIVIDE = ("div", "divide", "true_divide", "__truediv__", "__div__")
_LAYOUTS = [
    "contiguous",
    "flatten",
    "mT",
    "movedim",
    "permute",
    "reshape",
    "squeeze",
    "swapaxes",
    "t",
    "T",
    "transpose",
    "unflatten",
    "unsqueeze",
    "view",
]
_MATMUL = ("matmul", "__matmul__", "mm")


def name_of(function: Any) -> str:
    """The function's name; for the getter of a property, the property's."""
    # `mul.Scalar` is a product like others; `elementary` calls it.
    name = getattr(function, "__name__", "").removesuffix(".Scalar")
    return getattr(function.__self__, "__name__", "") if name == "__get__" else name


def derived(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], look: Lookup) -> Any:
    """What the result is if it is a multiple of one parameter, or the same in another layout."""
    name = name_of(function)
    found = look(args[0]) if args else None
    if found and name in _LAYOUTS:
        words = f"{name}{args[1:]}{dict(kwargs)}"
        return found.laid_out(words, lambda p: function(p, *args[1:], **kwargs))
    if kwargs:
        return None
    if found and name in ("neg", "__neg__", "negative"):
        return found.times(-1.0)
    if len(args) != 2:
        return None
    if found and name in DIVIDE:
        factor = _number(args[1], look)
        return found.times(1.0 / factor) if factor else None
    if name in MULTIPLY:
        found, other = (found, args[1]) if found else (look(args[1]), args[0])
        factor = _number(other, look)
        return found.times(factor) if found and factor is not None else None
    return None


def match(
    function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], look: Lookup
) -> Call | None:
    """The call as an operation that is understood, or None."""
    if kwargs.get("out") is not None:
        return None
    if function is functional.linear:
        given = _bind(("input", "weight", "bias"), args, kwargs)
        return _call(Linear(), given, look)
    if function in _CONVOLUTIONS:
        return _convolution(_bind(_CONV, args, kwargs), _CONVOLUTIONS[function], look)
    if function in _TRANSPOSED_CONVOLUTIONS:
        names = (*_TRANSPOSED, "dilation")
        return _transposed(_bind(names, args, kwargs), _TRANSPOSED_CONVOLUTIONS[function], look)
    if function in _NORMALISATIONS:
        names, prepare = _NORMALISATIONS[function]
        return _normalisation(_bind(names, args, kwargs), prepare, look)
    if len(args) == 2 and not kwargs:
        return _binary(name_of(function), args[0], args[1], look)
    return None


def _bind(names: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _call(kind: Kind, given: Mapping[str, Any], look: Lookup) -> Call | None:
    x, weight, bias = given["input"], look(given.get("weight")), look(given.get("bias"))
    if look(x) or not isinstance(x, Tensor):
        return None
    return Call(kind, x if weight else None, weight, bias)


def _convolution(given: Mapping[str, Any], dims: int, look: Lookup) -> Call | None:
    x, weight, padding = given["input"], given["weight"], given.get("padding", 0)
    if look(x) or x.ndim != dims + 2:
        return None
    dilation = _each(given.get("dilation", 1), dims)
    if padding == "valid":
        padding = 0
    if padding == "same":
        totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        pads = [p for t in reversed(totals) for p in (t // 2, t - t // 2)]
        given, padding = {**given, "input": functional.pad(x.detach(), pads)}, 0
    kind = Convolution(
        tuple(weight.shape),
        _each(given.get("stride", 1), dims),
        _each(padding, dims),
        dilation,
        given.get("groups", 1),
    )
    return _call(kind, given, look)


def _transposed(given: Mapping[str, Any], dims: int, look: Lookup) -> Call | None:
    if look(given["input"]) or given["input"].ndim != dims + 2:
        return None
    kind = Convolution(
        tuple(given["weight"].shape),
        _each(given.get("stride", 1), dims),
        _each(given.get("padding", 0), dims),
        _each(given.get("dilation", 1), dims),
        given.get("groups", 1),
        _each(given.get("output_padding", 0), dims),
    )
    return _call(kind, given, look)


def _each(value: Any, dims: int) -> tuple[int, ...]:
    return (value,) * dims if isinstance(value, int) else tuple(value) * (dims // len(value))


def _normalisation(given: dict[str, Any], prepare: Any, look: Lookup) -> Call | None:
    x = given["input"]
    parameter = given.get("weight") if given.get("weight") is not None else given.get("bias")
    if look(x) or parameter is None or not isinstance(x, Tensor):
        return None
    whole = prepare is _layer
    shape = tuple(parameter.shape) if whole else (len(parameter), *(1,) * (x.ndim - 2))
    # Without the input, which would be kept alive.
    options = {name: value for name, value in given.items() if name != "input"}
    return _call(Elementwise(shape, lambda x: prepare(x, options)), given, look)


def _batch(x: Tensor, given: Mapping[str, Any]) -> Tensor:
    mean, variance = given["running_mean"], given["running_var"]
    return functional.batch_norm(x, mean, variance, eps=given.get("eps", 1e-5))


def _layer(x: Tensor, given: Mapping[str, Any]) -> Tensor:
    return functional.layer_norm(x, given["normalized_shape"], eps=given.get("eps", 1e-5))


def _group(x: Tensor, given: Mapping[str, Any]) -> Tensor:
    return functional.group_norm(x, given["num_groups"], eps=given.get("eps", 1e-5))


_NORMALISATIONS: dict[Any, tuple[tuple[str, ...], Callable[..., Tensor]]] = {
    functional.batch_norm: (
        ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
        _batch,
    ),
    functional.layer_norm: (("input", "normalized_shape", "weight", "bias", "eps"), _layer),
    functional.group_norm: (("input", "num_groups", "weight", "bias", "eps"), _group),
}


def _binary(name: str, left: Any, right: Any, look: Lookup) -> Call | None:
    """x + p, x − p, x·p and x @ p, p a parameter that has no axis for the batch."""
    if name in _MATMUL:
        found = look(right)
        if found is None or look(left) or right.ndim != 2:
            return None
        return Call(Linear(), left, found.laid_out("right", lambda p: p.T), None)
    p, x = (left, right) if look(left) else (right, left)
    found = look(p)
    if found is None or look(x) or not isinstance(x, Tensor) or p.ndim > x.ndim:
        return None
    if x.ndim < 2 or (p.ndim == x.ndim and p.shape[0] != 1):
        return None
    if name in ADD:
        return Call(Elementwise(tuple(p.shape)), None, None, found)
    if name in SUBTRACT and p is right:
        return Call(Elementwise(tuple(p.shape)), None, None, found.times(-1.0))
    if name in MULTIPLY:
        return Call(Elementwise(tuple(p.shape)), x, found, None)
    return None


def _number(value: Any, look: Lookup) -> float | None:
    """A plain number, or a constant tensor that holds one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, Tensor) and value.ndim == 0 and not value.requires_grad:
        return None if look(value) else float(value)
    return None
