"""The library's own errors, all of them `ValueError`s: bad input, with what came and the remedy."""

from __future__ import annotations

import sys

from .printable import printable


class _Printable(Exception):
    """Messages repeat names that others chose, which may hold control characters."""

    def __str__(self) -> str:
        return printable(super().__str__(), keep="\n\t")


class NetworkError(_Printable, ValueError):
    """An invalid network: a bad option, or layers whose shapes do not fit."""


class InputError(_Printable, ValueError):
    """Data that a kernel cannot take: wrong shape or type, NaN, infinity, or empty."""


class MemoryLimitError(_Printable, MemoryError, ValueError):
    """A request that does not fit in the memory budget, even one pair at a time."""


class DiskFullError(_Printable, OSError, ValueError):
    """A file that does not fit on its disk; what was there before is as it was."""

    def __str__(self) -> str:
        remedy = "there is no room for it; make some, or give a path on another disk"
        text = super().__str__()
        # What the system says ends in the path; NumPy's own words are no sentence without it.
        return f"{text}; {remedy}" if self.errno is None else f"{remedy}: {text}"


class StoreError(InputError):
    """A stored kernel matrix that cannot be used: missing or damaged tiles, another job, in use."""


def callers_level() -> int:
    """The `stacklevel` of a warning that points at the first caller outside of this library."""
    frame, level = sys._getframe(1), 1  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("tangency."):
        frame, level = frame.f_back, level + 1
    return level
