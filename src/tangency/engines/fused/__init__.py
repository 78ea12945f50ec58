"""The fused CPU engine: all layers of a pair of images in cache, compiled with Numba."""

from __future__ import annotations

from typing import Any

from ...nets.plan import Plan
from ..engine import Computing, KernelPair, Pulled, Wanted
from ..host import CompiledEngine, as_numpy
from ..prepared import Prepared

# Numbers of Σ from which on it is faster on one pair alone, whatever a call costs.
_LARGE = 2**15


class FusedEngine(CompiledEngine):
    """See `Engine`."""

    name = "fused"
    speed = 3e10

    def uncovered(self, plan: Plan) -> str | None:
        from .engine import uncovered

        return uncovered(plan)

    def fitted(self, plan: Plan, sets: list[Prepared], n_jobs: int | None) -> Plan | None:
        from .fitting import fitted

        return fitted(plan, sets, n_jobs)

    def room(self, plan: Plan, dtype: Any, wanted: Wanted) -> tuple[int, int]:
        from .engine import WORKING_BYTES

        # On a grid the last-layer kernel is made on the way to the tangent kernel.
        return wanted.ntk + (wanted.nngp or bool(plan.space)), WORKING_BYTES

    def matrices(
        self,
        plan: Plan,
        first: Prepared,
        second: Prepared | None,
        wanted: Wanted,
        computing: Computing,
    ) -> tuple[Any, ...]:
        from .engine import gram

        jobs, progress = computing.n_jobs, computing.progress
        return gram(plan, first, second, wanted=wanted, n_jobs=jobs, progress=progress)

    def diagonals(
        self, plan: Plan, given: Prepared, want_ntk: bool, computing: Computing
    ) -> tuple[Any, ...]:
        from .engine import diagonal

        return diagonal(plan, given, want_ntk=want_ntk, n_jobs=computing.n_jobs)

    def pull(
        self,
        plan: Plan,
        first: Prepared,
        second: Prepared | None,
        cotangents: KernelPair,
        computing: Computing,
        parameters: bool,
    ) -> Pulled | None:
        from .adjoint.engine import no_way_back, pull

        if no_way_back(plan, parameters):
            return None
        one, two = as_numpy(first), None if second is None else as_numpy(second)
        pair = KernelPair(*map(_as_numbers, cotangents))
        return pull(plan, one, two, pair, parameters, computing.n_jobs)

    def note(self, plan: Plan, given: Prepared) -> str:
        from .fitting import note

        return note(plan, as_numpy(given))

    def pays_for_pairs(self, entries: int, pairs: int, runs: int) -> bool:
        return entries >= _LARGE or 8 * runs <= pairs


def _as_numbers(k: Any) -> Any:
    return None if k is None else k.detach().numpy()
