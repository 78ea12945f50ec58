"""Spherical harmonics on S^{p−1}: how many, their Legendre polynomials, an orthonormal basis.

Everything is with respect to the uniform probability measure on the sphere.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import checks
from ..errors import InputError

_SLACK = 1e-8
"""How far from the sphere, or from [−1, 1], an argument may be: rounding, and not much more."""


def multiplicity(p: int, k: int) -> int:
    """N(p, k): the dimension of the spherical harmonics of degree k on S^{p−1}, an exact integer.

    Raises:
        InputError: p below 2, or k below 0.

    Source: Bietti & Mairal 2019, section 3.1; Efthimiou & Frye 2014.

    >>> [multiplicity(3, k) for k in range(4)]
    [1, 3, 5, 7]
    """
    p, k = dimension(p), degree_number(k)
    return 1 if k == 0 else (2 * k + p - 2) * math.comb(k + p - 3, k - 1) // k


def legendre(p: int, degree: int, t: Any) -> np.ndarray:
    """The Legendre polynomials P_0, ..., P_degree of dimension p at t, (degree + 1, *t.shape).

    P_k(1) = 1; they are cos(k·arccos t) for p = 2, Legendre's own for p = 3, and Gegenbauer
    polynomials of index (p − 2)/2 divided by their value at 1 in general.

    Raises:
        InputError: p below 2, a degree below 0, or t outside [−1, 1].

    Source: the three-term recurrence (k + p − 2)P_{k+1} = (2k + p − 2)·t·P_k − k·P_{k−1}.

    >>> legendre(3, 2, [0.5, 1.0])
    array([[ 1.   ,  1.   ],
           [ 0.5  ,  1.   ],
           [-0.125,  1.   ]])
    """
    p, degree, t = dimension(p), degree_number(degree), interval(t)
    rows = np.ones((degree + 1, *t.shape))
    if degree:
        rows[1] = t
    for k in range(1, degree):
        rows[k + 1] = ((2 * k + p - 2) * t * rows[k] - k * rows[k - 1]) / (k + p - 2)
    return rows


def spherical_harmonics(p: int, k: int, X: Any) -> np.ndarray:
    """An orthonormal basis Y_k1, ..., Y_kN of the harmonics of degree k at points, (n, N(p, k)).

    Args:
        p: the dimension, at least 2; the sphere is S^{p−1}.
        k: the degree.
        X: n points of the sphere, (n, p).

    Raises:
        InputError: points that are not (n, p), not finite, or not of norm 1.

    Source: separation of the last coordinate, Y = c·P_{k−j}^{(p+2j)}(t)·(1 − t²)^{j/2}·Y_j(ξ), with
    Y_j a basis on S^{p−2}; written in homogeneous polynomials, so that no point is special.

    >>> import numpy as np
    >>> spherical_harmonics(3, 1, np.eye(3)).round(3) + 0.0
    array([[0.   , 1.732, 0.   ],
           [0.   , 0.   , 1.732],
           [1.732, 0.   , 0.   ]])
    """
    p, k = dimension(p), degree_number(k)
    x = checks.array(X, "X")
    if x.ndim != 2 or x.shape[1] != p:
        raise InputError(f"X must hold points of S^{p - 1}, shape (n, {p}); got shape {x.shape}")
    norms = np.sqrt(np.sum(x * x, axis=1))
    if not np.all(np.abs(norms - 1) <= _SLACK):
        bad = norms[~(np.abs(norms - 1) <= _SLACK)][0]
        raise InputError(
            f"the rows of X must have norm 1, as points of the sphere; one has norm {bad:g}; "
            "divide each row by its norm"
        )
    return _solid(x, k)[k]


def _solid(x: np.ndarray, degree: int) -> list[np.ndarray]:
    """Solid harmonics of degrees 0..degree at x (n, p), as (n, N(p, k)) each."""
    p = x.shape[1]
    if p == 2:
        z = x[:, 0] + 1j * x[:, 1]
        powers = [z**k for k in range(degree + 1)]
        return [
            np.ones((len(x), 1)) if k == 0 else math.sqrt(2) * np.stack([w.real, w.imag], axis=1)
            for k, w in enumerate(powers)
        ]
    inner = _solid(x[:, :-1], degree)
    t, square = x[:, -1], np.sum(x * x, axis=1)
    blocks: list[list[np.ndarray]] = [[] for _ in range(degree + 1)]
    ratio = 1.0
    for j, lower in enumerate(inner):
        # E[(1−t²)^j P_m^{(p+2j)}(t)²] = 1/(N(p+2j, m)·ratio), t a coordinate of a uniform point.
        for m, zonal in enumerate(_homogeneous(p + 2 * j, degree - j, t, square)):
            norm = math.sqrt(multiplicity(p + 2 * j, m) * ratio)
            blocks[j + m].append((norm * zonal)[:, None] * lower)
        ratio *= (p + 2 * j) / (p - 1 + 2 * j)
    return [np.concatenate(block, axis=1) for block in blocks]


def _homogeneous(p: int, degree: int, t: np.ndarray, square: np.ndarray) -> list[np.ndarray]:
    """r^m P_m(t/r) for m = 0..degree, r² = `square`: polynomials in t and r²."""
    rows = [np.ones_like(t), t][: degree + 1]
    for k in range(1, degree):
        rows.append(((2 * k + p - 2) * t * rows[k] - k * square * rows[k - 1]) / (k + p - 2))
    return rows


LARGEST = 10**6
"""The largest dimension or degree: a table of more would take hours."""


def dimension(p: Any) -> int:
    """p as a Python integer of at least 2."""
    return _whole(p, "the dimension p", 2)


def degree_number(k: Any, name: str = "the degree") -> int:
    """A degree as a Python integer of at least 0."""
    return _whole(k, name, 0)


def _whole(value: Any, name: str, least: int) -> int:
    return checks.whole(value, name, least, LARGEST)


def interval(t: Any) -> np.ndarray:
    """Cosines as a float64 array; those beyond ±1 by rounding are put at ±1.

    Raises:
        InputError: not numbers, or outside [−1, 1].
    """
    values = checks.array(t, "cosines in [−1, 1]")
    outside = ~(np.abs(values) <= 1 + _SLACK)
    if np.any(outside):
        raise InputError(
            f"cosines must lie in [−1, 1], got {values[outside].flat[0]:g}; "
            "divide the product ⟨x, y⟩ by ‖x‖‖y‖"
        )
    return np.clip(values, -1.0, 1.0)
