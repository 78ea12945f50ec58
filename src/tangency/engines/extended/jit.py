"""How the loops of this package are compiled: every operation rounded as written, none fused."""

from __future__ import annotations

from pathlib import Path

from ...compiled import compiler

jit = compiler(Path(__file__).parent)
"""`numba.njit` without any licence to rearrange floating-point operations, cached on disk."""
