"""Duals of PyTorch tensors, with their gradient."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...errors import NetworkError
from ..values import shown
from .family import Family
from .moments import duals, slopes


def differentiable_dual(family: Family, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
    """(k, k̇) on the device and in the dtype of `s`, differentiable once in all three."""
    return _function().apply(family, s, q1, q2)


@cache
def _function() -> Any:
    import torch

    class Dual(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, family: Family, s: Any, q1: Any, q2: Any) -> Any:
            ctx.save_for_backward(s, q1, q2)
            ctx.family, ctx.eps = family, torch.finfo(s.dtype).eps
            x, y, z = _host(s, q1, q2)
            return tuple(_like(a, s) for a in duals(family, x, y, z, ctx.eps))

        @staticmethod
        def backward(ctx: Any, by_k: Any, by_dot: Any) -> Any:
            return None, *Slopes.apply(ctx.family, ctx.eps, *ctx.saved_tensors, by_k, by_dot)

    class Slopes(torch.autograd.Function):
        """The gradient. PyTorch's `once_differentiable` lets a second one pass as zero."""

        @staticmethod
        def forward(ctx: Any, family: Family, eps: float, *given: Any) -> Any:
            ctx.name = family.name
            arrays = given[:3]
            s, q1, q2, g, h = _host(*given)
            k_dot = duals(family, s, q1, q2, eps)[1]
            found = slopes(family, s, q1, q2, eps)
            parts = (
                g * k_dot + h * found.dot_s,
                g * found.k_q1 + h * found.dot_q1,
                g * found.k_q2 + h * found.dot_q2,
            )
            return tuple(
                _like(p, a).sum_to_size(a.shape) for p, a in zip(parts, arrays, strict=True)
            )

        @staticmethod
        def backward(ctx: Any, *by: Any) -> Any:
            raise NetworkError(
                f"the kernel of the activation {shown(ctx.name)}, which is computed by quadrature, "
                "has first gradients only; for second ones take an activation in closed form (Erf, "
                "GELU, Sine, …), or differences of gradients"
            )

    return Dual


def _host(*tensors: Any) -> list[np.ndarray]:
    return [np.asarray(t.detach().cpu().double().numpy()) for t in tensors]


def _like(a: np.ndarray, tensor: Any) -> Any:
    import torch

    return torch.as_tensor(a, dtype=tensor.dtype, device=tensor.device)
