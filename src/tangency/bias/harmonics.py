"""Spherical harmonics on S^{p−1}: how many, their Legendre polynomials, an orthonormal basis.

Everything is with respect to the uniform probability measure on the sphere.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import real_array, within_memory
from ..errors import InputError
from .arccosine import log_beta
from .basis import basis
from .checks import require_room, rounding, whole

if TYPE_CHECKING:
    from ..typing import ArrayLike

_MOST_BITS = 300_000
"""Integers that take a few seconds to compute."""


def multiplicity(p: int, k: int) -> int:
    """N(p, k): the dimension of the spherical harmonics of degree k on S^{p−1}, an exact integer.

    Raises:
        InputError: p below 2, k below 0, or a number of more than 90,000 digits.

    Source: Bietti & Mairal 2019, section 3.1; Efthimiou & Frye 2014.

    >>> [multiplicity(3, k) for k in range(4)]
    [1, 3, 5, 7]
    """
    p, k = dimension(p), degree_number(k)
    if k == 0:
        return 1
    bits = _log_multiplicity(p, k) / math.log(2)
    if bits > _MOST_BITS:
        raise InputError(
            f"N({p}, {k}) has some {bits * math.log10(2):.3g} digits; whole numbers are given up "
            f"to {_MOST_BITS * math.log10(2):,.0f} digits"
        )
    return (2 * k + p - 2) * math.comb(k + p - 3, k - 1) // k


def multiplicities(p: int, degree: int) -> tuple[int, ...]:
    """N(p, k) for k = 0..degree, by their recurrence; exact integers of any size."""
    found = [1, p][: degree + 1]
    for k in range(1, degree):
        found.append(found[k] * (2 * k + p) * (k + p - 2) // ((2 * k + p - 2) * (k + 1)))
    return tuple(found)


def _log_multiplicity(p: int, k: int) -> float:
    """log N(p, k) for k ≥ 1: N = (2k + p − 2)/(k (k + p − 2) B(k, p − 1))."""
    return math.log((2 * k + p - 2) / k / (k + p - 2)) - float(log_beta(k, p - 1))


def legendre(p: int, degree: int, t: ArrayLike | float) -> np.ndarray:
    """The Legendre polynomials P_0, ..., P_degree of dimension p at t, (degree + 1, *t.shape).

    P_k(1) = 1; they are cos(k·arccos t) for p = 2, Legendre's own for p = 3, and Gegenbauer
    polynomials of index (p − 2)/2 divided by their value at 1 in general.

    Raises:
        InputError: p below 2, a degree below 0, or t outside [−1, 1] by more than rounding.
        MemoryLimitError: more numbers than fit in memory.

    Source: the three-term recurrence (k + p − 2)P_{k+1} = (2k + p − 2)·t·P_k − k·P_{k−1}.

    >>> legendre(3, 2, [0.5, 1.0])
    array([[ 1.   ,  1.   ],
           [ 0.5  ,  1.   ],
           [-0.125,  1.   ]])
    """
    p, degree, t = dimension(p), degree_number(degree), interval(t)
    require_room((degree + 1) * t.size, f"legendre(...) of {degree + 1} degrees")
    rows = np.ones((degree + 1, *t.shape))
    if degree:
        rows[1] = t
    for k in range(1, degree):
        rows[k + 1] = ((2 * k + p - 2) * t * rows[k] - k * rows[k - 1]) / (k + p - 2)
    return rows


def spherical_harmonics(p: int, k: int, X: ArrayLike) -> np.ndarray:
    """An orthonormal basis Y_k1, ..., Y_kN of the harmonics of degree k at points, (n, N(p, k)).

    Args:
        p: the dimension, at least 2; the sphere is S^{p−1}.
        k: the degree.
        X: n points of the sphere, (n, p); their norms may differ from 1 by the rounding of
            float32, which is taken out.

    Σ_j Y_kj² is N(p, k) to some √k units in the last place, at every degree; the work grows as
    k^(p−1)·n and, for p = 3, as k²·n.

    Raises:
        InputError: points that are not (n, p), not finite, or not of norm 1.
        MemoryLimitError: more harmonics than fit in memory.

    Source: separation of the last coordinate, Y = c·P_{k−j}^{(p+2j)}(t)·(1 − t²)^{j/2}·Y_j(ξ), with
    Y_j a basis on S^{p−2}.

    >>> import numpy as np
    >>> spherical_harmonics(3, 1, np.eye(3)).round(3) + 0.0
    array([[0.   , 1.732, 0.   ],
           [0.   , 0.   , 1.732],
           [1.732, 0.   , 0.   ]])
    """
    p, k = dimension(p), degree_number(k)
    x = unit_rows(X, p)
    count = math.exp(min(_log_multiplicity(p, k), 700.0)) if k else 1.0
    require_room(int(len(x) * (2 * count + 12 * (k + 1) * (p > 2))), f"Y_kj for p = {p}, k = {k}")
    return basis(x, k)


def unit_rows(X: Any, p: int) -> np.ndarray:
    """Points of S^{p−1}, (n, p), in float64 with norm 1 to its rounding."""
    given = real_array(X, "X")
    if given.ndim != 2 or given.shape[1] != p:
        raise InputError(
            f"X must hold points of S^{p - 1}, shape (n, {p}); got shape {given.shape}"
        )
    x = given.astype(np.float64)
    norms = np.linalg.norm(x, axis=1)
    good = np.abs(norms - 1) <= rounding(given)
    if not np.all(good):
        raise InputError(
            f"the rows of X must have norm 1, as points of the sphere; one has norm "
            f"{norms[~good][0]:.9g}; divide each row by its norm"
        )
    return x / norms[:, None]


def dimension(p: Any) -> int:
    """p as a Python integer of at least 2."""
    return whole(p, "the dimension p", 2)


def degree_number(k: Any) -> int:
    """A degree as a Python integer of at least 0."""
    return whole(k, "the degree", 0)


@within_memory()
def interval(t: Any) -> np.ndarray:
    """Cosines as a float64 array; those beyond ±1 by rounding are put at ±1.

    Raises:
        InputError: not numbers, or outside [−1, 1] by more than the rounding of float32.
    """
    given = real_array(t, "cosines")
    values = given.astype(np.float64)
    outside = ~(np.abs(values) <= 1 + rounding(given))
    if np.any(outside):
        raise InputError(
            f"cosines must lie in [−1, 1], got {values[outside].flat[0]:.9g}; "
            "divide the product ⟨x, y⟩ by ‖x‖‖y‖"
        )
    return np.clip(values, -1.0, 1.0)
