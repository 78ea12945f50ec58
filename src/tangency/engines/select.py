"""Which engine computes a kernel, and why."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import InputError
from ..nets.plan import Plan

ENGINES = ("auto", "reference")


class Choice(NamedTuple):
    """An engine by name, and the reason for it."""

    engine: str
    reason: str


def select(plan: Plan, engine: str = "auto") -> Choice:
    """The engine for a plan.

    "auto" takes the reference engine, the only one so far: it runs any layer on any array
    library.

    Raises:
        InputError: an unknown engine.
    """
    if engine not in ENGINES:
        raise InputError(f"engine must be one of {', '.join(ENGINES)}; got {engine!r}")
    if engine == "reference":
        return Choice("reference", "it was asked for")
    return Choice("reference", "it runs every layer, on NumPy and PyTorch")
