"""Which engine computes a kernel, and why."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from array_api_compat import is_torch_array

from ..checks import choice
from ..errors import InputError
from ..nets.plan import Plan
from .gradients import differentiates, settled

ENGINES = ("auto", "fused", "reference")


class Choice(NamedTuple):
    """An engine by name, and the reason for it."""

    engine: str
    reason: str


def select(plan: Plan, x: Any = None, engine: str = "auto") -> Choice:
    """The engine for a plan and inputs (any array with their library and dtype; None: NumPy).

    "auto" takes the fused engine if the inputs are float32 or float64 in main memory, nothing is
    to be differentiated, and it knows every layer (see `fused.uncovered`); else the reference
    engine, which runs any layer on any array library.

    Raises:
        InputError: an unknown engine, or the fused engine where it cannot serve.
    """
    engine = choice(engine, "engine", ENGINES)
    if engine == "reference":
        return Choice("reference", "it was asked for")
    reason = _obstacle(plan, x)
    if reason is None:
        return Choice("fused", "it knows every layer of this network")
    if engine == "fused":
        raise InputError(
            f"the fused engine cannot compute this kernel: {reason}; use engine='auto'"
        )
    return Choice("reference", f"the fused engine cannot: {reason}")


def _obstacle(plan: Plan, x: Any) -> str | None:
    """Why the fused engine cannot serve."""
    if x is not None:
        if is_torch_array(x):
            if x.device.type != "cpu":
                return f"the inputs are on {x.device}"
            if differentiates(plan.net, x):
                return "a gradient is asked for"
        if str(x.dtype).removeprefix("torch.") not in ("float32", "float64"):
            return f"the inputs have dtype {x.dtype}"
    from . import fused

    return fused.uncovered(settled(plan, np.empty(0) if x is None else x))
