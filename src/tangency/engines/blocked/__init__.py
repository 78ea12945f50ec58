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
from ..engine import Computing, Wanted
from ..host import CompiledEngine, as_numpy
from ..prepared import Prepared


class BlockedEngine(CompiledEngine):
    """See `Engine`."""

    name = "blocked"
    speed = 5e9

    def uncovered(self, plan: Plan) -> str | None:
        from .covers import uncovered

        return uncovered(plan)

    def fitted(self, plan: Plan, sets: list[Prepared], n_jobs: int | None) -> Plan | None:
        from .fitting import fitted

        return fitted(plan, sets, n_jobs)

    def room(self, plan: Plan, dtype: Any, wanted: Wanted) -> tuple[int, int]:
        from .engine import working_bytes

        # Inputs of several sizes are computed apart, and put together.
        return sum(wanted) * (1 if plan.attached is None else 2), working_bytes(plan, dtype)

    def matrices(
        self,
        plan: Plan,
        first: Prepared,
        second: Prepared | None,
        wanted: Wanted,
        computing: Computing,
    ) -> tuple[Any, ...]:
        from .engine import gram

        return gram(plan, first, second, wanted, computing.n_jobs, computing.progress)

    def diagonals(
        self, plan: Plan, given: Prepared, want_ntk: bool, computing: Computing
    ) -> tuple[Any, ...]:
        from .engine import diagonal

        return diagonal(plan, given, want_ntk, computing.n_jobs)

    def note(self, plan: Plan, given: Prepared) -> str:
        from .fitting import note

        return note(plan, as_numpy(given))

    def pays_for_pairs(self, entries: int, pairs: int, runs: int) -> bool:
        return 8 * runs <= pairs
