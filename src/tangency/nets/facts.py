"""What theory and arithmetic ask of an activation: stated by its class, or not known at all.

A fact belongs to a formula. A class that inherits a fact but changes the formula below it has not
stated the fact, and nothing is guessed: distances are then computed with the most care, and laws
are unknown.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeGuard, TypeVar

_Kind = TypeVar("_Kind")

DUAL = frozenset({"dual", "_raw_dual", "_kappa", "_waves"})
"""The methods that hold a dual's formula."""

SCALAR = frozenset({"__call__", "_raw"})
"""The methods that hold the formula of the scalar function."""

SMOOTH = 1e9
"""An edge that is infinitely smooth, but not analytic."""


SMOOTH_FUNCTIONS = ("tanh", "sigmoid", "softplus", "silu", "gaussian")
"""The functions that `Activation` knows by name and that have no kink."""


class Steepness(NamedTuple):
    """By how much k and k̇ magnify the rounding of a correlation near 1; inf: as a kink does."""

    k: float = 1.0
    k_dot: float = 1.0


def is_a(
    layer: Any, kinds: type[_Kind] | tuple[type[_Kind], ...], formula: frozenset[str] = DUAL
) -> TypeGuard[_Kind]:
    """Whether a layer is of one of these kinds and has its formula, not one of its own."""
    if isinstance(kinds, tuple):
        return any(is_a(layer, kind, formula) for kind in kinds)
    if not isinstance(layer, kinds):
        return False
    below = type(layer).__mro__[: type(layer).__mro__.index(kinds)]
    return not any(formula & set(vars(cls)) for cls in below)


def stated(layer: Any, fact: str) -> Any:
    """A fact of an activation by name; None where its class does not state it for its formula."""
    from .activations import ActivationLayer

    for cls in type(layer).__mro__:
        if cls is ActivationLayer:
            return None
        if fact in vars(cls):
            return getattr(layer, fact)
        if DUAL & set(vars(cls)):
            return None
    return None


def edge(layer: Any) -> float | None:
    """The least ν of the terms (1 − c)^ν, ν no integer, in the dual k at correlation c = 1.

    inf where k is analytic there, `SMOOTH` where it is infinitely smooth; None where unknown.
    """
    from .quadrature import Activation

    if isinstance(layer, Activation):
        known = isinstance(layer.function, str) and layer.function in SMOOTH_FUNCTIONS
        return SMOOTH if known else None
    return stated(layer, "edge")


def steepness(layer: Any) -> Steepness | None:
    """How much care differences of k and k̇ take near correlation 1; None where unknown."""
    return stated(layer, "steepness")


def smooth(layer: Any) -> bool:
    """Whether σ is known to have no kink."""
    found = edge(layer)
    return found is not None and (math.isinf(found) or found == SMOOTH)
