"""Kernels behind every layer of a network, in one pass of the reference engine."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace, device

from ..nets.plan import Plan
from . import reference
from .driver import marginals, store
from .memory import default_budget
from .overflow import check_kernels, quiet
from .tiles import tiles


def layer_grams(plan: Plan, x: Any) -> list[tuple[Any, Any]]:
    """Σ and Θ (n, n) behind each layer, for checked inputs (n, *space, channels)."""
    xp, n = array_namespace(x), x.shape[0]
    size = xp.finfo(x.dtype).bits // 8
    count = sum(step.part == 0 for step in plan.steps)
    found = [
        tuple(xp.zeros((n, n), dtype=x.dtype, device=device(x)) for _ in range(2))
        for _ in range(count)
    ]
    grid = tiles(plan, n, n, size, default_budget(x), True, False, 2 * count)
    with quiet():
        left = marginals(plan, x, grid.side)
        for rows, cols in grid:
            given = (x[cols], [q[rows] for q in left], [q[cols] for q in left])
            for outs, state in zip(
                found, reference.after_layers(plan, x[rows], given), strict=True
            ):
                for out, value in zip(outs, (state.nngp, state.ntk), strict=True):
                    if value is not None:
                        store(out, value, rows, cols, grid)
        places = xp.arange(n)
        for outs, state in zip(found, reference.after_layers(plan, x, None), strict=True):
            for out, value in zip(outs, (state.nngp, state.ntk), strict=True):
                if value is not None:
                    out[places, places] = value
    for nngp, ntk in found:
        check_kernels(nngp, ntk, plan)
    return found  # type: ignore[return-value]
