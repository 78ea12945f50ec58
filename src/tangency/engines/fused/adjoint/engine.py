"""Vector-Jacobian products of the fused engine: one way back through all pairs."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ....nets import parse
from ....nets.operators import Weights
from ....nets.plan import Plan, walk
from ....nets.plan import plan as make_plan
from ...blas import blas_limit
from ...engine import KernelPair, Pulled
from ...prepared import Prepared
from ...threads import each, threads
from .. import warm
from ..blocks import snap
from ..engine import marginals_behind, passed, rows_of
from ..head import THREAD, Head, head_of
from ..lowering import lower, lower_vector
from ..program import Code, Program
from ..series import probe
from ..tail import Tail
from ..variances import on_grid, starts
from ..vectors import norms
from ..work import room_bytes
from .found import Gradients
from .images import HeadBack
from .room import back_bytes
from .tails import ROWS, tail_back
from .tape import refusal, tape_of


@lru_cache(maxsize=64)
def no_way_back(plan: Plan, parameters: bool) -> str | None:
    """Why there is no way back through a plan that the engine covers; None where there is one."""
    if probe(plan) is not plan:
        return "it has an activation by quadrature"
    if plan.space:
        head = lower(plan, True)
        ways = [head, lower_vector(head.rest, True, head.tangent)]
    else:
        ways = [lower_vector(plan.steps, True, False)]
    for program in ways:
        if reason := refusal(program):
            return reason
    if plan.space:
        made = head_of(plan, True, np.dtype(np.float64))
        tape = tape_of(made.program, parameters)
        need = room_bytes(made.sizes, 1, 8) + back_bytes(made.sizes, tape.count, 1, 8)
        if need > THREAD:
            return "its way back takes too much room"
    if parameters:
        of_weights = [s.operator for s in walk(plan.steps) if isinstance(s.operator, Weights)]
        if sum(len(_convolutions(program)) for program in ways) != len(of_weights):
            return "its weights are not those of its operations"
        if any(float(each.weight_std) == 0 for each in of_weights):
            return "it has weights of 0"
    return None


@blas_limit(1)
def pull(
    plan: Plan,
    first: Prepared,
    second: Prepared | None,
    cotangents: KernelPair,
    parameters: bool,
    n_jobs: int | None,
) -> Pulled:
    """See `Engine.pull`; `no_way_back` must be None."""
    get_ready(first.inputs.dtype, bool(plan.space))
    one = rows_of(first)
    two = one if second is None else rows_of(second)
    symmetric, jobs = second is None, threads(n_jobs)
    want_ntk = cotangents.ntk is not None
    gs, gt = (_folded(k, (len(one), len(two)), one.inputs.dtype, symmetric) for k in cotangents)
    way = _of_grids if plan.space else _of_vectors
    left, right, weights = way(plan, one, two, symmetric, want_ntk, gs, gt, parameters, jobs)
    if symmetric:
        left = Gradients(left.inputs + right.inputs, left.marginals + right.marginals)
    x, y = first.inputs, None if second is None else second.inputs
    return Pulled(
        left.inputs.reshape(x.shape),
        None if y is None else right.inputs.reshape(y.shape),
        _by_step(plan, left.marginals),
        None if y is None else _by_step(plan, right.marginals),
        weights,
    )


def get_ready(dtype: Any, grid: bool) -> None:
    """Compiles the loops before the first call for a dtype, and not in its threads."""

    def tiny() -> None:
        text, shape = ("conv1 relu gap dense", (2, 2, 1)) if grid else ("dense relu dense", (2,))
        steps, x = make_plan(parse(text), shape), np.eye(2, dtype=dtype).reshape(2, -1)
        some = Prepared(np.resize(x, (2, *shape)))
        pull(steps, some, None, KernelPair(None, np.ones((2, 2), dtype)), False, 1)

    warm.once(np.dtype(dtype).name, f"gradients of {'images' if grid else 'vectors'}", tiny)


def _folded(k: Any, shape: tuple[int, int], dtype: Any, symmetric: bool) -> np.ndarray:
    """Gradients of all pairs; of a symmetric matrix those of the pairs with j ≥ i, twice."""
    if k is None:
        return np.zeros(shape, dtype=dtype)
    if symmetric:
        return np.triu(k) + np.triu(k.T, 1)
    return np.array(k, dtype=dtype, order="C")


def _of_vectors(
    plan: Plan,
    one: Prepared,
    two: Prepared,
    symmetric: bool,
    want_ntk: bool,
    gs: np.ndarray,
    gt: np.ndarray,
    parameters: bool,
    jobs: int,
) -> tuple[Gradients, Gradients, list[tuple[float, float]]]:
    x, y = one.inputs, two.inputs
    tail = Tail(plan.steps, want_ntk, False, x.dtype)
    norms_x, norms_y = norms(one), norms(two)
    slack = x.dtype.type((4 + 0.25 * x.shape[1] ** 0.5) * np.finfo(x.dtype).eps)

    def products(rows: slice, cols: slice) -> tuple[np.ndarray, np.ndarray]:
        s = x[rows] @ y[cols].T
        snap(s, (norms_x.squares[rows], norms_x.roots[rows]),
             (norms_y.squares[cols], norms_y.roots[cols]), slack)  # fmt: skip
        return s, np.zeros_like(s)

    aux = passed(plan, tail, one)[2], passed(plan, tail, two)[2]
    left, right, weights = tail_back(tail, products, gs, gt, aux, symmetric, parameters, jobs)
    blocks = [slice(i, i + ROWS) for i in range(0, max(gs.shape), ROWS)]
    of_x = each(lambda rows: gs[rows] @ y, [b for b in blocks if b.start < len(x)], jobs)
    in_x = np.concatenate(list(of_x))
    of_y = each(lambda cols: gs[:, cols].T @ x, [b for b in blocks if b.start < len(y)], jobs)
    return Gradients(in_x, left), Gradients(np.concatenate(list(of_y)), right), weights


def _of_grids(
    plan: Plan,
    one: Prepared,
    two: Prepared,
    symmetric: bool,
    want_ntk: bool,
    gs: np.ndarray,
    gt: np.ndarray,
    parameters: bool,
    jobs: int,
) -> tuple[Gradients, Gradients, list[tuple[float, float]]]:
    dtype = one.inputs.dtype
    head = head_of(plan, want_ntk, dtype)
    tail = Tail(head.program.rest, want_ntk, head.program.tangent, dtype)
    behind: list[tuple[float, float]] = []
    left = right = np.zeros((0, 0), dtype=dtype)
    if not tail.empty:
        s, t = np.zeros_like(gs), np.zeros_like(gs)
        if parameters or tail.reads_marginals:
            _head_values(head, one, two, s, t, symmetric, want_ntk, jobs)
        aux = marginals_behind(plan, tail, one, jobs), marginals_behind(plan, tail, two, jobs)
        left, right, behind = tail_back(
            tail, lambda r, c: (s[r, c], t[r, c]), gs, gt, aux, symmetric, parameters, jobs
        )
    way = HeadBack(head, tape_of(head.program, parameters), parameters, jobs)
    x, y, weights = way.pull(one, two, gs, gt, symmetric)
    if tail.reads_marginals:
        x = x._replace(marginals=np.concatenate([x.marginals, left], axis=1))
        y = y._replace(marginals=np.concatenate([y.marginals, right], axis=1))
    return x, y, weights + behind


def _head_values(
    head: Head, one: Prepared, two: Prepared, s: Any, t: Any, symmetric: bool, ntk: bool, jobs: int
) -> None:
    head.gram(one, two, (s, t if ntk else s), symmetric, jobs, False)
    if symmetric:
        for out, values in zip((s, t), head.diagonal(one.inputs, jobs), strict=True):
            np.fill_diagonal(out, values)


def _convolutions(program: Program) -> list[Any]:
    operations = [op for stage in program.stages for op in stage.operations]
    return [op for op in operations if op.code in (Code.CONV, Code.POINTS)]


def _by_step(plan: Plan, marginals: np.ndarray) -> list[Any]:
    """Gradients in marginals as arrays of the steps that read them."""
    readers = [step for step in walk(plan.steps) if step.reads_marginals]
    order = iter(range(len(readers)))
    grids = (False,) * len(readers)
    if plan.space:
        program, grids = lower(plan, True), on_grid(plan)
        behind = max(1, sum(h * w for h, w in program.marginals))
        order = iter([*starts(program), *range(behind, behind + len(readers))])
    found = []
    for step, grid in zip(readers, grids, strict=True):
        at = next(order)
        size = int(np.prod(step.space_in)) if grid else 1
        part = marginals[:, at : at + size]
        found.append(part.reshape(-1, *step.space_in) if grid else part[:, 0])
    return found
