"""Derivatives along a step in the parameters: forward mode, and what replaces it where it fails."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch

from .subject import derivable

Jvp = Callable[[Any, tuple[Any], tuple[Any]], tuple[Any, Any]]
"""(function, (point,), (step,)) to the function's value and its derivative along the step."""


def forward(function: Any, point: tuple[Any], step: tuple[Any]) -> tuple[Any, Any]:
    """`torch.func.jvp`, three times the operations of the function."""
    _load()
    value, derivative = torch.func.jvp(function, point, step)[:2]
    return value, derivative


def forward_in_parts(function: Any, point: tuple[Any], step: tuple[Any]) -> tuple[Any, Any]:
    """The same with attention and recurrences in elementary operations.

    PyTorch's fused ones know no forward mode.
    """
    with elementary():
        return forward(function, point, step)


def twice_backward(function: Any, point: tuple[Any], step: tuple[Any]) -> tuple[Any, Any]:
    """The derivative along the step as that of w ↦ Jᵀw, which is linear in w: reverse mode only.

    Four to seven times the operations of the function; for what has a second derivative but no
    forward mode.
    """
    value, pull = torch.func.vjp(function, *point)[:2]
    push = torch.func.vjp(lambda w: pull(w)[0], _zeros(value))[1]
    return value, push(*step)[0]


def by_autograd(function: Any, point: tuple[Any], step: tuple[Any]) -> tuple[Any, Any]:
    """The same by `torch.autograd.grad`, for functions that call it themselves.

    The function takes a dictionary of tensors, and gives a tensor or several.
    """
    with torch.enable_grad():
        here = {
            n: p if p.requires_grad else p.detach().requires_grad_() for n, p in point[0].items()
        }
        value = function(here)
        values = value if isinstance(value, tuple) else (value,)
        slopes = tuple(_slope(one, here, step[0]) for one in values)
    return value, slopes if isinstance(value, tuple) else slopes[0]


def _slope(value: torch.Tensor, point: dict[str, Any], step: dict[str, Any]) -> torch.Tensor:
    """The derivative of one tensor along the step."""
    if not value.requires_grad:
        return torch.zeros_like(value)
    w = torch.zeros_like(value, requires_grad=True)
    options = {"create_graph": True, "allow_unused": True}
    pulled = torch.autograd.grad(value, list(point.values()), w, **options)
    kept = [(g, step[name]) for name, g in zip(point, pulled, strict=True) if g is not None]
    kept = [(g, u) for g, u in kept if g.requires_grad]
    if not kept:
        return torch.zeros_like(value)
    gradients, steps = zip(*kept, strict=True)
    (found,) = torch.autograd.grad(gradients, w, steps, **options)
    return torch.zeros_like(value) if found is None else found


WAYS: tuple[Jvp, ...] = (forward, forward_in_parts, twice_backward, by_autograd)
"""From the fastest to the one that asks least of PyTorch."""


def _zeros(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(torch.zeros_like, value))
    return torch.zeros_like(value)


@contextmanager
def elementary() -> Iterator[None]:
    """Within it, PyTorch takes attention and recurrences apart."""
    onednn = torch.backends.mkldnn.enabled
    # The property alone: `mkldnn.flags` would set, and warn of, other things too.
    torch.backends.mkldnn.enabled = False
    try:
        with derivable():
            yield
    finally:
        torch.backends.mkldnn.enabled = onednn


@lru_cache(maxsize=1)
def _load() -> None:
    # PyTorch compiles some of its derivatives on first use, by a function that it has deprecated
    # itself; its warning is not about the caller's code.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.func.jvp(torch.sin, (torch.zeros(()),), (torch.ones(()),))
