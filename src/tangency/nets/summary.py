"""The table that `net.summary(input_shape)` prints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .. import checks
from ..errors import NetworkError
from .geometry import AxisMatrices, Box, GridMatrix
from .meeting import Branching
from .operators import (
    Aggregate,
    Attend,
    Average,
    Need,
    Pointwise,
    Positions,
    Shifts,
    Stack,
    entries,
)
from .plan import Step, activations, plan
from .quadrature.layer import Activation
from .structure import Branches, Sequential

# A dual takes a root, an inverse sine and a dozen products; LayerNorm and sums a few.
_DUAL, _PLAIN = 20, 1


def shape_text(space: tuple[int, ...], need: Need) -> str:
    """The shape of Σ for one pair, in words."""
    if need is Need.NOTHING:
        return "not needed"
    if not space:
        return "1"
    grid = "×".join(map(str, space))
    return f"{grid} diagonal" if need is Need.DIAGONAL else f"({grid})² full"


def operations(step: Step) -> int:
    """Multiply-adds for one pair, Σ and Θ together, as the reference engine does them."""
    before, after = entries(step.space_in, step.need_in), entries(step.space_out, step.need_out)
    match step.operator:
        case Branching():
            inside = sum(operations(inner) for branch in step.branches for inner in branch)
            return inside + 2 * after
        case Attend():
            return 4 * before * math.prod(step.space_in)
        case Pointwise():
            return 2 * _DUAL * after
        case Average() | Positions():
            return 2 * before
        case Aggregate():
            return 4 * before * math.prod(step.space_in)
        case Shifts(Box(axes)):
            return 2 * after * sum(len(w.taps) for w in axes)
        case Shifts(geometry):
            return 2 * after * geometry.count
        case Stack(maps):
            return sum(_products(step.space_in, a) for a in maps)
    return 2 * (_PLAIN + 1) * after


def _products(space: tuple[int, ...], a: AxisMatrices | GridMatrix) -> int:
    """Multiply-adds of A Σ Aᵀ and A Θ Aᵀ."""
    if isinstance(a, GridMatrix):
        out, positions = a.matrix.shape
        return 2 * out * positions * (positions + out)
    cost, sizes = 0, list(space)
    for axis, matrix in enumerate(a.matrices):
        size = math.prod(sizes)
        sizes[axis] = matrix.shape[0]
        cost += matrix.shape[1] * math.prod(sizes) * (size + math.prod(sizes))
    return 2 * cost


def summary_table(
    net: Sequential,
    input_shape: tuple[int, ...],
    variances: Mapping[Any, tuple[float, ...]] | None = None,
) -> str:
    """One row a layer, and a line for what is computed by quadrature, at the variances it meets."""
    steps = plan(net, checks.sizes(input_shape, "input_shape", error=NetworkError))
    first = entries(steps.space, steps.need_in)
    rows = [("layer", "output", "Σ for a pair", "operations")]
    cost = first * steps.input_shape[-1]
    rows.append(("input", _grid(steps.space), shape_text(steps.space, steps.need_in), f"{cost:,}"))
    for parts, depth in _flat(steps.steps, 0):
        first, last = parts[0], parts[-1]
        branching = isinstance(first.layer, Branches)
        name = "  " * depth + (first.layer.token if branching else str(first.layer))
        # What is inside a sum has lines of its own.
        inside = [inner for step in parts for branch in step.branches for inner in branch]
        count = sum(map(operations, parts)) - sum(map(operations, inside))
        cost += count
        shape = shape_text(first.space_in, first.need_in)
        rows.append((name, _grid(last.space_out), shape, f"{count:,}"))
    rows.append(("total", "", "", f"{cost:,}"))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        "  ".join([*map(str.ljust, row[:3], widths[:3]), row[3].rjust(widths[3])]) for row in rows
    ]
    for layer in dict.fromkeys(activations(steps.steps)):
        if not isinstance(layer, Activation):
            continue
        there = (variances or {}).get(layer, (0.25, 1.0, 4.0))
        lines.append(
            f"{layer}: quadrature, measured error {layer.quadrature_error(there):.1e} at variances "
            f"{min(there):.3g} to {max(there):.3g}"
        )
    return "\n".join(lines)


def _grid(space: tuple[int, ...]) -> str:
    return "×".join(map(str, space)) if space else "vector"


def _flat(steps: tuple[Step, ...], depth: int) -> list[tuple[list[Step], int]]:
    """The steps of each layer, and how deep it lies, in order of writing."""
    rows: list[tuple[list[Step], int]] = []
    parts: list[Step] = []
    for step in steps:
        if step.part == 0:
            parts = []
            rows.append((parts, depth))
        parts.append(step)
        for branch in step.branches:
            rows += _flat(branch, depth + 1)
    return rows
