"""`tangency warmup`."""

from __future__ import annotations

import time

from .say import say

_WHAT = ("float32", "float64", "32 digits", "quadrature")


def warmup() -> None:
    """Compile all engines ahead of their first use: float32, float64, and near distances.

    The result is kept on disk, so that this takes up to a minute once, and seconds afterwards.
    Set NUMBA_CACHE_DIR to keep it in another directory.
    """
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    from ..engines.fused import blocks

    path = blocks.image_block.stats.cache_path
    if path is None:
        raise OSError(
            "no cache directory can be written to, so every process compiles again; set "
            "NUMBA_CACHE_DIR to one that can"
        )
    begin = time.perf_counter()
    # Compilation runs on one thread of a process: two processes take half the time.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        jobs = {pool.submit(_compile, what): what for what in _WHAT}
        for number, job in enumerate(as_completed(jobs), start=1):
            say(f"{number} of {len(_WHAT)}: {jobs[job]} ready after {job.result():.1f} s")
    say(f"in all {time.perf_counter() - begin:.1f} s")
    say(f"cache: {path}")


def _compile(what: str) -> float:
    """Compiles for one precision, in seconds."""
    start = time.perf_counter()
    if what == "32 digits":
        from ..engines.extended.warm import warm_up as warm_up_extended

        warm_up_extended()
    elif what == "quadrature":
        from ..nets.quadrature.warm import warm_up as warm_up_quadrature

        warm_up_quadrature()
    else:
        from ..engines.fused import duals, winograd
        from ..engines.fused.warm import warm_up

        warm_up((what,))
        from ..engines.blocked.warm import get_ready

        get_ready(what)
        for loops in (duals, winograd):
            loops.get_ready(what)
    return time.perf_counter() - start
