"""Kernels on patches, functions of the angle alone: those of convolutional kernel networks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from array_api_compat import array_namespace

from ...errors import NetworkError
from ..base import number, plain, whole
from ..facts import HermiteOfDirection, Powers, Steepness, Waves
from ..special import correlation
from .base import ActivationLayer
from .waves import LEAST, MOST


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
        return ("exponential", plain(self.sigma) ** -2, 0.0, 0.0, 0.0)

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
class Polynomial(SphereKernel):
    """κ(c) = c^d, the homogeneous polynomial kernel; κ'(c) = d·c^{d−1}.

    Source: convolutional kernel networks, Mairal 2016; the kernel of σ = h_d on the sphere.

    >>> import numpy as np
    >>> from tangency import Polynomial
    >>> float(Polynomial(2).dual(np.asarray(2.0), np.asarray(4.0), np.asarray(4.0))[0])
    1.0
    """

    degree: int

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
        return ("polynomial", 0.0, 0.0, 0.0, self.degree)

    @property
    def limit_of(self) -> HermiteOfDirection:
        return HermiteOfDirection(self.degree)

    def gain(self, most: float) -> float:
        return float(max(1, self.degree))

    def derivative_moments(self, orders: int) -> Any:
        return np.array([float(math.perm(self.degree, j)) for j in range(orders)])

    def __post_init__(self) -> None:
        object.__setattr__(self, "degree", whole(self.degree, "degree", 1))

    @property
    def homogeneous(self) -> bool:
        return True

    def _kappa(self, c: Any) -> tuple[Any, Any]:
        return c**self.degree, self.degree * c ** (self.degree - 1)
