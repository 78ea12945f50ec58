"""Whether a matrix from outside the library can be that of a kernel, as far as a look at it shows.

What is seen: entries beyond |K(x, y)| ≤ √(K(x, x) K(y, y)), as all distances are beside zeros on
the diagonal; eigenvalues below zero of some rows and columns together, which lie above those of the
whole; and vectors v with vᵀKv < 0 among those that a few products with K lead to. What is not:
a matrix whose diagonal hides its negative eigenvalues from all of these. Only a spectrum, or the
factor of K itself, tells for sure.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Never

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .checked import FLOAT32_EPS

Matrix = NDArray[np.float64]
Indices = NDArray[np.intp]

_SAMPLE = 256  # rows and columns that are looked at together
_ROWS = 256
_STEPS, _COLUMNS = 8, 8  # products with K, of so many vectors at once


def psd_tolerance(trace: float, size: int, eps: float) -> float:
    """Return how far below zero an eigenvalue may fall before a matrix counts as indefinite.

    Neural kernels of near-copies carry errors of order √eps (the arc cosine has a vertical
    tangent at 1), relative to the mean diagonal. A matrix that was computed in float32 and
    handed over as float64 may be wrong by float32's eps times the trace.
    """
    return max(10.0 * math.sqrt(eps) * trace / size, FLOAT32_EPS * trace)


def raise_not_psd(lowest: float | None, size: int, bound: str = "", seen: str = "") -> Never:
    """Refuse an indefinite matrix: no reproducing kernel Hilbert space belongs to it."""
    found = f"it has {seen}, so " if seen else ""
    found = "" if lowest is None else f" ({found}its smallest eigenvalue is {bound}{lowest:.3g})"
    raise InputError(
        f"the kernel matrix ({size} x {size}) is not positive semidefinite{found}, so it is not "
        "the matrix of a kernel; pass K(X, X) itself, not a distance matrix (of Euclidean D, "
        "np.exp(-D**2) is a kernel), or add -λ_min to its diagonal"
    )


def sample_of(n: int) -> Indices:
    """Return the places of the rows that are looked at together: all, or 256 drawn at random."""
    if n <= _SAMPLE:
        return np.arange(n)
    return np.sort(np.random.default_rng(n).choice(n, _SAMPLE, replace=False))


def largest_partners(diagonal: Matrix, eps: float) -> Matrix:
    """Return s (n,) such that |Kᵢⱼ| > sᵢsⱼ disproves a kernel with this diagonal.

    A matrix with no eigenvalue below -τ, what is taken for rounding, has Kᵢⱼ² ≤ (Kᵢᵢ + τ)(Kⱼⱼ + τ);
    and beside a zero on the diagonal, which is rarely rounding, zeros only.
    """
    tolerance = psd_tolerance(float(diagonal.sum()), len(diagonal), eps)
    found = np.sqrt(np.maximum(diagonal + tolerance, 0.0))
    zero = 10.0 * FLOAT32_EPS * np.sqrt(max(float(diagonal.max(initial=0.0)), 0.0))
    return np.where(diagonal == 0, np.minimum(found, zero), found)


def require_diagonal(diagonal: Matrix, eps: float) -> None:
    """Refuse a diagonal (n,) with an entry below zero, beyond rounding."""
    tolerance = psd_tolerance(float(np.abs(diagonal).sum()), len(diagonal), eps)
    lowest = int(np.argmin(diagonal))
    if diagonal[lowest] < -tolerance:
        _refuse(diagonal, lowest, lowest, float(diagonal[lowest]))


def require_pairs(
    block: np.ndarray, rows: Indices, columns: Indices, diagonal: Matrix, partners: Matrix
) -> None:
    """Refuse K[rows, columns] with an entry that no kernel has beside its diagonal (n,).

    `partners` (n,) are those of `largest_partners`.
    """
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        excess = np.abs(block[start : start + _ROWS])
        excess -= partners[some, None] * partners[columns]
        i, j = divmod(int(np.argmax(excess)), len(columns))
        if excess[i, j] > 0:
            _refuse(diagonal, int(some[i]), int(columns[j]), float(block[start + i, j]))


def require_sample(block: np.ndarray, places: Indices, diagonal: Matrix, eps: float) -> None:
    """Refuse K[places, places] that shows K, with this diagonal (n,), to be no kernel's matrix."""
    require_diagonal(diagonal, eps)
    require_pairs(block, places, places, diagonal, largest_partners(diagonal, eps))
    part = block.astype(np.float64)
    lowest = float(np.linalg.eigvalsh(part)[0])
    if lowest < -psd_tolerance(float(np.trace(part)), len(part), eps):
        raise_not_psd(lowest, len(diagonal), "at most ")


def require_psd_products(
    product: Callable[[Matrix], Matrix], left_over: Callable[[Matrix], Matrix], diagonal: Matrix,
    eps: float, seed: int,
) -> int:  # fmt: skip
    """Refuse K with a negative vᵀKv/vᵀv in a space that products with it lead to; count these.

    `product` gives KV, `left_over(V)` what an approximation of K from some of its columns gives,
    without which the small and negative eigenvalues stand out. The space is that of block Lanczos,
    from random vectors.
    """
    n = len(diagonal)
    rng = np.random.default_rng([seed, n, 1])
    block, _ = np.linalg.qr(rng.standard_normal((n, min(_COLUMNS, n))))
    basis, images = block[:, :0], block[:, :0]
    count = 0
    while block.shape[1] > 0 and count < _STEPS:
        image = product(block)
        count += 1
        basis, images = np.hstack([basis, block]), np.hstack([images, image])
        block = _orthogonal(image - left_over(block), basis)
    inner = basis.T @ images
    lowest = float(np.linalg.eigvalsh(0.5 * (inner + inner.T))[0])
    if lowest < -psd_tolerance(float(diagonal.sum()), n, eps):
        raise_not_psd(lowest, n, "at most ")
    return count


def _orthogonal(vectors: Matrix, basis: Matrix) -> Matrix:
    """Return an orthonormal basis of what the vectors add to the space of another one."""
    size = float(np.linalg.norm(vectors))
    for _ in range(2):
        vectors = vectors - basis @ (basis.T @ vectors)
    room = len(vectors) - basis.shape[1]
    directions, sizes, _ = np.linalg.svd(vectors, full_matrices=False)
    found = directions[:, : max(room, 0)][:, (sizes > 1e-10 * size)[: max(room, 0)]]
    return found - basis @ (basis.T @ found)


def _refuse(diagonal: Matrix, i: int, j: int, value: float) -> Never:
    first, second = float(diagonal[i]), float(diagonal[j])
    if i == j:
        lowest, seen = value, f"K[{i}, {i}] = {value:.3g}"
    else:
        lowest = 0.5 * (first + second) - float(np.hypot(0.5 * (first - second), value))
        seen = (
            f"K[{i}, {j}] = {value:.3g} beside K[{i}, {i}] = {first:.3g} and "
            f"K[{j}, {j}] = {second:.3g}"
        )
    raise_not_psd(lowest, len(diagonal), "at most ", seen)
