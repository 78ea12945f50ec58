"""Losses as sums over examples: their values, and their gradients in the function values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..checks import choice, plain_array
from ..errors import InputError
from .inputs import as_tensor


@dataclass(frozen=True)
class Loss:
    """A loss L(f, y) of function values f (n, o) and targets y (n, o), summed over both axes.

    Attributes:
        value: L, a 0-d tensor.
        gradient: ∂L/∂f, (n, o).
        curvature: the largest eigenvalue that ∂²L/∂f² can have; gradient descent on a kernel K is
            stable below the rate 2/(curvature · λ_max(K)).
    """

    name: str
    value: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    gradient: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    curvature: float


def _cross_entropy(f: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.logsumexp(f, dim=1).sum() - (f * y).sum()


# ½ Σ (f − y)², as in `tangency.learn`; Σ −log softmax(f)[class], whose Hessian in f,
# diag(p) − ppᵀ, has no eigenvalue above 1/2.
LOSSES = {
    "squared": Loss("squared", lambda f, y: 0.5 * (f - y).square().sum(), torch.sub, 1.0),
    "cross_entropy": Loss(
        "cross_entropy", _cross_entropy, lambda f, y: torch.softmax(f, dim=1) - y, 0.5
    ),
}


def find_loss(name: str) -> Loss:
    """The loss of this name; raises `InputError` for another."""
    return LOSSES[choice(name, "loss", LOSSES)]


def as_targets(y: Any, shape: torch.Size, loss: Loss, like: torch.Tensor) -> torch.Tensor:
    """Targets (n, o) for function values of this shape, in their dtype and on their device.

    y: (n,) or (n, o) numbers for the squared loss, (n,) classes 0 to o − 1 for cross-entropy.
    """
    y = plain_array(y, "targets")
    n, outputs = shape
    if loss.name == "cross_entropy":
        whole = y.dtype.kind in "iub" and y.shape == (n,)
        if not whole or y.min() < 0 or y.max() >= outputs or outputs < 2:
            raise InputError(
                f"cross_entropy needs (n,) classes numbered from 0 below the {outputs} outputs, of "
                f"which there must be 2 or more; got {_described(y)} for {n} examples"
            )
        y = np.eye(outputs)[y.astype(int)]
    elif y.ndim == 1 and outputs == 1:
        y = y[:, None]
    if y.shape != (n, outputs) or y.dtype.kind not in "iubf":
        raise InputError(
            f"targets must be numbers of shape {(n, outputs)}, as the module's outputs are; got "
            f"{_described(y)}"
        )
    if not np.isfinite(y).all():
        raise InputError("y holds NaN or infinity; fill in or drop those examples")
    return as_tensor(y).to(dtype=like.dtype, device=like.device)


def _described(y: np.ndarray) -> str:
    words = f"{y.dtype} of shape {y.shape}"
    if y.dtype.kind in "iuf" and y.size:
        words += f" with values from {y.min():g} to {y.max():g}"
    return words
