"""Where float64 is not enough: how near two inputs may be before rounding spoils a distance."""

from __future__ import annotations

import math

from ..nets.facts import steepness
from ..nets.plan import Plan, activations

# What float64 may lose of K(x,x) + K(y,y) − 2K(x,y), against K(x,x) + K(y,y): a few units in the
# last place of each K, with a factor of ten to spare.
_SMOOTH = 2e-14
# The same with a kink, at a relative squared distance δ = 1: it grows like 1/δ. Grids have patches
# that are nearer to each other than the inputs as a whole.
_VECTORS, _GRIDS = 2e-14, 1e-13
# And the most that it can be: correlations are taken as 1 from 4 units in the last place on, and
# arccos(1 − 4·2⁻⁵²)/π = 1.3e-8.
_MOST = 2e-8


def near(plan: Plan, kind: str, rtol: float) -> float:
    """The squared distance, against K(x,x) + K(y,y), below which float64 may not give `rtol`.

    `rtol` is the relative error wanted of the distance itself, half of that of its square: where
    float64 loses e, the limit is δ = e/(2·rtol). With duals that are smooth at correlation 1, e is
    some units in the last place. The k̇ of a kink has an infinite slope there, arccos(1 − δ)/π, so
    that e grows like 1/δ up to about 1e-8. (On grids this is a rule of thumb, measured on pixels
    that differ by 1e-8 to 1 of their size. If nearly all patches agree to 8 digits but not in all,
    while few others are far apart, e is the most that it can be, and at δ = 2e-4, the limit for
    1e-6, the error may reach 5e-5.)

    How steep a dual is, is a fact of its class (`ActivationLayer.steepness`). Where it is not
    stated, e counts as the most that it can be.
    """
    known = [steepness(layer) for layer in activations(plan.steps)]
    if None in known:
        return _MOST / (2 * rtol)
    facts = [fact for fact in known if fact is not None]
    sizes = [size for fact in facts for size in fact if math.isfinite(size)]
    limit = _SMOOTH * max([1.0, *sizes]) / (2 * rtol)
    if any(math.isinf(fact.k) or (kind == "ntk" and math.isinf(fact.k_dot)) for fact in facts):
        growing = math.sqrt((_GRIDS if plan.space else _VECTORS) / (2 * rtol))
        limit = max(limit, min(growing, _MOST / (2 * rtol)))
    return limit
