"""Products with a Jacobian that is never formed: Jᵀv backward, Ju forward."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

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
    try:
        # Forward mode sees no graph, so nothing is kept for a backward pass.
        with torch.no_grad():
            found = torch.func.jvp(
                lambda params: subject.outputs(params, x), (dict(subject.params),), (dict(u),)
            )
        return found[1].detach()
    except (NotImplementedError, RuntimeError):
        return _twice_backward(subject, x, u)


def _twice_backward(subject: Subject, x: Tensor, u: Mapping[str, Tensor]) -> Tensor:
    params = {name: p.detach().requires_grad_() for name, p in subject.params.items()}
    with torch.enable_grad():
        out = subject.outputs(params, x)
        v = torch.zeros_like(out, requires_grad=True)
        if not out.requires_grad:
            return torch.zeros_like(out)
        gradients = torch.autograd.grad(
            out, list(params.values()), v, create_graph=True, allow_unused=True
        )
        used = [(g, u[name]) for name, g in zip(params, gradients, strict=True) if g is not None]
    return torch.autograd.grad([g for g, _ in used], v, [d for _, d in used])[0]
