"""The last step of a layerwise map: features at the end of the network, and fewer of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from ...engines.blas import product
from ...errors import InputError
from ..lowrank import low_rank
from .local import Local
from .products import times

Array = NDArray[Any]


def at_end(end: Local, tangent: bool) -> Array:
    """The features of Θ, or of Σ, at the end of the network: (n, d), positions side by side."""
    if not tangent:
        return _flat(end.done().sigma)
    whole = end.alone().done()
    assert whole.theta is not None
    if not whole.theta.shape[-1]:  # Θ = 0: one feature, which is zero
        return 0 * _flat(whole.sigma)[:, :1]
    return _flat(whole.theta)


def _flat(x: Array) -> Array:
    return x.reshape(len(x), -1)


@dataclass(frozen=True, eq=False)
class Readout:
    """Features as they are, or projected onto those of some inputs: `matrix` (d, size)."""

    size: int
    matrix: Array | None

    @classmethod
    def fitted(cls, parts: list[Array], most: int, rng: np.random.Generator) -> Readout:
        """At most so many features, of inputs chosen among these."""
        width = parts[0].shape[1]
        if width <= most:
            return cls(width, None)
        rows = np.concatenate(parts)
        double = rows.astype(np.float64)
        found = low_rank(
            lambda wanted: product(double, double[wanted].T),
            np.einsum("ij,ij->i", double, double),
            most,
            seed=rng,
        )
        if found.rank == 0:
            return cls(1, np.zeros((width, 1), dtype=rows.dtype))
        lower = np.tril(found.factor[found.pivots])
        matrix = solve_triangular(lower, double[found.pivots], lower=True, check_finite=False).T
        return cls(found.rank, matrix.astype(rows.dtype))

    @classmethod
    def restored(cls, width: int, matrix: Any) -> Readout:
        """The one of a file; raises `InputError` for a matrix that is none."""
        if matrix is None:
            return cls(width, None)
        good = matrix.ndim == 2 and matrix.dtype.kind == "f" and len(matrix) == width
        if not (good and matrix.shape[1] and np.isfinite(matrix).all()):
            raise InputError("the readout does not belong to the landmarks")
        return cls(matrix.shape[1], matrix)

    def __call__(self, features: Array) -> Array:
        return features if self.matrix is None else times(features, self.matrix)
