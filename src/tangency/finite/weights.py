"""Gradient descent in the weights of a module."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..errors import InputError
from .descent import Schedule, State, follow, require_finite
from .gradients import failed, gradients, is_reentrant
from .inputs import tensor_of, typed
from .losses import Loss
from .subject import ModuleError


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

    leaves = {str(i): p for i, p in enumerate(weights)}
    accumulated = False

    def velocity(moved: State) -> State:
        nonlocal accumulated
        place(moved)
        with torch.enable_grad():
            f = outputs(module, x)
        pull = loss.gradient(require_finite(f.detach() - offset, schedule), targets)
        try:
            return list(gradients(f, leaves, -pull, accumulated).values())
        except RuntimeError as error:
            if accumulated or not is_reentrant(error):
                raise failed("differentiate", x, error) from error
        accumulated = True
        return velocity(moved)

    def observe(moved: State) -> Any:
        place(moved)
        return see(norm(moved) / size if size > 0 else float("nan"))

    return follow(schedule, [torch.zeros_like(p) for p in start], velocity, observe)


def as_inputs(X: Any, module: nn.Module, name: str = "X") -> torch.Tensor:
    """Inputs as a tensor of the dtype and on the device of the module's parameters.

    Integers stay integers where the module takes nothing else, as for `Embedding`.
    """
    like = next(module.parameters(), torch.empty(0))
    x = tensor_of(X, name)
    if x.ndim < 1 or len(x) == 0:
        raise InputError(
            f"{name} must hold real inputs (n, ...), got {x.dtype} of {tuple(x.shape)}"
        )
    x = typed(
        x.to(like.device), like.dtype, module, lambda one: outputs(copy.deepcopy(module), one)
    )
    if not torch.isfinite(x).all():
        raise InputError(f"{name} holds NaN or infinity; fill in or drop those examples")
    return x


def outputs(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Function values (n, o) of a module that gives (n,) or (n, o)."""
    try:
        # A copy: the module may overwrite its input.
        f = module(x.clone())
    except (InputError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise failed("evaluate", x, error) from error
    if not isinstance(f, torch.Tensor):
        raise InputError(
            f"the module returns a {type(f).__name__}; wrap it in one that returns a tensor (n, o)"
        )
    if f.ndim not in (1, 2) or len(f) != len(x):
        raise InputError(
            f"the module must give (n,) or (n, outputs) for {len(x)} inputs, got {tuple(f.shape)}"
        )
    return f[:, None] if f.ndim == 1 else f


def values(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The same without a graph."""
    try:
        with torch.no_grad():
            return outputs(module, x).detach()
    except ModuleError:
        # Derivatives inside the module need one on the way.
        with torch.enable_grad():
            return outputs(module, x).detach()


def norm(tensors: State) -> float:
    """The Euclidean norm of all numbers together."""
    return float(torch.stack([torch.linalg.vector_norm(t) for t in tensors]).norm())
