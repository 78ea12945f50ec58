"""Preconditioned block conjugate gradients for (K + αI) X = B with many right-hand sides.

Each step uses one product of K with a block of directions P for all columns at once. Directions
that depend on others, to rounding, are dropped, so that right-hand sides may be dependent, as
centred one-hot targets are (Ji & Li 2017, "A breakdown-free block conjugate gradient method"). Only
these: without those of a column that has converged, directions would no longer be conjugate to
earlier ones, which may take several times as many products. P is kept orthonormal in the inner
product of the preconditioner M, in which K + αI is well conditioned; that takes no product with M.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg as sla
from numpy.typing import NDArray

from ...engines.blas import one_blas_thread
from ...errors import InputError
from ...matrix.checked import require_finite
from ...matrix.products import Product
from .preconditioner import Preconditioner

Matrix = NDArray[np.float64]

_DEPENDENT = 1e-13  # squared length, after unit scaling, below which a direction is dropped
_PATIENCE = 100
_GAIN = 0.9


@dataclass(frozen=True)
class System:
    """(K + αI) X = `targets`, (n, p), with what a solution must satisfy.

    The columns of the residual R are to have norms ‖M^(-1/2) rⱼ‖ ≤ `wanted` (p,). Because
    M ⪯ K + αI, such a norm bounds the RKHS norm of what is still missing from the function with
    coefficients xⱼ, and √K(x, x) times it the error of that function at x.
    """

    product: Product
    preconditioner: Preconditioner
    targets: Matrix
    alpha: float
    wanted: Matrix

    def apply(self, vectors: Matrix) -> Matrix:
        """(K + αI) @ vectors."""
        return self.product(vectors) + self.alpha * vectors

    def bounds(self, residual: Matrix, solved: Matrix) -> Matrix:
        """‖M^(-1/2) rⱼ‖ (p,), with M⁻¹R `solved`."""
        with np.errstate(over="ignore", invalid="ignore"):  # reported just below, in words
            squares = np.einsum("ij,ij->j", residual, solved)
        require_finite(squares, "conjugate gradients overflowed", "scale the inputs or y down")
        # below zero by rounding only: taken for zero, it would say that all is found
        return np.sqrt(np.abs(squares))


@dataclass(frozen=True)
class State:
    """A point of the iteration, from which it can go on: arrays (n, p) and (n, q).

    `directions` P are those of the next product and `shaped` is M P; `bounds` (p,) belong to
    `residual`. `best` is the smallest worst ratio of a bound to the one wanted, met at iteration
    `best_at`.
    """

    solution: Matrix
    residual: Matrix
    directions: Matrix
    shaped: Matrix
    bounds: Matrix
    iteration: int = 0
    best: float = math.inf
    best_at: int = 0

    def worst(self, wanted: Matrix, columns: int | None = None) -> float:
        """The largest ratio of a bound (of the first columns) to that wanted; ≤ 1 is the end."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(self.bounds == 0, 0.0, self.bounds / wanted)[:columns]
        return float(ratio.max(initial=0.0))


Watch = Callable[[State], None]


class NotDefiniteError(InputError):
    """K + αI is not positive definite, to the precision of its entries."""


def start(system: System, solution: Matrix | None = None, residual: Matrix | None = None) -> State:
    """Return the state at a first solution, 0 if none is given.

    The residual that belongs to it spares a product where it is known.
    """
    if solution is None:
        solution, residual = np.zeros_like(system.targets), system.targets
    elif residual is None:
        residual = system.targets - system.apply(solution)
    assert residual is not None
    solved = system.preconditioner.solve(residual, system.alpha)
    bounds = system.bounds(residual, solved)
    directions, shaped = _orthonormal(solved, residual)
    return State(solution, residual, directions, shaped, bounds)


def step(system: System, state: State) -> State:
    """Return the next state, after one product with K."""
    directions, shaped = state.directions, state.shaped
    image = system.apply(directions)
    curvature = directions.T @ image
    factor = _factor(0.5 * (curvature + curvature.T), system.alpha)
    weights = sla.cho_solve(factor, directions.T @ state.residual, check_finite=False)
    solution = state.solution + directions @ weights
    residual = state.residual - image @ weights
    solved = system.preconditioner.solve(residual, system.alpha)
    bounds = system.bounds(residual, solved)
    back = sla.cho_solve(factor, image.T @ solved, check_finite=False)
    directions, shaped = _orthonormal(solved - directions @ back, residual - shaped @ back)
    found = State(solution, residual, directions, shaped, bounds, state.iteration + 1)
    worst = found.worst(system.wanted)
    if worst < _GAIN * state.best:
        return replace(found, best=worst, best_at=found.iteration)
    return replace(found, best=state.best, best_at=state.best_at)


def run(system: System, state: State, max_iter: int, watch: Watch) -> State:
    """Iterate until all columns have converged, `max_iter` is reached or nothing improves.

    `watch` is called after each step. Compare `state.worst` with 1 to see which of them it was.
    """
    # Blocks of few columns are too small for BLAS to share out; products with K and with M⁻¹ have
    # threads of their own.
    with one_blas_thread():
        while (
            state.worst(system.wanted) > 1
            and state.directions.shape[1] > 0
            and state.iteration < max_iter
            and state.iteration - state.best_at < _PATIENCE
        ):
            state = step(system, state)
            watch(state)
    return state


def _orthonormal(vectors: Matrix, shaped: Matrix) -> tuple[Matrix, Matrix]:
    """Return P and M P with PᵀMP = I and the span of `vectors`; `shaped` is M @ vectors.

    Twice, because the first pass is as wrong as the vectors are near to dependence.
    """
    for _ in range(2):
        inner = vectors.T @ shaped
        lengths = np.sqrt(np.maximum(np.diagonal(inner), 0.0))
        alive = lengths > 0
        vectors, shaped, lengths = vectors[:, alive], shaped[:, alive], lengths[alive]
        if len(lengths) == 0:
            break
        inner = inner[np.ix_(alive, alive)] / np.outer(lengths, lengths)
        values, basis = sla.eigh(0.5 * (inner + inner.T), check_finite=False)
        kept = values > _DEPENDENT * values[-1]
        mix = basis[:, kept] / (lengths[:, None] * np.sqrt(values[kept]))
        vectors, shaped = vectors @ mix, shaped @ mix
    return vectors, shaped


def _factor(curvature: Matrix, alpha: float) -> tuple[Matrix, bool]:
    require_finite(curvature, "conjugate gradients overflowed", "scale the inputs or y down")
    try:
        return sla.cho_factor(curvature, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        raise NotDefiniteError(
            f"K + αI is not positive definite at alpha={alpha:.3g}, to the precision of its "
            "entries, so conjugate gradients cannot solve with it; raise alpha, pass the inputs "
            'as float64, or take solver="eigh", which tells rounding apart (a matrix of your own '
            "must be that of a kernel)"
        ) from None
