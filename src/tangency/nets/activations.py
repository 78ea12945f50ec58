"""Activations with a closed form: a name, the dual k, its derivative k̇, the scalar function.

For centred Gaussians f, f' with variances q, q' and covariance s, the dual is k = E[σ(f)σ(f')]
and its derivative k̇ = ∂k/∂s = E[σ'(f)σ'(f')]. All formulas take arrays of any Array API library
(NumPy, PyTorch) and broadcast; they stay finite, and so do their gradients, at s = ±√(q q') and
at q = 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from array_api_compat import array_namespace

from ..errors import NetworkError
from .base import Layer, number, plain, truth, whole
from .facts import Steepness
from .signal import Signal
from .special import correlation, erf, excess, half_square, positive_part, sine_and_arcsine
from .values import elementwise

_RAW = {"raw": ("normalized", False)}
# Of a frequency and of a scale: their fourth powers, and squares in float32, stay finite.
_LEAST, _MOST = 1e-9, 1e9


@dataclass(frozen=True, repr=False)
class ActivationLayer(Layer):
    """An activation σ, applied to every channel. Subclasses give `dual` and the scalar function.

    Attributes:
        edge: the least ν of the terms (1 − c)^ν, ν no integer, in k at correlation c = 1: 3/2 for
            a kink of σ, 1/2 for a jump, inf where k is analytic. The decay of eigenvalues follows.
        steepness: by how much k and k̇ magnify the rounding of a correlation near 1.

    Both are facts of the formula in `dual`. A class that does not state them, or inherits them but
    has a dual of its own, gets neither a decay law nor a short way to distances.
    """

    edge: ClassVar[float | None] = None
    steepness: ClassVar[Steepness | None] = None

    def infer(self, signal: Signal) -> Signal:
        if not signal.gaussian:
            raise NetworkError(
                f"{type(self).__name__} needs Gaussian values, which a layer with weights makes, "
                "but it does not follow one; put Conv(...) (on grids) or Dense() (on vectors) "
                "before it"
            )
        if signal.mixed:
            raise NetworkError(
                f"{type(self).__name__} cannot follow Flatten(), which joins positions of "
                "different variances; put it before Flatten(), or Dense() between the two"
            )
        return replace(signal, gaussian=False)

    @property
    def homogeneous(self) -> bool:
        """σ(λu) = λσ(u) for λ > 0, so that k = √(q q')·κ(c)."""
        return False

    def dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        """(k, k̇) for the covariance `s` and the variances `q1`, `q2` (arrays that broadcast)."""
        raise NetworkError(
            f"{type(self).__name__} has no dual, by which kernels are computed: define "
            "dual(self, s, q1, q2), or use Activation(function)"
        )

    def __call__(self, u: Any) -> Any:
        """The scalar function σ, elementwise."""
        raise NetworkError(
            f"{type(self).__name__} has no scalar function, which finite networks and random "
            "features take; define __call__(self, u)"
        )


@dataclass(frozen=True, repr=False)
class PiecewiseLinear(ActivationLayer):
    """σ(u) = a·u + b·|u|: with a and b, the dual follows from E|f f'| and E[sign f sign f'].

    k = a²s + b²√(q q')·(2/π)(√(1−c²) + c·arcsin c), k̇ = a² + b²·(2/π)·arcsin c, as
    E[f|f'|] = 0. For a = b = 1/√2 these are κ₁ and κ₀ of Cho & Saul 2009 (arc-cosine kernels).
    """

    normalized: bool = field(default=True, kw_only=True)

    flags: ClassVar[dict[str, tuple[str, Any]]] = _RAW
    steepness: ClassVar[Steepness | None] = Steepness(k_dot=math.inf)

    def __post_init__(self) -> None:
        truth(self.normalized, "normalized")

    @property
    def homogeneous(self) -> bool:
        return True

    @property
    def edge(self) -> float:  # type: ignore[override]
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
        scale = absolute * (2 / math.pi)
        return linear * s + scale * (norm * (sine + c * arcsine)), linear + scale * arcsine

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
class _Normalizable(ActivationLayer):
    """An activation whose dual is divided by E[σ(g)²] unless `normalized=False`."""

    normalized: bool = field(default=True, kw_only=True)

    flags: ClassVar[dict[str, tuple[str, Any]]] = _RAW

    def __post_init__(self) -> None:
        truth(self.normalized, "normalized")

    def second_moment(self) -> Any:
        """E[σ(g)²] of the raw function, g standard normal."""
        raise NotImplementedError

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        raise NotImplementedError

    def _raw(self, u: Any) -> Any:
        raise NotImplementedError

    def dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        k, k_dot = self._raw_dual(s, q1, q2)
        if not self.normalized:
            return k, k_dot
        moment = self.second_moment()
        return k / moment, k_dot / moment

    def __call__(self, u: Any) -> Any:
        u = elementwise(u)
        return self._raw(u) * self.second_moment() ** -0.5 if self.normalized else self._raw(u)


@dataclass(frozen=True, repr=False)
class Erf(_Normalizable):
    """σ(u) = erf(u), normalised by E[erf(g)²] = (2/π)·arcsin(2/3).

    k = (2/π)·arcsin(2s/√((1+2q)(1+2q'))), k̇ = (4/π)/√((1+2q)(1+2q') − 4s²).
    Source: Williams 1997, "Computing with infinite networks"; k̇ is its derivative in s.

    >>> import numpy as np
    >>> from tangency import Erf
    >>> one = np.asarray(1.0)
    >>> round(float(Erf().dual(one, one, one)[0]), 12)
    1.0
    """

    token: ClassVar[str] = "erf"
    edge: ClassVar[float | None] = math.inf
    # At a large variance erf is a step.
    steepness: ClassVar[Steepness | None] = Steepness(math.inf, math.inf)

    def second_moment(self) -> float:
        return 2 / math.pi * math.asin(2 / 3)

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        xp = array_namespace(s)
        # (1+2q)(1+2q') − 4s² without the cancellation of two large products.
        size = 1 + 2 * (q1 + q2)
        root = xp.sqrt(size) * xp.sqrt(1 + 4 * excess(s, q1, q2, size))
        return (2 / math.pi) * xp.atan2(2 * s, root), (4 / math.pi) / root

    def _raw(self, u: Any) -> Any:
        return erf(u)


@dataclass(frozen=True, repr=False)
class GELU(_Normalizable):
    """σ(u) = u·Φ(u), Φ the standard normal distribution function.

    With P = E[Φ(f)Φ(f')] = 1/4 + arctan2(s, A)/2π, A² = (1+q)(1+q') − s², E = 1/(2πA):
    k = s·P + E·(q q' − s² + s²(1/(1+q) + 1/(1+q'))),
    k̇ = P + E·s·(1/(1+q) + 1/(1+q') + 1/A²).
    Source: Gaussian integration by parts, with E[φ(f)φ(f')] = E; the same dual in another form
    is in Tsuchida et al. 2021, "Avoiding kernel fixed points".

    >>> import numpy as np
    >>> from tangency import GELU
    >>> one = np.asarray(1.0)
    >>> round(float(GELU().dual(one, one, one)[0]), 12)
    1.0
    """

    token: ClassVar[str] = "gelu"
    edge: ClassVar[float | None] = math.inf
    # At a large variance GELU is a ReLU.
    steepness: ClassVar[Steepness | None] = Steepness(k_dot=math.inf)

    def second_moment(self) -> float:
        area = math.sqrt(3.0)
        return 0.25 + math.atan2(1.0, area) / (2 * math.pi) + 1 / (2 * math.pi * area)

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        xp = array_namespace(s)
        # All in units of `size`, as q q' and s² may be too large, or too small, for a float.
        size = 1 + q1 + q2
        rest = excess(s, q1, q2, size)
        root, ratio = xp.sqrt(size), xp.sqrt(1 + rest)
        both = 0.25 + xp.atan2(s, root * ratio) / (2 * math.pi)
        density = 1 / (2 * math.pi) / (root * ratio)
        shrink = s / (1 + q1) + s / (1 + q2)
        k = s * both + root * (rest / ratio) / (2 * math.pi) + density * (s * shrink)
        return k, both + density * (shrink + s / size / (1 + rest))

    def _raw(self, u: Any) -> Any:
        return 0.5 * u * (1 + erf(u / math.sqrt(2.0)))


@dataclass(frozen=True, repr=False)
class _Trigonometric(_Normalizable):
    """sin or cos of frequency·u: E[e^{i a (f ± f')}] gives both duals."""

    frequency: Any = field(default=1.0, kw_only=True)

    hint: ClassVar[str] = "The first argument is an amplitude elsewhere; write frequency=2"

    def __post_init__(self) -> None:
        super().__post_init__()
        frequency = number(self.frequency, "frequency", positive=True, least=_LEAST, most=_MOST)
        object.__setattr__(self, "frequency", frequency)

    def _steepness(self) -> Steepness:
        return Steepness(*[plain(self.frequency) ** 4] * 2)

    def _waves(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        """E[cos af·cos af'] and E[sin af·sin af']: e^{−a²(q+q')/2} times cosh and sinh of a²s.

        No exponent is positive: (q+q')/2 ≥ |s|, and where that is so to rounding only, they are
        taken as equal. The sinh loses no digits where s is small.
        """
        xp = array_namespace(s)
        square = self.frequency * self.frequency
        size = xp.where(s < 0, -s, s)
        wave = 0.5 * xp.exp(-square * positive_part(0.5 * q1 + 0.5 * q2 - size))
        rest = xp.expm1(-2 * square * size)
        return wave * (2 + rest), xp.where(s < 0, rest, -rest) * wave


@dataclass(frozen=True, repr=False)
class Sine(_Trigonometric):
    """σ(u) = sin(a·u), a the frequency.

    k = e^{−a²(q+q')/2}·sinh(a²s), k̇ = a²·e^{−a²(q+q')/2}·cosh(a²s).
    Source: the characteristic function of a Gaussian.

    >>> from tangency import Sine
    >>> Sine(frequency=2)
    Sine(frequency=2.0)
    """

    token: ClassVar[str] = "sin"
    edge: ClassVar[float | None] = math.inf
    steepness = property(_Trigonometric._steepness)  # type: ignore[assignment]

    def second_moment(self) -> Any:
        return half_square(self.frequency, -1)

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        cosines, sines = self._waves(s, q1, q2)
        return sines, self.frequency * self.frequency * cosines

    def _raw(self, u: Any) -> Any:
        return array_namespace(u).sin(self.frequency * u)


@dataclass(frozen=True, repr=False)
class Cosine(_Trigonometric):
    """σ(u) = cos(a·u), a the frequency.

    k = e^{−a²(q+q')/2}·cosh(a²s), k̇ = a²·e^{−a²(q+q')/2}·sinh(a²s).
    Source: the characteristic function of a Gaussian.

    >>> from tangency import Cosine
    >>> Cosine()
    Cosine()
    """

    token: ClassVar[str] = "cos"
    edge: ClassVar[float | None] = math.inf
    steepness = property(_Trigonometric._steepness)  # type: ignore[assignment]

    def second_moment(self) -> Any:
        return half_square(self.frequency, 1)

    def _raw_dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        cosines, sines = self._waves(s, q1, q2)
        return cosines, self.frequency * self.frequency * sines

    def _raw(self, u: Any) -> Any:
        return array_namespace(u).cos(self.frequency * u)


@dataclass(frozen=True, repr=False)
class Hermite(_Normalizable):
    """The Hermite polynomial h_d (probabilists', E[h_d(g)²] = 1 if normalised, d! if not).

    For q = q' = 1 the dual is s^d. In general, from the expansion of He_d(√q z) in He_{d−2i}(z):
    k = Σ_i (d!/(2^i i! (d−2i)!))²·(d−2i)!/d!·((q−1)(q'−1))^i·s^{d−2i}, and k̇ = ∂k/∂s.
    Source: the multiplication theorem of Hermite polynomials; Daniely, Frostig & Singer 2016.

    >>> import numpy as np
    >>> from tangency import Hermite
    >>> one = np.asarray(1.0)
    >>> float(Hermite(3).dual(one / 2, one, one)[0])
    0.125
    """

    degree: int

    token: ClassVar[str] = "hermite"
    lead: ClassVar[str | None] = "degree"
    edge: ClassVar[float | None] = math.inf
    steepness: ClassVar[Steepness | None] = Steepness()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "degree", whole(self.degree, "degree", 0))
        if self.degree > 30:
            raise NetworkError(
                f"degree must be at most 30, got {self.degree}: beyond, the coefficients of the "
                "polynomial lose all digits in float64"
            )

    def second_moment(self) -> float:
        return float(math.factorial(self.degree))

    def weights(self) -> tuple[float, ...]:
        """What belongs to ((q−1)(q'−1))^i·s^{d−2i}, normalisation included, i = 0, 1, …"""
        d = self.degree
        whole = 1 if self.normalized else math.factorial(d)
        # (d!/(2^i i! (d−2i)!))²·(d−2i)!/d!, a fraction of whole numbers.
        return tuple(
            whole * math.factorial(d) / (4**i * math.factorial(i) ** 2 * math.factorial(d - 2 * i))
            for i in range(d // 2 + 1)
        )

    def dual(self, s: Any, q1: Any, q2: Any) -> tuple[Any, Any]:
        both = (q1 - 1) * (q2 - 1)
        k = k_dot = 0.0 * s + 0.0 * q1 + 0.0 * q2
        for i, weight in enumerate(self.weights()):
            power = self.degree - 2 * i
            k = k + weight * both**i * s**power
            if power:
                k_dot = k_dot + power * weight * both**i * s ** (power - 1)
        return k, k_dot

    def _raw(self, u: Any) -> Any:
        before, now = 0.0 * u, 0.0 * u + 1.0
        for j in range(self.degree):
            before, now = now, u * now - j * before
        return now


@dataclass(frozen=True, repr=False)
class _SphereKernel(ActivationLayer):
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
class Exponential(_SphereKernel):
    """κ(c) = exp((c − 1)/σ²), the Gaussian kernel on the sphere; κ'(c) = κ(c)/σ².

    Source: convolutional kernel networks, Mairal 2016; Bietti & Mairal 2019, section 2.2.

    >>> from tangency import Exponential
    >>> Exponential(0.6)
    Exponential(0.6)
    """

    sigma: Any

    token: ClassVar[str] = "exp"
    lead: ClassVar[str | None] = "sigma"
    edge: ClassVar[float | None] = math.inf

    def __post_init__(self) -> None:
        sigma = number(self.sigma, "sigma", positive=True, least=_LEAST, most=_MOST)
        object.__setattr__(self, "sigma", sigma)

    @property
    def steepness(self) -> Steepness:  # type: ignore[override]
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
class Polynomial(_SphereKernel):
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
    edge: ClassVar[float | None] = math.inf
    steepness: ClassVar[Steepness | None] = Steepness()

    def __post_init__(self) -> None:
        object.__setattr__(self, "degree", whole(self.degree, "degree", 1))

    @property
    def homogeneous(self) -> bool:
        return True

    def _kappa(self, c: Any) -> tuple[Any, Any]:
        return c**self.degree, self.degree * c ** (self.degree - 1)
