"""Whether PyTorch will want a backward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from array_api_compat import is_torch_array

from ..nets.parameters import numbers_only, tensors
from ..nets.plan import Plan

_Made = TypeVar("_Made")


def differentiates(net: Any, *arrays: Any) -> bool:
    """Intermediate results are kept for a gradient in the inputs or in layer parameters."""
    if not arrays or not is_torch_array(arrays[0]):
        return False
    import torch

    return torch.is_grad_enabled() and (any(a.requires_grad for a in arrays) or has_gradient(net))


def without_gradients(array: Any, make: Callable[[], _Made]) -> _Made:
    """`make()`, where PyTorch keeps nothing for a backward pass; `array` says if it is PyTorch."""
    if not is_torch_array(array):
        return make()
    import torch

    with torch.no_grad():
        return make()


def has_gradient(net: Any) -> bool:
    """A parameter of a layer is a tensor that wants a gradient."""
    return any(getattr(tensor, "requires_grad", False) for tensor in tensors(net))


def settled(plan_: Plan, *arrays: Any) -> Plan:
    """The plan with numbers in place of parameter tensors, unless they are to be differentiated.

    A tensor may be changed in place, which nothing that is kept for a network would notice.
    """
    if differentiates(plan_.net, *arrays) or not any(True for _ in tensors(plan_.net)):
        return plan_
    return plan_.of(numbers_only(plan_.net))
