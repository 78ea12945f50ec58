"""Products with a Jacobian that is never formed: Jᵀv backward, Ju forward."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from .forward_mode import forward, twice_backward
from .subject import Subject


def pull_back(subject: Subject, x: Tensor, v: Tensor) -> dict[str, Tensor]:
    """J(x)ᵀv: the gradient of ⟨v, f(x)⟩ in each parameter; v is (n, outputs)."""
    params = {name: p.detach().requires_grad_() for name, p in subject.params.items()}
    with torch.enable_grad():
        out = subject.outputs(params, x)
    if not out.requires_grad:
        return {name: torch.zeros_like(p) for name, p in subject.params.items()}
    found = torch.autograd.grad(out, list(params.values()), v, allow_unused=True)
    return {
        name: torch.zeros_like(p) if g is None else g
        for (name, p), g in zip(subject.params.items(), found, strict=True)
    }


def push_forward(subject: Subject, x: Tensor, u: Mapping[str, Tensor]) -> Tensor:
    """J(x)u, (n, outputs), for a direction u in the parameters.

    In forward mode; where an operation of the module knows none, as the derivative of Jᵀv in v.
    """

    def outputs(params: Mapping[str, Tensor]) -> Tensor:
        return subject.outputs(params, x)

    point, step = (dict(subject.params),), (dict(u),)
    try:
        found = forward(outputs, point, step)
    except (NotImplementedError, RuntimeError):
        found = twice_backward(outputs, point, step)
    return found[1].detach()
