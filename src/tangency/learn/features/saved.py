"""A fitted layerwise map as plain arrays and a JSON value, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...errors import InputError
from ...nets.operators import Pointwise, Sum
from ...nets.plan import Step, activations
from .chain import Branches, Chain, Linear, Projected, Stage, readers
from .local import Roots
from .projection import Projection, Rows

Arrays = dict[str, np.ndarray]


def projections(chain: Chain) -> Iterator[Projection]:
    """The projections of a chain, in order of evaluation."""
    for stage in chain.stages:
        match stage:
            case Projected(projection):
                yield projection
            case Branches(chains):
                for each in chains:
                    yield from projections(each)


def arrays_of(found: Sequence[Projection]) -> Arrays:
    """All numbers of some projections."""
    arrays: Arrays = {}
    for place, each in enumerate(found):
        rows, roots = each.landmarks, each.roots
        arrays[f"{place}_sigma"], arrays[f"{place}_q"] = rows.sigma, rows.q
        arrays[f"{place}_shared"] = np.array(rows.shared)
        arrays[f"{place}_root"] = roots.sigma
        if rows.theta is not None and roots.theta is not None:
            arrays[f"{place}_theta"], arrays[f"{place}_theta_root"] = rows.theta, roots.theta
    return arrays


def restored(steps: Sequence[Step], arrays: Arrays, tangent: bool) -> Chain:
    """The chain of these steps with the projections that `arrays_of` described.

    Raises:
        InputError: arrays that no fit gives.
    """
    found = [
        _projection(operator, place, arrays, tangent)
        for place, operator in enumerate(activations(steps))
    ]
    return _chain(steps, readers(steps), iter(found))


def _chain(steps: Sequence[Step], places: dict[int, int], found: Iterator[Projection]) -> Chain:
    stages: list[Stage] = []
    for step in steps:
        place = places.get(id(step))
        match step.operator:
            case Pointwise():
                assert place is not None
                stages.append(Projected(next(found), place))
            case Sum():
                branches = tuple(_chain(branch, places, found) for branch in step.branches)
                stages.append(Branches(branches))
            case operator:
                stages.append(Linear(operator, place))
    return Chain(tuple(stages))


def _projection(activation: Any, place: int, arrays: Arrays, tangent: bool) -> Projection:
    def get(name: str, rank: int) -> Any:
        array = arrays.get(f"{place}_{name}")
        good = array is not None and array.dtype in (np.float32, np.float64)
        if array is None or not good or array.ndim != rank or not np.isfinite(array).all():
            raise InputError(f"{place}_{name} are no finite numbers of {rank} axes")
        return array

    sigma, q, root = get("sigma", 2), get("q", 1), get("root", 2)
    shared = float(get("shared", 0))
    theta, theta_root = (get("theta", 2), get("theta_root", 2)) if tangent else (None, None)
    count = len(sigma)
    sizes = {len(q), len(root), *(len(x) for x in (theta, theta_root) if x is not None)}
    if sizes != {count} or count == 0 or bool((q < 0).any()) or not math.isfinite(shared):
        raise InputError(f"the landmarks at activation {place} do not belong together")
    return Projection(activation, Rows(sigma, theta, shared, q), Roots(root, theta_root))
