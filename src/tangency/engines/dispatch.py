"""One entrance to all engines: the kernel matrix and its diagonal, by whichever engine serves."""

from __future__ import annotations

from typing import Any

from ..checks import within_memory
from ..nets.plan import Plan
from . import backward
from .blas import blas_limit
from .engine import BOTH, DEFAULTS, Computing, KernelPair, Wanted
from .gradients import differentiates, settled
from .order import REFERENCE
from .prepared import prepared
from .select import select


@within_memory()
@blas_limit(1)  # products on other numbers of threads have other bits
def gram(
    plan: Plan,
    x: Any,
    y: Any | None,
    wanted: Wanted = BOTH,
    computing: Computing = DEFAULTS,
) -> KernelPair:
    """K(x_i, y_j) for all pairs of arrays or `Prepared` ones; `y=None` is a symmetric call."""
    first, second = prepared(x), None if y is None else prepared(y)
    arrays = [each.inputs for each in (first, second) if each is not None]
    if differentiates(plan.net, *arrays):
        return backward.gram(plan, first, second, wanted, computing)
    plan = settled(plan, *arrays)
    engine = select(plan, *arrays, engine=computing.engine).engine
    return engine.gram(plan, first, second, wanted, computing)


@within_memory()
@blas_limit(1)
def diagonal(
    plan: Plan, x: Any, want_ntk: bool = True, computing: Computing = DEFAULTS
) -> KernelPair:
    """K(x_i, x_i) for each input, an array or a `Prepared` one."""
    given = prepared(x)
    if differentiates(plan.net, given.inputs):
        return REFERENCE.diagonal(plan, given, want_ntk, computing)
    plan = settled(plan, given.inputs)
    engine = select(plan, given.inputs, engine=computing.engine).engine
    return engine.diagonal(plan, given, want_ntk, computing)
