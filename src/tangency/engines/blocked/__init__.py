"""The blocked engine: blocks of pairs of inputs on grids, one compiled loop after another.

The fused engine keeps all layers of a pair in registers and cache, for which each may couple only
positions of one displacement. What mixes positions otherwise goes through here: attention, graphs,
inputs with masks, grids one after the other, products of branches. A block holds Σ and Θ of some
pairs for all pairs of positions, small enough for the second cache, and the operators of the plan
act on it in turn: `walk`; the loops: `loops`, `linear`; marginals, threads, the matrix: `engine`.
"""

from __future__ import annotations

from typing import Any

from ...nets.plan import Plan
from ..driver import ReferenceEngine
from ..engine import Computing, KernelPair, Wanted
from ..gradients import settled
from ..host import as_numpy, check_memory, like, unsuited
from ..prepared import Prepared

REFERENCE = ReferenceEngine()


class BlockedEngine:
    """See `Engine`. Its modules are loaded on first use: Numba takes as long as all else."""

    name = "blocked"
    reason = "it knows every layer of this network"
    speed = 5e9

    def refusal(self, plan: Plan, *arrays: Any) -> str | None:
        if reason := unsuited(plan, *arrays):
            return reason
        from .covers import uncovered

        return uncovered(settled(plan, *arrays))

    def gram(
        self,
        plan: Plan,
        first: Prepared,
        second: Prepared | None,
        wanted: Wanted,
        computing: Computing,
    ) -> KernelPair:
        from .engine import gram, working_bytes
        from .fitting import fitted

        x, m = first.inputs, len(first if second is None else second)
        one, two = as_numpy(first), None if second is None else as_numpy(second)
        series = fitted(plan, [one] if two is None else [one, two], computing.n_jobs)
        if series is None:
            return REFERENCE.gram(plan, first, second, wanted, computing)
        # Inputs of several sizes are computed apart, and put together.
        copies = 1 if plan.attached is None else 2
        numbers = copies * sum(wanted) * len(first) * m
        check_memory(x, numbers, working_bytes(plan, one.inputs.dtype), computing.max_memory)
        pair = gram(series, one, two, wanted, computing.n_jobs, computing.progress)
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
        pair = diagonal(series, one, want_ntk, computing.n_jobs)
        return KernelPair(*(like(given.inputs, k) for k in pair))

    def note(self, plan: Plan, given: Prepared) -> str:
        from .fitting import note

        return note(plan, as_numpy(given))

    def pays_for_pairs(self, entries: int, pairs: int, runs: int) -> bool:
        return 8 * runs <= pairs
