"""Activations with one kink at zero: ReLU, its relatives, absolute value."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from array_api_compat import array_namespace

from ...checks import real_array, within_memory
from ...errors import InputError, NetworkError
from ..base import number, plain, truth
from ..facts import Powers, Steepness
from ..special import correlation, sine_and_arcsine
from ..values import elementwise
from .base import MOST, RAW, ActivationLayer

if TYPE_CHECKING:
    from ...typing import ArrayLike


@dataclass(frozen=True, repr=False)
class PiecewiseLinear(ActivationLayer):
    """σ(u) = a·u + b·|u|: with a and b, the dual follows from E|f f'| and E[sign f sign f'].

    k = a²s + b²√(q q')·(2/π)(√(1−c²) + c·arcsin c), k̇ = a² + b²·(2/π)·arcsin c, as
    E[f|f'|] = 0. For a = b = 1/√2 these are κ₁ and κ₀ of Cho & Saul 2009 (arc-cosine kernels).
    """

    normalized: bool = field(default=True, kw_only=True)

    flags: ClassVar[dict[str, tuple[str, Any]]] = RAW
    steepness = Steepness(k_dot=math.inf)
    any_precision = True

    def gain(self, most: float) -> float:
        return 1.0

    @property
    def powers(self) -> Powers:
        linear, absolute = self.weights()
        return Powers((1,) * (linear > 0) + (0,) * (absolute > 0), even=bool(absolute > 0))

    @property
    def compiled(self) -> tuple[Any, ...]:
        return ("piecewise", *self.weights())

    @property
    def arc_cosine(self) -> tuple[float, float]:
        linear, absolute = self.weights()
        return float(linear), float(absolute)

    @property
    def linear_plus_even(self) -> bool:
        return all(self._parts())

    def derivative_moments(self, orders: int) -> Any:
        linear, kink = self.arc_cosine
        beyond = math.inf if kink > 0 else 0.0
        return np.where(np.arange(orders) < 2, linear + kink, beyond)

    def __post_init__(self) -> None:
        truth(self.normalized, "normalized")

    @property
    def homogeneous(self) -> bool:
        return True

    @property
    def edge(self) -> float:
        return 1.5 if self.weights()[1] > 0 else math.inf

    def _parts(self) -> tuple[Any, Any]:
        """(a, b) before normalisation."""
        raise NotImplementedError

    def weights(self) -> tuple[Any, Any]:
        """(a², b²) after normalisation: E[σ(g)²] = a² + b²."""
        a, b = self._parts()
        total = a * a + b * b if self.normalized else 1.0
        return a * a / total, b * b / total

    def dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        linear, absolute = self.weights()
        c, norm = correlation(s, q1, q2)
        sine, arcsine = sine_and_arcsine(c)
        scale = absolute * (2 / array_namespace(s).pi)
        return linear * s + scale * (norm * (sine + c * arcsine)), linear + scale * arcsine

    def derivative(self, u: Any) -> Any:
        a, b = self._parts()
        scale = (a * a + b * b) ** -0.5 if self.normalized else 1.0
        return scale * (a + b * np.sign(u))

    @within_memory()
    def __call__(self, u: Any) -> Any:
        a, b = self._parts()
        factor = (a * a + b * b) ** -0.5 if self.normalized else 1.0
        u = elementwise(u)
        xp = array_namespace(u)
        return factor * (a * u + b * xp.abs(u))


@dataclass(frozen=True, repr=False)
class ReLU(PiecewiseLinear):
    """σ(u) = √2·max(u, 0) (without √2 if not normalised).

    k = √(q q')κ₁(c), κ₁(c) = (√(1−c²) + c(π − arccos c))/π; k̇ = κ₀(c) = 1 − arccos(c)/π.
    Source: Cho & Saul 2009; Bietti & Mairal 2019, equation (6).

    >>> import numpy as np
    >>> from tangency import ReLU
    >>> k, k_dot = ReLU().dual(np.asarray(0.0), np.asarray(1.0), np.asarray(1.0))
    >>> round(float(k * np.pi), 12), float(k_dot)
    (1.0, 0.5)
    """

    token: ClassVar[str] = "relu"

    def _parts(self) -> tuple[Any, Any]:
        return 0.5, 0.5


def kappa0(u: ArrayLike | float) -> np.ndarray:
    """κ₀(u) = 1 − arccos(u)/π, the arc-cosine kernel of degree 0: E[σ'(f)σ'(f')] of the ReLU.

    It is the k̇ of `ReLU().dual` at variances of 1, which all engines compute with.

    Args:
        u: cosines in [−1, 1], one or an array of any shape; floating point keeps its type.

    Raises:
        InputError: what is no cosine.

    Source: Cho & Saul 2009; Bietti & Mairal 2019, section 2.

    >>> import numpy as np
    >>> kappa0(np.array([-1.0, 0.0, 1.0]))
    array([0. , 0.5, 1. ])
    """
    return _arc_cosine(u)[1]


def kappa1(u: ArrayLike | float) -> np.ndarray:
    """κ₁(u) = (√(1−u²) + u(π − arccos u))/π, the arc-cosine kernel of degree 1: E[σ(f)σ(f')].

    The NTK of `dense relu dense` is ‖x‖‖x'‖(u·κ₀(u) + κ₁(u)), its last-layer kernel ‖x‖‖x'‖κ₁(u).
    Argument, errors and source as for `kappa0`.

    >>> import numpy as np
    >>> kappa1(np.array([-1.0, 0.0, 1.0])).round(4) + 0.0
    array([0.    , 0.3183, 1.    ])
    """
    return _arc_cosine(u)[0]


@within_memory()
def _arc_cosine(u: Any) -> tuple[np.ndarray, np.ndarray]:
    """(κ₁(u), κ₀(u))."""
    cosines = real_array(u, "cosines")
    outside = ~(np.abs(cosines) <= 1 + 4 * np.finfo(cosines.dtype).eps)
    if np.any(outside):
        raise InputError(f"cosines must lie in [-1, 1], got {cosines[outside].flat[0]:.9g}")
    one = np.ones_like(cosines)
    return ReLU().dual(cosines, one, one)


@dataclass(frozen=True, repr=False)
class LeakyReLU(PiecewiseLinear):
    """σ(u) = max(u, 0) + slope·min(u, 0), divided by √((1 + slope²)/2) if normalised.

    Source: as for ReLU, from σ(u) = (1+slope)/2·u + (1−slope)/2·|u|.

    >>> from tangency import LeakyReLU
    >>> LeakyReLU(0.1)
    LeakyReLU(0.1)
    """

    slope: Any

    token: ClassVar[str] = "leaky"
    lead: ClassVar[str | None] = "slope"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "slope", number(self.slope, "slope"))

    def _parts(self) -> tuple[Any, Any]:
        return (1 + self.slope) / 2, (1 - self.slope) / 2


@dataclass(frozen=True, repr=False)
class Abs(PiecewiseLinear):
    """σ(u) = |u|.

    >>> from tangency import Abs
    >>> Abs().homogeneous
    True
    """

    token: ClassVar[str] = "abs"

    def _parts(self) -> tuple[Any, Any]:
        return 0.0, 1.0


@dataclass(frozen=True, repr=False)
class ABReLU(PiecewiseLinear):
    """σ(u) = a·min(u, 0) + b·max(u, 0), divided by √((a² + b²)/2) if normalised.

    Source: as for ReLU, from σ(u) = (b+a)/2·u + (b−a)/2·|u|.

    >>> from tangency import ABReLU, LeakyReLU
    >>> float(ABReLU(0.1, 1.0)(-2.0)) == float(LeakyReLU(0.1)(-2.0))
    True
    """

    a: Any
    b: Any

    token: ClassVar[str] = "abrelu"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("a", "b"):
            object.__setattr__(self, name, number(getattr(self, name), name, most=MOST))
        if plain(self.a) == 0 == plain(self.b):
            raise NetworkError("a and b must not both be 0, which makes every output 0")

    def _parts(self) -> tuple[Any, Any]:
        return (self.b + self.a) / 2, (self.b - self.a) / 2
