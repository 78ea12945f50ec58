"""Gradients by plain autograd, as it gives them for any module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .subject import ModuleError, Subject


def gradients(
    out: Tensor,
    leaves: Mapping[str, Tensor],
    v: Tensor,
    accumulated: bool = False,
    retain: bool = False,
) -> dict[str, Tensor]:
    """∂⟨v, out⟩ in each leaf; zeros where it does not depend on one.

    accumulated: by `backward()`, for re-entrant checkpoints, which know no other way.
    """
    if not out.requires_grad:
        return {name: torch.zeros_like(p) for name, p in leaves.items()}
    if accumulated:
        for p in leaves.values():
            p.grad = None
        out.backward(v, retain_graph=retain)
        found = [p.grad for p in leaves.values()]
        for p in leaves.values():
            p.grad = None
    else:
        found = torch.autograd.grad(
            out, list(leaves.values()), v, retain_graph=retain, allow_unused=True
        )
    return {
        name: torch.zeros_like(p) if g is None else g.to_dense() if g.is_sparse else g
        for (name, p), g in zip(leaves.items(), found, strict=True)
    }


def add(total: dict[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Adds gradients to a sum.

    The sum has memory of its own: autograd hands out one tensor as the gradients of several
    parameters (of w + v, say), and one number as all entries of another.
    """
    for name, g in found.items():
        if name in total:
            total[name].add_(g)
        else:
            total[name] = g.clone(memory_format=torch.contiguous_format)


def single(
    subject: Subject, x: Tensor, directions: Tensor, names: Sequence[str] | None = None
) -> tuple[Tensor, list[dict[str, Tensor]]]:
    """The outputs for one input alone, and its gradients in some directions.

    This is the definition that all else is held to.

    Args:
        x: (1, ...).
        directions: (directions, outputs).

    Raises:
        ModuleError: PyTorch cannot differentiate the module.
    """
    accumulated = subject.ways.accumulated
    try:
        return _single(subject, x, directions, names, accumulated)
    except RuntimeError as error:
        if accumulated or not is_reentrant(error):
            raise failed("differentiate", x, error) from error
    subject.ways.accumulated = True
    return single(subject, x, directions, names)


def _single(
    subject: Subject,
    x: Tensor,
    directions: Tensor,
    names: Sequence[str] | None,
    accumulated: bool,
) -> tuple[Tensor, list[dict[str, Tensor]]]:
    leaves, q = subject.leaves(names), len(directions)

    def action(module: torch.nn.Module) -> tuple[Tensor, list[dict[str, Tensor]]]:
        out = subject.evaluated(module, x)
        found = [
            gradients(out, leaves, directions[k : k + 1], accumulated, k + 1 < q) for k in range(q)
        ]
        return out.detach(), found

    return subject.within(leaves, action)


def is_reentrant(error: RuntimeError) -> bool:
    """Whether a re-entrant checkpoint asks for `backward()` in place of `autograd.grad`."""
    return "use_reentrant" in str(error) and ".grad()" in str(error)


def failed(verb: str, x: Tensor, error: Exception) -> ModuleError:
    """The error of a module that fails on inputs like x."""
    if isinstance(error, ModuleError):
        return error
    text = str(error).strip().split("\n", 1)[0] or type(error).__name__
    return ModuleError(
        f"PyTorch cannot {verb} the module on an input of shape {tuple(x.shape[1:])} "
        f"({x.dtype}): {text}"
    )
