"""The Hermite series of an activation, cut off at some degree, in any arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from ...errors import NetworkError
from ..activations import ActivationLayer
from ..base import whole
from ..special import correlation, safe_sqrt

# How far a standard normal is followed.
_REACH = 14.0
_MOST = 1024
# How often the panel next to 0 is halved.
_HALVINGS = 12


@dataclass(frozen=True, repr=False)
class HermiteSeries(ActivationLayer):
    """The polynomial that the first Hermite coefficients of σ make, for smooth σ.

    With a_j(q) = E[σ(√q g)h_j(g)], h_j orthonormal Hermite polynomials:
    k = Σ_j a_j(q)a_j(q')c^j and k̇ = Σ_j j·a_j(q)a_j(q')c^{j−1}/√(q q'), j ≤ degree. Unlike
    `Activation`, it runs with as many digits as its arguments have; what it leaves out grows with
    the variance and with the steepness of σ.

    Args:
        function: elementwise on arrays of the arithmetic in use. scale: a factor.
        degree: the highest Hermite coefficient.

    Source: Daniely, Frostig & Singer 2016, "Toward deeper understanding of neural networks".
    """

    function: Callable[[Any], Any]
    degree: int
    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "degree", whole(self.degree, "degree", 1))
        if self.degree > _MOST:
            raise NetworkError(f"degree must be at most {_MOST}, got {self.degree}")

    def __call__(self, u: Any) -> Any:
        return self.scale * self.function(u)

    def of_another_length(self) -> HermiteSeries:
        """Twice as many terms; a quarter fewer where there are as many as there can be."""
        most = self.degree == _MOST
        return replace(self, degree=3 * _MOST // 4 if most else min(2 * self.degree, _MOST))

    def coefficients(self, q: Any) -> Any:
        """a_j(q) for j = 0..degree, stacked on a new first axis."""
        xp = array_namespace(q)
        nodes, projection = _rule(self.degree)
        root = xp.reshape(safe_sqrt(q), (1, -1))
        nodes = xp.asarray(nodes, dtype=q.dtype, device=device(q))
        projection = xp.asarray(projection, dtype=q.dtype, device=device(q))
        places = nodes[:, None] * root
        values = self(places)
        if getattr(values, "shape", None) != places.shape:
            raise NetworkError(
                "an activation must be a function of numbers, one by one; this one gave shape "
                f"{getattr(values, 'shape', None)} for an array of shape {tuple(places.shape)}"
            )
        return xp.reshape(projection @ values, (self.degree + 1, *q.shape))

    def dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        xp = array_namespace(s)
        c, norm = correlation(s, q1, q2)
        positive = norm > 0
        safe = xp.where(positive, norm, xp.ones_like(norm))
        left, right = self.coefficients(q1), self.coefficients(q2)
        k, k_dot = xp.zeros_like(c), xp.zeros_like(c)
        for j in range(self.degree, -1, -1):
            k_dot = k_dot * c + k
            k = k * c + left[j, ...] * right[j, ...]
        # At a zero variance c = 0, and of k̇ the term of j = 1 is left.
        first = self._slope(left[1, ...], q1) * self._slope(right[1, ...], q2)
        return k, xp.where(positive, k_dot / safe, first)

    def _slope(self, a1: Any, q: Any) -> Any:
        """a_1(q)/√q = E[σ'(√q g)], also for q = 0, where it is σ'(0)."""
        xp, root = array_namespace(q), safe_sqrt(q)
        positive = root > 0
        # At this step what rounding and the next term of σ leave out are of one size.
        step = float(np.asarray(xp.finfo(q.dtype).eps)) ** (1 / 3)
        near = xp.asarray(np.array([0.0, step * step]), dtype=q.dtype, device=device(q))
        ends = self.coefficients(near)[1, ...]
        at_zero = (ends[1:] - ends[:1]) / step
        found = a1 / xp.where(positive, root, xp.ones_like(root))
        return xp.where(positive, found, at_zero + xp.zeros_like(root))


@lru_cache(maxsize=32)
def _rule(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (N,) for a standard normal and the projection (degree + 1, N): weight times h_j.

    Panels of Gauss–Legendre nodes, as the weights of Gauss–Hermite rules underflow at high degrees;
    each holds little more than one wave of the last polynomial. 0 is an edge, as most functions
    with a kink have it there, and panels shrink towards it for those that a large variance makes
    steep. Series of other lengths have other panels, so that comparing them shows what a kink
    elsewhere costs.
    """
    x, w = np.polynomial.legendre.leggauss(16)
    panels = math.ceil(_REACH * math.sqrt(degree + 60) / 12)
    right = np.linspace(0, _REACH, panels + 1)[1:]
    right = np.concatenate([right[0] * 0.5 ** np.arange(_HALVINGS, 0, -1), right])
    edges = np.concatenate([-right[::-1], [0.0], right])
    half = 0.5 * np.diff(edges)[:, None]
    nodes = (0.5 * (edges[1:] + edges[:-1])[:, None] + half * x).ravel()
    weights = (half * w).ravel() * np.exp(-0.5 * nodes**2) / math.sqrt(2 * math.pi)
    rows = [np.ones_like(nodes), nodes]
    for j in range(1, degree):
        rows.append((nodes * rows[j] - math.sqrt(j) * rows[j - 1]) / math.sqrt(j + 1))
    return nodes, np.stack(rows) * weights
