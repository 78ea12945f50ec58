"""How long the series of activations by quadrature must be for some inputs."""

from __future__ import annotations

from ...nets.operators import Need
from ...nets.plan import Plan
from ..fused.fitting import described, long_enough, octave_of
from ..fused.series import by_quadrature, probe, with_series
from ..prepared import Prepared
from ..threads import threads
from .engine import alone


def fitted(plan: Plan, sets: list[Prepared], n_jobs: int | None) -> Plan | None:
    """The plan with series that are long enough for some inputs; None where none is.

    Plans without quadrature stay what they are.
    """
    if not by_quadrature(plan):
        return plan
    octave = max(_octave(plan, given, n_jobs) for given in sets)
    found = long_enough(plan, octave, sets[0].inputs.dtype.name)
    return None if found is None else with_series(plan, found)


def note(plan: Plan, given: Prepared) -> str:
    """What `explain` says of the series."""
    if not by_quadrature(plan):
        return ""
    octave = _octave(plan, given, None)
    return described(plan, long_enough(plan, octave, given.inputs.dtype.name), octave)


def _octave(plan: Plan, given: Prepared, n_jobs: int | None) -> int:
    def make() -> int:
        whole = probe(plan)
        found, _ = alone(
            whole.of(whole.net, Need.NOTHING), given.inputs, whole, False, threads(n_jobs), False
        )
        largest = [values.max() for key, values in found.items() if key[0] == "most"]
        return octave_of(float(max(largest, default=0.0)))

    return given.derive(("blocks octave", plan), make)
