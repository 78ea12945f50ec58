"""What the reference engine does where branches meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

from array_api_compat import device

from ..errors import NetworkError
from ..nets.meeting import Branching, Concatenate, Product, Sum
from .layout import Covariances


def met(operator: Branching, ends: Sequence[Covariances]) -> Covariances:
    """Σ and Θ where branches meet, all known as far as each other."""
    match operator:
        case Sum():
            return _summed(ends)
        case Product():
            return _multiplied(ends)
        case Concatenate(parts=None, axis=axis):
            return _one_after_the_other(operator, ends, axis)
        case Concatenate(parts=parts) if parts is not None:
            weighted = [end.map(lambda a, p=p: p * a) for end, p in zip(ends, parts, strict=True)]
            return _summed(weighted)
    raise NetworkError(f"no engine knows the operator {type(operator).__name__}")


def _summed(ends: Sequence[Covariances]) -> Covariances:
    first, *rest = ends
    nngp = first.nngp
    for other in rest:
        nngp = nngp + other.nngp
    return replace(first, nngp=nngp, ntk=_sum([end.ntk for end in ends]))


def _multiplied(ends: Sequence[Covariances]) -> Covariances:
    """Π Σ_i and Σ_i Θ_i·Π_{j≠i} Σ_j."""
    terms = []
    for place, end in enumerate(ends):
        if end.ntk is not None:
            others = [other.nngp for k, other in enumerate(ends) if k != place]
            terms.append(prod(others, start=end.ntk))
    nngp = prod([end.nngp for end in ends[1:]], start=ends[0].nngp)
    return replace(ends[0], nngp=nngp, ntk=_sum(terms))


def _one_after_the_other(
    operator: Concatenate, ends: Sequence[Covariances], axis: int
) -> Covariances:
    """Blocks of Σ and Θ; between positions of two branches both are zero."""
    space = operator.space([end.space for end in ends])
    axes = ends[0].grid_axes(axis)
    tangents = None
    if any(end.ntk is not None for end in ends):
        zeros = ends[0].xp.zeros_like
        tangents = [zeros(end.nngp) if end.ntk is None else end.ntk for end in ends]
    return replace(
        ends[0],
        nngp=_blocks([end.nngp for end in ends], axes, ends[0].xp),
        ntk=None if tangents is None else _blocks(tangents, axes, ends[0].xp),
        space=space,
    )


def _blocks(arrays: Sequence[Any], axes: tuple[int, ...], xp: Any) -> Any:
    """Arrays along one axis; along two, with zeros beside the diagonal."""
    if len(axes) == 1:
        return xp.concat(list(arrays), axis=axes[0])
    first, second = axes
    rows = []
    for place, array in enumerate(arrays):
        row = []
        for other, block in enumerate(arrays):
            shape = list(array.shape)
            shape[second] = block.shape[second]
            zeros = xp.zeros(tuple(shape), dtype=array.dtype, device=device(array))
            row.append(array if other == place else zeros)
        rows.append(xp.concat(row, axis=second))
    return xp.concat(rows, axis=first)


def _sum(terms: Sequence[Any | None]) -> Any | None:
    known = [term for term in terms if term is not None]
    return sum(known[1:], start=known[0]) if known else None
