"""Functions on the sphere whose smoothness is known: what a kernel is asked to approximate.

Every target is zonal, f(x) = f(u) with u = ⟨x, e⟩ for a fixed unit vector e, so that each degree k
of its expansion in spherical harmonics holds one number, the norm ‖f_k‖ in L² of the uniform
probability measure. Only these norms enter an RKHS norm or a distance to a ball of an RKHS.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from .. import checks
from ..checks import array, choice, number, real_array, shown, text
from ..errors import InputError
from .checks import real_number, require_room, whole
from .degrees import DegreeNorms, Parity, Vector, project
from .half_powers import half_power_logs
from .harmonics import interval


@dataclass(frozen=True)
class ZonalTarget:
    """A function f(u) of u = ⟨x, e⟩ on the sphere, with what is known about its smoothness.

    name: how sentences call it, with its article. function: f, from an array of u in [-1, 1] to
    one of the same shape; None where only the norms of its degrees are known. closed_form:
    (dim, degree) -> natural logarithms (degree + 1,) of ‖f_k‖, -inf where f_k is zero; None asks
    for quadrature.
    breaks: angles θ in (0, π) where f(cos θ) is not smooth, at which quadrature is split.
    smoothness: the s for which ‖f_k‖² decays like k^(-2s-1), so that f has just fewer than s
    derivatives in L²; inf for a smooth f, None where it is not known. lipschitz: an η with
    |f| ≤ η and |∇f| ≤ η on the sphere, None where there is none or it is not known.
    parity: "even" or "odd" where f(-u) = ±f(u).
    """

    name: str
    function: Callable[[Vector], Any] | None = None
    closed_form: Callable[[int, int], Vector] | None = None
    breaks: tuple[float, ...] = ()
    smoothness: float | None = None
    lipschitz: float | None = None
    parity: Parity = None

    def __post_init__(self) -> None:
        text(self.name, "name")
        ends = np.ravel(real_array(self.breaks, "breaks"))
        object.__setattr__(self, "breaks", tuple(map(float, ends)))
        for what in ("function", "closed_form"):
            if getattr(self, what) is not None:
                checks.function(getattr(self, what), what)
        for what in ("smoothness", "lipschitz"):
            if getattr(self, what) is not None:
                number(getattr(self, what), what, finite=False)
        if self.function is None and self.closed_form is None:
            raise InputError(f"target {shown(self.name)} has neither a function nor a closed form")
        if self.parity is not None:
            choice(self.parity, "parity", ("even", "odd"))

    def __call__(self, u: Any) -> Vector:
        """f(u) for an array of u in [-1, 1]."""
        if self.function is None:
            raise InputError(
                f"target {shown(self.name)} is known by the norms of its degrees only; it has no "
                "values"
            )
        return array(self.function(interval(u)), f"f(u) of {shown(self.name)}")

    def norms(self, dim: int, degree: int) -> DegreeNorms:
        """‖f_k‖ in L² of the sphere in R^dim for every degree k up to `degree`."""
        dim, degree = check_sizes(dim, degree)
        if self.closed_form is not None:
            return DegreeNorms(self.closed_form(dim, degree), 0.0)
        assert self.function is not None
        return project(self, dim, degree, self.breaks).only(self.parity)

    def even(self) -> ZonalTarget:
        """The even part (f(u) + f(-u))/2, in the space of a bias-free two-layer ReLU network.

        It keeps a bound on f and its gradient, and the order of smoothness: a singularity at θ
        is met by that at π - θ with half its height.
        """
        if self.parity == "even":
            return self
        if self.parity == "odd":
            raise InputError(f"target {shown(self.name)} is odd: its even part is zero")
        values, closed, smoothness = self.function, self.closed_form, self.smoothness
        even_form = None if closed is None else partial(_even_logs, closed)
        if even_form is not None and DegreeNorms(even_form(3, 200)).last < 100:
            # What is left is a polynomial, as it is for (u)_+^2.
            smoothness = math.inf
        return replace(
            self,
            name=f"the even part of {self.name}",
            function=None if values is None else partial(_even_values, values),
            closed_form=even_form,
            breaks=tuple(sorted({*self.breaks, *(math.pi - b for b in self.breaks)})),
            smoothness=smoothness,
            parity="even",
        )


def power(exponent: float = 1.0) -> ZonalTarget:
    """|u|^a, even, with a kink of order a on the equator: smoothness s = a + 1/2 in L².

    exponent: a > -1/2 (so that it is square integrable). For an even a it is a polynomial.

    >>> [round(float(norm), 6) for norm in power(1.0).norms(3, 4).values]
    [0.5, 0.0, 0.279508, 0.0, 0.0625]
    """
    a = _exponent(exponent)
    polynomial = a % 2 == 0
    return ZonalTarget(
        name="|u|" if a == 1 else f"|u|^{a:g}",
        function=partial(_power, a),
        closed_form=partial(_power_logs, a),
        smoothness=math.inf if polynomial else a + 0.5,
        lipschitz=_steepest(a),
        parity="even",
    )


def ramp(exponent: float = 1.0) -> ZonalTarget:
    """(u)_+^a = max(u, 0)^a, one neuron: smoothness s = a + 1/2 in L².

    exponent: a > -1/2; 1 is a ReLU, 0 a step. Its even part is |u|^a/2, its odd part
    sign(u)|u|^a/2; for a whole a one of the two is a polynomial of degree a.
    Source of the coefficients: Bach 2017, appendix D.2, for a = 0, 1; by analytic continuation in
    a, ∫ (u)_+^a P_k dτ = Γ(p/2) Γ(a+1) 2^(-a-1) / (Γ((a-k)/2 + 1) Γ((a+k+p)/2)).

    >>> [round(float(norm), 6) for norm in ramp(1.0).norms(3, 4).values]
    [0.25, 0.288675, 0.139754, 0.0, 0.03125]
    """
    a = _exponent(exponent)
    return ZonalTarget(
        name="(u)₊" if a == 1 else f"(u)₊^{a:g}",
        function=partial(_ramp, a),
        closed_form=partial(half_power_logs, a),
        smoothness=a + 0.5,
        lipschitz=_steepest(a),
    )


def cone(angle: float = math.pi / 3) -> ZonalTarget:
    """max(0, 1 - θ/θ₀), θ the angle to e: Lipschitz like a distance, kinks at θ = 0 and θ₀.

    angle: θ₀ in (0, π). The kink on the circle at θ₀ decides: smoothness s = 3/2 in L².
    """
    end = _angle(angle)
    return ZonalTarget(
        name="a cone" if end == math.pi / 3 else f"a cone of angle {end:.3g}",
        function=partial(_cone, end),
        breaks=(end,),
        smoothness=1.5,
        lipschitz=max(1.0, 1.0 / end),
    )


def bump(angle: float = math.pi / 2) -> ZonalTarget:
    """exp(1 - 1/(1 - (θ/θ₀)²)) for θ < θ₀ and 0 beyond: smooth, of compact support, height 1.

    angle: θ₀ in (0, π). All derivatives exist, so that it lies in the space of every kernel
    whose eigenvalues decay as a power; none is analytic at θ₀.
    """
    end = _angle(angle)
    slopes = np.linspace(0, 1, 2001)[1:-1]
    steepest = np.max(2 * slopes / (1 - slopes**2) ** 2 * np.exp(1 - 1 / (1 - slopes**2)))
    return ZonalTarget(
        name="a bump" if end == math.pi / 2 else f"a bump of angle {end:.3g}",
        function=partial(_bump, end),
        breaks=(end,),
        smoothness=math.inf,
        # 0.1% for a maximum between two of the 2,001 points.
        lipschitz=max(1.0, 1.001 * float(steepest) / end),
    )


def rough(smoothness: float = 1.0) -> ZonalTarget:
    """A function of any smoothness s, known by its degrees: ‖f_k‖² = k^(-2s-1), even k ≥ 2.

    smoothness: s > 0. For s near 1 it is as hard, in L², as a Lipschitz function can be, and it
    shows that the rates of the paper cannot be improved. It has no stated values: any choice of
    signs gives a function with these norms.

    >>> [round(float(norm), 3) for norm in rough(1.0).norms(5, 4).values]
    [0.0, 0.0, 0.354, 0.0, 0.125]
    """
    s = real_number(smoothness, "smoothness")
    if not (math.isfinite(s) and s > 0):
        raise InputError(f"smoothness must be a number greater than 0, got {shown(smoothness)}")
    name = f"a function of smoothness s = {s:g}"
    logs = partial(_rough_logs, s)
    return ZonalTarget(name=name, closed_form=logs, smoothness=s, parity="even")


def zonal(
    function: Callable[[Vector], Any],
    name: str = "f",
    breaks: tuple[float, ...] = (),
    smoothness: float | None = None,
    lipschitz: float | None = None,
) -> ZonalTarget:
    """A target from any function of u in [-1, 1]; arguments as in `ZonalTarget`.

    Give the angles θ where f(cos θ) has kinks or jumps as `breaks`: without them quadrature is
    less exact, which the `noise` of its norms shows.
    """
    if not callable(function):
        raise InputError(f"a target is a function of u = ⟨x, e⟩, got {shown(function)}")
    ends = tuple(sorted(map(float, np.atleast_1d(real_array(breaks, "breaks")).ravel())))
    if not all(0 < b < math.pi for b in ends):
        raise InputError(f"breaks are angles between 0 and π, got {shown(breaks)}")
    return ZonalTarget(name, function, None, ends, smoothness, lipschitz)


#: The targets that are known by name, as in `approximation_curve("cone", ...)`.
NAMED: dict[str, Callable[[], ZonalTarget]] = {
    "|u|": power,
    "relu": ramp,
    "cone": cone,
    "bump": bump,
}


def as_target(target: Any) -> ZonalTarget:
    """A target from a `ZonalTarget`, a name of `NAMED`, or a function of u.

    Raises:
        InputError: an unknown name, or something that is none of these.
    """
    if isinstance(target, ZonalTarget):
        return target
    if isinstance(target, str):
        if target not in NAMED:
            raise InputError(
                f"no target is called {shown(target)}; known are {', '.join(NAMED)}, and any "
                "function of u = ⟨x, e⟩ through tangency.bias.targets.zonal"
            )
        return NAMED[target]()
    return zonal(target)


def check_sizes(dim: Any, degree: Any) -> tuple[int, int]:
    """The dimension p ≥ 2 of the space around the sphere and the largest degree ≥ 0."""
    sizes = whole(dim, "dim", 2), whole(degree, "degree", 0)
    require_room(20 * sizes[1], f"degree={degree}")
    return sizes


# Functions of the module, not of another function: these can be pickled, and results with them.


def _power(a: float, u: Vector) -> Vector:
    return np.abs(u) ** a


def _power_logs(a: float, dim: int, degree: int) -> Vector:
    return DegreeNorms(half_power_logs(a, dim, degree) + math.log(2), 0.0).only("even").logs


def _ramp(a: float, u: Vector) -> Vector:
    return np.where(u > 0, np.maximum(u, 0.0) ** a, 0.0)


def _cone(end: float, u: Vector) -> Vector:
    return np.maximum(0.0, 1.0 - _angles(u) / end)


def _bump(end: float, u: Vector) -> Vector:
    inside = 1.0 - np.minimum(_angles(u) / end, 1.0) ** 2
    # Below 1/700 the exponential is under 1e-303.
    return np.where(inside > 1 / 700, np.exp(1.0 - 1.0 / np.maximum(inside, 1 / 700)), 0.0)


def _rough_logs(s: float, dim: int, degree: int) -> Vector:
    k = np.arange(degree + 1)
    logs = -(s + 0.5) * np.log(np.maximum(k, 1))
    return np.where((k > 0) & (k % 2 == 0), logs, -np.inf)


def _even_values(values: Callable[[Vector], Any], u: Vector) -> Vector:
    return (values(u) + values(-u)) / 2


def _even_logs(closed: Callable[[int, int], Vector], dim: int, degree: int) -> Vector:
    return DegreeNorms(closed(dim, degree)).only("even").logs


def _steepest(a: float) -> float | None:
    """The largest of 1 and of a |cos θ|^(a-1) sin θ, which peaks at cos²θ = (a-1)/a."""
    if a < 1:
        return None
    return 1.0 if a == 1 else max(1.0, math.sqrt(a) * math.exp((a - 1) / 2 * math.log1p(-1 / a)))


def _angles(u: Vector) -> Vector:
    return np.arccos(np.clip(u, -1.0, 1.0))


def _exponent(exponent: Any) -> float:
    a = real_number(exponent, "the exponent")
    if a > 1e15:
        raise InputError(f"the exponent must be at most 10^15, got {a:g}")
    if not (math.isfinite(a) and a > -0.5):
        raise InputError(
            f"the exponent must be greater than -1/2, where |u|^a is square integrable for every "
            f"dimension; got {shown(exponent)}"
        )
    return a


def _angle(angle: Any) -> float:
    end = real_number(angle, "the angle")
    if not 0 < end < math.pi:
        raise InputError(f"the angle must lie between 0 and π = 3.1416, got {shown(angle)}")
    return end
