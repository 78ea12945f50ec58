"""One call of a network's kernel: checked inputs, their precision, the plan, the limit."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

from array_api_compat import array_namespace

from ..engines import closeness, dispatch, precision
from ..engines.engine import Computing, KernelPair, Wanted
from ..engines.overflow import check_values, quiet
from ..engines.prepared import Prepared
from ..errors import InputError, NetworkError, callers_level
from ..nets import Sequential
from ..nets.attached import Attached
from ..nets.operators import Aggregate, Need
from ..nets.plan import Plan, plan, walk
from ..printable import shown
from .inputs import InputWarning, as_type, prepared_inputs


class Work:
    """Checked inputs of one call, in the precision that their kernel takes.

    float32 inputs are computed in float64 where float32 has not the range, or rounds too much away
    of the kernel (see `engines.precision`) or of its gradient (`engines.closeness`), and results
    are rounded at the end.

    Args:
        wanted: which of the two kernels are asked for.
        normalize: kernels are divided by √(K(x,x)K(y,y)), which needs tiny ones too.
        alone: inputs are not compared with each other, which float64 is always good for.
    """

    def __init__(
        self,
        net: Sequential,
        X: Any,
        Y: Any | None,
        input_shape: tuple[int, ...] | None,
        wanted: Wanted,
        normalize: bool,
        alone: bool = False,
    ) -> None:
        x, y = prepared_inputs(net, X, Y, input_shape)
        self.plan = plan_for(net, x)
        self.wanted = wanted
        sets = [x] if y is None else [x, y]
        self.wide, warning = precision.verdict(
            self.plan, wanted.ntk, sets, normalize=normalize, alone=alone
        )
        if warning:
            warnings.warn(warning, InputWarning, stacklevel=callers_level())
        xp = array_namespace(x.inputs)
        if wanted.ntk and not self.wide and x.inputs.dtype == xp.float32:
            self.wide = closeness.steep(self.plan, x, y)
        if self.wide:
            x, y = as_type(x, xp.float64), None if y is None else as_type(y, xp.float64)
        self.x, self.y = x, y

    def gram(self, computing: Computing) -> KernelPair:
        if self.wide and computing.max_memory is not None:
            # The rounded result comes beside the other.
            n, m = len(self.x), len(self.x if self.y is None else self.y)
            left = max(1, computing.max_memory - 4 * n * m * sum(self.wanted))
            computing = replace(computing, max_memory=left)
        return dispatch.gram(self.plan, self.x, self.y, self.wanted, computing)

    def narrowed(self, values: Any) -> Any:
        """A result in the precision of the inputs."""
        if not self.wide:
            return values
        xp = array_namespace(values)
        with quiet():
            values = xp.astype(values, xp.float32)
        check_values(values)
        return values


def whole_bytes(max_memory: Any) -> int | None:
    """A limit as whole bytes."""
    good = isinstance(max_memory, int | float) and not isinstance(max_memory, bool)
    if max_memory is not None and not (good and 0 < max_memory < math.inf):
        raise InputError(
            "max_memory must be a number of bytes greater than 0, as in 2**30; got "
            f"{shown(max_memory)}"
        )
    return None if max_memory is None else max(1, int(max_memory))


def plan_for(net: Sequential, x: Prepared) -> Plan:
    """The plan of a network for checked inputs; raises `NetworkError` where they do not fit."""
    steps = vector_plan(net, x.input_shape, x.attached)
    if x.attached is None and any(isinstance(s.operator, Aggregate) for s in walk(steps.steps)):
        raise NetworkError(
            "Aggregate() sums over the edges of a graph, but X is an array without any; pass "
            "tangency.Graphs(X, adjacency)"
        )
    return steps


def vector_plan(net: Sequential, shape: tuple[int, ...], attached: Attached | None = None) -> Plan:
    """The plan of a network that ends in a vector; raises `NetworkError` for one that does not."""
    steps = plan(net, shape, Need.DIAGONAL, attached)
    if steps.space_out:
        grid = "×".join(map(str, steps.space_out))
        raise NetworkError(
            f"the network ends on a grid of {grid}, but a kernel needs a vector at the end; put "
            "Flatten() or GlobalAvgPool() there, then Dense(), which acts at each position before "
            "them; or Flatten() in front of a network for vectors"
        )
    return steps
