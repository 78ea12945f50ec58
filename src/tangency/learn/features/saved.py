"""A fitted layerwise map as plain arrays and a JSON value, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...checks import choice, is_whole
from ...errors import InputError
from ...kernels.algebra import kernel_from_dict
from ...nets.meeting import Branching
from ...nets.operators import Pointwise
from ...nets.plan import Step, activations
from ..lowrank import METHODS
from .base import at_least_one
from .chain import Branches, Chain, Linear, Projected, Stage, readers
from .local import Roots
from .projection import Projection, Rows
from .readout import Readout, at_end
from .subject import Subject
from .widths import chosen_widths

if TYPE_CHECKING:
    from .layerwise import LayerwiseFeatures

Arrays = dict[str, np.ndarray]
_ERRORS = ("error_", "error_std_", "centred_error_")


def projections(chain: Chain) -> Iterator[Projection]:
    """The projections of a chain, in order of evaluation."""
    for stage in chain.stages:
        match stage:
            case Projected(projection):
                yield projection
            case Branches(chains=chains):
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
            case Branching() as meeting:
                branches = tuple(_chain(branch, places, found) for branch in step.branches)
                stages.append(Branches(meeting, branches))
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


def map_to_dict(features: LayerwiseFeatures, prefix: str, arrays: Arrays) -> dict[str, Any]:
    """A fitted map as a JSON value, for `map_from_dict`; its numbers go to `arrays`."""
    found = arrays_of(list(projections(features._chain)))
    for tangent, readout in enumerate(features._readout):
        if readout.matrix is not None:
            found[f"readout_{tangent}"] = readout.matrix
    arrays.update({prefix + name: array for name, array in found.items()})
    return {
        "kernel": features.kernel_.to_dict(),
        "shape": list(features.sample_shape),
        **features._asked,
        "errors": [repr(float(getattr(features, name))) for name in _ERRORS],
    }


def asked(features: LayerwiseFeatures) -> dict[str, Any]:
    """The checked parameters of a map, as JSON has them."""
    seed = features.random_state
    return {
        "n_components": int(features.n_components),
        "widths": plain_widths(features.widths),
        "method": features.method,
        "max_samples": int(features.max_samples),
        "random_state": int(seed) if is_whole(seed) else None,
    }


def map_from_dict(
    kind: type[LayerwiseFeatures], data: dict[str, Any], prefix: str, arrays: Arrays
) -> LayerwiseFeatures:
    """The map that `map_to_dict` tells of.

    Raises:
        InputError, KeyError, TypeError, ValueError: what no fit gives.
    """
    names = ("n_components", "widths", "method", "max_samples", "random_state")
    made = kind(kernel_from_dict(data["kernel"]), **{name: data[name] for name in names})
    most = at_least_one(made.n_components, "n_components")
    at_least_one(made.max_samples, "max_samples")
    choice(made.method, "method", METHODS)
    shape = tuple(at_least_one(size, "each of shape") for size in data["shape"])
    own = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
    subject = made._subject = Subject.of(made.kernel, shape, kind.__name__)
    made.kernel_ = subject.given
    chosen_widths(made.widths, subject.plan, most, subject.tangent)
    made._asked = asked(made)
    made._chain = restored(subject.plan.steps, own, subject.tangent)
    made.widths_ = tuple(len(each.landmarks.q) for each in projections(made._chain))
    made._work = subject.work(made.widths_)
    made.n_features_in_ = math.prod(shape)
    for name, value in zip(_ERRORS, data["errors"], strict=True):
        setattr(made, name, float(value))
    zero = np.zeros((1, *shape), dtype=dtype_of(made._chain))
    end = made._chain(subject.start(zero)).local  # what does not belong together shows here
    kinds = (False, True) if subject.tangent else (False,)
    made._readout = [
        Readout.restored(at_end(end, tangent).shape[1], own.get(f"readout_{int(tangent)}"))
        for tangent in kinds
    ]
    return made


def dtype_of(chain: Chain) -> Any:
    """The dtype that a chain was fitted in."""
    found = next(projections(chain), None)
    return np.dtype(np.float64) if found is None else found.landmarks.sigma.dtype


def plain_widths(widths: Any) -> Any:
    """Widths as JSON has them."""
    if widths is None or is_whole(widths):
        return None if widths is None else int(widths)
    return [int(width) for width in widths]
