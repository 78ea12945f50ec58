"""How the loops of this package are compiled."""

from __future__ import annotations

from pathlib import Path

from ...compiled import compiler

# Sums may be taken in any order that the compiler fixes; NaN and infinity keep their meaning.
jit = compiler(Path(__file__).parent, fastmath={"reassoc", "contract", "nsz"})
"""`numba.njit` with this package's options, cached on disk where a directory can be written."""
