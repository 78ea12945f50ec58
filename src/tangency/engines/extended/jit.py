"""How the loops of this package are compiled: every operation rounded as written, none fused."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

from ..fused.jit import _Files


def jit(function: Callable[..., Any]) -> Any:
    """`numba.njit` without any licence to rearrange floating-point operations, cached on disk."""
    compiled: Any = numba.njit(nogil=True, error_model="numpy")(function)
    # No directory can be written to: every process then compiles for itself.
    with contextlib.suppress(RuntimeError, OSError):
        compiled._cache = _Cache(function)
    return compiled


@cache
def _sources() -> str:
    """A digest of this package's code: compiled functions hold those that they call."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


class _Cache(FunctionCache):
    """Numba's cache of one function, out of date as soon as any module of the package changes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, _sources())
