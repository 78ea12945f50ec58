"""How the loops of the way back are compiled: as those of the way there, which they call."""

from __future__ import annotations

from pathlib import Path

from ....compiled import compiler
from ..jit import FLOATS

_HERE = Path(__file__).parent

jit = compiler(_HERE, _HERE.parent, fastmath=FLOATS, _nrt=False)
