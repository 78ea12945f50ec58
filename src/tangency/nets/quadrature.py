"""Any activation, through its Hermite coefficients computed by Gauss–Hermite quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from array_api_compat import array_namespace, device

from .. import checks
from ..errors import NetworkError
from .activations import ActivationLayer
from .base import truth, whole
from .special import correlation, safe_sqrt
from .teach import closed_form
from .values import elementwise, number, shown


def _sigmoid(u: Any) -> Any:
    xp = array_namespace(u)
    return 0.5 * (1 + xp.tanh(0.5 * u))


def _softplus(u: Any) -> Any:
    xp = array_namespace(u)
    return xp.where(u > 0, u, xp.zeros_like(u)) + xp.log1p(xp.exp(-xp.abs(u)))


def _elu(u: Any) -> Any:
    xp = array_namespace(u)
    zero = xp.zeros_like(u)
    return xp.where(u > 0, u, xp.expm1(xp.where(u > 0, zero, u)))


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": lambda u: array_namespace(u).tanh(u),
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "silu": lambda u: u * _sigmoid(u),
    "elu": _elu,
    "gaussian": lambda u: array_namespace(u).exp(-0.5 * u * u),
}
"""The functions that `Activation` knows by name, hence in the text form too."""


@dataclass(frozen=True, repr=False)
class Activation(ActivationLayer):
    """Any activation σ, by Gauss–Hermite quadrature of its Hermite coefficients.

    With a_j(q) = E[σ(√q g)h_j(g)], h_j orthonormal Hermite polynomials:
    k = Σ_j a_j(q)a_j(q')c^j and k̇ = Σ_j j·a_j(q)a_j(q')c^{j−1}/√(q q'), j ≤ degree. The sum is
    positive semidefinite whatever the truncation; k̇ needs no derivative of σ. It converges fast
    for smooth functions and slowly for functions with a kink: `quadrature_error` measures it.

    Args:
        function: a name (tanh, sigmoid, softplus, silu, elu, gaussian) or a callable that works
            elementwise on arrays of the library in use (NumPy, PyTorch).
        degree: the highest Hermite coefficient; the quadrature has 2·degree + 1 nodes.
        normalized: divide by √E[σ(g)²].

    Source: Daniely, Frostig & Singer 2016, "Toward deeper understanding of neural networks".

    >>> from tangency import Activation
    >>> layer = Activation("tanh")
    >>> layer.quadrature_error(variances=(1.0,)) < 1e-8
    True
    """

    function: str | Callable[[Any], Any]
    degree: int = 100
    normalized: bool = field(default=True, kw_only=True)

    token: ClassVar[str] = "activation"
    lead: ClassVar[str | None] = None
    flags: ClassVar[dict[str, tuple[str, Any]]] = {"raw": ("normalized", False)}

    def __post_init__(self) -> None:
        if isinstance(self.function, str):
            if self.function not in FUNCTIONS:
                raise NetworkError(
                    f"no function is called {shown(self.function)}"
                    f"{closed_form(self.function)}; known: {', '.join(FUNCTIONS)}; "
                    "any other can be passed as a callable"
                )
        elif not callable(self.function):
            raise NetworkError(f"function must be a name or a callable, got {self.function!r}")
        object.__setattr__(self, "degree", whole(self.degree, "degree", 1))
        if self.degree > 256:
            raise NetworkError(
                f"degree must be at most 256, got {self.degree}: beyond, the weights of the "
                "quadrature underflow in float64"
            )
        truth(self.normalized, "normalized")

    @property
    def name(self) -> str:
        """The function's name."""
        if isinstance(self.function, str):
            return self.function
        return getattr(self.function, "__name__", type(self.function).__name__)

    def _raw(self, u: Any) -> Any:
        function = FUNCTIONS[self.function] if isinstance(self.function, str) else self.function
        return function(u)

    def _scale(self) -> float:
        return _normalizer(self) if self.normalized else 1.0

    def __call__(self, u: Any) -> Any:
        return self._scale() * self._raw(elementwise(u))

    def coefficients(self, q: Any) -> Any:
        """a_j(q) for j = 0..degree, stacked on a new first axis."""
        xp = array_namespace(q)
        nodes, projection = _rule(self.degree)
        root = xp.reshape(safe_sqrt(q), (1, -1))
        nodes = xp.asarray(nodes, dtype=q.dtype, device=device(q))
        projection = xp.asarray(projection, dtype=q.dtype, device=device(q))
        values = self._raw(nodes[:, None] * root)
        return xp.reshape(self._scale() * (projection @ values), (self.degree + 1, *q.shape))

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
        # At a zero variance σ is evaluated at 0 alone, and k̇ → σ'(0)² has no coefficient to
        # stand on: the tangent kernel Θ it multiplies is then that of a constant zero signal.
        return k, xp.where(positive, k_dot / safe, xp.zeros_like(k_dot))

    def quadrature_error(self, variances: tuple[float, ...] = (0.25, 1.0, 4.0)) -> float:
        """The largest relative error of k and k̇ over some variances, against E[σ²] and E[σ'²].

        Measured at c = 1, where all coefficients add up, by adaptive quadrature of σ² and of the
        difference quotient of σ squared (which is good to about 1e-9). It grows with the variance:
        σ(√q g) is less smooth in g the larger q is.
        """
        given = checks.items(variances, "variances", error=NetworkError)
        return _measured_error(self, tuple(number(q, "a variance", positive=True) for q in given))


@lru_cache(maxsize=32)
def _rule(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (N,) for a standard normal and the projection (degree + 1, N): weight times h_j."""
    from scipy.special import roots_hermitenorm

    nodes, weights = roots_hermitenorm(2 * degree + 1)
    rows = [np.ones_like(nodes), nodes]
    for j in range(1, degree):
        rows.append((nodes * rows[j] - math.sqrt(j) * rows[j - 1]) / math.sqrt(j + 1))
    return nodes, np.stack(rows) * (weights / math.sqrt(2 * math.pi))


def _second_moment(function: Callable[[np.ndarray], np.ndarray]) -> float:
    """E[function(g)²] by adaptive quadrature."""
    from scipy.integrate import quad_vec

    def integrand(t: float) -> float:
        value = np.asarray(function(np.asarray([t])), dtype=float)
        return float(value[0] ** 2 * math.exp(-0.5 * t * t) / math.sqrt(2 * math.pi))

    total = sum(
        quad_vec(integrand, a, b, epsabs=1e-14, epsrel=1e-13)[0] for a, b in ((-38, 0), (0, 38))
    )
    return float(total)


@lru_cache(maxsize=128)
def _normalizer(layer: Activation) -> float:
    moment = _second_moment(layer._raw)
    if not math.isfinite(moment) or moment <= 0:
        raise NetworkError(
            f"the activation {layer.name!r} has E[σ(g)²] = {moment}; it must be finite and "
            "greater than 0 to be normalised"
        )
    return moment**-0.5


@lru_cache(maxsize=128)
def _measured_error(layer: Activation, variances: tuple[float, ...]) -> float:
    worst, step = 0.0, 1e-4
    for q in variances:
        root = math.sqrt(q)
        k, k_dot = layer.dual(np.asarray(q), np.asarray(q), np.asarray(q))

        def value(t: np.ndarray, root: float = root) -> np.ndarray:
            return layer(root * t)

        def slope(t: np.ndarray, root: float = root) -> np.ndarray:
            return (layer(root * t + step) - layer(root * t - step)) / (2 * step)

        for found, true in ((k, _second_moment(value)), (k_dot, _second_moment(slope))):
            worst = max(worst, abs(float(found) - true) / max(true, 1e-300))
    return worst
