"""How far the duals of a function are from adaptive quadrature of the function itself."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from .family import Family
from .moments import duals

_STEP = 1e-5


@lru_cache(maxsize=256)
def measured_error(family: Family, variances: tuple[float, ...]) -> float:
    """The largest relative error of k and k̇ at correlation 1, and of k at correlation 0."""
    worst = 0.0
    for q in variances:
        root, one = math.sqrt(q), np.array([float(q)])
        k, k_dot = (float(a[0]) for a in duals(family, one, one, one, 2.0**-52))
        apart = float(duals(family, 0 * one, one, one, 2.0**-52)[0][0])
        cuts = _cuts(family, root)

        def value(g: np.ndarray, root: float = root) -> np.ndarray:
            return family.function(root * g)

        def slope(g: np.ndarray, root: float = root) -> np.ndarray:
            step = _STEP * max(1.0, root)
            u = root * g
            return (family.function(u + step) - family.function(u - step)) / (2 * step)

        size = _mean(lambda g: value(g) ** 2, cuts)
        errors = [abs(k - size) / size, abs(apart - _mean(value, cuts) ** 2) / size]
        if math.isfinite(k_dot):
            true = _mean(lambda g: slope(g) ** 2, cuts)
            errors.append(abs(k_dot - true) / true if true > 0 else abs(k_dot))
        worst = max(worst, *errors)
    return worst


def _cuts(family: Family, root: float) -> np.ndarray:
    """Where the range of a standard normal is cut: breaks, and scales of u from fine to coarse."""
    scales = np.exp2(np.arange(-20.0, 5.0)) / root
    cuts = np.concatenate([family.breaks / root, scales, -scales, [0.0], [-38.0, 38.0]])
    return np.unique(np.clip(cuts, -38.0, 38.0))


def _mean(function: Callable[[np.ndarray], np.ndarray], cuts: np.ndarray) -> float:
    """E[function(g)], g standard normal."""
    from scipy.integrate import quad_vec

    def integrand(g: float) -> float:
        weight = math.exp(-0.5 * g * g) / math.sqrt(2 * math.pi)
        return weight * float(function(np.array([g]))[0]) if weight > 0 else 0.0

    parts = [
        quad_vec(integrand, a, b, epsabs=1e-13, epsrel=1e-12)[0]
        for a, b in itertools.pairwise(cuts)
    ]
    return float(sum(parts))
