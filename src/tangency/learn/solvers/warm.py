"""A first solution for one alpha from the solutions for others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sla
from numpy.typing import NDArray

from .block_cg import State, System, start

Matrix = NDArray[np.float64]

_DEPENDENT = 1e-12  # squared length, after unit scaling, below which a direction is dropped


@dataclass(frozen=True)
class Solved:
    """(K + αI) `solution` = targets - `residual`, arrays (n, p)."""

    alpha: float
    solution: Matrix
    residual: Matrix


def start_from(system: System, known: list[Solved]) -> State:
    """Return the state at the best combination of all columns of the solutions that are known.

    The best is that with the smallest error in the norm of K + αI. It takes no product with K:
    (K + αI) X = (K + βI) X + (α - β) X, where the first is known from the residual for β.
    """
    if not known:
        return start(system)
    span = np.hstack([each.solution for each in known])
    image = np.hstack(
        [
            system.targets - each.residual + (system.alpha - each.alpha) * each.solution
            for each in known
        ]
    )
    lengths = np.sqrt(np.maximum(np.einsum("ij,ij->j", span, image), 0.0))
    alive = lengths > 0
    if not alive.any():
        return start(system)
    span, image = span[:, alive] / lengths[alive], image[:, alive] / lengths[alive]
    inner = span.T @ image
    values, basis = sla.eigh(0.5 * (inner + inner.T), check_finite=False)
    kept = values > _DEPENDENT * values[-1]
    basis = basis[:, kept]
    weights = basis @ ((basis.T @ (span.T @ system.targets)) / values[kept, None])
    return start(system, span @ weights, system.targets - image @ weights)
