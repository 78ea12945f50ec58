"""First use: whatever must be compiled is compiled at once, and whoever waits for it is told."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...nets import parse
from ...nets.plan import plan
from ..engine import Wanted
from . import angle, blocks

# Loading compiled code takes less than this, in seconds.
_PATIENCE = 1.5
# Networks that reach every compiled loop: of grids, and of vectors with and without biases.
_GRIDS = (("conv3 relu avg2 conv3 relu gap dense relu dense", (4, 4, 1)),)
_VECTORS = (("dense relu dense", (2,)), ("dense:b=1 relu dense", (2,)))

_ready: set[tuple[str, str]] = set()
_running: set[tuple[str, str]] = set()
_lock = threading.RLock()


def warm_up(dtypes: Iterable[str] = ("float32", "float64")) -> None:
    """Compiles everything the engine needs, or loads it from the cache on disk.

    >>> from tangency.engines.fused.warm import warm_up
    >>> warm_up(["float64"])
    """
    for dtype in dtypes:
        for grid in (True, False):
            get_ready(dtype, grid)


def get_ready(dtype: Any, grid: bool) -> None:
    """Before the first call for a dtype, on grids or vectors: compiles what it needs.

    Doing so ahead of the call keeps compilation out of its threads, where Ctrl-C could not stop
    it. If it is not over in a moment, a message on stderr says what is going on.
    """
    name = np.dtype(dtype).name

    def tiny() -> None:
        for text, shape in _GRIDS if grid else _VECTORS:
            _tiny_calls(text, shape, name)

    once(name, "images" if grid else "vectors", tiny)


def once(dtype: str, what: str, tiny: Callable[[], None]) -> None:
    """Make `tiny` calls of what is to be compiled for a dtype, the first time that it is asked."""
    key = (dtype, what)
    if key in _ready:
        return
    with _lock:
        # The tiny calls below come by here too.
        if key in _ready or key in _running:
            return
        _running.add(key)
        try:
            with _message(f"{dtype} {what}"):
                tiny()
        finally:
            _running.discard(key)
        _ready.add(key)


def _tiny_calls(text: str, shape: tuple[int, ...], dtype: str) -> None:
    from . import engine

    steps = plan(parse(text), shape)
    x = np.ones((2, *shape), dtype=dtype)
    engine.gram(steps, x, None, n_jobs=1)
    engine.gram(steps, x, x[:1], wanted=Wanted(ntk=False), n_jobs=1)
    engine.diagonal(steps, x, n_jobs=1)


@contextmanager
def _message(what: str) -> Iterator[None]:
    before = _compiled()

    def say() -> None:
        if _compiled() > before:
            print(_text(what), file=sys.stderr, flush=True)

    timer = threading.Timer(_PATIENCE, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _text(what: str) -> str:
    path = blocks.image_block.stats.cache_path
    if path is None:
        often = (
            "in every process, as no cache directory can be written to; set NUMBA_CACHE_DIR to "
            "one that can"
        )
    else:
        often = f"once; the result is kept in {path}"
    return f"tangency: compiling its loops for {what}, which takes up to a minute ({often})"


def _functions() -> list[Any]:
    """The compiled functions that the engine calls, and features on landmarks if they are used."""
    later = [sys.modules.get(f"{__package__}.{name}") for name in ("duals", "winograd")]
    modules = [blocks, angle, *(module for module in later if module is not None)]
    found = [value for module in modules for value in vars(module).values()]
    return [f for f in found if hasattr(f, "py_func") and hasattr(f, "stats")]


def _compiled() -> int:
    """How many functions were compiled so far, or are being compiled, in this process."""
    return sum(sum(f.stats.cache_misses.values()) for f in _functions())


def _after_fork() -> None:
    """Another thread of the parent may have held the lock, and will not release it here."""
    global _lock
    _lock = threading.RLock()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
