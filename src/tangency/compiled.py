"""Compiled functions that are kept on disk: how Numba is called, and a cache that fails safely."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

from . import linked


def compiler(*folders: Path, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: `numba.njit` with these options, without the GIL, cached on disk.

    folders: of the packages whose functions it compiles, and of those that these call; any change
        there makes the cache outdated.
    """

    def jit(function: Callable[..., Any]) -> Any:
        compiled = linked.function(function, nogil=True, error_model="numpy", **options)
        # No directory can be written to: every process then compiles for itself.
        with contextlib.suppress(RuntimeError, OSError):
            compiled._cache = _Cache(function, folders)
        return compiled

    return jit


@cache
def sources(*folders: Path) -> str:
    """A digest of the code of packages.

    Compiled functions hold those that they call, also from other modules, while Numba's own cache
    looks at the module of the function alone and would go on using what is out of date.
    """
    digest = hashlib.sha256(Path(__file__).read_bytes() + Path(linked.__file__).read_bytes())
    for path in (path for folder in folders for path in sorted(folder.glob("*.py"))):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


class _Cache(FunctionCache):
    """Numba's cache of one function, out of date as soon as any module of the package changes."""

    def __init__(self, function: Callable[..., Any], folders: tuple[Path, ...]) -> None:
        super().__init__(function)
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, sources(*folders))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        with linked.raised():
            return super().load_overload(sig, target_context)


class _Files(IndexDataCacheFile):
    """Files that fail without harm: what cannot be read is compiled, what cannot be kept is not.

    A file says what it holds, as two processes that compile at once may choose the same name.
    """

    def __init__(self, path: str, name: str, stamp: str) -> None:
        super().__init__(path, name, stamp)
        # The version is read first: an index of older code may name classes that are no more.
        self._version = (numba.__version__, stamp)

    def load(self, key: Any) -> Any:
        try:
            found = super().load(key)
            return found[1] if found is not None and found[0] == self._label(key) else None
        except Exception:
            # Pickle raises whatever damaged bytes happen to mean.
            return None

    def save(self, key: Any, data: Any) -> None:
        labelled = (self._label(key), data)
        try:
            super().save(key, labelled)
        except Exception:
            # The index is read before it is written: if that failed, a new one serves.
            with contextlib.suppress(Exception):
                self.flush()
                super().save(key, labelled)

    def _label(self, key: Any) -> tuple[str, str]:
        return self._source_stamp, repr(key)
