"""How the loops of this engine are compiled: as those of the fused one, whose duals they call."""

from __future__ import annotations

from pathlib import Path

from ...compiled import compiler
from ..fused.jit import FLOATS

_HERE = Path(__file__).parent

jit = compiler(_HERE, _HERE.parent / "fused", fastmath=FLOATS, _nrt=False)
