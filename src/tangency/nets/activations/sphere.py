"""Kernels on patches, functions of the angle alone: those of convolutional kernel networks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from array_api_compat import array_namespace

from ...errors import NetworkError
from ..base import number, plain, truth, whole
from ..facts import ANY, HermiteOfDirection, Powers, Steepness, Waves
from ..special import correlation
from .base import LEAST, MOST, RAW, ActivationLayer


@dataclass(frozen=True, repr=False)
class SphereKernel(ActivationLayer):
    """A dot-product kernel κ of the angle, extended by homogeneity: k = √(q q')·κ(c), k̇ = κ'(c).

    These are the kernels of convolutional kernel networks. They are no pointwise function of a
    single channel (the norm of the patch enters), hence have no scalar function.
    """

    @property
    def homogeneous(self) -> bool:
        return True

    def _kappa(self, c: Any) -> tuple[Any, Any]:
        """(κ(c), κ'(c))."""
        raise NotImplementedError

    def dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        c, norm = correlation(s, q1, q2)
        kappa, slope = self._kappa(c)
        return norm * kappa, slope

    def __call__(self, u: Any) -> Any:
        raise NetworkError(
            f"{self!r} is a kernel on patches, not a pointwise activation: it has no scalar "
            "function; tangency.finite.build makes a network of finite width with it"
        )


@dataclass(frozen=True, repr=False)
class Exponential(SphereKernel):
    """κ(c) = exp((c − 1)/σ²), the Gaussian kernel on the sphere; κ'(c) = κ(c)/σ².

    Source: convolutional kernel networks, Mairal 2016; Bietti & Mairal 2019, section 2.2.

    >>> from tangency import Exponential
    >>> Exponential(0.6)
    Exponential(0.6)
    """

    sigma: Any

    token: ClassVar[str] = "exp"
    lead: ClassVar[str | None] = "sigma"
    edge = math.inf
    any_precision = True
    powers = Powers((0, 1), even=True, odd=True)

    @property
    def compiled(self) -> tuple[Any, ...]:
        return ("exponential", plain(self.sigma) ** -2, 1.0, 0.0, 0.0)

    @property
    def limit_of(self) -> Waves:
        return Waves(plain(self.sigma))

    def gain(self, most: float) -> float:
        return max(1.0, plain(self.sigma) ** -2)

    def derivative_moments(self, orders: int) -> Any:
        return plain(self.sigma) ** (-2.0 * np.arange(orders))

    def __post_init__(self) -> None:
        sigma = number(self.sigma, "sigma", positive=True, least=LEAST, most=MOST)
        object.__setattr__(self, "sigma", sigma)

    @property
    def steepness(self) -> Steepness:
        return Steepness(*[plain(self.sigma) ** -4] * 2)

    @property
    def homogeneous(self) -> bool:
        return True

    def _kappa(self, c: Any) -> tuple[Any, Any]:
        xp = array_namespace(c)
        scale = 1 / (self.sigma * self.sigma)
        kappa = xp.exp((c - 1) * scale)
        return kappa, scale * kappa


@dataclass(frozen=True, repr=False)
class ExpNormalized(SphereKernel):
    """κ(c) = exp(γ(c + shift)), κ'(c) = γκ(c): for the shift −1 `Exponential(γ^{−1/2})`.

    Finite networks have random cosines of the direction for it, as for `Exponential`, if the shift
    is −1; with another, put `Rescale(exp(γ(1 + shift)/2))` behind them.

    >>> from tangency import Exponential, ExpNormalized
    >>> import numpy as np
    >>> one = np.asarray(1.0)
    >>> a, b = (k.dual(one / 2, one, one)[0] for k in (ExpNormalized(4), Exponential(0.5)))
    >>> bool(np.isclose(a, b, rtol=1e-15))
    True
    """

    gamma: Any = 1.0
    shift: Any = -1.0

    token: ClassVar[str] = "expnormalized"
    lead: ClassVar[str | None] = "gamma"
    edge = math.inf
    any_precision = True
    powers = ANY

    @property
    def compiled(self) -> tuple[Any, ...]:
        gamma, shift = plain(self.gamma), plain(self.shift)
        return ("exponential", gamma, math.exp(gamma * (1 + shift)), 0.0, 0.0)

    @property
    def limit_of(self) -> Waves | None:
        return Waves(plain(self.gamma) ** -0.5) if plain(self.shift) == -1 else None

    def __call__(self, u: Any) -> Any:
        if self.limit_of is None:
            gamma = plain(self.gamma)
            factor = math.exp(gamma * (1 + plain(self.shift)) / 2)
            raise NetworkError(
                f"{self!r} has no counterpart of finite width, but the same kernel has one when "
                f"written as ExpNormalized({gamma:g}), Rescale({factor:.9g})"
            )
        return super().__call__(u)

    def gain(self, most: float) -> float:
        return max(1.0, plain(self.gamma))

    def derivative_moments(self, orders: int) -> Any:
        gamma = plain(self.gamma)
        return math.exp(gamma * (1 + plain(self.shift))) * gamma ** np.arange(float(orders))

    def __post_init__(self) -> None:
        gamma = number(self.gamma, "gamma", positive=True, least=LEAST, most=MOST)
        shift = number(self.shift, "shift")
        object.__setattr__(self, "gamma", gamma)
        object.__setattr__(self, "shift", shift)
        if plain(gamma) * (1 + plain(shift)) > 100:
            raise NetworkError(
                "exp(gamma·(1 + shift)), the kernel at correlation 1, must be at most exp(100); "
                f"got gamma={plain(gamma):g}, shift={plain(shift):g}"
            )

    @property
    def steepness(self) -> Steepness:
        return Steepness(*[plain(self.gamma) ** 2] * 2)

    @property
    def homogeneous(self) -> bool:
        return True

    def _kappa(self, c: Any) -> tuple[Any, Any]:
        kappa = array_namespace(c).exp((c + self.shift) * self.gamma)
        return kappa, self.gamma * kappa


@dataclass(frozen=True, repr=False)
class Polynomial(SphereKernel):
    """κ(c) = c^d, the polynomial kernel; κ'(c) = d·c^{d−1}.

    Extended by homogeneity, k = √(q q')·c^d, or with `normalized=False` k = s^d, the kernel of
    Hermite layers elsewhere, right for σ = h_d at variances of 1 only (`Hermite` is at any).
    Source: convolutional kernel networks, Mairal 2016; the kernel of σ = h_d on the sphere.

    >>> import numpy as np
    >>> from tangency import Polynomial
    >>> float(Polynomial(2).dual(np.asarray(2.0), np.asarray(4.0), np.asarray(4.0))[0])
    1.0
    """

    degree: int
    normalized: bool = field(default=True, kw_only=True)

    flags: ClassVar[dict[str, tuple[str, Any]]] = RAW
    token: ClassVar[str] = "poly"
    lead: ClassVar[str | None] = "degree"
    edge = math.inf
    any_precision = True
    steepness = Steepness()

    @property
    def powers(self) -> Powers:
        return Powers((self.degree,))

    @property
    def compiled(self) -> tuple[Any, ...]:
        return ("polynomial", 0.0, float(not self.normalized), 0.0, self.degree)

    @property
    def limit_of(self) -> HermiteOfDirection:
        return HermiteOfDirection(self.degree, 1 if self.normalized else self.degree)

    def gain(self, most: float) -> float:
        return float(max(1, self.degree))

    def derivative_moments(self, orders: int) -> Any:
        return np.array([float(math.perm(self.degree, j)) for j in range(orders)])

    def __post_init__(self) -> None:
        truth(self.normalized, "normalized")
        object.__setattr__(self, "degree", whole(self.degree, "degree", 1))

    @property
    def homogeneous(self) -> bool:
        return self.normalized or self.degree == 1

    def dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        if self.normalized:
            return super().dual(s, q1, q2)
        zero = 0.0 * q1 + 0.0 * q2  # in the shape of all three
        return s**self.degree + zero, self.degree * s ** (self.degree - 1) + zero

    def _kappa(self, c: Any) -> tuple[Any, Any]:
        return c**self.degree, self.degree * c ** (self.degree - 1)
