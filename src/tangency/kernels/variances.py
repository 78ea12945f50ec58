"""The variances that activations by quadrature meet on some data."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from ..engines import reference
from ..nets.activations import ActivationLayer
from ..nets.operators import Need, Pointwise
from ..nets.plan import Plan, Step, walk

# Inputs that are looked at, spread over all.
_INPUTS = 32


def met_variances(plan: Plan, data: Any) -> dict[ActivationLayer, tuple[float, ...]]:
    """The least, the middle and the largest variance of each such layer, over some of the inputs.

    Layers that see no variance but 0 are left out.
    """
    steps = [s for s in walk(plan.steps) if s.reads_marginals and s.need_in is not Need.NOTHING]
    if not any(map(_by_quadrature, steps)):
        return {}
    xp = array_namespace(data)
    some = np.unique(np.linspace(0, data.shape[0] - 1, _INPUTS).astype(int))
    x = data[list(some), ...]
    x = xp.astype(x.detach() if is_torch_array(x) else x, xp.float64)
    found: dict[ActivationLayer, list[np.ndarray]] = {}
    for step, q in zip(steps, reference.marginals(plan, x), strict=True):
        if layer := _by_quadrature(step):
            q = q.cpu().numpy() if is_torch_array(q) else q
            found.setdefault(layer, []).append(q[q > 0])
    joined = {layer: np.concatenate([q.ravel() for q in parts]) for layer, parts in found.items()}
    return {
        layer: tuple(float(v) for v in np.quantile(q, [0, 0.5, 1], method="nearest"))
        for layer, q in joined.items()
        if q.size
    }


def _by_quadrature(step: Step) -> ActivationLayer | None:
    """The activation of a step, if it is one that is computed by quadrature."""
    found = step.operator.activation if isinstance(step.operator, Pointwise) else None
    return found if found is not None and found.quadrature else None
