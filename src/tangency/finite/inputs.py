"""Inputs and numbers from outside as tensors that a module takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import within_memory
from ..errors import InputError
from ..kernels.foreign import refuse_transformed
from .subject import Subject

_NO_DERIVATIVE = "what is computed here has no derivative in {name}: pass the values alone"


@within_memory()
def inputs_of(subject: Subject, data: Any, name: str = "X") -> Tensor:
    """`data` as a tensor that the module takes: its dtype and device, nothing else changed.

    Integers stay integers where the module has an `Embedding`, or does not take them as floating
    point numbers.

    Raises:
        InputError: not numbers, NaN or infinity, or no inputs.
    """
    first = next(iter(subject.params.values()))
    x = tensor_of(data, name).to(first.device)
    if x.ndim == 0 or 0 in x.shape:
        raise InputError(f"{name} is empty: shape {tuple(x.shape)}; give at least one input")
    x = typed(x, first.dtype, subject.module, lambda one: subject.outputs({}, one))
    if x.is_floating_point() and not bool(torch.isfinite(x).all()):
        bad = (~torch.isfinite(x)).reshape(len(x), -1).any(dim=1)
        raise InputError(
            f"{name} holds NaN or infinity in {int(bad.sum())} of {len(x)} inputs (the first is "
            f"number {int(bad.int().argmax())}); impute or drop them"
        )
    return x.clone() if x.is_inference() else x


@within_memory()
def tensor_of(data: Any, name: str = "X") -> Tensor:
    """Real numbers of any kind as a tensor that shares nothing with autograd.

    Raises:
        InputError: several arrays in one, arrays of different shapes, or no real numbers.
    """
    if not isinstance(data, Tensor):
        if isinstance(data, tuple) and any(np.ndim(part) > 1 for part in data if _array(part)):
            shapes = ", ".join(str(tuple(part.shape)) for part in data if _array(part))
            raise InputError(
                f"{name} is a tuple of arrays, of shapes {shapes}; a module is called with one "
                "tensor (n, ...): wrap it in a module that splits one tensor, or pass a list"
            )
        data = as_tensor(numbers_of(data, name))
    require_values(data, name)
    x = data.detach().resolve_neg().resolve_conj()
    if x.is_complex():
        raise InputError(f"{name} is complex; pass real numbers")
    return x.to_dense() if x.layout != torch.strided else x


def as_tensor(array: np.ndarray) -> Tensor:
    """Real numbers as a tensor of their type, or of the nearest one that PyTorch has."""
    # It has no long doubles, no other byte order, and one of NumPy's two types of 64 bits.
    dtype = np.dtype(f"{array.dtype.kind}{min(array.dtype.itemsize, 8)}")
    array = array.astype(dtype, order="C", copy=False).view(dtype)
    # A copy where NumPy forbids to write, which tensors do not know of.
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def numbers_of(data: Any, name: str) -> np.ndarray:
    """Real numbers, or tensors of them, as an array.

    Raises:
        InputError: something else, or rows of different lengths.
    """
    if isinstance(data, Tensor):
        x = tensor_of(data, name).cpu()
        narrow = x.is_floating_point() and x.dtype.itemsize < 4  # some have no NumPy form
        return (x.float() if narrow else x).numpy()
    if isinstance(data, list | tuple):
        data = [numbers_of(part, name) if _array(part) else part for part in data]
    try:
        array = np.asarray(data)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise InputError(
            f"{name} must be one array of numbers, all its rows of one shape; got a "
            f"{type(data).__name__} that is none ({error})"
        ) from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} has dtype {array.dtype}; pass real numbers")
    return array


def require_values(tensor: Tensor, name: str) -> None:
    """Refuses, with the remedy, tensors that no module computes with."""
    if tensor.is_quantized:
        raise InputError(f"{name} is a quantized tensor; pass {name}.dequantize()")
    if tensor.is_nested:
        raise InputError(f"{name} is a nested tensor; pass one whose rows have one length")
    if tensor.is_meta:
        raise InputError(f"{name} is a tensor on the meta device, which holds no values")
    if tensor.layout == torch.strided:
        refuse_transformed(tensor, name, _NO_DERIVATIVE)


def typed(x: Tensor, dtype: torch.dtype, module: nn.Module, evaluate: Any) -> Tensor:
    """x in floating point, or integers as they are where the module wants them so.

    evaluate: the module on one input; may fail.
    """
    if x.is_floating_point():
        return x.to(dtype)
    if any(isinstance(part, nn.Embedding | nn.EmbeddingBag) for part in module.modules()):
        return x
    try:
        evaluate(x[:1].to(dtype))
    except Exception:
        # Indices, or numbers that are compared bit by bit. Whatever else may be wrong will be so
        # in floating point too, and be said then.
        try:
            evaluate(x[:1])
        except Exception:
            return x.to(dtype)
        return x
    return x.to(dtype)


def _array(value: Any) -> bool:
    return isinstance(value, Tensor | np.ndarray)
