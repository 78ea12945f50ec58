"""A progress bar for long calls."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any


class _Silent:
    """What a progress bar does when nobody looks."""

    def update(self, count: int) -> None:
        pass

    def set_description(self, text: str, refresh: bool = True) -> None:
        pass

    set_postfix_str = set_description


def progress_bar(
    total: int | None, show: bool | None, unit: str = "pair", *, first: str | None = None
) -> AbstractContextManager[Any]:
    """A tqdm bar; it appears only if the call lasts longer than two seconds.

    `total` is None where it is not known; `first` is a description to begin with. `show=None`
    leaves it out where nobody looks on: in a file, a bar is one line for each of its states.
    """
    if not show and not (show is None and watched()):
        return nullcontext(_Silent())
    return _bar()(total=total, desc=first, unit=unit, unit_scale=True, delay=2, leave=False)


def watched() -> bool:
    """Whether a person may see what is drawn: stderr is a terminal."""
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):  # none, or closed
        return False


@cache
def _bar() -> Any:
    from tqdm import tqdm

    class Bar(tqdm):
        # No thread of its own, which Python warns of in a fork, and which would outlive the call.
        monitor_interval = 0

    return Bar
