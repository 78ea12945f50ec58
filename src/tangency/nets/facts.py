"""What theory and arithmetic ask of an activation: stated by its class, or not known at all.

A fact belongs to a formula. A class that inherits a fact but changes the formula below it has not
stated the fact, and nothing is guessed: distances are then computed with the most care, and laws
are unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..printable import fields

if TYPE_CHECKING:
    from .quadrature.family import Family

DUAL = frozenset({"dual", "_raw_dual", "_kappa", "_waves"})
"""The methods that hold a dual's formula."""

SCALAR = frozenset({"__call__", "_raw"})
"""The methods that hold the formula of the scalar function."""

SMOOTH = 1e9
"""An edge that is infinitely smooth, but not analytic."""


class Steepness(NamedTuple):
    """By how much k and k̇ magnify the rounding of a correlation near 1; inf: as a kink does."""

    k: float = 1.0
    k_dot: float = 1.0

    def __repr__(self) -> str:
        return fields(self)


class Powers(NamedTuple):
    """The powers in a power series: some, and whether they go on without end, by parity."""

    some: tuple[int, ...]
    even: bool = False
    odd: bool = False

    def derivative(self) -> Powers:
        """The powers in the derivative."""
        return Powers(tuple(m - 1 for m in self.some if m), even=self.odd, odd=self.even)


EVEN, ODD = Powers((0,), even=True), Powers((1,), odd=True)
ANY = Powers((0, 1), even=True, odd=True)


class Waves(NamedTuple):
    """exp((c − 1)/σ²) of directions: the limit of cosines in random directions."""

    sigma: float


class HermiteOfDirection(NamedTuple):
    """c^d of directions: the limit of Hermite polynomials of what is divided by the norm.

    power: of the norm, by which they are multiplied.
    """

    degree: int
    power: int = 1


class Facts:
    """What a class states of its formulas: each as a class attribute, or by a property.

    Attributes:
        edge: the least ν of the terms (1 − c)^ν, ν no integer, in k at correlation c = 1: 3/2 for
            a kink of σ, 1/2 for a jump, inf where k is analytic, `facts.SMOOTH` where it is
            infinitely smooth only. The decay of eigenvalues follows.
        steepness: by how much k and k̇ magnify the rounding of a correlation near 1.
        powers: the powers of s in k(s) at equal variances, from which zero eigenvalues follow.
        compiled: the name of the scalar dual of the fused engine (`engines.fused.scalars`), then
            its parameters.
        arc_cosine: (a², b²) for k = a²s + b²√(q q')·(2/π)(√(1−c²) + c·arcsin c).
        linear_plus_even: σ is a linear function plus an even one, neither of them zero: pairs of
            neurons g, −g are then exact for the linear one.
        any_precision: the dual gives as many digits as its arguments have: there is no constant
            of float64 in it beside parameters of the class.
        limit_of: the finite neurons of a kernel on patches, of which no σ is the limit.
        pieces: the function cut into pieces, whose quadrature times `scale` squared is the dual.
    """

    # No dataclass, whose annotations would be fields. Asked for by the functions below, which
    # see both ways of stating, and whether a class states a fact for the formula that it has.
    edge: float | property | None = None
    steepness: Steepness | property | None = None
    powers: Powers | property | None = None
    compiled: tuple[Any, ...] | property | None = None
    arc_cosine: tuple[float, float] | property | None = None
    linear_plus_even: bool | property = False
    any_precision: bool | property = False
    limit_of: Waves | HermiteOfDirection | property | None = None
    pieces: Family | property | None = None


def stated(layer: Any, fact: str, formula: frozenset[str] = DUAL) -> Any:
    """A fact of an activation by name; None where its class does not state it for its formula."""
    from .activations import ActivationLayer

    for cls in type(layer).__mro__:
        if cls is ActivationLayer:
            return None
        if fact in vars(cls):
            return getattr(layer, fact)
        if formula & set(vars(cls)):
            return None
    return None


def edge(layer: Any) -> float | None:
    """The least ν of the terms (1 − c)^ν, ν no integer, in the dual k at correlation c = 1.

    inf where k is analytic there, `SMOOTH` where it is infinitely smooth; None where unknown.
    """
    return stated(layer, "edge")


def steepness(layer: Any) -> Steepness | None:
    """How much care differences of k and k̇ take near correlation 1; None where unknown."""
    return stated(layer, "steepness")


def powers(layer: Any) -> Powers | None:
    """The powers of s in the dual k(s) at equal variances; None where unknown."""
    return stated(layer, "powers")


def compiled(layer: Any) -> tuple[Any, ...] | None:
    """The name of a compiled dual, and its parameters; None where there is none."""
    return stated(layer, "compiled")


def arc_cosine(layer: Any) -> tuple[float, float] | None:
    """(a², b²) of a dual of ReLU type; None for others."""
    return stated(layer, "arc_cosine")


def any_precision(layer: Any) -> bool:
    """Whether the dual gives as many digits as its arguments have."""
    return bool(stated(layer, "any_precision"))


def limit_of(layer: Any) -> Waves | HermiteOfDirection | None:
    """The finite neurons of a kernel on patches; None for activations, which have their own σ."""
    return stated(layer, "limit_of")


def pieces(layer: Any) -> Family | None:
    """The function in pieces of an activation by quadrature; None for others."""
    return stated(layer, "pieces")


def gain(layer: Any, most: float) -> float | None:
    """By how much k magnifies a relative error of s; None: by as much as a step would."""
    found = stated(layer, "gain")
    return None if found is None else found(most)


def derivative_moments(layer: Any, orders: int) -> Any:
    """E[(σ⁽ʲ⁾(g))²], (orders,); None without a closed form."""
    found = stated(layer, "derivative_moments")
    return None if found is None else found(orders)


def derivative(layer: Any) -> Callable[[Any], Any] | None:
    """The derivative σ' as a function; None where unknown."""
    return stated(layer, "derivative", SCALAR)


def neurons(layer: Any) -> Neurons:
    """What random features may make use of."""
    homogeneous = stated(layer, "homogeneous", SCALAR)
    return Neurons(bool(homogeneous), bool(stated(layer, "linear_plus_even", SCALAR)))


class Neurons(NamedTuple):
    """σ(λu) = λσ(u) for λ > 0; and σ is a linear function plus an even one."""

    homogeneous: bool
    linear_plus_even: bool


def smooth(layer: Any) -> bool:
    """Whether σ is known to have no kink."""
    found = edge(layer)
    return found is not None and (math.isinf(found) or found == SMOOTH)
