"""The fused CPU engine: all layers of a pair of images in cache, compiled with Numba."""

from __future__ import annotations

from typing import Any

import psutil
from array_api_compat import is_torch_array

from ...errors import MemoryLimitError
from ...nets.plan import Plan
from ..driver import ReferenceEngine
from ..engine import Computing, KernelPair, Wanted
from ..gradients import differentiates, settled
from ..prepared import Prepared
from ..tiles import size_text

# Numbers of Σ from which on it is faster on one pair alone, whatever a call costs.
_LARGE = 2**15

REFERENCE = ReferenceEngine()


class FusedEngine:
    """See `Engine`. Its modules are loaded on first use: Numba takes as long as all else."""

    name = "fused"
    reason = "it knows every layer of this network"
    speed = 3e10

    def refusal(self, plan: Plan, *arrays: Any) -> str | None:
        for x in arrays:
            if is_torch_array(x) and x.device.type != "cpu":
                return f"the inputs are on {x.device}"
        if arrays and differentiates(plan.net, *arrays):
            return "a gradient is asked for"
        for x in arrays:
            if str(x.dtype).removeprefix("torch.") not in ("float32", "float64"):
                return f"the inputs have dtype {x.dtype}"
        from numba.core import config

        if getattr(config, "DISABLE_JIT", 0):
            return "Numba's compiler is switched off (NUMBA_DISABLE_JIT)"
        from .engine import uncovered

        return uncovered(settled(plan, *arrays))

    def gram(
        self,
        plan: Plan,
        first: Prepared,
        second: Prepared | None,
        wanted: Wanted,
        computing: Computing,
    ) -> KernelPair:
        from .engine import gram
        from .fitting import fitted

        one, two = _numpy(first), None if second is None else _numpy(second)
        series = fitted(plan, [one] if two is None else [one, two], computing.n_jobs)
        if series is None:
            return REFERENCE.gram(plan, first, second, wanted, computing)
        x, m = first.inputs, len(first if second is None else second)
        # On a grid the last-layer kernel is made on the way to the tangent kernel.
        matrices = wanted.ntk + (wanted.nngp or bool(plan.space))
        _check_memory(x, matrices * len(first) * m, computing.max_memory)
        pair = gram(
            series,
            one,
            two,
            wanted=wanted,
            n_jobs=computing.n_jobs,
            progress=computing.progress,
        )
        return KernelPair(*(_like(x, k) for k in pair))

    def diagonal(
        self, plan: Plan, given: Prepared, want_ntk: bool, computing: Computing
    ) -> KernelPair:
        from .engine import diagonal
        from .fitting import fitted

        one = _numpy(given)
        series = fitted(plan, [one], computing.n_jobs)
        if series is None:
            return REFERENCE.diagonal(plan, given, want_ntk, computing)
        pair = diagonal(series, one, want_ntk=want_ntk, n_jobs=computing.n_jobs)
        return KernelPair(*(_like(given.inputs, k) for k in pair))

    def note(self, plan: Plan, given: Prepared) -> str:
        from .fitting import note

        return note(plan, _numpy(given))

    def pays_for_pairs(self, entries: int, pairs: int, runs: int) -> bool:
        return entries >= _LARGE or 8 * runs <= pairs


def _check_memory(x: Any, numbers: int, max_memory: int | None) -> None:
    """The engine works in a fixed, small space; only its result can be too large."""
    from .engine import WORKING_BYTES

    need = numbers * x.dtype.itemsize
    allowed = psutil.virtual_memory().available
    if max_memory is not None:
        need, allowed = need + WORKING_BYTES, max_memory
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
