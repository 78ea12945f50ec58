"""One entrance to all engines: the kernel matrix and its diagonal, by whichever engine serves."""

from __future__ import annotations

from typing import Any

import psutil
from array_api_compat import is_torch_array

from ..checks import within_memory
from ..errors import MemoryLimitError
from ..nets.plan import Plan
from . import driver
from .blas import blas_limit
from .driver import KernelPair
from .gradients import differentiates, settled
from .prepared import Prepared, prepared
from .select import select
from .tiles import size_text


@within_memory()
@blas_limit(1)  # products on other numbers of threads have other bits
def gram(
    plan: Plan,
    x: Any,
    y: Any | None,
    *,
    want_nngp: bool = True,
    want_ntk: bool = True,
    engine: str = "auto",
    max_memory: int | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> KernelPair:
    """K(x_i, y_j) for all pairs; `y=None` is a symmetric call. See `driver.gram`.

    Inputs are arrays, or `Prepared` ones.
    """
    first, second = prepared(x), None if y is None else prepared(y)
    x, y = first.inputs, None if second is None else second.inputs
    plan = settled(plan, *((x,) if y is None else (x, y)))
    if _reference(plan, x, y, engine):
        return driver.gram(
            plan,
            first,
            second,
            want_nngp=want_nngp,
            want_ntk=want_ntk,
            max_memory=max_memory,
            progress=progress,
        )
    from . import fused

    m = x.shape[0] if y is None else y.shape[0]
    # On a grid the last-layer kernel is made on the way to the tangent kernel.
    matrices = want_ntk + (want_nngp or bool(plan.space))
    _check_memory(x, matrices * x.shape[0] * m, max_memory)
    pair = fused.gram(
        plan,
        _numpy(first),
        None if second is None else _numpy(second),
        want_nngp=want_nngp,
        want_ntk=want_ntk,
        n_jobs=n_jobs,
        progress=progress,
    )
    return KernelPair(*(_like(x, k) for k in pair))


@within_memory()
@blas_limit(1)
def diagonal(
    plan: Plan,
    x: Any,
    *,
    want_ntk: bool = True,
    engine: str = "auto",
    max_memory: int | None = None,
    n_jobs: int | None = None,
) -> KernelPair:
    """K(x_i, x_i) for each input, an array or a `Prepared` one. See `driver.diagonal`."""
    given = prepared(x)
    x = given.inputs
    plan = settled(plan, x)
    if _reference(plan, x, None, engine):
        return driver.diagonal_of(plan, given, want_ntk=want_ntk, max_memory=max_memory)
    from . import fused

    pair = fused.diagonal(plan, _numpy(given), want_ntk=want_ntk, n_jobs=n_jobs)
    return KernelPair(*(_like(x, k) for k in pair))


def _reference(plan: Plan, x: Any, y: Any | None, engine: str) -> bool:
    if y is not None and engine == "auto" and differentiates(plan.net, x, y):
        return True
    return select(plan, x, engine).engine == "reference"


def _check_memory(x: Any, numbers: int, max_memory: int | None) -> None:
    """The fused engine works in a fixed, small space; only its result can be too large."""
    from . import fused

    need = numbers * x.dtype.itemsize
    allowed = psutil.virtual_memory().available
    if max_memory is not None:
        need, allowed = need + fused.WORKING_BYTES, max_memory
    if need > allowed:
        raise MemoryLimitError(
            f"the kernel matrix, with room to work in, needs {size_text(need)}, but "
            f"{size_text(allowed)} are "
            f"{'allowed' if max_memory is not None else 'free'}; pass fewer inputs at a time, use "
            "float32, or raise max_memory"
        )


def _numpy(given: Prepared) -> Prepared:
    if not is_torch_array(given.inputs):
        return given
    return given.derive("numpy", lambda: Prepared(given.inputs.detach().numpy()))


def _like(x: Any, k: Any) -> Any:
    if k is None or not is_torch_array(x):
        return k
    import torch

    return torch.from_numpy(k)
