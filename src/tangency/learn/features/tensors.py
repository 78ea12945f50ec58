"""Feature maps on tensors of PyTorch: the devices, and what was fitted as tensors there."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from ...checks import cut, shown
from ...errors import InputError
from ...kernels.foreign import readable_tensor
from ...nets import Layer

_Part = TypeVar("_Part")

# Numbers of one block: few in main memory, where each of its arrays is one to be paged in; on an
# accelerator enough to keep it busy, and none for so many bytes of it, as a dual has a few arrays
# of that size. Not of what is free now: blocks decide the last bits.
_IN_MEMORY = 2**22
_ON_DEVICE = 2**27
_BYTES = 512

# What was made of the parts of a fit, for each dtype and device; never saved with them.
_made: WeakKeyDictionary[Any, dict[Any, Any]] = WeakKeyDictionary()


def checked_device(device: Any, dtype: Any) -> None:
    """Do nothing where PyTorch can compute in this dtype on the device, or it is None.

    Raises:
        InputError: PyTorch is missing, or the device is, or is none; with the remedy.
    """
    if device is None:
        return
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"device={shown(device)} needs PyTorch, which cannot be imported ({error}); install it "
            'with: pip install "tangency[torch]", or pass device=None for NumPy'
        ) from error
    try:
        if not isinstance(device, str | torch.device):
            raise TypeError
        found = torch.device(device)
        if found.type == "meta":
            raise TypeError
    except (TypeError, RuntimeError):
        raise InputError(
            'device must be None for NumPy, or a device of PyTorch, such as "cpu", "cuda" or '
            f'"cuda:1"; got {shown(device)}'
        ) from None
    try:
        torch.zeros(1, dtype=_dtype(dtype), device=found)
    except Exception as error:  # each kind of device has its own
        raise InputError(
            f"PyTorch cannot compute in {np.dtype(dtype)} on device={shown(str(found))} here "
            f"({cut(str(error), 200)}); it finds {torch.cuda.device_count()} CUDA devices: pass "
            'one of these, device="cpu", or device=None for NumPy'
        ) from None


def like_samples(given: Any, samples: np.ndarray) -> Any:
    """A tensor as it was given, gradient and device included, in the dtype of checked samples."""
    return readable_tensor(given, "X").to(_dtype(samples.dtype))


def tensors(X: Any, device: Any, dtype: np.dtype) -> Any:
    """Samples as what a map of this dtype computes with: tensors, or arrays without a device."""
    if is_torch_array(X):
        return X.to(_dtype(dtype))
    return X if device is None else _tensor(X, _dtype(dtype), device)


def back(features: Any, X: Any) -> Any:
    """Features in the library and dtype of the samples."""
    if is_torch_array(features) and not is_torch_array(X):
        features = features.cpu().numpy()
    return array_namespace(features).astype(features, X.dtype, copy=False)


def placed(part: _Part, x: Any) -> _Part:
    """A part of a fit with tensors for its arrays, where `x` is one; once for each device."""
    if not is_torch_array(x):
        return part
    made, key = _made.setdefault(part, {}), (x.dtype, x.device)
    if key not in made:
        made[key] = _converted(part, *key)
    return made[key]


def _converted(value: Any, dtype: Any, device: Any) -> Any:
    """Dataclasses, tuples and arrays; layers stay, as their formulas take any array."""
    if isinstance(value, np.ndarray):
        return _tensor(value, dtype, device)
    if isinstance(value, tuple):
        return tuple(_converted(item, dtype, device) for item in value)
    if isinstance(value, Layer) or not dataclasses.is_dataclass(value):
        return value
    fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    changed = {name: _converted(item, dtype, device) for name, item in fields.items()}
    return dataclasses.replace(value, **changed)  # pyright: ignore[reportArgumentType]


def numbers_at_once(X: Any, device: Any) -> int | None:
    """How many numbers a block of samples should have in PyTorch; None for NumPy."""
    given: Any = X.device if is_torch_array(X) else device
    if given is None:
        return None
    import torch

    where = torch.device(given)
    if where.type != "cuda":
        return _IN_MEMORY
    return min(_ON_DEVICE, torch.cuda.get_device_properties(where).total_memory // _BYTES)


def _tensor(array: np.ndarray, dtype: Any, device: Any) -> Any:
    import torch

    # A copy in row-major order: PyTorch takes no negative strides, and warns of what is read-only.
    return torch.tensor(np.ascontiguousarray(array), dtype=dtype, device=device)


def _dtype(dtype: Any) -> Any:
    import torch

    return getattr(torch, str(np.dtype(dtype)))
