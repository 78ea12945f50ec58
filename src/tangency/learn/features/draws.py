"""Random vectors that cover the directions of a space more evenly than independent ones do."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...engines.threads import each

Matrix = NDArray[np.float64]

# Beyond this dimension, vectors are orthogonal in groups smaller than it: orthogonalising takes
# count · size · group operations, and brings less the more dimensions there are.
_WHOLE, _GROUP = 2048, 256
# Threads take longer to start than to orthogonalise fewer numbers than this.
_FEW = 2**14


def gaussian_rows(rng: np.random.Generator, count: int, size: int) -> Matrix:
    """Return vectors (count, size), each one standard normal, orthogonal in groups.

    An average over them of a function of one of them has the right expectation, and less
    variance, as no two of a group look the same way.

    Source: Yu et al. 2016, "Orthogonal random features".

    >>> rows = gaussian_rows(np.random.default_rng(0), 5, 3)
    >>> rows.shape, bool(abs(rows[0] @ rows[1]) < 1e-12)
    ((5, 3), True)
    """
    lengths = np.sqrt(rng.chisquare(size, count))
    return _directions(rng, count, size) * lengths[:, None]


def isotropic_rows(rng: np.random.Generator, count: int, size: int) -> Matrix:
    """Return vectors s (count, size) with E[s sᵀ] = I, of length √size, orthogonal in groups.

    For functions with f(λs) = λf(s) that take the place of standard normal ones, an average of
    f(s)f(s') has the same expectation, without the variance that comes from the lengths.

    >>> rows = isotropic_rows(np.random.default_rng(0), 3, 3)
    >>> bool(np.allclose(rows @ rows.T, 3 * np.eye(3)))
    True
    """
    return _directions(rng, count, size) * math.sqrt(size)


def _directions(rng: np.random.Generator, count: int, size: int) -> Matrix:
    """Unit vectors (count, size), each uniform on the sphere, orthogonal in groups."""
    group = size if size <= _WHOLE else _GROUP
    widths = [min(group, count - start) for start in range(0, count, group)]
    normals = [rng.standard_normal((size, width)) for width in widths]
    jobs = 1 if count * size < _FEW else None
    return np.concatenate(list(each(_orthogonal, normals, jobs)))


def _orthogonal(normal: Matrix) -> Matrix:
    """The columns of a matrix (size, b), orthogonalised, as rows (b, size)."""
    q, r = np.linalg.qr(normal)
    # Signs make the columns uniform: those of LAPACK follow a rule of their own.
    return (q * np.where(np.diagonal(r) < 0, -1.0, 1.0)).T
