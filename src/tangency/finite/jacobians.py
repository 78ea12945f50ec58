"""Jacobians of some inputs, in rows: the plain way, for any module."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .alone import differing, random_like
from .gradients import single
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
    that, one input after the other. One of the inputs is compared with plain autograd.
    """
    if subject.ways.mapped:
        params = {name: subject.params[name] for name in names or subject.params}
        try:
            found = _mapped(subject, params, x, directions)
        except Exception:
            subject.ways.mapped = False
        else:
            n, q = len(x), len(directions)
            rows = {name: g.detach().reshape(n, q, -1) for name, g in found.items()}
            if _spot_check(subject, x, directions, rows):
                return rows
            subject.ways.mapped = False
    return one_by_one(subject, x, directions, names)


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


def _spot_check(
    subject: Subject, x: Tensor, directions: Tensor, rows: Mapping[str, Tensor]
) -> bool:
    i = len(x) // 2
    v = random_like(subject, (1, len(directions)))
    _, (wanted,) = single(subject, x[i : i + 1], v @ directions, list(rows))
    return not differing(wanted, {name: v[0] @ g[i] for name, g in rows.items()})


def one_by_one(
    subject: Subject, x: Tensor, directions: Tensor, names: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """The same by a backward pass for every input and direction."""
    names = list(names or subject.params)
    shape = (len(x), len(directions))
    found = {
        name: subject.params[name].new_zeros((*shape, subject.params[name].numel()))
        for name in names
    }
    for i in range(len(x)):
        for k, one in enumerate(single(subject, x[i : i + 1], directions, names)[1]):
            for name, g in one.items():
                found[name][i, k] = g.flatten()
    return found
