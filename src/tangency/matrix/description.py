"""What the description of a job must be: on a disk, anybody may have written it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .grid import MOST_TILES, Grid

KINDS = (["ntk"], ["nngp"], ["nngp", "ntk"], ["kernel"], ["features"])
"""The names of the matrices of a job."""

_LARGEST = 2**40  # rows or columns


def _count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= _LARGEST


def _digest(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _shape(value: Any) -> bool:
    return isinstance(value, list) and 1 <= len(value) <= 4 and all(map(_count, value))


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "version": (_text, "text"),
    "kernel": (lambda value: isinstance(value, dict), "an object"),
    "kinds": (lambda value: value in KINDS, "of ntk, nngp, both, kernel or features"),
    "dtype": (lambda value: value in ("float32", "float64"), "float32 or float64"),
    "n": (_count, "a whole number above 0"),
    "m": (_count, "a whole number above 0"),
    "tile": (_count, "a whole number above 0"),
    "symmetric": (lambda value: isinstance(value, bool), "true or false"),
    "input_shape": (_shape, "one to four whole numbers above 0"),
    "X": (_digest, "a SHA-256"),
    "Y": (_digest, "a SHA-256"),
    "engine": (_text, "text"),
}


def grid_of(job: dict[str, Any]) -> Grid:
    """The tiles of a job."""
    return Grid(job["n"], job["m"], job["tile"], job["symmetric"], job.get("width", 0))


def wrong_fields(job: dict[str, Any]) -> str | None:
    """What is wrong with the description of a job, as `Job.description` makes it; None: nothing.

    >>> wrong_fields({"version": 1})
    'version is 1, which must be text'
    """
    for name, (good, expected) in _FIELDS.items():
        if name not in job:
            return f"{name} is missing"
        if not good(job[name]):
            return f"{name} is {short(job[name])}, which must be {expected}"
    if "width" in job and not _count(job["width"]):
        return f"width is {short(job['width'])}, which must be a whole number above 0"
    grid = grid_of(job)
    if grid.symmetric and grid.n != grid.m:
        return f"symmetric is true, but n is {grid.n} and m is {grid.m}"
    if grid.count > MOST_TILES:
        return f"{grid.count:,} tiles, and there are never more than {MOST_TILES:,}"
    return None


def short(value: Any) -> str:
    """A value of any kind and size, as it may be shown in a terminal."""
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
