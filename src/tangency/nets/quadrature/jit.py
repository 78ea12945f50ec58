"""How the loops of this package are compiled."""

from __future__ import annotations

from pathlib import Path

from ...compiled import compiler

# Sums may be taken in any order that the compiler fixes; NaN and infinity keep their meaning. What
# a loop calls becomes a part of it: otherwise it has a copy of that function, for which the linker
# may take another one that rounds otherwise, as in the process that has compiled both.
jit = compiler(Path(__file__).parent, fastmath={"reassoc", "contract", "nsz"}, forceinline=True)
"""`numba.njit` with this package's options, cached on disk where a directory can be written."""
