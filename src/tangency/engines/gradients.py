"""Whether PyTorch will want a backward pass."""

from __future__ import annotations

from typing import Any

from array_api_compat import is_torch_array


def differentiates(net: Any, *arrays: Any) -> bool:
    """Intermediate results are kept for a gradient in the inputs or in layer parameters."""
    if not is_torch_array(arrays[0]):
        return False
    import torch

    return torch.is_grad_enabled() and (any(a.requires_grad for a in arrays) or has_gradient(net))


def has_gradient(layer: Any) -> bool:
    """A parameter of the layer, or of one inside it, is a tensor that wants a gradient."""
    values = vars(layer).values()
    inner = [v for value in values for v in (value if isinstance(value, tuple) else (value,))]
    return any(
        getattr(v, "requires_grad", False) or (hasattr(v, "infer") and has_gradient(v))
        for v in inner
    )
