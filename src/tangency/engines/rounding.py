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
# The same with a kink, at a relative squared distance δ = 1: it grows like 1/δ. Grids have patches
# that are nearer to each other than the inputs as a whole.
_VECTORS, _GRIDS = 2e-14, 1e-13
# And the most that it can be: correlations are taken as 1 from 4 units in the last place on, and
# arccos(1 − 4·2⁻⁵²)/π = 1.3e-8.
_MOST = 2e-8


def near(plan: Plan, want_ntk: bool, rtol: float) -> float:
    """The squared distance, against K(x,x) + K(y,y), below which float64 may not give `rtol`.

    `rtol` is the relative error wanted of the distance itself, half of that of its square: where
    float64 loses e, the limit is δ = e/(2·rtol). With duals that are smooth at correlation 1, e is
    some units in the last place. The k̇ of a kink has an infinite slope there, arccos(1 − δ)/π, so
    that e grows like 1/δ up to about 1e-8. (On grids this is a rule of thumb, measured on pixels
    that differ by 1e-8 to 1 of their size. If nearly all patches agree to 8 digits but not in all,
    while few others are far apart, e is the most that it can be, and at δ = 2e-4, the limit for
    1e-6, the error may reach 5e-5.)
    """
    layers = [step.layer for step in walk(plan.steps)]
    smooth = _SMOOTH * max([1.0, *(_steepness(layer) for layer in layers)])
    limit = smooth / (2 * rtol)
    # erf, and whatever a quadrature stands for, may be as steep as a step.
    steps = any(isinstance(layer, Erf | Activation) for layer in layers)
    if steps or (want_ntk and any(isinstance(layer, PiecewiseLinear | GELU) for layer in layers)):
        growing = math.sqrt((_GRIDS if plan.space else _VECTORS) / (2 * rtol))
        limit = max(limit, min(growing, _MOST / (2 * rtol)))
    return limit


def _steepness(layer: object) -> float:
    """How much a dual may magnify the rounding of a correlation, where a parameter says so."""
    if isinstance(layer, Exponential):
        return plain(layer.sigma) ** -4
    return plain(layer.frequency) ** 4 if isinstance(layer, Sine | Cosine) else 1.0
