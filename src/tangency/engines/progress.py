"""A progress bar for long calls."""

from __future__ import annotations

from typing import Any


def progress_bar(total: int, show: bool, unit: str = "pair") -> Any:
    """A tqdm bar; it appears only if the call lasts longer than two seconds."""
    from tqdm import tqdm

    return tqdm(total=total, disable=not show, unit=unit, unit_scale=True, delay=2, leave=False)
