"""The table that `net.summary(input_shape)` prints."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .. import checks
from ..errors import NetworkError
from .activations import ActivationLayer
from .geometry import AxisMatrices, Box, GridMatrix, Points
from .plan import Need, Step, plan, quadratures
from .pooling import Flatten, GlobalAvgPool
from .structure import Residual

if TYPE_CHECKING:
    from .quadrature import Activation
    from .structure import Sequential

# A dual takes a root, an inverse sine and a dozen products; LayerNorm and sums a few.
_DUAL, _PLAIN = 20, 1


def entries(space: tuple[int, ...], need: Need) -> int:
    """How many numbers hold Σ for one pair of inputs."""
    positions = math.prod(space)
    return (0, positions, positions * positions)[need]


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
    if isinstance(step.layer, Residual):
        return sum(map(operations, step.body + step.shortcut)) + 2 * after
    if isinstance(step.layer, ActivationLayer):
        return 2 * _DUAL * after
    if isinstance(step.layer, GlobalAvgPool | Flatten):
        return 2 * before
    geometry = step.geometry
    if isinstance(geometry, Box):
        return 2 * after * (sum(len(w.taps) for w in geometry.axes) + 2)
    if isinstance(geometry, Points):
        return 2 * after * (geometry.count + 2)
    if isinstance(geometry, AxisMatrices):
        cost, sizes = 0, list(step.space_in)
        for axis, a in enumerate(geometry.matrices):
            size = math.prod(sizes)
            sizes[axis] = a.shape[0]
            cost += a.shape[1] * math.prod(sizes) * (size + math.prod(sizes))
        return 2 * cost
    if isinstance(geometry, GridMatrix):
        out, positions = geometry.matrix.shape
        return 2 * out * positions * (positions + out)
    return 2 * (_PLAIN + 1) * after


def summary_table(
    net: Sequential,
    input_shape: tuple[int, ...],
    variances: dict[Activation, tuple[float, ...]] | None = None,
) -> str:
    """One row a layer, and a line for what is computed by quadrature, at the variances it meets."""
    steps = plan(net, checks.sizes(input_shape, "input_shape", error=NetworkError))
    first = entries(steps.space, steps.need_in)
    rows = [("layer", "output", "Σ for a pair", "operations")]
    cost = first * steps.input_shape[-1]
    rows.append(("input", _grid(steps.space), shape_text(steps.space, steps.need_in), f"{cost:,}"))
    for step, depth in _flat(steps.steps, 0):
        name = "  " * depth + ("res" if isinstance(step.layer, Residual) else str(step.layer))
        count = 2 * entries(step.space_out, step.need_out) if step.body else operations(step)
        cost += count
        shape = shape_text(step.space_in, step.need_in)
        rows.append((name, _grid(step.space_out), shape, f"{count:,}"))
    rows.append(("total", "", "", f"{cost:,}"))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        "  ".join([*map(str.ljust, row[:3], widths[:3]), row[3].rjust(widths[3])]) for row in rows
    ]
    for layer in quadratures(net):
        there = (variances or {}).get(layer, (0.25, 1.0, 4.0))
        lines.append(
            f"{layer}: quadrature, measured error {layer.quadrature_error(there):.1e} at variances "
            f"{min(there):.3g} to {max(there):.3g}"
        )
    return "\n".join(lines)


def _grid(space: tuple[int, ...]) -> str:
    return "×".join(map(str, space)) if space else "vector"


def _flat(steps: tuple[Step, ...], depth: int) -> list[tuple[Step, int]]:
    rows: list[tuple[Step, int]] = []
    for step in steps:
        rows.append((step, depth))
        rows += _flat(step.body + step.shortcut, depth + 1)
    return rows
