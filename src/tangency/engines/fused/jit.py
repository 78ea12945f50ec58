"""How the loops of this engine are compiled: without the GIL, cached on disk, floats contracted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

# Products and sums may fuse, and the sign of zero does not matter. NaN and infinity keep their
# meaning, and sums keep their order: the same call gives the same bits.
FLOATS = {"contract", "nsz", "arcp"}


def jit(function: Callable[..., Any]) -> Any:
    """`numba.njit` with this engine's options; without a cache on disk where none can be written."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": FLOATS, "_nrt": False}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        return numba.njit(**options)(function)
