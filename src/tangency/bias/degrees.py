"""The norm of a zonal function in every degree of its expansion in spherical harmonics."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..checks import within_memory
from ..errors import InputError
from .arccosine import log_beta

Vector = NDArray[np.float64]
Parity = Literal["even", "odd"] | None

_POINTS = 24
# A panel of this many radians of phase is integrated to rounding by 24 points.
_PHASE = 16.0
# Panels shrink by halves towards a kink, to 2^-40 of their length.
_HALVINGS = 40
# How far a difference of two energies stands above what is not known of it.
_TOLD = 100.0


@dataclass(frozen=True, eq=False)
class DegreeNorms:
    """‖f_k‖ in L²(S^{p-1}, uniform probability measure), one for each degree k = 0, 1, ….

    logs: (degree + 1,) natural logarithms, -inf for exact zeros. noise: the absolute error that
    quadrature left in a norm, 0 for closed forms; norms below it are taken for zero. total: the
    least and the largest that ‖f‖² over all degrees may be, None where it is not known.
    """

    logs: Vector
    noise: float = 0.0
    total: tuple[float, float] | None = None

    @property
    def beyond(self) -> float | None:
        """Σ ‖f_k‖² over the degrees that are not here; None where ‖f‖² does not tell."""
        if self.total is None:
            return None
        least, most = (end - self.energy for end in self.total)
        return most if least > _TOLD * (most - least) else None

    @property
    def values(self) -> Vector:
        """(degree + 1,) the norms themselves; those under 1e-308 are 0."""
        return np.exp(self.logs)

    @property
    def degree(self) -> int:
        """The largest degree."""
        return len(self.logs) - 1

    @property
    def energy(self) -> float:
        """Σ ‖f_k‖² over the degrees that are here."""
        return float(np.sum(np.exp(2 * self.logs)))

    @property
    def last(self) -> int:
        """The last degree whose norm is not zero; -1 where all are."""
        return int(np.max(np.nonzero(np.isfinite(self.logs))[0], initial=-1))

    @property
    def ends(self) -> bool:
        """Whether f is a polynomial of far lower degree, in quadrature to its precision."""
        return self.last <= self.degree // (2 if self.noise == 0 else 8)

    def only(self, parity: Parity) -> DegreeNorms:
        """The norms of the even or of the odd part; all of them for None."""
        if parity is None:
            return self
        other = np.arange(len(self.logs)) % 2 != (0 if parity == "even" else 1)
        # The whole of f is of this parity where it has any.
        return DegreeNorms(np.where(other, -np.inf, self.logs), self.noise, self.total)


@lru_cache(maxsize=32)
def log_multiplicities(dim: int, degree: int) -> Vector:
    """log N(p, k), (degree + 1,): how many harmonics of degree k there are in R^dim.

    N(p, k) = (2k+p-2) (k+p-3)! / (k! (p-2)!) = (2k+p-2)/(k (k+p-2) B(k, p-1)), and N(p, 0) = 1.
    """
    logs, k = np.zeros(degree + 1), np.arange(1.0, degree + 1)
    if dim == 2:
        logs[1:] = math.log(2)
    else:
        logs[1:] = np.log((2 * k + dim - 2) / (k * (k + dim - 2))) - log_beta(k, dim - 1)
    logs.flags.writeable = False
    return logs


@within_memory()
def project(
    function: Callable[[Vector], Any], dim: int, degree: int, breaks: tuple[float, ...] = ()
) -> DegreeNorms:
    """‖f_k‖ of a zonal f for k = 0, …, degree, by Gauss–Legendre quadrature in the angle.

    function: f(u), arrays of u in [-1, 1] to arrays. breaks: angles in (0, π) where f(cos θ) is
    not smooth; the equator π/2 is always taken for one. Panels are refined towards breaks and
    poles. The norms are |∫ f p_k dτ| with the orthonormal polynomials p_k = √N(p,k)·P_k of the
    measure, whose three-term recurrence is stable. `noise` is the change when the panels are
    doubled in length, at least rounding.

    Raises:
        InputError: values of f that are not finite real numbers, one for each u.
    """
    fine, size = _coefficients(function, dim, degree, breaks, _PHASE)
    coarse, rough = _coefficients(function, dim, degree, breaks, 2 * _PHASE)
    rounding = 8 * float(np.finfo(float).eps) * size
    noise = max(rounding, float(np.max(np.abs(fine - coarse))))
    kept = np.abs(fine) > noise
    logs = np.full(degree + 1, -np.inf)
    logs[kept] = np.log(np.abs(fine[kept]))
    unsure = abs(size**2 - rough**2) + rounding * size
    return DegreeNorms(logs, noise, (size**2 - unsure, size**2 + unsure))


def _coefficients(
    function: Callable[[Vector], Any],
    dim: int,
    degree: int,
    breaks: tuple[float, ...],
    phase: float,
) -> tuple[Vector, float]:
    """∫ f p_k dτ, (degree + 1,), and the norm of f in L²."""
    angles, weights = _nodes((*breaks, math.pi / 2), phase / (degree + dim))
    values = _evaluate(function, np.cos(angles))
    # The density of θ: sin^(p-2) θ · Γ(p/2)/(√π Γ((p-1)/2)).
    log_density = -float(log_beta(0.5, (dim - 1) / 2))
    weights = weights * np.exp(log_density + (dim - 2) * np.log(np.sin(angles)))
    out = np.empty(degree + 1)
    u, weighted = np.cos(angles), weights * values
    before, current, step = np.zeros_like(u), np.ones_like(u), 0.0
    for k in range(degree + 1):
        out[k] = weighted @ current
        nu, j = (dim - 2) / 2, k + 1
        if j == 1:
            following = 1 / math.sqrt(dim)
        else:
            following = 0.5 * math.sqrt(j * (j + 2 * nu - 1) / ((j + nu) * (j + nu - 1)))
        before, current = current, (u * current - step * before) / following
        step = following
    return out, math.sqrt(float(weights @ values**2))


def _evaluate(function: Callable[[Vector], Any], u: Vector) -> Vector:
    try:
        values = np.asarray(function(u), dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the target failed on an array of u in [-1, 1]: {error}; it must map arrays to arrays "
            "of the same shape, as NumPy's own functions do"
        ) from error
    if values.shape != u.shape:
        raise InputError(
            f"the target gave shape {values.shape} for u of shape {u.shape}; it must map arrays to "
            "arrays of the same shape"
        )
    if not np.isfinite(values).all():
        where = float(u[~np.isfinite(values)][0])
        raise InputError(f"the target is not finite at u = {where:.6g}; it must be bounded")
    return values


def _nodes(breaks: tuple[float, ...], longest: float) -> tuple[Vector, Vector]:
    """Angles and weights of a Gauss–Legendre rule on [0, π] in panels, finer towards breaks."""
    stops = sorted({0.0, math.pi, *breaks})
    edges: list[Vector] = []
    halves = 0.5 ** np.arange(1, _HALVINGS + 1)
    for low, high in pairwise(stops):
        length = high - low
        count = max(2, math.ceil(length / longest))
        inner = low + length * np.arange(1, count) / count
        first = length / count
        edges.append(
            np.concatenate([[low], low + first * halves[::-1], inner, high - first * halves])
        )
    ends = np.append(np.concatenate(edges), math.pi)
    x, w = np.polynomial.legendre.leggauss(_POINTS)
    half = np.diff(ends)[:, None] / 2
    middle = (ends[:-1] + ends[1:])[:, None] / 2
    return (middle + half * x).ravel(), (half * w).ravel()
