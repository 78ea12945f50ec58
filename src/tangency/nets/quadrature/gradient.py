"""Duals of PyTorch tensors, with their gradient."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .family import Family
from .moments import duals, slopes


def differentiable_dual(family: Family, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
    """(k, k̇) on the device and in the dtype of `s`, differentiable once in all three."""
    return _function().apply(family, s, q1, q2)


@cache
def _function() -> Any:
    import torch
    from torch.autograd.function import once_differentiable

    class Dual(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, family: Family, s: Any, q1: Any, q2: Any) -> Any:
            ctx.save_for_backward(s, q1, q2)
            ctx.family, ctx.eps = family, torch.finfo(s.dtype).eps
            return tuple(_like(a, s) for a in duals(family, *_host(s, q1, q2), ctx.eps))

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, by_k: Any, by_dot: Any) -> Any:
            arrays = ctx.saved_tensors
            host = _host(*arrays)
            k_dot = duals(ctx.family, *host, ctx.eps)[1]
            found = slopes(ctx.family, *host, ctx.eps)
            g, h = _host(by_k, by_dot)
            parts = (
                g * k_dot + h * found.dot_s,
                g * found.k_q1 + h * found.dot_q1,
                g * found.k_q2 + h * found.dot_q2,
            )
            summed = (_like(p, a).sum_to_size(a.shape) for p, a in zip(parts, arrays, strict=True))
            return None, *summed

    return Dual


def _host(*tensors: Any) -> list[np.ndarray]:
    return [np.asarray(t.detach().cpu().double().numpy()) for t in tensors]


def _like(a: np.ndarray, tensor: Any) -> Any:
    import torch

    return torch.as_tensor(a, dtype=tensor.dtype, device=tensor.device)
