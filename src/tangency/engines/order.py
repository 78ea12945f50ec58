"""All engines, in the order in which "auto" asks them."""

from __future__ import annotations

from .driver import ReferenceEngine
from .engine import Engine
from .fused import FusedEngine

REFERENCE = ReferenceEngine()

ENGINES: tuple[Engine, ...] = (FusedEngine(), REFERENCE)
"""The last one computes whatever there is."""

NAMES = ("auto", *(engine.name for engine in ENGINES))
