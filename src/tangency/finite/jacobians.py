"""Jacobians of some inputs, in rows: the plain way, for any module."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .subject import Subject


def jacobian(
    subject: Subject, x: Tensor, directions: Tensor, names: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """Gradients of directions of the output: parameter -> (n, directions, size).

    Args:
        x: (n, ...).
        directions: (directions, outputs); the identity for the Jacobian itself.
        names: some of the subject's parameters; None for all.

    Over all inputs at once by `torch.func.vmap`; where an operation of the module has no rule for
    that, one input after the other.
    """
    params = {name: subject.params[name] for name in names or subject.params}
    try:
        found = _mapped(subject, params, x, directions)
    except (RuntimeError, ValueError):
        return one_by_one(subject, x, directions, names)
    n, q = len(x), len(directions)
    return {name: g.detach().reshape(n, q, -1) for name, g in found.items()}


def _mapped(
    subject: Subject, params: Mapping[str, Tensor], x: Tensor, directions: Tensor
) -> dict[str, Tensor]:
    def outputs(params: dict[str, Tensor], one: Tensor) -> Tensor:
        return directions @ subject.outputs(params, one[None])[0]

    def output(params: dict[str, Tensor], one: Tensor) -> Tensor:
        return outputs(params, one)[0]

    # A gradient needs one vmap less than a Jacobian of one row.
    derivative = torch.func.grad(output) if len(directions) == 1 else torch.func.jacrev(outputs)
    with warnings.catch_warnings():
        # "There is a performance drop": an operation without a batching rule.
        warnings.simplefilter("ignore", UserWarning)
        return torch.func.vmap(derivative, (None, 0))(dict(params), x)


def one_by_one(
    subject: Subject, x: Tensor, directions: Tensor, names: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """The same by a backward pass for every input and direction."""
    params = {name: subject.params[name] for name in names or subject.params}
    leaves = {name: p.detach().requires_grad_() for name, p in params.items()}
    q = len(directions)
    found = {name: p.new_zeros((len(x), q, p.numel())) for name, p in params.items()}
    for i in range(len(x)):
        with torch.enable_grad():
            out = subject.outputs(leaves, x[i : i + 1])
        if not out.requires_grad:
            continue
        for k in range(q):
            gradients = torch.autograd.grad(
                out,
                list(leaves.values()),
                directions[k : k + 1],
                retain_graph=k + 1 < q,
                allow_unused=True,
            )
            for name, g in zip(leaves, gradients, strict=True):
                if g is not None:
                    found[name][i, k] = g.flatten()
    return found
