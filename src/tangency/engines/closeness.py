"""Whether gradients of a kernel take float64 for inputs of float32: those of nearly parallel ones.

Behind a kink, k̇ = 1 − arccos(c)/π has the slope 1/(π√(1 − c²)) in c. Rounding of c by ε takes up to
ε/(2(1 − c)) of what that adds to a gradient in the inputs, though it takes little of the kernel.
"""

from __future__ import annotations

import math

import numpy as np
from array_api_compat import is_torch_array

from ..nets.facts import steepness
from ..nets.operators import Pointwise
from ..nets.plan import Plan, walk
from .prepared import Prepared
from .twins import as_rows

NEAR = 1e-3
"""1 − |c| of inputs as they come, below which gradients take float64."""

# Pairs that are looked at together.
_PAIRS = 2**20


def steep(plan: Plan, first: Prepared, second: Prepared | None) -> bool:
    """Whether some inputs are nearly parallel, but not quite, and the network has a kink.

    What may be as steep as one at large variances, like erf, counts as well.

    first, second: of float32. Without a gradient in one of them there is nothing to look for.
    """
    sets = [first] if second is None else [first, second]
    if not any(is_torch_array(each.inputs) and each.inputs.requires_grad for each in sets):
        return False
    if not any(_kinked(step.operator) for step in walk(plan.steps)):
        return False
    x, y = _directions(first), _directions(sets[-1])
    step = max(1, _PAIRS // max(1, len(y)))
    for i in range(0, len(x), step):
        part = x[i : i + step]
        found = np.abs(part @ y.T)
        rows, columns = np.nonzero(found > 1 - NEAR)
        if len(rows) and _apart(part, y, rows, columns):
            return True
    return False


def _kinked(operator: object) -> bool:
    if not isinstance(operator, Pointwise):
        return False
    found = steepness(operator.activation)
    return found is None or math.isinf(found.k_dot)


def _directions(given: Prepared) -> np.ndarray:
    """Inputs of norm 1, or of zeros."""
    x = as_rows(given).astype(np.float64)
    largest = np.abs(x).max(axis=1, keepdims=True)
    x = x / np.where(largest > 0, largest, 1.0)
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norms > 0, norms, 1.0)


def _apart(x: np.ndarray, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> bool:
    """Whether one of the pairs is not equal or opposite up to the rounding of float32."""
    least = 4 * np.finfo(np.float32).eps
    step = max(1, _PAIRS // max(1, x.shape[1]))
    for k in range(0, len(rows), step):
        one, two = x[rows[k : k + step]], y[columns[k : k + step]]
        signs = np.sign(np.einsum("ij,ij->i", one, two))[:, None]
        if np.any(np.linalg.norm(one - signs * two, axis=1) > least):
            return True
    return False
