"""How long the series of activations by quadrature must be for some inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...nets.plan import Plan
from ..prepared import Prepared
from ..threads import threads
from ..twins import row_squares
from . import warm
from .head import Head, head_of
from .scalars import SERIES
from .series import Tabulated, by_quadrature, degree_for, left_out, probe, with_series
from .tables import Tables
from .tail import Tail

# Numbers of variances at a time.
_BAND = 2**20


def fitted(plan: Plan, sets: list[Prepared], n_jobs: int | None = None) -> Plan | None:
    """The plan with series that are long enough for some inputs; None where none is.

    Plans without quadrature stay what they are.
    """
    found = fit(plan, sets, n_jobs) if by_quadrature(plan) else {}
    return plan if found == {} else None if found is None else with_series(plan, found)


def fit(plan: Plan, sets: list[Prepared], n_jobs: int | None = None) -> dict[Any, Tabulated] | None:
    """The series of every activation by quadrature; None where no series is long enough."""
    from .engine import uncovered

    octave = max(_octave(plan, given, threads(n_jobs)) for given in sets)
    known = long_enough(plan, octave, sets[0].inputs.dtype.name)
    return None if known is None or uncovered(with_series(plan, known)) else known


def long_enough(plan: Plan, octave: int, dtype: str) -> dict[Any, Tabulated] | None:
    """Series for variances below 2^octave; None where one is too long."""
    degrees = {a: degree_for(a, octave, dtype) for a in by_quadrature(plan)}
    known = {a: Tabulated(a, d, octave, dtype) for a, d in degrees.items() if d is not None}
    return None if len(known) < len(degrees) else known


def octave_of(largest: float) -> int:
    """The least m with 2^m above a variance that a short series has found; one more near it."""
    if not np.isfinite(largest):
        return 10_000
    # A short series has variances that are a little too small.
    return int(np.frexp(1.02 * largest)[1])


def described(plan: Plan, found: dict[Any, Tabulated] | None, octave: int) -> str:
    """What `explain` says of series."""
    if found is None:
        return "tables: none, as no series is long enough for these variances: the reference's way"
    rest = max(left_out(a, octave, series.degree) for a, series in found.items())
    terms = ", ".join(f"{a} to degree {series.degree}" for a, series in found.items())
    return (
        f"tables: series of {terms}; beyond is at most {rest:.1e} of k and k̇ at equal inputs, at "
        f"variances up to {2.0**octave:g}"
    )


def note(plan: Plan, given: Prepared) -> str:
    """What `explain` says of the series."""
    if not by_quadrature(plan):
        return ""
    return described(plan, fit(plan, [given]), _octave(plan, given, threads(None)))


def _octave(plan: Plan, given: Prepared, jobs: int) -> int:
    """`octave_of` the largest variance that series meet."""

    def make() -> int:
        return octave_of(_largest(probe(plan), given, jobs))

    return given.derive(("octave", plan), make)


def _largest(plan: Plan, given: Prepared, jobs: int) -> float:
    """The largest variance that a table is asked for."""
    x, found = given.inputs, [0.0]
    warm.get_ready(x.dtype, bool(plan.space))
    if not plan.space:
        tail = Tail(plan.steps, False, False, x.dtype)
        s = row_squares(given).copy()
        found.append(_most(tail.variances(s, np.zeros_like(s)), tail.table))
        return max(found)
    from .engine import flat

    head: Head = head_of(plan, False, x.dtype)
    tail = Tail(head.program.rest, False, head.program.tangent, x.dtype)
    rows = flat(x)
    band = max(1, _BAND // head.sizes.marginals)
    for i in range(0, len(rows), band):
        some = rows[i : i + band]
        found.append(_most(head.variances(some, jobs), head.table))
        if tail.reads_marginals:
            s, t = head.diagonal(some, jobs)
            found.append(_most(tail.variances(s, t), tail.table))
    return float(np.max(found))


def _most(q: np.ndarray, table: Tables) -> float:
    kinds = table.marginals
    series = (kinds[:, 0] == SERIES) & (table.par[kinds[:, 1] + 2] != 0)
    return float(np.max(q[:, series], initial=0.0))
