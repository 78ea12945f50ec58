"""Activations of PyTorch that have a counterpart here, as modules, functions and methods."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ...nets import GELU, Abs, Activation, Cosine, Erf, LeakyReLU, ReLU, Sine
from ..activations import ActivationLayer

_RELU = ReLU(normalized=False)
_SIMPLE: dict[str, ActivationLayer] = {
    "relu": _RELU,
    "relu_": _RELU,
    "tanh": Activation("tanh", normalized=False),
    "sigmoid": Activation("sigmoid", normalized=False),
    "silu": Activation("silu", normalized=False),
    "erf": Erf(normalized=False),
    "sin": Sine(normalized=False),
    "cos": Cosine(normalized=False),
    "abs": Abs(normalized=False),
}
SUMS = (operator.add, operator.iadd, operator.sub, torch.add, torch.sub, "add", "add_", "sub")
PRODUCTS = (operator.mul, operator.imul, torch.mul, torch.multiply, "mul", "mul_")

# From here on a softplus is a line, to 3e-7.
_LINE = 15.0
_OPTIONS = {"inplace", "approximate", "alpha", "negative_slope", "beta", "threshold"}


def activation_of(target: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The activation that a module, function or method is; None for what is no known one.

    args: what follows the tensor. Settings that have no counterpart give None, too.
    """
    if isinstance(target, nn.Module):
        name = _MODULES.get(type(target))
        found = {key: getattr(target, key) for key in _OPTIONS if hasattr(target, key)}
    else:
        name = target if isinstance(target, str) else _FUNCTIONS.get(target)
        names = _PLACES.get(name or "", ())
        if len(args) > len(names) + 1:  # and inplace, or a threshold that only saves time
            return None
        found = {**options, **dict(zip(names, args, strict=False))}
    match name:
        case "leaky_relu":
            return LeakyReLU(found.get("negative_slope", 0.01), normalized=False)
        case "gelu" if found.get("approximate", "none") == "none":
            return GELU(normalized=False)
        case "gelu":
            return Activation(_gelu_by_tanh, normalized=False)
        case "elu" if found.get("alpha", 1.0) == 1.0:
            return Activation("elu", normalized=False)
        case "softplus" if found.get("beta", 1.0) == 1.0 and found.get("threshold", 20.0) >= _LINE:
            return Activation("softplus", normalized=False)
    return _SIMPLE.get(name) if name else None


def _gelu_by_tanh(u: Any) -> Any:
    """GELU with its normal distribution function approximated, as PyTorch's approximate="tanh"."""
    if isinstance(u, torch.Tensor):
        return F.gelu(u, approximate="tanh")
    return F.gelu(torch.as_tensor(u), approximate="tanh").numpy()


_PLACES = {"leaky_relu": ("negative_slope",), "elu": ("alpha",), "softplus": ("beta", "threshold")}
_MODULES: dict[type, str] = {
    nn.ReLU: "relu",
    nn.LeakyReLU: "leaky_relu",
    nn.GELU: "gelu",
    nn.SiLU: "silu",
    nn.Tanh: "tanh",
    nn.Sigmoid: "sigmoid",
    nn.ELU: "elu",
    nn.Softplus: "softplus",
}
_FUNCTIONS: dict[Any, str] = {
    torch.relu: "relu",
    torch.relu_: "relu",
    F.relu: "relu",
    F.relu_: "relu",
    F.leaky_relu: "leaky_relu",
    F.gelu: "gelu",
    F.silu: "silu",
    torch.tanh: "tanh",
    F.tanh: "tanh",
    torch.sigmoid: "sigmoid",
    F.sigmoid: "sigmoid",
    F.elu: "elu",
    F.softplus: "softplus",
    torch.erf: "erf",
    torch.sin: "sin",
    torch.cos: "cos",
    torch.abs: "abs",
}
