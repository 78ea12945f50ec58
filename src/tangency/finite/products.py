"""Products with a Jacobian that is never formed: Jᵀv backward, Ju forward."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from .alone import AGREEMENT, check_mapped, pull, random_like
from .forward_mode import Jvp, forward, twice_backward
from .gradients import single
from .subject import Subject


def pull_back(subject: Subject, x: Tensor, v: Tensor) -> dict[str, Tensor]:
    """J(x)ᵀv: the gradient of ⟨v, f(x)⟩ in each parameter; v is (n, outputs)."""
    return pull(subject, x, v)[1]


def push_forward(subject: Subject, x: Tensor, u: Mapping[str, Tensor]) -> Tensor:
    """J(x)u, (n, outputs), for a direction u in the parameters.

    In forward mode; where an operation of the module knows none, as the derivative of Jᵀv in v;
    where that fails too, or `check_push` has found both wrong, from the rows of J(x).
    """
    while subject.ways.push < len(_WAYS):
        try:
            return _WAYS[subject.ways.push](subject, x, u)
        except Exception:
            subject.ways.push += 1
    return _by_rows(subject, x, u)


def check_push(subject: Subject, parts: Sequence[Tensor], outputs: int) -> None:
    """Finds the first way to push forward that is the transpose of `pull_back` on all parts."""
    checked = None
    while checked != subject.ways.push:
        checked = subject.ways.push
        for x in parts:
            _check_push(subject, x, outputs)


def _check_push(subject: Subject, x: Tensor, outputs: int) -> None:
    if _push_agrees(subject, x, outputs):
        return
    check_mapped(subject, x, outputs)
    while subject.ways.push < len(_WAYS) and not _push_agrees(subject, x, outputs):
        subject.ways.push += 1


def _push_agrees(subject: Subject, x: Tensor, outputs: int) -> bool:
    v = random_like(subject, (len(x), outputs))
    u = {
        name: random_like(subject, tuple(p.shape), seed)
        for seed, (name, p) in enumerate(subject.params.items())
    }
    back = pull_back(subject, x, v)
    wanted = sum(float((g * u[name]).sum(dtype=torch.float64)) for name, g in back.items())
    pushed = push_forward(subject, x, u)
    found = float((pushed * v).sum(dtype=torch.float64))
    size = float(torch.linalg.vector_norm(pushed) * torch.linalg.vector_norm(v))
    return abs(found - wanted) <= AGREEMENT[subject.dtype] * size


class PartChecks:
    """Compares pushes through the first rows of a block, 1, 2, ... up to `size`, with pulls.

    A module may mix batches of some sizes only, so that a check of the whole block says nothing
    of its parts. With g_ik the gradient of output k for row i, which is pulled back for each column
    of a symmetric kernel, Σ v_ik⟨g_ik, u⟩ must be ⟨Σ v_ik g_ik, u⟩: that costs an inner product.
    """

    def __init__(self, subject: Subject, outputs: int, size: int) -> None:
        self._subject = subject
        self._v = random_like(subject, (size, outputs)).reshape(-1)
        self._outputs = outputs
        self._sum: dict[str, Tensor] = {}

    def checked(self, column: Tensor, x: Tensor, u: Mapping[str, Tensor], k: int) -> Tensor:
        """J(x)u where u is the gradient of output k for the last row of x; made anew if wrong.

        Called for each number of rows and each k in ascending order.
        """
        last = (len(x) - 1) * self._outputs + k
        if last == 0:
            self._sum = {name: torch.zeros_like(g) for name, g in u.items()}
        for name, g in u.items():
            self._sum[name].add_(g, alpha=float(self._v[last]))
        wanted = sum(float((g * u[name]).sum(dtype=torch.float64)) for name, g in self._sum.items())
        found = float(column.reshape(-1)[: last + 1] @ self._v[: last + 1])
        limit = AGREEMENT[self._subject.dtype] * _norm(self._sum) * _norm(u)
        if abs(found - wanted) <= limit:
            return column
        return _by_rows(self._subject, x, u)


def _norm(tensors: Mapping[str, Tensor]) -> float:
    """The norm of all tensors together."""
    return math.hypot(*(float(torch.linalg.vector_norm(t)) for t in tensors.values()))


def _by(jvp: Jvp, subject: Subject, x: Tensor, u: Mapping[str, Tensor]) -> Tensor:
    point = {name: p.detach() for name, p in subject.leaves().items()}
    return jvp(lambda params: subject.outputs(params, x), (point,), (dict(u),))[1].detach()


_WAYS = (partial(_by, forward), partial(_by, twice_backward))


def _by_rows(subject: Subject, x: Tensor, u: Mapping[str, Tensor]) -> Tensor:
    q = subject.outputs({}, x[:1]).shape[1]
    first = next(iter(subject.params.values()))
    eye = torch.eye(q, dtype=first.dtype, device=first.device)
    found = first.new_empty((len(x), q))
    for i in range(len(x)):
        for k in range(q):
            _, (row,) = single(subject, x[i : i + 1], eye[k : k + 1])
            found[i, k] = torch.stack([(g * u[name]).sum() for name, g in row.items()]).sum()
    return found
