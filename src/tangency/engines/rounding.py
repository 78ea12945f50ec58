"""Where float64 is not enough: how near two inputs may be before rounding spoils a distance."""

from __future__ import annotations

import math

from ..nets.activations import (
    GELU,
    Cosine,
    Erf,
    Exponential,
    PiecewiseLinear,
    Sine,
)
from ..nets.base import plain
from ..nets.plan import Plan, walk
from ..nets.quadrature import Activation

# What float64 may lose of K(x,x) + K(y,y) − 2K(x,y), against K(x,x) + K(y,y): a few units in the
# last place of each K, with a factor of ten to spare.
_SMOOTH = 2e-14
# arccos near 1 halves the digits: correlations of patches are taken as 1 from 4 units on, and
# arccos(1 − 4·2⁻⁵²)/π = 1.3e-8.
_KINKED = 2e-8


def near(plan: Plan, want_ntk: bool, rtol: float) -> float:
    """The squared distance, against K(x,x) + K(y,y), below which float64 cannot give `rtol`.

    `rtol` is the relative error wanted of the distance itself, half of that of its square. With
    duals that are smooth at correlation 1 the loss e is some units in the last place, and the
    limit is e/(2·rtol). The k̇ of an activation with a kink has an infinite slope there; between
    vectors it then loses about 2⁻⁵²/δ at a relative squared distance δ, so that the limit is a
    square root; on grids, patches may be much nearer to each other than the inputs as a whole,
    and the most that k̇ can lose is taken.
    """
    layers = [step.layer for step in walk(plan.steps)]
    smooth = _SMOOTH * max([1.0, *(_steepness(layer) for layer in layers)])
    limit = smooth / (2 * rtol)
    # erf, and whatever a quadrature stands for, may be as steep as a step.
    steps = any(isinstance(layer, Erf | Activation) for layer in layers)
    if steps or (want_ntk and any(isinstance(layer, PiecewiseLinear | GELU) for layer in layers)):
        limit = max(limit, _KINKED / (2 * rtol) if plan.space else math.sqrt(_SMOOTH / (2 * rtol)))
    return limit


def _steepness(layer: object) -> float:
    """How much a dual may magnify the rounding of a correlation, where a parameter says so."""
    if isinstance(layer, Exponential):
        return plain(layer.sigma) ** -4
    return plain(layer.frequency) ** 4 if isinstance(layer, Sine | Cosine) else 1.0
