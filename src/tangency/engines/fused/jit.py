"""How the loops of this engine are compiled: floats contracted, no reference counts."""

from __future__ import annotations

from pathlib import Path

from ...compiled import compiler

# Products and sums may fuse, and the sign of zero does not matter. NaN and infinity keep their
# meaning, and sums keep their order: the same call gives the same bits.
FLOATS = {"contract", "nsz", "arcp"}

jit = compiler(Path(__file__).parent, fastmath=FLOATS, _nrt=False)
"""`numba.njit` with this engine's options, cached on disk where a directory can be written."""
