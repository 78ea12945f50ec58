"""The variances of the activations, which are exact where that is worth its time.

An activation's dual k(Σ; q, q') takes the variances q[u] of one input alone. With exact ones, what
a projection loses is a private part of each input, E = K − ⟨φ, φ⟩ is positive semidefinite, and
nothing shrinks from layer to layer. Without pooling they take a number at each position. Behind
pooling they take the covariances of all pairs of positions, in time that grows with the square of
their number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from array_api_compat import is_numpy_array
from numpy.typing import NDArray

from ...engines import reference
from ...nets.operators import Need
from ...nets.plan import Plan, activations, plan, walk

# Covariances of one input with itself at all steps that take all of them, up to which they are
# computed: a grid of 32×32 has 2^20 of them at each.
_MOST = 2**23


@dataclass(frozen=True, eq=False)
class Marginals:
    """What is known of the variances in a network, `pairs` covariances of one input being needed.

    compiled: of the steps on the grid they are computed by compiled loops. known: whether there is
    anything to know at all.
    """

    plan: Plan
    pairs: int
    compiled: bool
    known: bool

    @classmethod
    def of(cls, plan_: Plan) -> Marginals:
        """Decided by the network and the shape of the inputs alone."""
        alone = plan(plan_.net, plan_.input_shape, Need.NOTHING)
        pairs = sum(
            math.prod(step.space_in) ** 2 for step in walk(alone.steps) if step.need_in is Need.FULL
        )
        if pairs == 0:
            return cls(plan_, pairs, False, True)
        compiled = pairs <= _MOST and _compiled(plan_)
        return cls(plan_, pairs, compiled, compiled)

    def __call__(self, x: Any) -> Sequence[NDArray[Any] | None] | None:
        """q (n, *space) of each step that reads them, in order of evaluation; None for unknown."""
        if not self.known:
            return None
        if not self.compiled:
            return reference.marginals(self.plan, x)
        from ...engines.fused.variances import on_grid, variances

        if is_numpy_array(x):
            return variances(self.plan, x)
        found = reference.marginals(self.plan, x)
        return [q if grid else None for q, grid in zip(found, on_grid(self.plan), strict=True)]


def _compiled(plan_: Plan) -> bool:
    from ...engines.fused.variances import uncovered

    # Tables of quadrature are made for the variances themselves, which are not known before.
    tabulated = any(activation.quadrature for activation in activations(plan_.steps))
    return bool(plan_.space) and not tabulated and uncovered(plan_) is None
