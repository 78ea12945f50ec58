"""Which engine computes a kernel, and why."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..checks import choice
from ..errors import InputError
from ..nets.plan import Plan
from .engine import Engine
from .order import ENGINES, NAMES


class Choice(NamedTuple):
    """An engine, and the reason for it."""

    engine: Engine
    reason: str


def select(plan: Plan, *arrays: Any, engine: str = "auto") -> Choice:
    """The engine for a plan and inputs (any arrays of their library and dtype; none: NumPy's).

    "auto" takes the first of `order.ENGINES` that does not refuse: the fused one if the inputs are
    float32 or float64 in main memory, nothing is to be differentiated, and it knows every layer;
    else the reference, which runs any layer on any array library.

    Raises:
        InputError: an unknown engine, or one that was asked for where it cannot serve.
    """
    name = choice(engine, "engine", NAMES)
    refusals = []
    for each in ENGINES:
        if name not in ("auto", each.name):
            continue
        reason = each.refusal(plan, *arrays)
        if reason is None:
            return Choice(each, "; ".join(refusals) or each.reason)
        if name != "auto":
            raise InputError(
                f"the {name} engine cannot compute this kernel: {reason}; use engine='auto'"
            )
        refusals.append(f"the {each.name} engine cannot: {reason}")
    raise AssertionError("the last engine computes whatever there is")
