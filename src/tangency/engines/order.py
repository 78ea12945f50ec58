"""All engines, in the order in which "auto" asks them."""

from __future__ import annotations

from .blocked import BlockedEngine
from .driver import ReferenceEngine
from .engine import Engine
from .fused import FusedEngine

REFERENCE = ReferenceEngine()

ENGINES: tuple[Engine, ...] = (FusedEngine(), BlockedEngine(), REFERENCE)
"""The last one computes whatever there is."""

NAMES = ("auto", *(engine.name for engine in ENGINES))
