"""Runs the reference engine over all pairs: tiles, marginals, progress, the assembled matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

from ..nets.plan import Plan, has_masks
from . import reference
from .engine import BOTH, Computing, KernelPair, Wanted
from .gradients import differentiates, without_gradients
from .memory import default_budget
from .overflow import check_kernels, check_values, quiet
from .prepared import Prepared, prepared
from .progress import progress_bar
from .tiles import Tiles, tiles
from .twins import twins, write


class ReferenceEngine:
    """See `Engine`: the recursion written out, for any layer, on any array library."""

    name = "reference"
    reason = "it was asked for"
    speed = 5e8

    def refusal(self, plan: Plan, *arrays: Any) -> str | None:
        return None

    def gram(
        self,
        plan: Plan,
        first: Prepared,
        second: Prepared | None,
        wanted: Wanted,
        computing: Computing,
    ) -> KernelPair:
        return gram(
            plan,
            first,
            second,
            wanted=wanted,
            max_memory=computing.max_memory,
            progress=computing.progress,
        )

    def diagonal(
        self, plan: Plan, given: Prepared, want_ntk: bool, computing: Computing
    ) -> KernelPair:
        return diagonal_of(plan, given, want_ntk=want_ntk, max_memory=computing.max_memory)

    def pull(
        self,
        plan: Plan,
        first: Prepared,
        second: Prepared | None,
        cotangents: KernelPair,
        computing: Computing,
        parameters: bool,
    ) -> None:
        # `backward` differentiates the recursion itself.
        return None

    def note(self, plan: Plan, given: Prepared) -> str:
        return ""

    def pays_for_pairs(self, entries: int, pairs: int, runs: int) -> bool:
        return False


def gram(
    plan: Plan,
    x: Any,
    y: Any | None,
    *,
    wanted: Wanted = BOTH,
    max_memory: int | None = None,
    progress: bool = False,
) -> KernelPair:
    """K(x_i, y_j) for all pairs, by the reference engine; `y=None` is a symmetric call.

    Args:
        x, y: checked inputs of one library and dtype, (n, *space, channels), or `Prepared` ones.
        wanted: which of the two kernels; the place of the other holds None.
        max_memory: bytes beside the inputs; default: a quarter of what is free.

    Raises:
        MemoryLimitError: the request cannot fit.
        InputError: values beyond the range of the dtype.
    """
    first, second = prepared(x), None if y is None else prepared(y)
    xp = array_namespace(first.inputs)
    symmetric = second is None
    x = _contiguous(first.inputs)
    z = x if second is None else _contiguous(second.inputs)
    budget = default_budget(x) if max_memory is None else max_memory
    gradient = differentiates(plan.net, x, z)
    size = xp.finfo(x.dtype).bits // 8
    grid = tiles(plan, x.shape[0], z.shape[0], size, budget, symmetric, gradient, sum(wanted))
    if gradient:  # a graph serves one backward pass
        first, second = Prepared(x), None if second is None else Prepared(z)
    with quiet():
        left = _marginals(plan, first, x, grid.side)
        right = left if second is None else _marginals(plan, second, z, grid.side)
        products = None if plan.space else reference.vector_products(x, z)
    shape = (x.shape[0], z.shape[0])
    results = KernelPair(
        *(xp.zeros(shape, dtype=x.dtype, device=device(x)) if each else None for each in wanted)
    )
    with progress_bar(grid.pairs, progress) as bar, quiet():
        for rows, cols in grid:
            values = reference.block(
                plan,
                x[rows],
                z[cols],
                [q[rows] for q in left],
                [q[cols] for q in right],
                wanted.ntk,
                None if products is None else products[rows, cols],
            )
            for out, value in zip(results, values, strict=True):
                if out is not None and value is not None:
                    store(out, value, rows, cols, grid)
            bar.update((rows.stop - rows.start) * (cols.stop - cols.start))
    without_gradients(x, lambda: _write_equal(plan, first, second, results, max_memory))
    if gradient and symmetric and has_masks(plan):
        results = _with_masks(plan, x, results, max_memory)
    check_kernels(*results, plan)
    return results


def _with_masks(plan: Plan, x: Any, results: KernelPair, budget: int | None) -> KernelPair:
    """The diagonal of inputs under masks, which has other derivatives than the pairs beside it."""
    import torch

    def joined(k: Any, own: Any) -> Any:
        return None if k is None else k - torch.diag(torch.diagonal(k)) + torch.diag(own)

    alone = diagonal(plan, x, want_ntk=results.ntk is not None, max_memory=budget)
    return KernelPair(*map(joined, results, alone))


def _write_equal(
    plan: Plan, first: Prepared, second: Prepared | None, results: KernelPair, budget: int | None
) -> None:
    """Writes K(x, x) on the diagonal, and wherever equal inputs meet."""
    x, symmetric = first.inputs, second is None
    # Under masks of their own, equal inputs are two inputs.
    found = [] if has_masks(plan) else twins(first, second)
    if not symmetric and not found:
        return
    rows, some = np.arange(len(x)), first
    if not symmetric:
        rows = np.concatenate([t.rows for t in found])
        some = Prepared(x[rows])
    alone = diagonal_of(plan, some, want_ntk=results.ntk is not None, max_memory=budget)
    for out, values in zip(results, alone, strict=True):
        if out is not None and values is not None:
            known = array_namespace(x).zeros(len(x), dtype=x.dtype, device=device(x))
            known[rows] = values
            write(out, found, known, symmetric)


def store(out: Any, value: Any, rows: slice, cols: slice, grid: Tiles) -> None:
    """Writes a tile, and its mirror image in a symmetric matrix."""
    if grid.symmetric:
        xp = array_namespace(value)
        if rows == cols:
            # One triangle decides: both are equal to rounding only.
            value = xp.triu(value) + xp.matrix_transpose(xp.triu(value, k=1))
        else:
            out[cols, rows] = xp.matrix_transpose(value)
    out[rows, cols] = value


def triangle(cotangent: Any, rows: slice, cols: slice, grid: Tiles) -> Any:
    """The cotangent of a tile, given that of the matrix that `store` made of it."""
    part = cotangent[rows, cols]
    if not grid.symmetric:
        return part
    xp = array_namespace(cotangent)
    mirrored = xp.matrix_transpose(cotangent[cols, rows])
    if rows != cols:
        return part + mirrored
    return xp.triu(part) + xp.triu(mirrored, k=1)


def marginals(plan: Plan, x: Any, side: int) -> list[Any]:
    """All marginals of `x`, computed for `side` inputs at a time."""
    xp = array_namespace(x)
    parts = [reference.marginals(plan, x[i : i + side]) for i in range(0, x.shape[0], side)]
    if len(parts) == 1:
        return parts[0]
    return [xp.concat(list(layer), axis=0) for layer in zip(*parts, strict=True)]


def _marginals(plan: Plan, given: Prepared, x: Any, side: int) -> list[Any]:
    """The marginals of inputs whose contiguous form is `x`, computed once."""

    def make() -> list[Any]:
        found = marginals(plan, x, side)
        for q in found:
            check_values(q)
        return found

    return given.derive(("marginals", plan, side), make)


def diagonal_of(
    plan: Plan, given: Prepared, *, want_ntk: bool = True, max_memory: int | None = None
) -> KernelPair:
    """`diagonal` of inputs that come prepared, computed once if nothing is to be differentiated."""
    x = given.inputs
    if differentiates(plan.net, x):
        return diagonal(plan, x, want_ntk=want_ntk, max_memory=max_memory)
    return given.derive(
        ("reference diagonal", plan, want_ntk),
        lambda: diagonal(plan, x, want_ntk=want_ntk, max_memory=max_memory),
    )


def diagonal(
    plan: Plan, x: Any, *, want_ntk: bool = True, max_memory: int | None = None
) -> KernelPair:
    """K(x_i, x_i) for each input; the tangent kernel's place holds None if it is not wanted."""
    xp = array_namespace(x)
    x = _contiguous(x)
    budget = default_budget(x) if max_memory is None else max_memory
    gradient = differentiates(plan.net, x)
    size = xp.finfo(x.dtype).bits // 8
    n = x.shape[0]
    # A diagonal tile of side s holds as many pairs as s inputs taken one by one.
    grid = tiles(plan, n, 1, size, budget, False, gradient)
    step = max(1, min(n, grid.side * grid.side))
    with quiet():
        parts = [reference.diagonal(plan, x[i : i + step], want_ntk) for i in range(0, n, step)]
    nngp, ntk = xp.concat([p[0] for p in parts], axis=0), None
    if want_ntk:
        none = parts[0][1] is None
        ntk = xp.zeros_like(nngp) if none else xp.concat([p[1] for p in parts], axis=0)
    check_kernels(nngp, ntk, plan)
    return KernelPair(nngp, ntk)


def _contiguous(x: Any) -> Any:
    """`x` in row-major order, without which the order of its sums would depend on the tiles."""
    return x.contiguous() if is_torch_array(x) else np.ascontiguousarray(x)
