"""Operations whose derivatives of every order are right, and are not slow, in place of others.

Normalisations are made of elementary steps.
PyTorch's own keep the mean and the deviation of a forward pass as constants: their derivatives are
right once, but not the derivatives of those, and no error says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class Elementary(TorchFunctionMode):
    """Within it, what is in `_REPLACED` is called in place of PyTorch's own."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        replacement = _REPLACED.get(func)
        if replacement is not None:
            found = replacement(*args, **(kwargs or {}))
            if found is not None:
                return found
        return func(*args, **(kwargs or {}))


def _normalized(x: Tensor, dims: Sequence[int], eps: float) -> Tensor:
    centred = x - x.mean(dim=tuple(dims), keepdim=True)
    return centred * torch.rsqrt(centred.square().mean(dim=tuple(dims), keepdim=True) + eps)


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None, axis: int | None) -> Tensor:
    """Times the weight, plus the bias; along one axis, or along the last ones."""
    shape = None if axis is None else [-1 if d == axis else 1 for d in range(x.ndim)]
    if weight is not None:
        x = x * (weight if shape is None else weight.reshape(shape))
    if bias is not None:
        x = x + (bias if shape is None else bias.reshape(shape))
    return x


def _layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    dims = range(-len(normalized_shape), 0)
    return _scaled(_normalized(input, dims, eps), weight, bias, None)


def _group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    grouped = input.reshape(input.shape[0], num_groups, -1)
    return _scaled(_normalized(grouped, (-1,), eps).reshape(input.shape), weight, bias, 1)


def _instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor | None:
    if running_mean is not None or not use_input_stats:
        return None
    return _scaled(_normalized(input, range(2, input.ndim), eps), weight, bias, 1)


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor | None:
    if running_mean is not None or not training:
        return None
    dims = [d for d in range(input.ndim) if d != 1]
    return _scaled(_normalized(input, dims, eps), weight, bias, 1)


def _multiple(x: Any, other: Any, **options: Any) -> Tensor | None:
    """A tensor times a number, as such: PyTorch's rule for two tensors costs 1 ms in forward mode.

    It takes the number for a tensor whose derivative is zero, and works out its shape in Python.
    """
    plain = isinstance(x, Tensor) and x.is_floating_point() and type(other) in (int, float)
    return torch.ops.aten.mul.Scalar(x, other) if plain and not options else None


def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    return v * (g / torch.norm_except_dim(v, 2, dim))


_REPLACED = {
    torch._weight_norm: _weight_norm,  # pyright: ignore[reportPrivateImportUsage]
    functional.layer_norm: _layer_norm,
    torch.layer_norm: _layer_norm,
    functional.group_norm: _group_norm,
    torch.group_norm: _group_norm,
    functional.instance_norm: _instance_norm,
    functional.batch_norm: _batch_norm,
    torch.mul: _multiple,
    Tensor.mul: _multiple,
    Tensor.__mul__: _multiple,
    Tensor.__rmul__: _multiple,
}
"""They give None where the operation itself will do, as of a norm by given statistics: linear."""
