"""The fused CPU engine: all layers of a pair of images in cache, compiled with Numba."""

from __future__ import annotations

from typing import Any

from ...nets.plan import Plan
from ..driver import ReferenceEngine
from ..engine import Computing, KernelPair, Wanted
from ..gradients import settled
from ..host import as_numpy, check_memory, like, unsuited
from ..prepared import Prepared

# Numbers of Σ from which on it is faster on one pair alone, whatever a call costs.
_LARGE = 2**15

REFERENCE = ReferenceEngine()


class FusedEngine:
    """See `Engine`. Its modules are loaded on first use: Numba takes as long as all else."""

    name = "fused"
    reason = "it knows every layer of this network"
    speed = 3e10

    def refusal(self, plan: Plan, *arrays: Any) -> str | None:
        if reason := unsuited(plan, *arrays):
            return reason
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
        from .engine import WORKING_BYTES, gram
        from .fitting import fitted

        one, two = as_numpy(first), None if second is None else as_numpy(second)
        series = fitted(plan, [one] if two is None else [one, two], computing.n_jobs)
        if series is None:
            return REFERENCE.gram(plan, first, second, wanted, computing)
        x, m = first.inputs, len(first if second is None else second)
        # On a grid the last-layer kernel is made on the way to the tangent kernel.
        matrices = wanted.ntk + (wanted.nngp or bool(plan.space))
        check_memory(x, matrices * len(first) * m, WORKING_BYTES, computing.max_memory)
        pair = gram(
            series,
            one,
            two,
            wanted=wanted,
            n_jobs=computing.n_jobs,
            progress=computing.progress,
        )
        return KernelPair(*(like(x, k) for k in pair))

    def diagonal(
        self, plan: Plan, given: Prepared, want_ntk: bool, computing: Computing
    ) -> KernelPair:
        from .engine import diagonal
        from .fitting import fitted

        one = as_numpy(given)
        series = fitted(plan, [one], computing.n_jobs)
        if series is None:
            return REFERENCE.diagonal(plan, given, want_ntk, computing)
        pair = diagonal(series, one, want_ntk=want_ntk, n_jobs=computing.n_jobs)
        return KernelPair(*(like(given.inputs, k) for k in pair))

    def note(self, plan: Plan, given: Prepared) -> str:
        from .fitting import note

        return note(plan, as_numpy(given))

    def pays_for_pairs(self, entries: int, pairs: int, runs: int) -> bool:
        return entries >= _LARGE or 8 * runs <= pairs
