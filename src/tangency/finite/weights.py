"""Gradient descent in the weights of a module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import InputError
from .descent import Schedule, State, follow, require_finite
from .losses import Loss


def descend(
    module: nn.Module,
    x: torch.Tensor,
    targets: torch.Tensor,
    loss: Loss,
    schedule: Schedule,
    see: Callable[[float], Any],
    offset: torch.Tensor | float = 0.0,
) -> list[Any]:
    """Train a module in place; what `see(distance)` says at every mark.

    see: told ‖θ − θ₀‖/‖θ₀‖, while the module holds θ. offset: (n, o), taken off all values.
    """
    weights = [p for p in module.parameters() if p.requires_grad]
    if not weights:
        raise InputError("the module has no parameter that requires a gradient; unfreeze some")
    start = [p.detach().clone() for p in weights]
    size = norm(start)

    def place(moved: State) -> None:
        with torch.no_grad():
            for p, first, change in zip(weights, start, moved, strict=True):
                torch.add(first, change, out=p.data)

    def velocity(moved: State) -> State:
        place(moved)
        f = outputs(module, x)
        pull = loss.gradient(require_finite(f.detach() - offset, schedule), targets)
        found = torch.autograd.grad(f, weights, -pull, materialize_grads=True)
        return list(found)

    def observe(moved: State) -> Any:
        place(moved)
        return see(norm(moved) / size if size > 0 else float("nan"))

    return follow(schedule, [torch.zeros_like(p) for p in start], velocity, observe)


def as_inputs(X: Any, module: nn.Module) -> torch.Tensor:
    """Inputs as a tensor of the dtype and on the device of the module's parameters."""
    like = next(module.parameters(), torch.empty(0))
    x = torch.as_tensor(X if isinstance(X, torch.Tensor) else np.asarray(X))
    if x.is_complex() or x.ndim < 1 or len(x) == 0:
        raise InputError(f"X must hold real inputs (n, ...), got {x.dtype} of {tuple(x.shape)}")
    x = x.detach().to(like.device, like.dtype)
    if not torch.isfinite(x).all():
        raise InputError("X holds NaN or infinity; fill in or drop those examples")
    return x


def outputs(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Function values (n, o) of a module that gives (n,) or (n, o)."""
    f = module(x)
    if f.ndim not in (1, 2) or len(f) != len(x):
        raise InputError(
            f"the module must give (n,) or (n, outputs) for {len(x)} inputs, got {tuple(f.shape)}"
        )
    return f[:, None] if f.ndim == 1 else f


def norm(tensors: State) -> float:
    """The Euclidean norm of all numbers together."""
    return float(torch.stack([torch.linalg.vector_norm(t) for t in tensors]).norm())
