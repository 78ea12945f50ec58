"""A progress bar for long calls."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any


class _Silent:
    """What a progress bar does when nobody looks."""

    def update(self, count: int) -> None:
        pass


def progress_bar(total: int, show: bool, unit: str = "pair") -> AbstractContextManager[Any]:
    """A tqdm bar; it appears only if the call lasts longer than two seconds."""
    if not show:
        # Not a disabled bar: tqdm starts a thread even for that, and later forks would warn.
        return nullcontext(_Silent())
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, unit_scale=True, delay=2, leave=False)
